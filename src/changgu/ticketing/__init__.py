"""What callers ask for, from the first word on the telephone to the call back that closes it."""

"""What callers do about their tickets by themselves: prove who they are, hear the state, ask to be called back."""

"""What callers hear beside the menu, and what they make of it."""

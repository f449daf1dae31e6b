"""Measures changgu beside Asterisk's own queues, its engine alone, and how soon it is back after being killed."""

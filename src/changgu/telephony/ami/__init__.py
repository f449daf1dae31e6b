"""Asterisk's manager interface: phones' states, the queue log, recordings, the plain queues."""

"""Asterisk's REST interface: news of calls, and what we ask of them."""

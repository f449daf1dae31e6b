"""First-contact resolution: what the desk solves itself, and what stays solved, by agent and skill (WL-06)."""

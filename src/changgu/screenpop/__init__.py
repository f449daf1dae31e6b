"""Shows the agent who is calling while the phone still rings, and carries the agent's desktop and browser phone."""

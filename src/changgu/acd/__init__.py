"""Distributes callers to agents: who rings, who waits, who gives up."""

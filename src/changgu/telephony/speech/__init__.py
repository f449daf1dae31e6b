"""Speaks the prompts, from a synthesiser or a recording made before anyone calls, and listens to callers' answers."""

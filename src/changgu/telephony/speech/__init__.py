"""Speaks the prompts: a synthesiser, and the store of sounds made before anyone calls."""

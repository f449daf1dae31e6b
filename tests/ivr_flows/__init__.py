"""The menu: what callers hear, press, and where they end."""

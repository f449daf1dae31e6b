"""Puts the desk together and opens it: settings, accounts, pages, commands."""

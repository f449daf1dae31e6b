"""Menus as data: what a caller hears, which keys lead where, and where it ends."""

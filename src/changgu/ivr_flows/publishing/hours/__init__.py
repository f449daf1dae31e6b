"""The table of opening hours and holidays, edited in the browser."""

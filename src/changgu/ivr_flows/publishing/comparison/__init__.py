"""Two versions of the menu held against each other."""

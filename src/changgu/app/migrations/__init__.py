"""One history of the database's shape, for all rooms."""

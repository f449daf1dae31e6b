"""What every room stands on: the database, who is asking, and how trouble is said."""

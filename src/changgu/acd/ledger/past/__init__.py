"""The ledger read backwards: the floor as it was at any moment."""

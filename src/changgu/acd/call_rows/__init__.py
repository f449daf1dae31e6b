"""The calls as rows: what lists and reports are made of."""

"""Who has which number, in memory."""

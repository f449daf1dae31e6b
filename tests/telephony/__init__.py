"""The adapters to the telephone network."""

"""Everything that talks to the telephone network, and nothing that decides."""

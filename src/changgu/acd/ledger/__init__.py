"""Everything that happened on the floor, in order, for ever."""

"""What every event, command and fact is made of: a small frozen record.

Thousands are made in a second, so they are msgspec structs: made six times faster than a frozen dataclass, compared
and printed alike, and, as they hold no cycles, nothing for the garbage collector to walk through.
"""

import msgspec


class Message(msgspec.Struct, frozen=True, gc=False):
    """One event, command or fact."""

"""How the wallboard's messages write an instant."""

from datetime import UTC, datetime
from typing import overload

from changgu.acd.identity import Instant


@overload
def iso(instant: Instant) -> str: ...
@overload
def iso(instant: None) -> None: ...
@overload
def iso(instant: Instant | None) -> str | None: ...
def iso(instant: Instant | None) -> str | None:
    """ISO-8601, UTC, milliseconds."""
    if instant is None:
        return None
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

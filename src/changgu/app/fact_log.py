"""One line of the service's log for each fact, without anybody's number."""

import logging

from changgu.acd.facts import CallOverflowed, CallStarted, Direction, NewsIgnored, Recorded
from changgu.acd.queues import Way

logger = logging.getLogger("changgu.facts")

PRIVATE = frozenset({"caller", "number"})
"""Fields that stand in the ledger but not in the log."""

EMPTY: tuple[object, ...] = (None, "", frozenset())


class FactLog:
    """Hears every fact."""

    def hear(self, recorded: Recorded) -> None:
        """Write the line: the fact's name, then its fields."""
        fact = recorded.fact
        level = logging.DEBUG if isinstance(fact, NewsIgnored) else logging.INFO
        if not logger.isEnabledFor(level):
            return
        hidden = PRIVATE
        if isinstance(fact, CallStarted) and fact.direction is Direction.OUTBOUND:
            hidden = PRIVATE | {"dialled"}  # there it is the number of the person who is called back
        elif isinstance(fact, CallOverflowed) and fact.to.startswith(f"{Way.NUMBER.value}:"):
            hidden = PRIVATE | {"to"}
        said = " ".join(
            f"{name}={value}"
            for name in fact.__struct_fields__
            if name not in hidden and (value := getattr(fact, name)) not in EMPTY
        )
        logger.log(level, "%s %s", type(fact).__name__, said, extra={"call_id": getattr(fact, "call", None)})

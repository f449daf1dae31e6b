"""One line of the service's log for each fact, without anybody's number."""

import logging
from dataclasses import fields

from changgu.acd.facts import NewsIgnored, Recorded

logger = logging.getLogger("changgu.facts")

PRIVATE = frozenset({"caller"})
"""Fields that stand in the ledger but not in the log."""


class FactLog:
    """Hears every fact."""

    def hear(self, recorded: Recorded) -> None:
        """Write the line: the fact's name, then its fields."""
        fact = recorded.fact
        said = " ".join(
            f"{field.name}={getattr(fact, field.name)}"
            for field in fields(fact)
            if field.name not in PRIVATE and getattr(fact, field.name) not in (None, "", frozenset())
        )
        level = logging.DEBUG if isinstance(fact, NewsIgnored) else logging.INFO
        logger.log(level, "%s %s", type(fact).__name__, said, extra={"call_id": getattr(fact, "call", None)})

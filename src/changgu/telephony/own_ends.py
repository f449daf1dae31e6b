"""When our own callers hung up while changgu was away, by what the dialplan noted then in queue_log (HUNGUP).

The row says when, to the millisecond, and whose phone went first: the caller's own, or that of the agent with whom they
were joined. When an agent's phone went is noted nowhere, only that it was before the caller's: a leg that we rang runs
no dialplan.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from changgu.acd.identity import AgentId, CallId, Instant
from changgu.telephony.own_waits import last_rows
from changgu.telephony.shadow_history import Row

logger = logging.getLogger(__name__)

_AGENTS_PHONE = re.compile(r"PJSIP/agent-(?P<login>.+)-[0-9a-f]{8}")

_MOMENT = re.compile(r"[0-9]{1,15}\.[0-9]{3}")

CLOSE = 2.0
"""Seconds between the time in a row and the second of the row itself, at most."""


@dataclass(frozen=True, slots=True)
class End:
    """A caller hung up."""

    at: Instant
    after: AgentId | None = None
    """The agent they were joined with, when that one's phone went first."""


Ends = Callable[[], Awaitable[Mapping[CallId, End]]]

NO_ENDS: Final[Mapping[CallId, End]] = {}


async def no_ends() -> Mapping[CallId, End]:
    """For a PBX whose queue_log cannot be read."""
    return NO_ENDS


class OwnEnds:
    """Reads the end of a queue_log; None where it cannot be read."""

    def __init__(self, log: Path | None) -> None:
        self._log = log

    async def __call__(self) -> Mapping[CallId, End]:
        """Everybody who hung up lately while we were away."""
        try:
            return NO_ENDS if self._log is None else await asyncio.to_thread(_read, self._log)
        except OSError as trouble:
            logger.warning("who hung up while we were away cannot be read: %s", trouble)
            return NO_ENDS


def ends(rows: Iterable[Row]) -> Mapping[CallId, End]:
    """Who hung up while we were away, by these rows."""
    return {row.call: _end(row) for row in rows if row.event == "HUNGUP"}


def _read(log: Path) -> Mapping[CallId, End]:
    return ends(last_rows(log))


def _end(row: Row) -> End:
    moment, phone = (*row.data[2:4], "", "")[:2]
    agent = _AGENTS_PHONE.fullmatch(phone)
    exact = float(moment) if _MOMENT.fullmatch(moment) else row.at
    at = exact if abs(exact - row.at) < CLOSE else row.at
    return End(at, None if agent is None else AgentId(agent["login"]))

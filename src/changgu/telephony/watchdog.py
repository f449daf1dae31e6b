"""Sees to it that no state outlives its evidence: looks at the PBX from time to time and repairs what is not so.

News can be lost though the line is up, and nothing would ever say so again: an agent 통화 중 without a leg, a caller
who left unheard. So every half minute all channels are read, and what differs from what is believed twice in a row, a
few seconds apart, is put right; each repair is an event, and becomes a fact. Ringing beyond its limit is not looked
for: the engine itself ends that.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, TypeVar

from changgu.acd.events import AgentHungUp, ConversationMissing, Event
from changgu.telephony.ari.errors import AriTrouble
from changgu.telephony.comparison import Findings

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_EVERY = 30.0
LOOK_AGAIN = 3.0
"""Seconds until what was found is looked for again: news under way has arrived by then."""

PHONES_EVERY = 4
"""Looks after which the phones' list is read, too."""


class Eyes(Protocol):
    """Who can look and repair; `reconcile.Reconciler` is the one implementation."""

    async def audit(self) -> Findings | None:
        """What differs; raises `AriTrouble`."""
        ...

    async def repair(self, findings: Findings) -> None:
        """Put it right."""
        ...


class Watchdog:
    """`run` must be running. `look_at_phones` reads the list of phones again (`AgentPhones.watch`)."""

    def __init__(
        self, eyes: Eyes, look_at_phones: Callable[[], None] = lambda: None, *, every: float = LOOK_EVERY,
        again: float = LOOK_AGAIN,
    ) -> None:  # fmt: skip
        self._eyes = eyes
        self._look_at_phones = look_at_phones
        self._every = every
        self._again = again
        self._wanted = asyncio.Event()
        self.looks = 0
        self.repairs = 0
        """Things put right; anything but 0 means that news was lost."""

    def ask(self) -> None:
        """Look now."""
        self._wanted.set()

    async def run(self) -> None:
        """Look from time to time, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._every):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            if self.looks % PHONES_EVERY == 0:
                self._look_at_phones()
            self.looks += 1
            try:
                await self.look()
            except AriTrouble as trouble:
                logger.info("the PBX could not be looked at: %s", trouble)

    async def look(self) -> None:
        """Look, and if anything is wrong look again; repair what is wrong both times. Raises `AriTrouble`."""
        first = await self._eyes.audit()
        if first is None or not wrong(first):
            return
        await asyncio.sleep(self._again)
        second = await self._eyes.audit()
        if second is None:
            return
        confirmed = both(first, second)
        if wrong(confirmed):
            self.repairs += wrong(confirmed)
            logger.warning(
                "what was believed had no evidence: %d pieces of news missed, %d new callers, %d orphan legs, "
                "%d orphan bridges",
                len(confirmed.events),
                len(confirmed.newcomers),
                len(confirmed.orphans),
                len(confirmed.empty_bridges),
            )
            await self._eyes.repair(confirmed)


def wrong(findings: Findings) -> int:
    """How many things are not as they are believed to be."""
    return len(findings.events) + len(findings.orphans) + len(findings.empty_bridges) + len(findings.newcomers)


def both(first: Findings, second: Findings) -> Findings:
    """What was found both times, as it is to be repaired while the line is up.

    Callers and legs that are there are known, and what was decided about them was carried out: nothing to do for them.
    """
    seen = {channel.id for channel, _ in first.newcomers}
    return Findings(
        orphans=_both(first.orphans, second.orphans),
        empty_bridges=_both(first.empty_bridges, second.empty_bridges),
        gone_callers=_both(first.gone_callers, second.gone_callers),
        gone_legs=_both(first.gone_legs, second.gone_legs),
        events=[_unheard(event) for event in _both(first.events, second.events)],
        newcomers=[newcomer for newcomer in second.newcomers if newcomer[0].id in seen],
    )


def _both(first: list[T], second: list[T]) -> list[T]:
    return [one for one in second if one in first]


def _unheard(event: Event) -> Event:
    """A conversation's end that was not told while we listened is a repair, and to be counted as one."""
    match event:
        case AgentHungUp(agent, call, offer):
            return ConversationMissing(agent, call, offer)
        case _:
            return event

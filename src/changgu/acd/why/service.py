"""Explains the offers of any call, past or present: the floor is rebuilt from the ledger as it was just before each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from changgu.acd.explain import Explanation, Unserved, explain_offer, unserved
from changgu.acd.facts import CallEnded, CallOffered, CallOverflowed, FloorTakenUp
from changgu.acd.floor_state import FloorState
from changgu.acd.identity import CallId, Instant
from changgu.acd.ledger.past.store import Past
from changgu.acd.queues import Floor

MOST_OFFERS = 40
"""Of one call: a call that rang more often is explained by its first so many offers."""

FACTS_AT_ONCE = 20_000

A_MOMENT = 0.001
"""Seconds by which a time is taken wider, as the ledger's are rounded."""

FOREVER = 4_102_444_800.0
"""The year 2100."""


@dataclass(frozen=True, slots=True)
class Explained:
    """The offers of one call, in order."""

    offers: tuple[Explanation, ...]
    names: Mapping[str, str]
    """What agents and queues were called then, by login and short name."""
    floor_known: bool = True
    """False when the set-up of those days was not kept, and today's had to do."""
    left_out: int = 0
    """Further offers."""
    unserved: Unserved | None = None
    """Of a call that waited and was offered to nobody."""
    waits_still: bool = False


class Explainer:
    """`floor` is the set-up of today, for ledgers that are older than the keeping of set-ups.

    `now` tells of a caller who waits at this moment how they do, and the set-up; None for all others. Nobody reads the
    past then, which takes longer the longer they wait, in the process that serves them.
    """

    def __init__(
        self, past: Past, floor: Callable[[], Awaitable[Floor]],
        now: Callable[[CallId], tuple[Unserved, Floor] | None] = lambda call: None,
    ) -> None:  # fmt: skip
        self._past = past
        self._floor = floor
        self._now = now

    async def of_call(self, call: CallId) -> Explained:
        """Every offer of a call; none for a call that never rang or is unknown."""
        offers = await self._past.offers_of(call)
        if not offers:
            return Explained((), {})
        asked = offers[:MOST_OFFERS]
        moment = await self._past.before(asked[0].seq)
        floor = moment.floor if moment.floor is not None else await self._floor()
        state = FloorState(floor, moment.next_offer)
        for entry in moment.facts:
            state.apply(entry.fact, entry.at)
        names = _names(floor)
        explained: list[Explanation] = []
        reached = asked[0].seq
        while len(explained) < len(asked):
            upto = min(asked[len(explained)].seq, reached + FACTS_AT_ONCE)
            for entry in await self._past.facts(reached, upto):
                if entry.seq == asked[len(explained)].seq and isinstance(entry.fact, CallOffered):
                    explained.append(explain_offer(state, entry.fact, entry.at))
                state.apply(entry.fact, entry.at)
                if isinstance(entry.fact, FloorTakenUp):
                    changed = await self._past.floor(entry.fact.digest)
                    if changed is not None:
                        state.set_up(changed)
                        names |= _names(changed)
            reached = upto + 1
        return Explained(tuple(explained), names, moment.floor is not None, len(offers) - len(asked))

    async def of_visit(
        self, call: CallId, since: Instant, until: Instant | None, *, waited: bool
    ) -> Explained:
        """Every offer of a call, or how it waited in vain between these times.

        `until` is None for a call that is not over; `waited` is false for one that never came to a queue.
        """
        found = await self.of_call(call)
        if found.offers or not waited:
            return found
        if until is None and (waits := self._now(call)) is not None:
            return Explained((), _names(waits[1]), unserved=waits[0], waits_still=True)
        return await self._of_wait(call, since, until)

    async def _of_wait(self, call: CallId, since: Instant, until: Instant | None) -> Explained:
        """The last wait of a call between two times, as it was just before its end, if it waited."""
        span = await self._past.between(since - A_MOMENT, FOREVER if until is None else until + A_MOMENT)
        if span is None:
            return Explained((), {})
        moment = await self._past.before(span[0])
        floor = moment.floor if moment.floor is not None else await self._floor()
        state = FloorState(floor, moment.next_offer)
        for entry in moment.facts:
            state.apply(entry.fact, entry.at)
        names, found, at = _names(floor), None, since
        for first in range(span[0], span[1] + 1, FACTS_AT_ONCE):
            for entry in await self._past.facts(first, min(span[1], first + FACTS_AT_ONCE - 1)):
                at = entry.at
                if isinstance(entry.fact, CallEnded | CallOverflowed) and entry.fact.call == call:
                    found = unserved(state, call, at) or found
                state.apply(entry.fact, at)
                if isinstance(entry.fact, FloorTakenUp):
                    changed = await self._past.floor(entry.fact.digest)
                    if changed is not None:
                        state.set_up(changed)
                        names |= _names(changed)
        waits = unserved(state, call, at)
        return Explained((), names, moment.floor is not None, unserved=waits or found, waits_still=waits is not None)


def _names(floor: Floor) -> dict[str, str]:
    return {
        **{str(queue.name): queue.title for queue in floor.queues},
        **{str(agent.login): agent.name for agent in floor.agents},
    }

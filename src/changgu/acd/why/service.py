"""Explains the offers of any call, past or present: the floor is rebuilt from the ledger as it was just before each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from changgu.acd.explain import Explanation, explain_offer
from changgu.acd.facts import CallOffered, FloorTakenUp
from changgu.acd.floor_state import FloorState
from changgu.acd.identity import CallId
from changgu.acd.ledger.past.store import Past
from changgu.acd.queues import Floor

MOST_OFFERS = 40
"""Of one call: a call that rang more often is explained by its first so many offers."""

FACTS_AT_ONCE = 20_000


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


class Explainer:
    """`floor` is the set-up of today, for ledgers that are older than the keeping of set-ups."""

    def __init__(self, past: Past, floor: Callable[[], Awaitable[Floor]]) -> None:
        self._past = past
        self._floor = floor

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


def _names(floor: Floor) -> dict[str, str]:
    return {
        **{str(queue.name): queue.title for queue in floor.queues},
        **{str(agent.login): agent.name for agent in floor.agents},
    }

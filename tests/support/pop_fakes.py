"""Hand-written stand-ins for what the screen pop asks of its neighbours."""

import asyncio
from collections.abc import Sequence

from changgu.acd.identity import AgentId, CallId
from changgu.screenpop.caller import CallerCard
from changgu.screenpop.pop import PastCall, TicketLine


class FakePeople:
    """A directory in a dict; `slow` holds every answer back until it is set, `broken` makes it fail."""

    def __init__(self, *people: CallerCard) -> None:
        self.people = {person.id: person for person in people}
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken: Exception | None = None
        self.learnt: list[tuple[str, str, str]] = []

    def canonical(self, raw: str) -> str:
        return raw.replace("-", "")

    def display(self, raw: str) -> str:
        return raw

    async def find_by_number(self, raw: str) -> list[CallerCard]:
        await self.gate.wait()
        if self.broken is not None:
            raise self.broken
        return [person for person in self.people.values() if raw in person.numbers]

    async def card(self, person_id: str) -> CallerCard | None:
        return self.people.get(person_id)

    async def ids_of(self, person_id: str) -> list[str]:
        return [person_id]

    async def add_number(self, person_id: str, raw: str, by: str) -> None:
        self.learnt.append((person_id, raw, by))


class FakeTickets:
    """Tickets by person and by call."""

    def __init__(self) -> None:
        self.of_person: dict[str, list[TicketLine]] = {}
        self.of_call: dict[CallId, list[TicketLine]] = {}
        self.callers: list[tuple[CallId, str | None, AgentId]] = []

    async def for_person(self, person_id: str, limit: int) -> Sequence[TicketLine]:
        return self.of_person.get(person_id, [])[:limit]

    async def for_call(self, call: CallId) -> Sequence[TicketLine]:
        return self.of_call.get(call, [])

    async def caller_is(self, call: CallId, person: CallerCard | None, by: AgentId) -> None:
        self.callers.append((call, person.id if person else None, by))


class FakePast:
    """Earlier calls, all of which are asked for by name or by number."""

    def __init__(self) -> None:
        self.known: dict[CallId, PastCall] = {}
        self.by_number: dict[str, list[PastCall]] = {}

    async def calls(self, ids: Sequence[CallId]) -> Sequence[PastCall]:
        return [self.known[call] for call in ids if call in self.known]

    async def from_number(self, raw: str, limit: int) -> Sequence[PastCall]:
        return self.by_number.get(raw, [])[:limit]

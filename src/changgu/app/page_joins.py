"""What the pages of one room ask of another, answered here, because rooms on one floor do not know each other.

Apart from `joins`, which calls need: pages are imported only once calls are routed.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from changgu.acd.api import Asks, PersonRef
from changgu.acd.call_record import CallRecord
from changgu.acd.engine import RequestRefused
from changgu.acd.events import Event
from changgu.acd.identity import CallId, Instant
from changgu.acd.ledger.store import Ledger
from changgu.acd.queues import Floor
from changgu.acd.store import CallStore
from changgu.app.joins import NOT_DIALLED, person_of
from changgu.directory.pages import CallLine
from changgu.directory.pages import TicketLine as PersonTicketLine
from changgu.directory.person import PersonId
from changgu.directory.service import Directory
from changgu.ground.database import moment
from changgu.ground.trouble import BadInput
from changgu.screenpop.store import IdentifiedCalls
from changgu.telephony.dial_plan import DialPlan, Refusal
from changgu.ticketing.pages import CallLine as TicketCallLine
from changgu.ticketing.service import Tickets
from changgu.ticketing.ticket import STATE_NAMES

logger = logging.getLogger(__name__)


class WrittenDown:
    """Answers people once what they asked for stands in the ledger. Answers `acd.api.Asks`.

    A promise which was confirmed outlives a kill a moment later.
    """

    LIMIT = 2.0
    """Seconds for which a disk that does not answer may keep somebody waiting."""

    def __init__(self, runner: Asks, ledger: Ledger) -> None:
        self._runner = runner
        self._ledger = ledger

    async def ask(self, event: Event) -> RequestRefused | None:
        """Handles the wish; None, or why it was refused."""
        refused = await self._runner.ask(event)
        if not await self._ledger.flush(self.LIMIT):
            logger.warning("%s was confirmed before it was written down", type(event).__name__)
        return refused

    def now(self) -> Instant:
        """The time on the floor's clock."""
        return self._runner.now()


class CallLinks:
    """People and tickets of calls. Answers `acd.api.CallJoins`."""

    def __init__(self, directory: Directory, identified: IdentifiedCalls, tickets: Tickets) -> None:
        self._directory = directory
        self._identified = identified
        self._tickets = tickets

    async def people_of(self, calls: Sequence[CallRecord]) -> Mapping[CallId, PersonRef]:
        """Who called, for the calls whose caller is known."""
        found = await self._identified.people_of([call.id for call in calls])
        departments: dict[str, str] = {}
        for person_id in {one.person_id for one in found.values()}:
            person = await person_of(self._directory, person_id)
            departments[person_id] = person.department if person else ""
        return {
            call: PersonRef(int(one.person_id), one.name, departments[one.person_id]) for call, one in found.items()
        }

    async def tickets_of(self, calls: Sequence[CallId]) -> Mapping[CallId, Sequence[str]]:
        """Numbers of the tickets linked with each call."""
        linked = await self._tickets.for_calls(calls)
        return {call: [ticket.number for ticket in tickets] for call, tickets in linked.items()}


class PersonPast:
    """A person's calls for their page. Answers `directory.PastCalls`; `tickets` answers `directory.PastTickets`."""

    def __init__(
        self, calls: CallStore, identified: IdentifiedCalls, tickets: Tickets, floor: Callable[[], Floor]
    ) -> None:
        self._calls = calls
        self._identified = identified
        self._floor = floor
        self.tickets = PersonTickets(tickets)

    async def of_person(self, ids: Sequence[PersonId], numbers: Sequence[str], limit: int) -> Sequence[CallLine]:
        """Newest first: the calls whose caller was this person."""
        found = await self._identified.calls_of([str(one) for one in ids], limit)
        records = [record for call in found if (record := await self._calls.get(call)) is not None]
        return [CallLine(record.id, *_in_words(record, self._floor())) for record in records]


class TicketCalls:
    """What became of a ticket's calls. Answers `ticketing.PastCalls`."""

    def __init__(self, calls: CallStore, floor: Callable[[], Floor]) -> None:
        self._calls = calls
        self._floor = floor

    async def lines_of(self, calls: Sequence[CallId]) -> Mapping[CallId, TicketCallLine]:
        """One line for each call that was recorded."""
        records = [record for call in calls if (record := await self._calls.get(call)) is not None]
        return {record.id: TicketCallLine(*_in_words(record, self._floor())) for record in records}


class PersonTickets:
    """A person's tickets for their page."""

    def __init__(self, tickets: Tickets) -> None:
        self._tickets = tickets

    async def of_person(self, ids: Sequence[PersonId], limit: int) -> Sequence[PersonTicketLine]:
        """Newest first."""
        return [
            PersonTicketLine(ticket.number, ticket.title, *STATE_NAMES[ticket.state], ticket.opened_at)
            for ticket in await self._tickets.for_person(ids, limit)
        ]


class CallbackNumbers:
    """What may be dialled, and whose number it is. Answers `acd.worklist.api.Numbers`."""

    def __init__(self, plan: Callable[[], DialPlan], directory: Directory) -> None:
        self._plan = plan
        self._directory = directory

    def dialable(self, written: str) -> str:
        """The number as the dial plan has it; raises `BadInput`."""
        way = self._plan().way(written)
        if isinstance(way, Refusal):
            raise BadInput(*NOT_DIALLED[way], field="number")
        return way.number

    async def people_at(self, numbers: Collection[str]) -> Mapping[str, PersonRef]:
        """Who has these numbers, where it is exactly one person."""
        owners = await self._directory.owners(numbers)
        return {
            number: PersonRef(found[0].id, found[0].name, found[0].department)
            for number, found in owners.items()
            if len(found) == 1
        }


def _in_words(record: CallRecord, floor: Floor) -> tuple[datetime, str, str, str]:
    """When a call came, to which queue and agent by their names, and how it ended."""
    titles = {queue.name: queue.title for queue in floor.queues}
    names = {agent.login: agent.name for agent in floor.agents}
    return (
        moment(record.arrived_at),
        titles.get(record.queue, record.queue) if record.queue else "",
        names.get(record.agent, record.agent) if record.agent else "",
        record.outcome.value if record.outcome else "open",
    )

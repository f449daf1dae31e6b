"""What one room asks of another, answered here, because rooms on one floor do not know each other."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from changgu.acd.identity import CallId
from changgu.acd.queues import Floor
from changgu.acd.records import CallView
from changgu.acd.store import CallStore
from changgu.directory.person import PersonCard
from changgu.directory.service import Directory
from changgu.ground.access import Actor, Role
from changgu.ground.trouble import NotFound
from changgu.ivr_flows.spoken import ticket_found
from changgu.screenpop.caller import CallerCard
from changgu.screenpop.pop import TicketLine
from changgu.screenpop.store import IdentifiedCalls
from changgu.telephony.dial_plan import Refusal
from changgu.telephony.handset import Standing
from changgu.ticketing.entries import Caller
from changgu.ticketing.service import Tickets
from changgu.ticketing.ticket import STATE_NAMES, Kind, Ticket, is_settled


class WhoCalled:
    """Who is behind a call: the agent's word first, then the number. Answers `ticketing.Callers`."""

    def __init__(
        self, directory: Directory, identified: IdentifiedCalls, open_calls: Callable[[], Mapping[CallId, CallView]]
    ) -> None:
        self._directory = directory
        self._identified = identified
        self._open_calls = open_calls

    async def caller_of(self, call: CallId) -> Caller:
        """The caller of a call that is going on, or was identified before."""
        view = self._open_calls().get(call)
        raw = view.caller if view is not None else None
        known = (await self._identified.people_of([call])).get(call)
        canonical = self._directory.numbering.canonical(raw or (known.number if known else None))
        number = self._directory.numbering.display(canonical) if canonical else (raw or "")
        if known is not None:
            person = await person_of(self._directory, known.person_id)
            return Caller(number, int(known.person_id), known.name, person.department if person else "")
        found = await self._directory.find_by_number(raw)
        if len(found) != 1:
            return Caller(number)
        return Caller(number, found[0].id, found[0].name, found[0].department)


class CallerConfirmed:
    """An agent's word about who calls, taken over into the call's tickets."""

    def __init__(self, tickets: Tickets) -> None:
        self._tickets = tickets

    async def confirmed(self, call: CallId, card: CallerCard | None, by: str) -> None:
        """The caller is this person, or none of those proposed."""
        caller = Caller("", int(card.id), card.name, card.department) if card is not None else Caller()
        await self._tickets.set_caller(call, caller, Actor(by, by, Role.AGENT))


class TicketLines:
    """Tickets in one line each. Answers `screenpop.TicketHistory`."""

    def __init__(self, tickets: Tickets, directory: Directory) -> None:
        self._tickets = tickets
        self._directory = directory

    async def for_person(self, person_id: str, limit: int) -> Sequence[TicketLine]:
        """The person's last tickets, newest first."""
        ids = await self._directory.ids_of(int(person_id))
        return [ticket_line(ticket) for ticket in await self._tickets.for_person(ids, limit)]

    async def for_call(self, call: CallId) -> Sequence[TicketLine]:
        """The tickets linked with a call."""
        return [ticket_line(ticket) for ticket in await self._tickets.for_call(call)]


def ticket_line(ticket: Ticket) -> TicketLine:
    """A ticket as the agent sees it among others."""
    return TicketLine(
        number=ticket.number,
        title=ticket.title,
        state=STATE_NAMES[ticket.state][0],
        kind=ticket.kind.value if ticket.kind else "",
        grade=ticket.grade or "",
        opened_at=ticket.opened_at.timestamp(),
        open=not is_settled(ticket.state),
    )


LookUp = Callable[[str, str, CallId | None], Awaitable[Mapping[str, str] | None]]
"""Asked with a key, by whom (their telephone, or their call where that is withheld), and in which call."""


class MenuLookUps:
    """What callers ask the menu about. Answers `telephony.ivr_player.LookUps`."""

    def __init__(
        self, tickets: Tickets, zone: tzinfo, now: Callable[[], datetime] = lambda: datetime.now(UTC),
        further: Mapping[str, LookUp] | None = None,
    ) -> None:  # fmt: skip
        """`further` answers other sources, by their names."""
        self._tickets = tickets
        self._zone = zone
        self._now = now
        self._further = further or {}

    @property
    def sources(self) -> frozenset[str]:
        """Everything that can be asked here."""
        return frozenset({"ticket_status", *self._further})

    async def look_up(
        self, kind: str, argument: str, asker: str = "", call: CallId | None = None
    ) -> Mapping[str, str] | None:
        """What is known of `argument`: the state of a ticket by its number (CTI-02), or what `further` knows."""
        if kind in self._further:
            return await self._further[kind](argument, asker, call)
        if kind != "ticket_status":
            raise ValueError(f"the menu asks for {kind!r}, which nobody knows")
        status = await self._tickets.status(argument)
        if status is None:
            return None
        expected = status.expected_at.astimezone(self._zone) if status.expected_at else None
        return ticket_found(
            status.number, status.state.value, status.support_line, expected, self._now().astimezone(self._zone)
        )


VIP_PRIORITY = 2
REPEATED_INCIDENT_PRIORITY = 1
"""Steps of priority; each is worth a head start (`Rules.priority_worth`)."""
REPEATED_WITHIN = timedelta(days=3)
LOOKED_THROUGH = 20
"""Tickets and calls of a caller among which the open incident and the last agent are looked for, the newest first."""


class CallerStandings:
    """VIPs, people whose incident goes on, and the agent a caller knows. Answers `telephony.inbound.Standings`."""

    def __init__(
        self, directory: Directory, tickets: Tickets, calls: CallStore, floor: Callable[[], Floor],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._directory = directory
        self._tickets = tickets
        self._calls = calls
        self._floor = floor
        self._now = now

    def at_once(self, number: str) -> Standing | None:
        """What is known without the database: that nothing is, of a number that no one person has."""
        owners = self._directory.owners_at_once([number])
        if owners is None or len(owners.get(number, ())) == 1 or self._last_agent_counts():
            return None
        return Standing()

    async def of_caller(self, number: str) -> Standing:
        """Priority and its grounds, by the one person whose number it is; the last agent only where a queue asks."""
        owners = (await self._directory.owners([number])).get(number, ())
        grounds: dict[str, int] = {}
        if len(owners) == 1:
            if owners[0].vip:
                grounds["vip"] = VIP_PRIORITY
            if await self._incident_goes_on(owners[0].id):
                grounds["repeated_incident"] = REPEATED_INCIDENT_PRIORITY
        last_agent = None
        if self._last_agent_counts():
            calls = await self._calls.of_callers([number], LOOKED_THROUGH)
            last_agent = next((call.agent for call in calls if call.agent is not None), None)
        return Standing(sum(grounds.values()), frozenset(grounds), last_agent)

    def _last_agent_counts(self) -> bool:
        return any(queue.strategy == "last_agent" for queue in self._floor().queues)

    async def _incident_goes_on(self, person: int) -> bool:
        since = self._now() - REPEATED_WITHIN
        return any(
            ticket.kind in (None, Kind.INCIDENT)
            and ticket.opened_at >= since
            and not is_settled(ticket.state)
            for ticket in await self._tickets.for_person(person, LOOKED_THROUGH)
        )


class KnownPeople:
    """Who certainly has a number. Answers `acd.runner.Runner`, which no database may keep waiting."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def whose(self, number: str) -> str:
        """The id of the one person who has it; empty for nobody, several, and as long as the directory is not read."""
        owners = (self._directory.owners_at_once([number]) or {}).get(number, ())
        return str(owners[0].id) if len(owners) == 1 else ""


NOT_DIALLED = {
    Refusal.NO_TRUNK: ("밖으로 거는 회선이 설정되지 않았습니다.", "The desk has no line outside."),
    Refusal.NOT_A_NUMBER: ("전화번호가 아닙니다.", "That is not a telephone number."),
    Refusal.OWN: ("창구 자신의 번호입니다.", "That is the desk's own number."),
    Refusal.ABROAD: ("국제전화는 걸지 않습니다.", "Calls abroad are not made."),
    Refusal.PREMIUM: ("060 같은 유료 번호로는 걸지 않습니다.", "Premium numbers are not called."),
    Refusal.DENIED: ("이 번호로는 걸지 않도록 정해져 있습니다.", "The site does not allow this number."),
    Refusal.UNKNOWN: ("걸 수 있는 번호가 아닙니다.", "Nothing allows this number to be called."),
}
"""Why a number is not dialled, for whoever asked."""


async def person_of(directory: Directory, person_id: str) -> PersonCard | None:
    """Their card; None for nobody we know."""
    try:
        return await directory.get(int(person_id))
    except NotFound:
        return None

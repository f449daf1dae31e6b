"""Brings the pop to the agent's page while the phone rings, and to nobody else's.

The facts come first and the look-ups after them: at the very moment of the offer the page gets the number, the queue,
the way through the menu and the wait; the directory's answer follows in milliseconds, or, should the database be slow,
later. A call is identified as soon as it exists, so that the answer is usually there before the phone rings (CTI-04).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from changgu.acd.agent_state import AgentState
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallStarted,
    Fact,
    NextStateRequested,
    OfferEnded,
    PhoneStateChanged,
    ReasonLimitPassed,
    Recorded,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallId, Instant, QueueName
from changgu.acd.queues import Agent, Floor, Queue, TicketPolicy
from changgu.ground.database import moment
from changgu.ground.trouble import Conflict, Forbidden, NotFound
from changgu.screenpop.caller import (
    CallerCard,
    Confidence,
    Identification,
    Known,
    LookingUp,
    NotLookedUp,
    Unknown,
    Withheld,
    identify,
    is_withheld,
)
from changgu.screenpop.desks import CallAtDesk, Desk, Desks, Stage, person_of
from changgu.screenpop.pop import PastCall, Pop, TicketLine, build_pop, waited
from changgu.screenpop.store import IdentifiedCaller, IdentifiedCalls

logger = logging.getLogger(__name__)

T = TypeVar("T")

ABOUT_THE_AGENT = (AgentStateChanged, NextStateRequested, PhoneStateChanged, WrapUpExtended, ReasonLimitPassed)
"""Facts that leave the call at the desk as it was."""
LOOK_UPS_AT_ONCE = 4
LOOK_UP_LIMIT = 5.0
"""Seconds after which a look-up is given up and the page says so."""
TICKETS_SHOWN = 8
CALLS_SHOWN = 8
MOST_UNWRITTEN = 10_000
"""Identifications kept while the database cannot be written; the oldest guesses go first."""


class PeopleDirectory(Protocol):
    """What the pop needs to know about people (`people.DirectoryPeople`)."""

    async def find_by_number(self, raw: str) -> Sequence[CallerCard]:
        """Everybody who has this number, in whichever way it is written."""
        ...

    async def card(self, person_id: str) -> CallerCard | None:
        """One person."""
        ...

    async def ids_of(self, person_id: str) -> Sequence[str]:
        """All ids by which this person has ever been known."""
        ...

    def canonical(self, raw: str) -> str:
        """The one form of a number; as it came when it has none."""
        ...

    def display(self, raw: str) -> str:
        """The number as people here write it."""
        ...

    async def add_number(self, person_id: str, raw: str, by: str) -> None:
        """Remember that this number is (also) this person's, because agent `by` said so."""
        ...


class TicketHistory(Protocol):
    """What the pop needs to know about tickets."""

    async def for_person(self, person_id: str, limit: int) -> Sequence[TicketLine]:
        """The person's last tickets, newest first."""
        ...

    async def for_call(self, call: CallId) -> Sequence[TicketLine]:
        """The tickets linked with a call, oldest first."""
        ...


class CallHistory(Protocol):
    """What the pop needs to know about earlier calls."""

    async def calls(self, ids: Sequence[CallId]) -> Sequence[PastCall]:
        """These calls, newest first."""
        ...

    async def from_number(self, raw: str, limit: int) -> Sequence[PastCall]:
        """The last calls from a number, newest first."""
        ...


CallerConfirmed = Callable[[CallId, CallerCard | None, AgentId], Awaitable[None]]
"""Hears from an agent who the caller of a call is; None: not the one we thought."""


async def nobody_else(call: CallId, person: CallerCard | None, by: AgentId) -> None:
    """A `CallerConfirmed` for a house without tickets."""


class DesktopScreen(Protocol):
    """One open page of an agent."""

    def show(self, part: str, body: object) -> None:
        """Replace a part of the page (`state`, `call`, `pop`); returns at once, keeps the newest."""
        ...


@dataclass(frozen=True, slots=True)
class StateShown:
    """The agent's own state, as the page shows it; moments are the service's."""

    state: str
    reason: str | None
    since: Instant | None
    requested: str | None
    requested_reason: str | None
    phone_reachable: bool | None
    wrap_up_ends_at: Instant | None
    missed_at: Instant | None
    missed_why: str | None
    missed_by: str | None
    """The name of the agent who was first, when several phones rang."""
    by: str | None
    """Who put them into this state, when it was not themselves."""
    why: str
    requested_by: str | None
    requested_why: str
    overdue: bool
    """Away for longer than the floor allows for this reason."""


@dataclass(frozen=True, slots=True)
class CallShown:
    """The call at the desk, as the page shows it."""

    call: CallId
    stage: str
    number: str | None
    queue: str
    queue_title: str
    ticket_policy: str
    queued_at: Instant
    offered_at: Instant
    connected_at: Instant | None
    hold_since: Instant | None
    ended_at: Instant | None
    outcome: str | None


class ScreenPop:
    """Hears the facts, looks up who calls, and shows each agent their own desk.

    `floor` is the set-up of today, `now` the clock by which facts are stamped, `node_title` what a node of the menu is
    called. `confirmed` carries an agent's word about the caller to the call's tickets. `hear` never waits; `run` does
    the looking up.
    """

    def __init__(
        self,
        *,
        directory: PeopleDirectory,
        tickets: TicketHistory,
        calls: CallHistory,
        identified: IdentifiedCalls,
        floor: Callable[[], Floor],
        now: Callable[[], Instant],
        node_title: Callable[[str], str | None] = lambda node: None,
        confirmed: CallerConfirmed = nobody_else,
    ) -> None:
        self.now = now
        self._confirmed = confirmed
        self._directory = directory
        self._tickets = tickets
        self._calls = calls
        self._identified = identified
        self._floor = floor
        self._node_title = node_title
        self._desks = Desks()
        self._screens: dict[AgentId, set[DesktopScreen]] = {}
        self._unanswered: object = None
        """What all desks are told of voice mail and fax that nobody has replied to; None: nothing."""
        self._pops: dict[AgentId, Pop] = {}
        self._known: dict[CallId, Identification] = {}
        self._to_identify: dict[CallId, str] = {}
        self._to_pop: dict[AgentId, None] = {}
        self._looking_up: set[AgentId] = set()
        self._unseen: set[AgentId] = set()
        """Agents whose pop nobody looks at: what the database knows for it is asked when a page opens."""
        self._wanted: asyncio.Queue[None] = asyncio.Queue()
        """One token for each thing wanted above, which hold at most one thing per call and per agent."""
        self._unwritten: deque[IdentifiedCaller] = deque(maxlen=MOST_UNWRITTEN)
        self._something_to_write = asyncio.Event()
        self._writing = asyncio.Lock()

    # the facts

    def hear(self, recorded: Recorded) -> None:
        """Take in a fact and show it to the agents it concerns; returns at once."""
        agents = self._desks.apply(recorded)
        match recorded.fact:
            case CallStarted(call=call) as fact:
                number = person_of(fact)
                if number is not None and not is_withheld(number):
                    self._to_identify[call] = number
                    self._wanted.put_nowait(None)
            case CallEnded(call=call):
                self._known.pop(call, None)
                self._to_identify.pop(call, None)
        for agent in agents:
            self._tell(agent, recorded.fact)

    def _tell(self, agent: AgentId, fact: Fact) -> None:
        desk = self._desks.at(agent)
        if agent in self._screens:
            lost_it = isinstance(fact, CallAnswered) and fact.agent != agent
            if lost_it or isinstance(fact, (*ABOUT_THE_AGENT, CallOffered, OfferEnded)):
                self._show(agent, "state", self.state_of(agent))
            if not isinstance(fact, ABOUT_THE_AGENT):
                self._show(agent, "call", self.call_of(agent))
        match fact:
            case CallOffered() if desk.call is not None:
                self._first_pop(agent, desk.call)
            case OfferEnded():
                self._pops.pop(agent, None)
                self._unseen.discard(agent)
                self._show(agent, "pop", None)
            case CallConnected() if desk.call is not None and agent in self._pops:
                self._pops[agent] = replace(self._pops[agent], waited_seconds=waited(desk.call))
                self._show(agent, "pop", self._pops[agent])
                self._want_pop(agent)

    def restore(self, ledger: Iterable[Recorded]) -> None:
        """Rebuild all desks after a restart; a conversation that went on meanwhile keeps its pop."""
        for recorded in ledger:
            self._desks.apply(recorded)
        for desk in self._desks.desks.values():
            if desk.call is not None and desk.call.stage is not Stage.ENDED:
                self._first_pop(desk.agent, desk.call)

    def ticket_changed(self, call: CallId) -> None:
        """A ticket was opened for this call, linked with it, or changed: the agent who has the call sees it."""
        for agent, desk in self._desks.desks.items():
            if desk.call is not None and desk.call.call == call:
                self._want_pop(agent)

    # the pages

    def attach(self, agent: AgentId, screen: DesktopScreen) -> None:
        """A page of this agent opened; several may be open."""
        self._screens.setdefault(agent, set()).add(screen)
        if self._unanswered is not None:
            screen.show("unanswered", self._unanswered)
        if agent in self._unseen:
            self._want_pop(agent)

    def tell_unanswered(self, count: int, since: Instant | None, ticket: str | None) -> None:
        """Every desk shows how many messages wait for a reply beyond the limit, since when, and the oldest's ticket."""
        before = self._unanswered
        self._unanswered = {"count": count, "since": since, "ticket": ticket} if count else None
        if before != self._unanswered:
            for agent in self._screens:
                self._show(agent, "unanswered", self._unanswered)

    def detach(self, agent: AgentId, screen: DesktopScreen) -> None:
        """A page closed. The agent's state does not change: tabs come and go, people stay."""
        screens = self._screens.get(agent, set())
        screens.discard(screen)
        if not screens:
            self._screens.pop(agent, None)

    def desk_of(self, agent: AgentId) -> Desk:
        """The desk as the facts have it."""
        return self._desks.at(agent)

    def seat_of(self, agent: AgentId) -> Agent | None:
        """How the floor knows this agent; None for somebody without a seat."""
        return next((one for one in self._floor().agents if one.login == agent), None)

    def queue_titles(self, names: Collection[QueueName]) -> dict[str, str]:
        """What people call these queues, in the order of the floor."""
        return {queue.name: queue.title for queue in self._floor().queues if queue.name in names}

    def state_of(self, agent: AgentId) -> StateShown:
        """The state part of the page."""
        desk = self._desks.at(agent)
        return StateShown(
            desk.state, desk.reason, desk.since, desk.requested, desk.requested_reason, desk.phone_reachable,
            self._wrap_up_ends_at(desk),
            desk.missed.at if desk.missed else None,
            desk.missed.why if desk.missed else None,
            self._name_of(desk.missed.by) if desk.missed and desk.missed.by else None,
            self._name_of(desk.by) if desk.by else None,
            desk.why,
            self._name_of(desk.requested_by) if desk.requested_by else None,
            desk.requested_why,
            desk.overdue,
        )

    def _wrap_up_ends_at(self, desk: Desk) -> Instant | None:
        if desk.state is not AgentState.WRAP_UP or desk.since is None or desk.call is None:
            return None
        if desk.wrap_up_until is not None:
            return desk.wrap_up_until
        queue, seat = self._queue(desk.call.queue), self.seat_of(desk.agent)
        if seat is not None and seat.wrap_up is not None:
            return desk.since + seat.wrap_up.total_seconds()
        return desk.since + queue.wrap_up.total_seconds() if queue is not None else None

    def _name_of(self, agent: AgentId) -> str:
        seat = self.seat_of(agent)
        return seat.name if seat is not None else agent

    def call_of(self, agent: AgentId) -> CallShown | None:
        """The call part of the page."""
        call = self._desks.at(agent).call
        if call is None:
            return None
        queue = self._queue(call.queue)
        return CallShown(
            call.call, call.stage, self._number_shown(call.caller), call.queue,
            queue.title if queue else call.queue,
            queue.ticket if queue else TicketPolicy.ASK,
            call.queued_at, call.offered_at, call.connected_at, call.hold_since, call.ended_at, call.outcome,
        )

    def pop_of(self, agent: AgentId) -> Pop | None:
        """The pop part of the page."""
        return self._pops.get(agent)

    # what agents tell us about callers

    async def confirm(self, agent: AgentId, call: CallId, person_id: str, *, remember_number: bool) -> None:
        """The agent says who calls; with `remember_number` the directory learns the number, never by itself."""
        at_desk = self._own_call(agent, call)
        card = await self._directory.card(person_id)
        if card is None:
            raise NotFound("그런 사용자가 없습니다.", "There is no such person.")
        if remember_number:
            if at_desk.caller is None or is_withheld(at_desk.caller):
                raise Conflict("발신번호가 없는 통화라 번호를 등록할 수 없습니다.", "This call came without a number.")
            await self._directory.add_number(person_id, at_desk.caller, agent)
            card = await self._directory.card(person_id) or card
        number = self._directory.canonical(at_desk.caller) if at_desk.caller else None
        await self._identified.confirm(
            IdentifiedCaller(call, card.id, card.name, Confidence.CONFIRMED, number, moment(self.now()), by=agent)
        )
        await self._confirmed(call, card, agent)
        self._identify_as(agent, call, Known(card, Confidence.CONFIRMED))

    async def reject(self, agent: AgentId, call: CallId) -> None:
        """The agent says that it is somebody else, and does not know who."""
        at_desk = self._own_call(agent, call)
        await self._identified.forget(call)
        await self._confirmed(call, None, agent)
        number = at_desk.caller
        self._identify_as(agent, call, Withheld() if number is None or is_withheld(number) else Unknown(number))

    def _own_call(self, agent: AgentId, call: CallId) -> CallAtDesk:
        at_desk = self._desks.at(agent).call
        if at_desk is None or at_desk.call != call:
            raise Forbidden("지금 받고 있는 통화가 아닙니다.", "That call is not at your desk.")
        return at_desk

    def _identify_as(self, agent: AgentId, call: CallId, identification: Identification) -> None:
        pop = self._pops.get(agent)
        if pop is None or pop.call != call:
            return
        if call in self._desks.calls:
            self._known[call] = identification
        self._pops[agent] = replace(pop, identification=identification, tickets=(), past_calls=())
        self._show(agent, "pop", self._pops[agent])
        self._want_pop(agent)

    # the looking up

    async def run(self) -> None:
        """Look up callers until cancelled; ringing phones go before callers who are still in the menu."""
        async with asyncio.TaskGroup() as group:
            for _ in range(LOOK_UPS_AT_ONCE):
                group.create_task(self._look_up_for_ever())
            group.create_task(self._write_for_ever())

    async def settled(self) -> None:
        """Wait until everything wanted so far has been looked up and noted."""
        await self._wanted.join()
        await self._write()

    async def _look_up_for_ever(self) -> None:
        while True:
            await self._wanted.get()
            try:
                await self._next_look_up()
            finally:
                self._wanted.task_done()

    async def _next_look_up(self) -> None:
        agent = next((one for one in self._to_pop if one not in self._looking_up), None)
        if agent is not None:
            del self._to_pop[agent]
            self._looking_up.add(agent)
            try:
                await self._complete_pop(agent)
            finally:
                self._looking_up.discard(agent)
                if agent in self._to_pop:
                    self._wanted.put_nowait(None)
        elif self._to_identify:
            call = next(iter(self._to_identify))
            await self._identify(call, self._to_identify.pop(call))

    async def _complete_pop(self, agent: AgentId) -> None:
        """Fill in what only the database knows, unless the desk has moved on meanwhile."""
        pop = self._pops.get(agent)
        if pop is None:
            return
        call = pop.call
        identification = pop.identification
        if isinstance(identification, LookingUp | NotLookedUp) and pop.number is not None:
            self._to_identify.pop(call, None)
            identification = self._known.get(call) or await self._identify(call, pop.number)
        call_tickets = await self._or_nothing(call, "tickets of the call", self._tickets.for_call(call))
        tickets: Sequence[TicketLine] = ()
        past: Sequence[PastCall] = ()
        if isinstance(identification, Known):
            person = identification.person.id
            tickets = await self._or_nothing(call, "tickets", self._tickets.for_person(person, TICKETS_SHOWN))
            past = await self._or_nothing(call, "earlier calls", self._calls_of(person))
        elif isinstance(identification, Unknown):
            past = await self._or_nothing(
                call, "earlier calls", self._calls.from_number(identification.number, CALLS_SHOWN + 1)
            )
        now_shown = self._pops.get(agent)
        if now_shown is None or now_shown.call != call:
            return
        if now_shown.identification is not pop.identification:
            return  # an agent has told us meanwhile; that answer is being looked up in its turn
        others = tuple(one for one in past if one.call != call)[:CALLS_SHOWN]
        self._pops[agent] = replace(
            now_shown, identification=identification, tickets=tuple(tickets), past_calls=others,
            call_tickets=tuple(call_tickets),
        )
        self._show(agent, "pop", self._pops[agent])

    async def _calls_of(self, person_id: str) -> Sequence[PastCall]:
        return await self._calls.calls(
            await self._identified.calls_of(await self._directory.ids_of(person_id), CALLS_SHOWN + 1)
        )

    async def _identify(self, call: CallId, number: str) -> Identification:
        try:
            async with asyncio.timeout(LOOK_UP_LIMIT):
                people = await self._directory.find_by_number(number)
                confirmed: Mapping[str, int] = {}
                if len(people) > 1:
                    confirmed = await self._identified.confirmed_at(self._directory.canonical(number))
        except Exception:  # the edge of one call: its pop says that we could not ask, and the call goes on
            logger.exception("the directory could not be asked who calls", extra={"call_id": call})
            return NotLookedUp()
        identification = identify(number, people, confirmed)
        if call in self._desks.calls:
            identification = self._known.setdefault(call, identification)  # an agent may have been quicker
        if isinstance(identification, Known):
            person, canonical = identification.person, self._directory.canonical(number)
            self._unwritten.append(
                IdentifiedCaller(call, person.id, person.name, Confidence.NUMBER, canonical, moment(self.now()))
            )
            self._something_to_write.set()
        return identification

    async def _or_nothing(self, call: CallId, what: str, look_up: Awaitable[Sequence[T]]) -> Sequence[T]:
        try:
            async with asyncio.timeout(LOOK_UP_LIMIT):
                return await look_up
        except Exception:  # the same edge: a pop without its history is better than none
            logger.exception("the pop goes without %s", what, extra={"call_id": call})
            return ()

    async def _write_for_ever(self) -> None:
        while True:
            await self._something_to_write.wait()
            self._something_to_write.clear()
            await self._write()

    async def _write(self) -> None:
        async with self._writing:
            callers = list(self._unwritten)
            self._unwritten.clear()
            if not callers:
                return
            try:
                await self._identified.guess(callers)
            except SQLAlchemyError:
                logger.exception("%d identified callers could not be noted; trying again with the next", len(callers))
                self._unwritten.extendleft(reversed(callers))

    # small things

    def _first_pop(self, agent: AgentId, call: CallAtDesk) -> None:
        known = self._known.get(call.call, Withheld() if is_withheld(call.caller) else LookingUp())
        queue = self._queue(call.queue)
        pop = build_pop(
            call, known, queue_title=queue.title if queue else call.queue, node_title=self._node_title,
            number_shown=self._number_shown(call.caller),
        )
        self._pops[agent] = pop
        self._show(agent, "pop", pop)
        self._want_pop(agent)

    def _want_pop(self, agent: AgentId) -> None:
        if agent not in self._screens:
            self._unseen.add(agent)
            return
        self._unseen.discard(agent)
        self._to_pop[agent] = None
        self._wanted.put_nowait(None)

    def _number_shown(self, raw: str | None) -> str | None:
        return None if raw is None or is_withheld(raw) else self._directory.display(raw)

    def _queue(self, name: QueueName) -> Queue | None:
        return next((queue for queue in self._floor().queues if queue.name == name), None)

    def _show(self, agent: AgentId, part: str, body: object) -> None:
        for screen in self._screens.get(agent, ()):
            screen.show(part, body)

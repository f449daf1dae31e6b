"""The books of the watch: what the facts and commands say about agents, callers and promises, in the plainest way.

Kept beside the engine and without it, so that the rules in `invariants` have something to hold the engine against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.call_state import IN_QUEUE, SPOKEN, CallState
from changgu.acd.callbacks import AFTER_TALK, known_by
from changgu.acd.commands import DialPerson, HangUpAgent, RingAgent, StopRinging
from changgu.acd.engine import Effect
from changgu.acd.events import AgentHungUp, AgentReady, ConversationMissing, Event, RingFailed
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallbackAttempted,
    CallbackBooked,
    CallbackClosed,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallQueued,
    CallStarted,
    CallWidened,
    DesktopStateChanged,
    Direction,
    HoldEnded,
    HoldStarted,
    OfferEnd,
    OfferEnded,
    Outcome,
    PersonAnswered,
    PhoneStateChanged,
    WaitAnnounced,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, OfferId, QueueName
from changgu.acd.queues import Agent, Floor, Queue, RuleKey, Seat, Way
from changgu.acd.skills import levels

DIVERSIONS = frozenset({Way.VOICEMAIL, Way.CALLBACK, Way.ANNOUNCE, Way.NUMBER, Way.MENU})
"""Ways out of a queue on which the caller stays on the line."""

BUSY = (AgentState.RESERVED, AgentState.TALKING, AgentState.HOLD, AgentState.WRAP_UP)
"""States that are about a call."""

REASONS_OF_REFUSAL = frozenset({"no_such_queue", "desk_closed", "desk_full", "error"})
"""Besides the departures."""

TURN_BY_IDLENESS = frozenset({"longest_idle", "top_down"})
"""Strategies by which the longest idle of those who stand alike rings."""

MISSES = frozenset({OfferEnd.NO_ANSWER, OfferEnd.FAILED, OfferEnd.AGENT_LEFT})

Place = tuple[float, int]


class Broken(AssertionError):
    """A rule does not hold; names the rule."""


def insist(holds: object, rule: str, about: object) -> None:
    """Raises `Broken` with the rule's name when it does not hold."""
    if not holds:
        raise Broken(f"{rule}: {about}")


@lru_cache(maxsize=4096)
def _levels(skills: frozenset[str]) -> Mapping[str, int]:
    return levels(skills)


def way_of(to: str) -> Way:
    """The way in a destination as facts write it, such as `queue:helpdesk`."""
    return Way(to.partition(":")[0])


@dataclass(frozen=True, slots=True)
class Step:
    """One event, handled."""

    event: Event | None
    """None for a change of the floor."""
    now: Instant
    effects: Sequence[Effect]
    offers: tuple[CallOffered, ...] = ()


@dataclass(slots=True, eq=False)
class CallerPage:
    """One live call."""

    call: CallId
    number: str | None
    direction: Direction
    callback: CallbackId | None = None
    person: str = ""
    state: CallState = CallState.IN_MENU
    queue: QueueName | None = None
    priority: int = 0
    placed_at: Instant = 0.0
    entered_at: Instant = 0.0
    order: int = 0
    asked: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    opened: frozenset[QueueName] = frozenset()
    reach: float = 0.0
    anybody: bool = False
    wanted: AgentId | None = None
    last_agent: AgentId | None = None
    only: AgentId | None = None
    """The one agent who may take the call, until the wish has lapsed; settled on entry."""
    diverted: bool = False
    """Led out of the queue by a rule or a key; they hold a place."""
    offers: dict[OfferId, AgentId] = field(default_factory=dict)
    """Whose phones ring."""
    winner: tuple[AgentId, OfferId] | None = None
    """Who picked up."""
    missed_by: set[AgentId] = field(default_factory=set)
    been_in: set[QueueName] = field(default_factory=set)
    """Queues they have been in before this one."""
    departures: set[str] = field(default_factory=set)
    """Reasons for which rules or keys have sent them another way."""
    followed: set[RuleKey] = field(default_factory=set)
    """Overflow rules about waiting that they have followed in this queue."""
    announced_at: Instant | None = None
    dials: int = 0
    reached: bool = False

    @property
    def whose(self) -> frozenset[str]:
        """What tells whose call it is."""
        return frozenset(known_by(self.number, self.person))

    @property
    def outbound(self) -> bool:
        """We call them."""
        return self.direction is Direction.OUTBOUND

    @property
    def dialling(self) -> bool:
        """Their phone is being rung by us."""
        return self.dials > 0 and not self.reached

    @property
    def on_the_line(self) -> bool:
        """Somebody is there to hear us."""
        return not self.outbound or self.reached


@dataclass(slots=True, eq=False)
class AgentPage:
    """One agent."""

    login: AgentId
    state: AgentState = AgentState.LOGGED_OUT
    since: Instant = 0.0
    reason: NotReadyReason | None = None
    queue: QueueName | None = None
    """Of the last offer."""
    offer: OfferId | None = None
    rang_at: Instant = 0.0
    wrap_up_from: Instant | None = None
    """Of a wrap-up that nobody has ended early."""
    wrap_up_until: Instant | None = None
    """As extended."""
    reachable: bool = False
    desktop: bool | None = None
    desktop_since: Instant = 0.0
    signed_in_at: Instant = 0.0
    time_in: Counter[AgentState] = field(default_factory=Counter)


@dataclass(slots=True, eq=False)
class PromisePage:
    """One open promise to call back."""

    callback: CallbackId
    number: str
    queue: QueueName
    due_at: Instant
    placed_at: Instant
    asked_from: CallId | None = None
    """The call in which it was promised."""
    attempts: int = 0
    person: str = ""

    @property
    def whose(self) -> frozenset[str]:
        """What tells to whom it was made."""
        return frozenset(known_by(self.number, self.person))


class Books:
    """What the facts say."""

    def __init__(self, floor: Floor) -> None:
        self.calls: dict[CallId, CallerPage] = {}
        self.agents: dict[AgentId, AgentPage] = {}
        self.promises: dict[CallbackId, PromisePage] = {}
        self.spoken_to: dict[str, Instant] = {}
        """When the last conversation with each person ended, by number and by person."""
        self.outcomes: dict[CallId, Outcome] = {}
        self.waiting: dict[CallId, CallerPage] = {}
        self.ringing: dict[CallId, CallerPage] = {}
        """Calls for which an agent is held, or several are, and nobody has picked up."""
        self.ready: dict[AgentId, AgentPage] = {}
        self.held: dict[OfferId, AgentId] = {}
        """Open offers and conversations: whose leg there should be."""
        self.legs: dict[OfferId, AgentId] = {}
        """Legs that were asked for and have not ended."""
        self.call_of: dict[OfferId, CallId] = {}
        """Of legs that were asked for, live or not."""
        self.unrung: set[OfferId] = set()
        """Offers whose agent is not rung yet, because the person is dialled first."""
        self.outbound: dict[CallId, CallerPage] = {}
        self.entered: set[CallId] = set()
        """Live calls that have reached a queue."""
        self.offered = 0
        """Calls that ever reached a queue."""
        self.concluded: Counter[Outcome] = Counter()
        """Outcomes of calls that had reached a queue."""
        self.last_offer = 0
        self.touched_calls: set[CallId] = set()
        self.touched_agents: set[AgentId] = set()
        self._order = 0
        self.set_up(floor)
        self._readers: dict[type, Callable[..., None]] = {
            CallStarted: self._call_started,
            CallQueued: self._call_queued,
            CallWidened: self._call_widened,
            CallOverflowed: self._call_overflowed,
            CallOffered: self._call_offered,
            OfferEnded: self._offer_ended,
            CallAnswered: self._call_answered,
            PersonAnswered: self._person_answered,
            CallConnected: self._call_connected,
            HoldStarted: self._hold,
            HoldEnded: self._hold,
            CallEnded: self._call_ended,
            AgentStateChanged: self._agent_changed,
            PhoneStateChanged: self._phone_changed,
            DesktopStateChanged: self._desktop_changed,
            WrapUpExtended: self._wrap_up_extended,
            WaitAnnounced: self._announced,
            CallbackBooked: self._booked,
            CallbackAttempted: self._attempted,
            CallbackClosed: self._closed,
            RingAgent: self._rung,
            StopRinging: self._leg_ended,
            HangUpAgent: self._leg_ended,
            DialPerson: self._dialled,
        }

    def set_up(self, floor: Floor) -> None:
        """Another set-up of the floor."""
        self.floor = floor
        for page in self.agents.values():  # a wrap-up that is over was as long as it had to be then
            if page.state is not AgentState.WRAP_UP:
                page.wrap_up_from = None
        self.queues: dict[QueueName, Queue] = {queue.name: queue for queue in floor.queues}
        self.listed: dict[AgentId, Agent] = {agent.login: agent for agent in floor.agents}
        self.worth = floor.rules.priority_worth.total_seconds()
        self.skills = {agent.login: _levels(agent.skills) for agent in floor.agents}

    # Looking things up

    def queue(self, name: QueueName | None) -> Queue:
        """A queue's settings; the defaults for one that is off the list."""
        return self.queues.get(name or QueueName("")) or Queue(name or QueueName(""), "")

    def agent(self, login: AgentId) -> AgentPage:
        """An agent's page."""
        page = self.agents.get(login)
        if page is None:
            page = self.agents[login] = AgentPage(login)
        return page

    def place(self, call: CallerPage) -> Place:
        """Smaller is served first."""
        queue = self.queues.get(call.queue or QueueName(""))
        priority = call.priority + (queue.priority if queue is not None else 0)
        return call.placed_at - priority * self.worth, call.order

    def seat(self, login: AgentId, call: CallerPage) -> Seat | None:
        """How the agent serves the queue of a call by themselves; None when they may not (yet)."""
        settings = self.listed.get(login)
        if settings is None or call.queue is None or call.queue not in settings.queues:
            return None
        seat = settings.seat(call.queue)
        return seat if seat.delay.total_seconds() <= call.reach else None

    def has_seat(self, login: AgentId, call: CallerPage) -> bool:
        """Whether the agent serves the queue of a call, or one that was opened to it."""
        settings = self.listed.get(login)
        return settings is not None and (self.seat(login, call) is not None or bool(call.opened & settings.queues))

    def ring_together(self, call: CallerPage) -> bool:
        """Whether everybody's phones ring for a call: not before the person who is called back has picked up."""
        return call.on_the_line and self.queue(call.queue).strategy == "ring_all"

    def steps_to_come(self, call: CallerPage) -> list[float]:
        """Seconds in the queue after which more agents may take a call than do now."""
        if call.queue is None:
            return []
        steps = {step.after.total_seconds() for step in self.queue(call.queue).relaxations}
        seats = [agent.seat(call.queue) for agent in self.floor.agents if call.queue in agent.queues]
        steps.update(seat.delay.total_seconds() for seat in seats)
        return [step for step in steps if step > call.reach]

    def can_serve(self, login: AgentId, call: CallerPage) -> bool:
        """Queue, seat, skills and wish fit."""
        settings = self.listed.get(login)
        if settings is None:
            return False
        if not self.has_seat(login, call):
            return False
        if call.needs:
            has = self.skills[login]
            for name, level in _levels(call.needs).items():
                if has.get(name, 0) < level:
                    return False
        return call.only is None or call.anybody or call.only == login

    def standing(self, login: AgentId, call: CallerPage) -> tuple[bool, bool, int]:
        """What goes before every strategy: missed it already, serves it only through another queue, level."""
        settings = self.listed[login]
        seat = self.seat(login, call)
        if seat is not None:
            return (login in call.missed_by, False, seat.level)
        level = min((settings.seat(queue).level for queue in call.opened & settings.queues), default=1)
        return (login in call.missed_by, True, level)

    def crowd(self, queue: QueueName, but: CallId) -> int:
        """Inbound callers who wait in a queue or are offered to agents."""
        return sum(
            page.queue == queue and page.state in IN_QUEUE and not page.outbound
            for call, page in self.calls.items()
            if call != but
        )

    def length_of_wrap_up(self, agent: AgentPage) -> float:
        """Seconds: the agent's own, or the queue's."""
        settings = self.listed.get(agent.login)
        own = settings.wrap_up if settings is not None else None
        return (own if own is not None else self.queue(agent.queue).wrap_up).total_seconds()

    def calls_of(self, promise: PromisePage) -> list[CallerPage]:
        """Live calls of the person who was promised one, and the one in which it was promised."""
        return [
            page for page in self.calls.values() if page.call == promise.asked_from or page.whose & promise.whose
        ]

    # Reading

    def hear(self, event: Event | None, *, believed: bool) -> None:
        """What only the news says."""
        self.touched_calls.clear()
        self.touched_agents.clear()
        if isinstance(event, AgentReady):
            self.agent(event.agent).wrap_up_from = None
        if believed and isinstance(event, RingFailed | AgentHungUp | ConversationMissing):
            self.legs.pop(event.offer, None)

    def read(self, message: object, now: Instant) -> None:
        """One fact or command."""
        reader = self._readers.get(type(message))
        if reader is not None:
            reader(message, now)

    def _call_started(self, fact: CallStarted, now: Instant) -> None:
        page = CallerPage(fact.call, fact.caller, fact.direction, fact.callback, fact.person)
        self.calls[fact.call] = page
        if page.outbound:
            self.outbound[fact.call] = page
        self.touched_calls.add(fact.call)

    def _enters(self, page: CallerPage) -> None:
        if page.call not in self.entered:
            self.entered.add(page.call)
            self.offered += 1

    def _state(self, page: CallerPage, state: CallState) -> None:
        page.state = state
        if state is CallState.WAITING:
            self.waiting[page.call] = page
        else:
            self.waiting.pop(page.call, None)
        if state is CallState.OFFERED:
            self.ringing[page.call] = page
        else:
            self.ringing.pop(page.call, None)
        self.touched_calls.add(page.call)

    def _call_queued(self, fact: CallQueued, now: Instant) -> None:
        page = self.calls[fact.call]
        if not (page.diverted and page.queue == fact.queue):  # who comes back keeps what was opened to them
            page.opened, page.announced_at, page.followed = frozenset(), None, set()
        if page.queue is not None and not (page.diverted and page.queue == fact.queue):
            page.been_in.add(page.queue)
        self._order += 1
        page.queue, page.priority, page.order = fact.queue, fact.priority, self._order
        page.placed_at = now if fact.placed_at is None else fact.placed_at
        page.entered_at = now if fact.entered_at is None else fact.entered_at
        page.asked = page.needs = fact.skills
        page.reach, page.anybody = 0.0, False
        page.wanted, page.last_agent, page.diverted = fact.agent, fact.last_agent, False
        page.only = fact.waits_for
        self._enters(page)
        self._state(page, CallState.WAITING)

    def _call_widened(self, fact: CallWidened, now: Instant) -> None:
        page = self.calls[fact.call]
        page.needs, page.opened, page.reach = fact.skills, fact.opened, fact.reach
        page.anybody = page.anybody or fact.anybody
        self.touched_calls.add(fact.call)

    def _call_overflowed(self, fact: CallOverflowed, now: Instant) -> None:
        page = self.calls[fact.call]
        page.departures.add(fact.why.value)
        if page.call not in self.entered:
            page.placed_at = now
        if page.queue != fact.queue:
            if page.queue is not None:
                page.been_in.add(page.queue)
            page.queue, page.entered_at, page.announced_at = fact.queue, now, None
            page.opened, page.followed = frozenset(), set()
        if fact.rule >= 0:
            page.followed.add((fact.why, fact.to, fact.limit))
        self._enters(page)
        if way_of(fact.to) in DIVERSIONS:
            page.diverted = True
            self._state(page, CallState.IN_MENU)

    def _call_offered(self, fact: CallOffered, now: Instant) -> None:
        page, agent = self.calls[fact.call], self.agent(fact.agent)
        page.offers[fact.offer] = fact.agent
        self.last_offer = fact.offer
        self.held[fact.offer] = fact.agent
        self.unrung.add(fact.offer)
        agent.offer, agent.queue = fact.offer, fact.queue
        self._state(page, CallState.OFFERED)

    def _offer_ended(self, fact: OfferEnded, now: Instant) -> None:
        page, agent = self.calls[fact.call], self.agent(fact.agent)
        page.offers.pop(fact.offer, None)
        if page.winner == (fact.agent, fact.offer):
            page.winner = None
        if fact.why in MISSES:
            page.missed_by.add(fact.agent)
        self._let_go(agent, fact.offer)
        if not page.offers and page.winner is None:
            self._state(page, CallState.WAITING)

    def _let_go(self, agent: AgentPage, offer: OfferId) -> None:
        self.held.pop(offer, None)
        self.unrung.discard(offer)
        if agent.offer == offer:
            agent.offer = None
        self.touched_agents.add(agent.login)

    def _call_answered(self, fact: CallAnswered, now: Instant) -> None:
        page = self.calls[fact.call]
        page.winner = (fact.agent, fact.offer)
        page.offers.pop(fact.offer, None)
        self._state(page, CallState.CONNECTING)

    def _person_answered(self, fact: PersonAnswered, now: Instant) -> None:
        self.calls[fact.call].reached = True

    def _call_connected(self, fact: CallConnected, now: Instant) -> None:
        self._state(self.calls[fact.call], CallState.TALKING)

    def _hold(self, fact: HoldStarted | HoldEnded, now: Instant) -> None:
        held = isinstance(fact, HoldStarted)
        self._state(self.calls[fact.call], CallState.HELD if held else CallState.TALKING)

    def _call_ended(self, fact: CallEnded, now: Instant) -> None:
        page = self.calls.pop(fact.call)
        if page.state in SPOKEN:
            self.spoken_to |= dict.fromkeys(page.whose, now)
            for promise in self.promises.values():
                if fact.call == promise.asked_from or promise.whose & page.whose:
                    promise.due_at = max(promise.due_at, now + AFTER_TALK.total_seconds())
        for offer, login in page.offers.items():
            self._let_go(self.agent(login), offer)
        if page.winner is not None:
            self._let_go(self.agent(page.winner[0]), page.winner[1])
        self.waiting.pop(fact.call, None)
        self.ringing.pop(fact.call, None)
        self.outbound.pop(fact.call, None)
        self.outcomes[fact.call] = fact.outcome
        if fact.call in self.entered:
            self.entered.discard(fact.call)
            self.concluded[fact.outcome] += 1
        self.touched_calls.add(fact.call)

    def _agent_changed(self, fact: AgentStateChanged, now: Instant) -> None:
        page = self.agent(fact.agent)
        if page.state is AgentState.LOGGED_OUT:
            page.signed_in_at, page.time_in = now, Counter()
        else:
            page.time_in[page.state] += now - page.since  # type: ignore[assignment]
        page.state, page.since, page.reason = fact.after, now, fact.reason
        if fact.after is AgentState.READY:
            self.ready[page.login] = page
        else:
            self.ready.pop(page.login, None)
        if fact.after is AgentState.WRAP_UP:
            page.wrap_up_from, page.wrap_up_until = now, None
        elif fact.after in (AgentState.RESERVED, AgentState.TALKING) or fact.by is not None:
            page.wrap_up_from = None
        if fact.after is AgentState.LOGGED_OUT and page.desktop is False:
            page.desktop = None
        self.touched_agents.add(page.login)

    def _phone_changed(self, fact: PhoneStateChanged, now: Instant) -> None:
        self.agent(fact.agent).reachable = fact.reachable
        self.touched_agents.add(fact.agent)

    def _desktop_changed(self, fact: DesktopStateChanged, now: Instant) -> None:
        page = self.agent(fact.agent)
        page.desktop, page.desktop_since = fact.present, now

    def _wrap_up_extended(self, fact: WrapUpExtended, now: Instant) -> None:
        page = self.agent(fact.agent)
        page.wrap_up_until = fact.until
        self.touched_agents.add(fact.agent)

    def _announced(self, fact: WaitAnnounced, now: Instant) -> None:
        self.calls[fact.call].announced_at = now

    def _booked(self, fact: CallbackBooked, now: Instant) -> None:
        self.promises[fact.callback] = PromisePage(
            fact.callback, fact.number, fact.queue, fact.due_at, fact.placed_at, fact.call, person=fact.person
        )

    def _attempted(self, fact: CallbackAttempted, now: Instant) -> None:
        promise = self.promises[fact.callback]
        promise.attempts, promise.due_at = fact.attempts, fact.due_at

    def _closed(self, fact: CallbackClosed, now: Instant) -> None:
        del self.promises[fact.callback]

    def _rung(self, command: RingAgent, now: Instant) -> None:
        self.legs[command.offer] = command.agent
        self.agent(command.agent).rang_at = now
        self.call_of[command.offer] = command.call
        self.unrung.discard(command.offer)

    def _leg_ended(self, command: StopRinging | HangUpAgent, now: Instant) -> None:
        self.legs.pop(command.offer, None)

    def _dialled(self, command: DialPerson, now: Instant) -> None:
        self.calls[command.call].dials += 1


def differences(lived: object, rebuilt: object, path: str = "") -> list[str]:
    """Where two pictures of a state differ, a line each."""
    if isinstance(lived, Mapping) and isinstance(rebuilt, Mapping):
        keys = [*lived, *(key for key in rebuilt if key not in lived)]
        return [
            line
            for key in keys
            for line in differences(lived.get(key, "missing"), rebuilt.get(key, "missing"), f"{path}.{key}")
        ]
    return [] if lived == rebuilt else [f"{path}: lived {lived}, rebuilt {rebuilt}"]

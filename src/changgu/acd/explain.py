"""Why this agent was offered this call, and not another agent, and not a caller with a better place.

`explain_offer` looks at the floor as it was just before the offer and asks everybody the questions that the
distributor asks, in its order: may they take the call at all, were they free, and whose turn was it. An offer that
the rules do not explain is said to be unexplained; the tests explain every offer of many days.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.call_state import CallState
from changgu.acd.facts import CallOffered, Choice
from changgu.acd.floor_state import FloorState
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.records import AgentRecord, CallRecord
from changgu.acd.skills import levels, mastery
from changgu.acd.strategies import Draw, Strategy, strategy_named

UNCONFIGURED = "longest_idle"
"""How callers of a queue that is off the list are served."""


class Why(StrEnum):
    """Why an agent was, or was not, offered a call."""

    NOT_IN_QUEUE = "not_in_queue"
    WANTED_OTHER = "wanted_other"
    """The caller waits for one agent."""
    DELAY = "delay"
    """The agent takes only callers of this queue who have waited longer."""
    SKILLS = "skills"
    RINGS_TOO = "rings_too"
    """Ring all: their phone rang for this call, too."""
    STATE = "state"
    """Not ready, or busy."""
    MISSED = "missed"
    """Let this very call ring before: all others come first."""
    OPENED = "opened"
    """May take the call only because its queue was opened to theirs: its own agents come first."""
    LEVEL = "level"
    """A lower level of the queue rings first."""
    RANK = "rank"
    """It was somebody else's turn by the strategy."""
    DRAWN = "drawn"
    """The dice fell on somebody else."""
    NEXT = "next"
    """It was the next one's turn in the list."""
    NAME = "name"
    """Nothing told them apart but their logins."""
    KNOWN = "known"
    """The caller spoke to somebody else last."""

    ONLY = "only"
    """Chosen: nobody else could take it."""
    EVERYBODY = "everybody"
    """Chosen: ring all."""
    NAMED = "named"
    """Chosen: the caller asked for them."""
    LAST_AGENT = "last_agent"
    """Chosen: the caller spoke to them last."""
    BEFORE = "before"
    """Chosen: all others let the call ring before, are of another queue, or sit on a higher level."""
    TURN = "turn"
    """Chosen: first by the strategy, among those of the same level."""
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Lack:
    """A skill that does not suffice."""

    skill: str
    has: int
    """0: not at all."""
    needs: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What two agents are compared by. Each figure means what the strategy says; smaller is earlier."""

    strategy: str
    idle: float = 0.0
    """Seconds in 대기."""
    misses: int = 0
    handled: int = 0
    talked: float = 0.0
    mastery: int = 0
    order: int = 0
    """Position in the list, from 1."""
    weight: int = 1
    level: int = 1


@dataclass(frozen=True, slots=True)
class Reason:
    """One answer, with all that its sentence needs (`why_words.said`)."""

    why: Why
    state: AgentState | None = None
    reason: NotReadyReason | None = None
    since: float = 0.0
    """Seconds the state had lasted."""
    call: CallId | None = None
    """What kept them busy."""
    agent: AgentId | None = None
    """The one agent wanted, the one who was known, or who was before them in the turn."""
    lacks: tuple[Lack, ...] = ()
    delay: float = 0.0
    waited: float = 0.0
    mine: Figures | None = None
    chosen: Figures | None = None
    among: int = 0
    """Of how many they were chosen."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A caller with a better place whom the agent could not take."""

    call: CallId
    queue: QueueName
    reason: Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    """One offer explained."""

    call: CallId
    agent: AgentId
    offer: OfferId
    at: Instant
    queue: QueueName
    strategy: str
    chosen: Reason
    others: Mapping[AgentId, Reason]
    """Everybody on the list but the chosen, in the order of the list."""
    waited: float
    """Seconds in this queue."""
    place: int
    """Among those who waited in the same queue, 1 for the first."""
    waiting: int
    """How many waited there."""
    head_start: float
    """Seconds that the priorities of the call and of the queue were worth."""
    needs: frozenset[str]
    opened: frozenset[QueueName]
    passed_over: Sequence[PassedOver] = ()
    """Callers of any queue with better places, in the order of their places."""

    @property
    def holds(self) -> bool:
        """Whether the rules explain all of it."""
        reasons = [self.chosen, *self.others.values(), *(one.reason for one in self.passed_over)]
        return all(reason.why is not Why.UNEXPLAINED for reason in reasons)


def explain_offer(before: FloorState, offered: CallOffered, at: Instant) -> Explanation:
    """Why `offered` was decided on the floor `before` it. Raises `KeyError` when the call or agent is not there."""
    call, agent = before.calls[offered.call], before.agents[offered.agent]
    return _Question(before, call, agent, offered, at).answered()


@dataclass(slots=True)
class _Question:
    floor: FloorState
    call: CallRecord
    agent: AgentRecord
    offered: CallOffered
    at: Instant
    needs: Mapping[str, int] = field(init=False)
    strategy: Strategy = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        queue = self.floor.queues.get(self.offered.queue)
        self.name = queue.strategy if queue is not None else UNCONFIGURED
        self.strategy = strategy_named(self.name)
        self.needs = levels(self.call.skills)

    def answered(self) -> Explanation:
        listed = sorted((one for one in self.floor.agents.values() if one.on_floor), key=lambda one: one.order)
        free = [one for one in listed if cannot(self.floor, one, self.call, self.at) is None]
        others = [one for one in listed if one is not self.agent]
        line = [
            one
            for one in self.floor.calls.values()
            if one.queue == self.call.queue and (one.state is CallState.WAITING or one is self.call)
        ]
        return Explanation(
            self.call.call,
            self.agent.login,
            self.offered.offer,
            self.at,
            self.offered.queue,
            self.name,
            self._why_chosen(free),
            {one.login: self._why_not(one, free) for one in others},
            max(0.0, self.at - self.call.entered_at),
            1 + sum((one.key, one.seq) < (self.call.key, self.call.seq) for one in line),
            len(line),
            self.call.placed_at - self.call.key,
            self.call.skills,
            self.call.opened,
            tuple(self._passed_over()),
        )

    def _why_chosen(self, free: Sequence[AgentRecord]) -> Reason:
        if self.agent not in free:
            return Reason(Why.UNEXPLAINED)
        match self.offered.choice:
            case Choice.NAMED:
                return Reason(Why.NAMED)
            case Choice.LAST_AGENT:
                return Reason(Why.LAST_AGENT)
            case Choice.EVERYBODY:
                return Reason(Why.EVERYBODY, among=self._ring_together(free))
        if len(free) == 1:
            return Reason(Why.ONLY)
        alike = sum(self._group(one) == self._group(self.agent) for one in free)
        if alike == 1:
            return Reason(Why.BEFORE, among=len(free))
        return Reason(Why.TURN, mine=self._figures(self.agent), among=alike)

    def _ring_together(self, free: Sequence[AgentRecord]) -> int:
        group = self._group(self.agent)
        ringing = set(self.call.offers.values())
        return len(ringing | {one.login for one in free if self._group(one) == group})

    def _why_not(self, other: AgentRecord, free: Sequence[AgentRecord]) -> Reason:
        if other.state is AgentState.RESERVED and other.call == self.call.call:
            return Reason(Why.RINGS_TOO)
        reason = cannot(self.floor, other, self.call, self.at)
        if reason is not None:
            return reason
        return self._whose_turn(other) if self.agent in free else Reason(Why.UNEXPLAINED)

    def _whose_turn(self, other: AgentRecord) -> Reason:
        """Both could take it, and the other did not get it."""
        if self.offered.choice is Choice.LAST_AGENT:
            return Reason(Why.KNOWN, agent=self.agent.login)
        theirs, ours = self._group(other), self._group(self.agent)
        if theirs < ours:
            return Reason(Why.UNEXPLAINED)
        if theirs[0] != ours[0]:
            return Reason(Why.MISSED)
        if theirs[1] != ours[1]:
            return Reason(Why.OPENED)
        if theirs[2] != ours[2]:
            return self._compared(Why.LEVEL, other)
        if self.offered.choice is Choice.EVERYBODY:
            return Reason(Why.RINGS_TOO)
        if self.strategy.draw is not None:
            return self._drawn(other)
        mine, chosen = self._rank(other), self._rank(self.agent)
        if (mine, other.login) < (chosen, self.agent.login):
            return Reason(Why.UNEXPLAINED)
        return self._compared(Why.NAME if mine == chosen else Why.RANK, other)

    def _compared(self, why: Why, other: AgentRecord, last: AgentId | None = None) -> Reason:
        return Reason(why, agent=last, mine=self._figures(other), chosen=self._figures(self.agent))

    def _drawn(self, other: AgentRecord) -> Reason:
        assert self.strategy.draw is not None
        last = self.floor.agents.get(self.floor.last_offered.get(self.offered.queue, AgentId("")))
        chance = Draw(self.offered.offer, -1 if last is None else last.order)
        mine, chosen = (
            (self.strategy.draw(one, one.settings.seat(self.offered.queue).weight, chance), one.login)
            for one in (other, self.agent)
        )
        if mine < chosen:
            return Reason(Why.UNEXPLAINED)
        if self.name == "round_robin":
            return self._compared(Why.NEXT, other, None if last is None else last.login)
        return self._compared(Why.DRAWN, other)

    def _group(self, agent: AgentRecord) -> tuple[bool, bool, int]:
        """What comes before the rank of every strategy."""
        settings, queue = agent.settings, self.offered.queue
        delayed = queue in settings.queues and settings.seat(queue).delay.total_seconds() > max(0.0, self.call.reach)
        opened = queue not in settings.queues or delayed
        if opened:
            level = min((settings.seat(one).level for one in self.call.opened & settings.queues), default=1)
        else:
            level = settings.seat(queue).level
        return agent.login in self.call.missed, opened, level

    def _rank(self, agent: AgentRecord) -> tuple[float, ...]:
        return self.strategy.rank(agent, self.needs)

    def _figures(self, agent: AgentRecord) -> Figures:
        return Figures(
            self.name,
            max(0.0, self.at - agent.idle_since),
            agent.misses,
            agent.handled,
            agent.talked,
            mastery(agent.levels, self.needs),
            agent.order + 1,
            agent.settings.seat(self.offered.queue).weight,
            self._group(agent)[2],
        )

    def _passed_over(self) -> Iterator[PassedOver]:
        better = [
            one
            for one in self.floor.calls.values()
            if one.state is CallState.WAITING and (one.key, one.seq) < (self.call.key, self.call.seq)
        ]
        for one in sorted(better, key=lambda one: (one.key, one.seq)):
            reason = _may_not(self.agent, one, self.at) or Reason(Why.UNEXPLAINED)
            yield PassedOver(one.call, one.queue or QueueName(""), reason)


@dataclass(frozen=True, slots=True)
class Unserved:
    """How a caller waits who is offered to nobody."""

    queue: QueueName
    waited: float
    """Seconds in this queue."""
    agents: tuple[Reason, ...]
    """Why each agent who serves the queue, or one that was opened to the call, cannot take it."""


def unserved(floor: FloorState, name: CallId, at: Instant) -> Unserved | None:
    """How a caller waits; None for one who is not in a queue, or for whom a phone rings."""
    call = floor.calls.get(name)
    if call is None or call.state is not CallState.WAITING or call.queue is None:
        return None
    reasons = [cannot(floor, agent, call, at) or Reason(Why.ONLY) for agent in floor.agents.values() if agent.on_floor]
    serving = tuple(reason for reason in reasons if reason.why is not Why.NOT_IN_QUEUE)
    return Unserved(call.queue, max(0.0, at - call.entered_at), serving)


def cannot(floor: FloorState, agent: AgentRecord, call: CallRecord, at: Instant) -> Reason | None:
    """Why an agent cannot be offered a call at all; None when they can."""
    reason = _may_not(agent, call, at)
    if reason is not None or agent.state is AgentState.READY:
        return reason
    return Reason(
        Why.STATE,
        state=agent.state,
        reason=agent.reason,
        since=max(0.0, at - agent.since) if agent.since else 0.0,
        call=agent.call,
    )


def _may_not(agent: AgentRecord, call: CallRecord, at: Instant) -> Reason | None:
    """Why an agent would not be offered a call, were they free; None when they would."""
    settings, queue = agent.settings, call.queue or QueueName("")
    opened = not call.opened.isdisjoint(settings.queues)
    if queue not in settings.queues and not opened:
        return Reason(Why.NOT_IN_QUEUE)
    if call.wants is not None and call.wants != agent.login:
        return Reason(Why.WANTED_OTHER, agent=call.wants)
    delay = settings.seat(queue).delay.total_seconds()
    if delay > max(0.0, call.reach) and not opened:
        return Reason(Why.DELAY, delay=delay, waited=max(0.0, at - call.entered_at))
    lacks = tuple(
        Lack(skill, agent.levels.get(skill, 0), level)
        for skill, level in sorted(levels(call.skills).items())
        if agent.levels.get(skill, 0) < level
    )
    return Reason(Why.SKILLS, lacks=lacks) if lacks else None

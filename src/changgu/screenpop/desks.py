"""What each agent has in front of them: their own state and the one call that concerns them, folded from the facts.

Nothing here is decided; the ACD decided it. The page keeps no state of its own, so that closing a tab, losing the
network or restarting the service changes nothing (the desk is rebuilt from the ledger).
"""

from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Direction,
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
    ReasonLimitPassed,
    Recorded,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, OfferId, QueueName

NOBODY: tuple[AgentId, ...] = ()


class Stage(StrEnum):
    """Where the call at a desk stands."""

    RINGING = "ringing"
    ANSWERED = "answered"
    """Picked up; the two do not hear each other yet."""
    TALKING = "talking"
    HOLD = "hold"
    ENDED = "ended"


class Step(Struct, frozen=True):
    """A node of the menu that the caller reached by a key."""

    node: str
    key: str | None


class CallSeen(Struct, frozen=True):
    """A call that is under way somewhere in the house; no desk's business yet."""

    caller: str | None
    """The number of the person outside, whoever dialled; None when withheld."""
    dialled: str
    started_at: Instant
    callback: CallbackId | None = None
    path: tuple[Step, ...] = ()
    queue: QueueName | None = None
    queued_at: Instant | None = None
    desks: tuple[AgentId, ...] = ()
    """Agents who have it in front of them: several while all their phones ring."""
    answered_by: AgentId | None = None
    lost: tuple[AgentId, ...] = ()
    """Agents whose phones stopped ringing for another's answer, before it was said whose."""


class CallAtDesk(Struct, frozen=True):
    """A call that was offered to this agent."""

    call: CallId
    offer: OfferId
    stage: Stage
    caller: str | None
    dialled: str
    path: tuple[Step, ...]
    queue: QueueName
    started_at: Instant
    queued_at: Instant
    offered_at: Instant
    answered_at: Instant | None = None
    connected_at: Instant | None = None
    """The talk timer starts here, not when the caller began to wait."""
    hold_since: Instant | None = None
    ended_at: Instant | None = None
    outcome: Outcome | None = None
    callback: CallbackId | None = None
    """The promise that we keep when we called this person back."""


class MissedOffer(Struct, frozen=True):
    """The last call went on to somebody else; its caller no longer concerns this agent."""

    at: Instant
    why: OfferEnd
    cause: str
    call: CallId | None = None
    by: AgentId | None = None
    """Who was first, when everybody's phone rang."""


class Desk(Struct, frozen=True):
    """One agent's own view."""

    agent: AgentId
    state: AgentState = AgentState.LOGGED_OUT
    reason: NotReadyReason | None = None
    since: Instant | None = None
    requested: AgentState | None = None
    """What they will be after the present call and its wrap-up."""
    requested_reason: NotReadyReason | None = None
    phone_reachable: bool | None = None
    """None until the PBX has said anything about it."""
    call: CallAtDesk | None = None
    missed: MissedOffer | None = None
    wrap_up_until: Instant | None = None
    """When the wrap-up ends, if the agent was given longer."""
    by: AgentId | None = None
    """Who put them into this state, when it was not themselves."""
    why: str = ""
    """The words of whoever did."""
    requested_by: AgentId | None = None
    """Who asked for what they will be next, when it was not themselves."""
    requested_why: str = ""
    overdue: bool = False
    """Away for longer than the floor allows for this reason."""


def person_of(fact: CallStarted) -> str | None:
    """The number of the person outside: who called us, or whom we call."""
    return fact.caller or fact.dialled if fact.direction is Direction.OUTBOUND else fact.caller


def _moved(desk: Desk, change: AgentStateChanged, at: Instant) -> Desk:
    settled = change.after in (AgentState.READY, AgentState.NOT_READY, AgentState.LOGGED_OUT)
    desk = replace(
        desk, state=change.after, reason=change.reason, since=at, wrap_up_until=None, by=_whom(change.by),
        why=change.why, overdue=False,
    )  # fmt: skip
    if not settled:
        return desk
    return replace(desk, requested=None, requested_reason=None, requested_by=None, requested_why="")


def _whom(login: str | None) -> AgentId | None:
    return AgentId(login) if login is not None else None


@dataclass(slots=True)
class Desks:
    """All desks, by the fold of the facts so far."""

    calls: dict[CallId, CallSeen] = field(default_factory=dict)
    desks: dict[AgentId, Desk] = field(default_factory=dict)

    def at(self, agent: AgentId) -> Desk:
        """The desk of an agent, as it is now."""
        return self.desks.get(agent) or Desk(agent)

    def apply(self, recorded: Recorded) -> tuple[AgentId, ...]:
        """Take in one fact; the agents whose desks changed, mostly one or none."""
        at = recorded.at
        match recorded.fact:
            case AgentStateChanged() as change:  # the most frequent
                return self._put(_moved(self.at(change.agent), change, at))
            case CallStarted() | MenuStepTaken() | CallQueued():
                self._before_any_desk(recorded)
                return NOBODY
            case CallOffered():
                return self._offered(recorded.fact, at)
            case OfferEnded():
                return self._offer_ended(recorded.fact, at)
            case CallAnswered(call=call, agent=agent):
                return self._answered(call, agent, at)
            case CallConnected(call=call, agent=agent):
                return self._change_call(agent, call, stage=Stage.TALKING, connected_at=at)
            case HoldStarted(call=call, agent=agent):
                return self._change_call(agent, call, stage=Stage.HOLD, hold_since=at)
            case HoldEnded(call=call, agent=agent):
                return self._change_call(agent, call, stage=Stage.TALKING, hold_since=None)
            case CallEnded(call=call, outcome=outcome):
                return self._ended(call, outcome, at)
            case NextStateRequested() as wish:
                return self._put(
                    replace(
                        self.at(wish.agent), requested=wish.state, requested_reason=wish.reason,
                        requested_by=_whom(wish.by), requested_why=wish.why,
                    )
                )  # fmt: skip
            case ReasonLimitPassed(agent=agent):
                return self._put(replace(self.at(agent), overdue=True))
            case PhoneStateChanged(agent=agent, reachable=reachable):
                return self._put(replace(self.at(agent), phone_reachable=reachable))
            case WrapUpExtended(agent=agent, until=until):
                return self._put(replace(self.at(agent), wrap_up_until=until))
        return NOBODY

    def _before_any_desk(self, recorded: Recorded) -> None:
        match recorded.fact:
            case CallStarted(call=call, dialled=dialled, callback=callback) as fact:
                self.calls[call] = CallSeen(person_of(fact), dialled, recorded.at, callback)
            case MenuStepTaken(call=call, node=node, key=key) if call in self.calls:
                seen = self.calls[call]
                self.calls[call] = replace(seen, path=(*seen.path, Step(node, key)))
            case CallQueued(call=call, queue=queue, entered_at=entered_at) if call in self.calls:
                seen = self.calls[call]
                entered = recorded.at if entered_at is None else entered_at
                queued_at = entered if seen.queued_at is None else seen.queued_at
                self.calls[call] = replace(seen, queue=queue, queued_at=queued_at)

    def _offered(self, fact: CallOffered, at: Instant) -> tuple[AgentId, ...]:
        seen = self.calls.get(fact.call, CallSeen(None, "", at))
        self.calls[fact.call] = replace(seen, desks=(*seen.desks, fact.agent))
        call = CallAtDesk(
            fact.call, fact.offer, Stage.RINGING, seen.caller, seen.dialled, seen.path, fact.queue,
            started_at=seen.started_at, queued_at=at if seen.queued_at is None else seen.queued_at, offered_at=at,
            callback=seen.callback,
        )  # fmt: skip
        return self._put(replace(self.at(fact.agent), call=call, missed=None))

    def _offer_ended(self, fact: OfferEnded, at: Instant) -> tuple[AgentId, ...]:
        desk = self.at(fact.agent)
        if desk.call is None or desk.call.offer != fact.offer:
            return NOBODY
        first: AgentId | None = None
        seen = self.calls.get(fact.call)
        if seen is not None:
            answered_by = None if seen.answered_by == fact.agent else seen.answered_by
            desks = tuple(agent for agent in seen.desks if agent != fact.agent)
            self.calls[fact.call] = replace(seen, desks=desks, answered_by=answered_by)
            if fact.why is OfferEnd.ANSWERED_ELSEWHERE:
                first = answered_by
                if first is None:
                    self.calls[fact.call] = replace(self.calls[fact.call], lost=(*seen.lost, fact.agent))
        return self._put(replace(desk, call=None, missed=MissedOffer(at, fact.why, fact.cause, fact.call, first)))

    def _answered(self, call: CallId, agent: AgentId, at: Instant) -> tuple[AgentId, ...]:
        """The one who picked up has the call; whoever has just lost it is told who was first."""
        changed = self._change_call(agent, call, stage=Stage.ANSWERED, answered_at=at)
        seen = self.calls.get(call)
        if seen is None:
            return changed
        self.calls[call] = replace(seen, answered_by=agent, lost=())
        for loser in seen.lost:
            desk = self.at(loser)
            if desk.missed is not None and desk.missed.call == call:
                changed += self._put(replace(desk, missed=replace(desk.missed, by=agent)))
        return changed

    def _ended(self, call: CallId, outcome: Outcome, at: Instant) -> tuple[AgentId, ...]:
        seen = self.calls.pop(call, None)
        if seen is None:
            return NOBODY
        ended = (
            self._change_call(agent, call, stage=Stage.ENDED, ended_at=at, hold_since=None, outcome=outcome)
            for agent in seen.desks
        )
        return tuple(agent for one in ended for agent in one)

    def _change_call(self, agent: AgentId, call: CallId, **changes: object) -> tuple[AgentId, ...]:
        desk = self.at(agent)
        if desk.call is None or desk.call.call != call:
            return NOBODY
        return self._put(replace(desk, call=replace(desk.call, **changes)))

    def _put(self, desk: Desk) -> tuple[AgentId, ...]:
        self.desks[desk.agent] = desk
        return (desk.agent,)

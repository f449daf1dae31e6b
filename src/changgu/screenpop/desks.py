"""What each agent has in front of them: their own state and the one call that concerns them, folded from the facts.

Nothing here is decided; the ACD decided it. The page keeps no state of its own, so that closing a tab, losing the
network or restarting the service changes nothing (the desk is rebuilt from the ledger).
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName


class Stage(StrEnum):
    """Where the call at a desk stands."""

    RINGING = "ringing"
    ANSWERED = "answered"
    """Picked up; the two do not hear each other yet."""
    TALKING = "talking"
    HOLD = "hold"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the menu that the caller reached by a key."""

    node: str
    key: str | None


@dataclass(frozen=True, slots=True)
class CallSeen:
    """A call that is under way somewhere in the house; no desk's business yet."""

    caller: str | None
    dialled: str
    started_at: Instant
    path: tuple[Step, ...] = ()
    queue: QueueName | None = None
    queued_at: Instant | None = None
    agent: AgentId | None = None


@dataclass(frozen=True, slots=True)
class CallAtDesk:
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


@dataclass(frozen=True, slots=True)
class MissedOffer:
    """The last call went on to somebody else; its caller no longer concerns this agent."""

    at: Instant
    why: OfferEnd
    cause: str


@dataclass(frozen=True, slots=True)
class Desk:
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


@dataclass(slots=True)
class Desks:
    """All desks, by the fold of the facts so far."""

    calls: dict[CallId, CallSeen] = field(default_factory=dict)
    desks: dict[AgentId, Desk] = field(default_factory=dict)

    def at(self, agent: AgentId) -> Desk:
        """The desk of an agent, as it is now."""
        return self.desks.get(agent, Desk(agent))

    def apply(self, recorded: Recorded) -> AgentId | None:
        """Take in one fact; the agent whose desk changed, if any."""
        match recorded.fact:
            case CallStarted() | MenuStepTaken() | CallQueued():
                self._before_any_desk(recorded)
                return None
            case CallOffered():
                return self._offered(recorded.fact, recorded.at)
            case OfferEnded(call=call, agent=agent, offer=offer, why=why, cause=cause):
                return self._offer_ended(call, agent, offer, MissedOffer(recorded.at, why, cause))
            case CallAnswered(call=call, agent=agent):
                return self._change_call(agent, call, stage=Stage.ANSWERED, answered_at=recorded.at)
            case CallConnected(call=call, agent=agent):
                return self._change_call(agent, call, stage=Stage.TALKING, connected_at=recorded.at)
            case HoldStarted(call=call, agent=agent):
                return self._change_call(agent, call, stage=Stage.HOLD, hold_since=recorded.at)
            case HoldEnded(call=call, agent=agent):
                return self._change_call(agent, call, stage=Stage.TALKING, hold_since=None)
            case CallEnded(call=call, outcome=outcome):
                seen = self.calls.pop(call, None)
                if seen is None or seen.agent is None:
                    return None
                return self._change_call(
                    seen.agent, call, stage=Stage.ENDED, ended_at=recorded.at, hold_since=None, outcome=outcome
                )
            case AgentStateChanged(agent=agent, after=after, reason=reason):
                desk = replace(self.at(agent), state=after, reason=reason, since=recorded.at)
                if after in (AgentState.READY, AgentState.NOT_READY, AgentState.LOGGED_OUT):
                    desk = replace(desk, requested=None, requested_reason=None)
                return self._put(desk)
            case NextStateRequested(agent=agent, state=state, reason=reason):
                return self._put(replace(self.at(agent), requested=state, requested_reason=reason))
            case PhoneStateChanged(agent=agent, reachable=reachable):
                return self._put(replace(self.at(agent), phone_reachable=reachable))
        return None

    def _before_any_desk(self, recorded: Recorded) -> None:
        match recorded.fact:
            case CallStarted(call=call, caller=caller, dialled=dialled):
                self.calls[call] = CallSeen(caller, dialled, recorded.at)
            case MenuStepTaken(call=call, node=node, key=key) if call in self.calls:
                seen = self.calls[call]
                self.calls[call] = replace(seen, path=(*seen.path, Step(node, key)))
            case CallQueued(call=call, queue=queue) if call in self.calls:
                seen = self.calls[call]
                queued_at = recorded.at if seen.queued_at is None else seen.queued_at
                self.calls[call] = replace(seen, queue=queue, queued_at=queued_at)

    def _offered(self, fact: CallOffered, at: Instant) -> AgentId:
        seen = self.calls.get(fact.call, CallSeen(None, "", at))
        self.calls[fact.call] = replace(seen, agent=fact.agent)
        call = CallAtDesk(
            fact.call, fact.offer, Stage.RINGING, seen.caller, seen.dialled, seen.path, fact.queue,
            started_at=seen.started_at, queued_at=seen.queued_at or at, offered_at=at,
        )
        return self._put(replace(self.at(fact.agent), call=call, missed=None))

    def _offer_ended(self, call: CallId, agent: AgentId, offer: OfferId, missed: MissedOffer) -> AgentId | None:
        desk = self.at(agent)
        if desk.call is None or desk.call.offer != offer:
            return None
        if call in self.calls:
            self.calls[call] = replace(self.calls[call], agent=None)
        return self._put(replace(desk, call=None, missed=missed))

    def _change_call(self, agent: AgentId, call: CallId, **changes: object) -> AgentId | None:
        desk = self.at(agent)
        if desk.call is None or desk.call.call != call:
            return None
        return self._put(replace(desk, call=replace(desk.call, **changes)))  # type: ignore[arg-type]

    def _put(self, desk: Desk) -> AgentId:
        self.desks[desk.agent] = desk
        return desk.agent

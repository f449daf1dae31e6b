"""What happened on the floor, in the words of Asterisk's own queue_log, so that tools made for it can audit us.

Each row goes to the PBX as AMI action `QueueLog` (Queue, Event, Uniqueid, Interface, Message); Asterisk stamps it
and writes `epoch|Uniqueid|Queue|Interface|Event|Message`, so the data fields are joined by `|` in Message.

What has no word there, or another meaning:
- 후처리 is no state of Asterisk's: it is written as PAUSE with reason WRAPUP.
- 연결불가 is a device state, which queue_log does not know: such an agent is simply not paused.
- An agent who picked up and left before the caller could hear them is AGENTDUMP.
- A call that the PBX lost while waiting is WITHDRAW with the note LOST; its rows would stay open otherwise.
- A queue that was taken off the floor sends its callers away with EXITEMPTY.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.facts import (
    AgentStateChanged,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Ender,
    OfferEnd,
    OfferEnded,
    Outcome,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, Instant, QueueName

NONE = "NONE"
"""Asterisk's word for a field that does not apply."""

PAUSE_REASONS = {
    NotReadyReason.MAINTENANCE: "MAINTENANCE",
    NotReadyReason.BREAK: "BREAK",
    NotReadyReason.MEAL: "MEAL",
    NotReadyReason.TRAINING: "TRAINING",
    NotReadyReason.AWAY: "AWAY",
    NotReadyReason.SIGNED_IN: "SIGNED_IN",
    NotReadyReason.NO_ANSWER: "NO_ANSWER",
    None: "AWAY",
}


@dataclass(frozen=True, slots=True)
class QueueLogRow:
    """The five headers of AMI action `QueueLog`."""

    queue: str
    event: str
    callid: str
    interface: str
    message: str = ""


@dataclass(slots=True)
class _Visit:
    """A caller in a queue."""

    caller: str
    queue: QueueName | None = None
    priority: int = 0
    original_position: int = 0
    queued_at: Instant = 0.0
    offered_at: Instant = 0.0
    connected_at: Instant | None = None
    agent: AgentId | None = None


class QueueLog:
    """Follows the facts and says what Asterisk would have written.

    `queues_of` gives the queues an agent serves now. After a restart, hand it the recovery tail first and throw
    the rows away: they have been written before.
    """

    def __init__(self, queues_of: Callable[[AgentId], Collection[QueueName]]) -> None:
        self._queues_of = queues_of
        self._visits: dict[CallId, _Visit] = {}
        self._places: dict[QueueName, list[tuple[int, CallId]]] = {}

    def rows(self, recorded: Recorded) -> list[QueueLogRow]:
        """The rows of one fact, in order; most facts have none or one."""
        at = recorded.at
        match recorded.fact:
            case CallStarted(call=call, caller=caller):
                self._visits[call] = _Visit(_field(caller or ""))
            case CallQueued() as fact:
                return self._queued(fact, at)
            case CallOffered(call=call):
                if call in self._visits:
                    self._visits[call].offered_at = at
            case OfferEnded() as fact:
                return self._offer_ended(fact, at)
            case CallConnected() as fact:
                return self._connected(fact, at)
            case CallEnded() as fact:
                return self._ended(fact, at)
            case AgentStateChanged() as fact:
                return self._agent_moved(fact)
            case _:
                pass
        return []

    def _queued(self, fact: CallQueued, at: Instant) -> list[QueueLogRow]:
        visit = self._visits.get(fact.call)
        if visit is None:
            return []
        self._leave(fact.call, visit)
        places = self._places.setdefault(fact.queue, [])
        ahead = sum(priority >= fact.priority for priority, _ in places)
        places.insert(ahead, (fact.priority, fact.call))
        visit.queue, visit.priority, visit.original_position, visit.queued_at = fact.queue, fact.priority, ahead + 1, at
        return [_row(fact.queue, "ENTERQUEUE", fact.call, NONE, "", visit.caller, visit.original_position)]

    def _offer_ended(self, fact: OfferEnded, at: Instant) -> list[QueueLogRow]:
        visit = self._visits.get(fact.call)
        if visit is None or visit.queue is None:
            return []
        if fact.why is OfferEnd.AGENT_LEFT:
            return [_row(visit.queue, "AGENTDUMP", fact.call, fact.agent)]
        event = "RINGCANCELED" if fact.why is OfferEnd.CALLER_LEFT else "RINGNOANSWER"
        return [_row(visit.queue, event, fact.call, fact.agent, round(max(0.0, at - visit.offered_at) * 1000))]

    def _connected(self, fact: CallConnected, at: Instant) -> list[QueueLogRow]:
        visit = self._visits.get(fact.call)
        if visit is None or visit.queue is None or visit.connected_at is not None:
            return []
        self._leave(fact.call, visit)
        visit.connected_at, visit.agent = at, fact.agent
        hold, ring = _seconds(visit.queued_at, at), _seconds(visit.offered_at, at)
        leg = f"offer-{fact.offer}-{fact.call}"
        return [_row(visit.queue, "CONNECT", fact.call, fact.agent, hold, leg, ring)]

    def _ended(self, fact: CallEnded, at: Instant) -> list[QueueLogRow]:
        visit = self._visits.pop(fact.call, None)
        if visit is None or visit.queue is None:
            return []
        if visit.connected_at is not None and visit.agent is not None:
            event = "COMPLETEAGENT" if fact.by is Ender.AGENT else "COMPLETECALLER"
            hold, talk = _seconds(visit.queued_at, visit.connected_at), _seconds(visit.connected_at, at)
            return [_row(visit.queue, event, fact.call, visit.agent, hold, talk, visit.original_position)]
        position = self._leave(fact.call, visit)
        where = (position, visit.original_position, _seconds(visit.queued_at, at))
        if fact.outcome is Outcome.LOST:
            return [_row(visit.queue, "WITHDRAW", fact.call, NONE, *where, "LOST")]
        event = "EXITEMPTY" if fact.outcome is Outcome.REFUSED else "ABANDON"
        return [_row(visit.queue, event, fact.call, NONE, *where)]

    def _leave(self, call: CallId, visit: _Visit) -> int:
        """Take a caller out of their queue's order; the place they had, from 1."""
        places = self._places.get(visit.queue, []) if visit.queue is not None else []
        entry = (visit.priority, call)
        if entry not in places:
            return visit.original_position
        position = places.index(entry) + 1
        places.remove(entry)
        return position

    def _agent_moved(self, fact: AgentStateChanged) -> list[QueueLogRow]:
        before, after = _pause(fact.before, None), _pause(fact.after, fact.reason)
        queues = sorted(self._queues_of(fact.agent))
        if fact.after is AgentState.LOGGED_OUT:
            return [_row(queue, "REMOVEMEMBER", NONE, fact.agent) for queue in queues]
        if fact.before is AgentState.LOGGED_OUT:
            return [_row(queue, "ADDMEMBER", NONE, fact.agent, "PAUSED" if after else "") for queue in queues]
        if after is None and before is None:
            return []
        event = "UNPAUSE" if after is None else "PAUSE"
        everywhere = _row(NONE, f"{event}ALL", NONE, fact.agent)
        return [everywhere, *(_row(queue, event, NONE, fact.agent, after or "") for queue in queues)]


def _pause(state: AgentState, reason: NotReadyReason | None) -> str | None:
    if state is AgentState.WRAP_UP:
        return "WRAPUP"
    return PAUSE_REASONS[reason] if state is AgentState.NOT_READY else None


def _seconds(start: Instant, end: Instant) -> int:
    return int(max(0.0, end - start))


def _row(queue: str, event: str, callid: str, interface: str, *data: str | int) -> QueueLogRow:
    return QueueLogRow(_field(queue), event, _field(callid), _field(interface), "|".join(_field(str(d)) for d in data))


def _field(text: str) -> str:
    """A caller chooses what stands in their number: nothing in it may look like our separators or a new header."""
    return "".join(" " if mark == "|" or not mark.isprintable() else mark for mark in text)

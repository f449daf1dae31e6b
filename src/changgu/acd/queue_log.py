"""What happened on the floor, in the words of Asterisk's own queue_log, so that tools made for it can audit us.

Each row goes to the PBX as AMI action `QueueLog` (Queue, Event, Uniqueid, Interface, Message); Asterisk stamps it
and writes `epoch|Uniqueid|Queue|Interface|Event|Message`, so the data fields are joined by `|` in Message.

What has no word there, or another meaning:
- 후처리 is no state of Asterisk's: it is written as PAUSE with reason WRAPUP.
- 연결불가 is a device state, which queue_log does not know: such an agent is simply not paused.
- PAUSE by a supervisor names them, and their words, in the two fields after the reason.
- An agent who picked up and left before the caller could hear them is AGENTDUMP.
- Ring all: RINGCANCELED for each agent who was not the first, as when the caller hung up or a supervisor moved the
  agent.
- A caller who leaves the queue by a key is EXITWITHKEY; by the longest wait EXITWITHTIMEOUT; because nobody serves the
  queue any more, or it was taken off the floor, EXITEMPTY. Whoever comes back enters again: hold times in these rows
  count from their ENTERQUEUE, so that the file agrees with itself; the ledger's wait goes on.
- A caller who is not let in is JOINEMPTY (nobody serves the queue) or FULL, with the limit that was reached as its
  field when that was not the number of callers. Asterisk knows both as QUEUESTATUS only.
- A call that the PBX lost while waiting is WITHDRAW with the note LOST; its rows would stay open otherwise.
- Somebody whom we called back is OUTCALL (status, talk time, the promise); an attempt that dialled nobody writes
  nothing.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.call_record import DIAL_CAUSES, DIAL_ENDED
from changgu.acd.facts import (
    AgentStateChanged,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallQueued,
    CallServedElsewhere,
    CallStarted,
    Departure,
    Direction,
    Ender,
    OfferEnd,
    OfferEnded,
    Outcome,
    PersonAnswered,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.queues import Rules, Way

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
    NotReadyReason.DESKTOP_GONE: "DESKTOP_GONE",
    None: "AWAY",
}

RING_ROWS = {
    OfferEnd.NO_ANSWER: "RINGNOANSWER",
    OfferEnd.FAILED: "RINGNOANSWER",
    OfferEnd.CONNECT_FAILED: "RINGNOANSWER",
    OfferEnd.CALLER_LEFT: "RINGCANCELED",
    OfferEnd.ANSWERED_ELSEWHERE: "RINGCANCELED",
    OfferEnd.WITHDRAWN: "RINGCANCELED",
}
"""The row of an offer that came to nothing; NOT_REACHED is left out, for that agent's phone never rang."""

NOT_LET_IN = {
    Departure.FULL: ("FULL", ""),
    Departure.RATIO: ("FULL", "RATIO"),
    Departure.ESTIMATE: ("FULL", "ESTIMATE"),
    Departure.UNSTAFFED: ("JOINEMPTY", ""),
    Departure.DESERTED: ("JOINEMPTY", ""),
}

DIAL_STATUS = {"busy": "BUSY", "declined": "BUSY", "no_answer": "NOANSWER", "congestion": "CONGESTION"}
"""Asterisk's DIALSTATUS for why somebody was not reached; everything else is CHANUNAVAIL."""

WORTH = Rules().priority_worth


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
    """A caller, or somebody who is called back."""

    caller: str
    direction: Direction = Direction.INBOUND
    callback: str = ""
    queue: QueueName | None = None
    """Where they wait, or were answered from; None when they have left."""
    place: Instant = 0.0
    original_position: int = 0
    queued_at: Instant = 0.0
    rung: dict[OfferId, Instant] = field(default_factory=dict)
    """Offers that ring, and since when."""
    reached: bool = False
    """The person whom we called picked up."""
    connected_at: Instant | None = None
    agent: AgentId | None = None


class QueueLog:
    """Follows the facts and says what Asterisk would have written.

    `queues_of` gives the queues an agent serves now, `worth` the head start of one step of priority
    (`Rules.priority_worth`). After a restart, hand it the recovery tail first and throw the rows away: they have been
    written before.
    """

    def __init__(
        self,
        queues_of: Callable[[AgentId], Collection[QueueName]],
        worth: Callable[[], timedelta] = lambda: WORTH,
    ) -> None:
        self._queues_of = queues_of
        self._worth = worth
        self._visits: dict[CallId, _Visit] = {}
        self._places: dict[QueueName, list[tuple[Instant, CallId]]] = {}
        self._written: dict[CallId, tuple[QueueName, Instant]] = {}

    def has_written(self, waits: Mapping[CallId, tuple[QueueName, Instant]]) -> None:
        """ENTERQUEUE that stands in the file since a moment, with no end behind it. To be told after a restart.

        The PBX may know that a caller waits before the ledger does. When the ledger was killed in between, they come
        to the queue once more, as far as it knows, and must not enter it twice in the file.
        """
        self._written = {call: wait for call, wait in waits.items() if not self._waits(call)}

    def written(self, call: CallId) -> tuple[QueueName, Instant] | None:
        """Where a caller waits by the file, and since when, of whom the ledger does not know it."""
        return self._written.get(call)

    def _waits(self, call: CallId) -> bool:
        visit = self._visits.get(call)
        return visit is not None and visit.queue is not None

    def rows(self, recorded: Recorded) -> list[QueueLogRow]:
        """The rows of one fact, in order; most facts have none or one."""
        at = recorded.at
        match recorded.fact:
            case AgentStateChanged() as fact:  # the most frequent
                return self._agent_moved(fact)
            case CallStarted(call=call, caller=caller, direction=direction, callback=callback):
                self._visits[call] = _Visit(_field(caller or ""), direction, callback or "")
            case CallQueued() as fact:
                return self._queued(fact, at)
            case CallOverflowed() as fact:
                return self._overflowed(fact, at)
            case CallOffered(call=call, agent=agent, offer=offer):
                if call in self._visits:
                    self._visits[call].rung[offer] = at
                    self._visits[call].agent = agent
            case OfferEnded() as fact:
                return self._offer_ended(fact, at)
            case PersonAnswered(call=call):
                if call in self._visits:
                    self._visits[call].reached = True
            case CallConnected() as fact:
                return self._connected(fact, at)
            case CallEnded() as fact:
                return self._ended(fact, at)
            case CallServedElsewhere() as fact:
                return self._hung_up_alone(fact)
            case _:
                pass
        return []

    def _queued(self, fact: CallQueued, at: Instant) -> list[QueueLogRow]:
        visit = self._visits.get(fact.call)
        if visit is None:
            return []
        if visit.direction is Direction.OUTBOUND:
            visit.queue = fact.queue
            return []
        if visit.queue is not None:
            self._leave(fact.call, visit)
        places = self._places.setdefault(fact.queue, [])
        placed_at = at if fact.placed_at is None else fact.placed_at
        visit.place = placed_at - fact.priority * self._worth().total_seconds()
        ahead = bisect_right(places, visit.place, key=itemgetter(0))
        places.insert(ahead, (visit.place, fact.call))
        visit.queue, visit.original_position, visit.queued_at = fact.queue, ahead + 1, at
        written = self._written.pop(fact.call, None)
        if written is not None and written[0] == fact.queue:
            visit.queued_at = written[1]
            return []
        return [_row(fact.queue, "ENTERQUEUE", fact.call, NONE, "", visit.caller, visit.original_position)]

    def _overflowed(self, fact: CallOverflowed, at: Instant) -> list[QueueLogRow]:
        visit = self._visits.get(fact.call)
        if visit is None or visit.direction is Direction.OUTBOUND or fact.to.partition(":")[0] == Way.OPEN:
            return []
        if visit.queue != fact.queue:
            event, note = NOT_LET_IN.get(fact.why, ("FULL", fact.why.value.upper()))
            return [_row(fact.queue, event, fact.call, NONE, *([note] if note else []))]
        where = (self._leave(fact.call, visit), visit.original_position, _seconds(visit.queued_at, at))
        visit.queue = None
        match fact.why:
            case Departure.KEY:
                return [_row(fact.queue, "EXITWITHKEY", fact.call, NONE, fact.key or "", *where)]
            case Departure.UNSTAFFED | Departure.DESERTED:
                return [_row(fact.queue, "EXITEMPTY", fact.call, NONE, *where)]
        return [_row(fact.queue, "EXITWITHTIMEOUT", fact.call, NONE, *where)]

    def _offer_ended(self, fact: OfferEnded, at: Instant) -> list[QueueLogRow]:
        visit = self._visits.get(fact.call)
        if visit is None or visit.queue is None:
            return []
        rang = round(max(0.0, at - visit.rung.pop(fact.offer, at)) * 1000)
        if fact.why is OfferEnd.AGENT_LEFT:
            return [_row(visit.queue, "AGENTDUMP", fact.call, fact.agent)]
        if fact.why not in RING_ROWS:
            return []
        return [_row(visit.queue, RING_ROWS[fact.why], fact.call, fact.agent, rang)]

    def _connected(self, fact: CallConnected, at: Instant) -> list[QueueLogRow]:
        visit = self._visits.get(fact.call)
        if visit is None or visit.queue is None or visit.connected_at is not None:
            return []
        visit.connected_at, visit.agent = at, fact.agent
        if visit.direction is Direction.OUTBOUND:
            return []
        self._leave(fact.call, visit)
        hold, ring = _seconds(visit.queued_at, at), _seconds(visit.rung.get(fact.offer, at), at)
        leg = f"offer-{fact.offer}-{fact.call}"
        return [_row(visit.queue, "CONNECT", fact.call, fact.agent, hold, leg, ring)]

    def _ended(self, fact: CallEnded, at: Instant) -> list[QueueLogRow]:
        visit = self._visits.pop(fact.call, None)
        self._written.pop(fact.call, None)
        if visit is None or visit.queue is None:
            return []
        if visit.direction is Direction.OUTBOUND:
            return self._called_back(fact, visit, visit.queue, at)
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

    def _hung_up_alone(self, fact: CallServedElsewhere) -> list[QueueLogRow]:
        """The end of a wait that only the file knows of; the plain queues write theirs. The place is unknown: 0."""
        written = self._written.pop(fact.call, None)
        if written is None or fact.queue != written[0]:
            return []
        return [_row(written[0], "ABANDON", fact.call, NONE, 0, 0, _seconds(written[1], fact.ended_at))]

    def _called_back(self, fact: CallEnded, visit: _Visit, queue: QueueName, at: Instant) -> list[QueueLogRow]:
        talk = 0
        if visit.connected_at is not None:
            status, talk = "ANSWER", _seconds(visit.connected_at, at)
        elif visit.reached or (fact.outcome is Outcome.NOT_REACHED and fact.reason in DIAL_ENDED):
            status = "CANCEL"
        elif fact.outcome is Outcome.NOT_REACHED and fact.reason in DIAL_CAUSES:
            status = DIAL_STATUS.get(fact.reason, "CHANUNAVAIL")
        else:
            return []
        return [_row(queue, "OUTCALL", fact.call, visit.agent or NONE, status, talk, visit.callback)]

    def _leave(self, call: CallId, visit: _Visit) -> int:
        """Take a caller out of their queue's order; the place they had, from 1."""
        places = self._places.get(visit.queue, []) if visit.queue is not None else []
        entry = (visit.place, call)
        if entry not in places:
            return visit.original_position
        position = places.index(entry) + 1
        places.remove(entry)
        return position

    def _agent_moved(self, fact: AgentStateChanged) -> list[QueueLogRow]:
        before, after = _pause(fact.before, None), _pause(fact.after, fact.reason)
        if after is None and before is None and AgentState.LOGGED_OUT not in (fact.before, fact.after):
            return []
        queues = sorted(self._queues_of(fact.agent))
        if fact.after is AgentState.LOGGED_OUT:
            return [_row(queue, "REMOVEMEMBER", NONE, fact.agent) for queue in queues]
        if fact.before is AgentState.LOGGED_OUT:
            return [_row(queue, "ADDMEMBER", NONE, fact.agent, "PAUSED" if after else "") for queue in queues]
        event = "UNPAUSE" if after is None else "PAUSE"
        everywhere = _row(NONE, f"{event}ALL", NONE, fact.agent)
        said = [after or "", *([fact.by, fact.why] if fact.by and after else [])]
        return [everywhere, *(_row(queue, event, NONE, fact.agent, *said) for queue in queues)]


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
    if text.isprintable() and "|" not in text:
        return text
    return "".join(" " if mark == "|" or not mark.isprintable() else mark for mark in text)

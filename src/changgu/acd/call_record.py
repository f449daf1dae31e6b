"""One call as one row: the fold of its facts, with the times by which waiting and talking are measured.

Every figure comes from the ledger, never from the PBX's CDR (CTI-13):

wait                  first queued → first heard an agent; nobody reached: → left the queue by another way, or the end
time to first answer  arrived at our number → first heard an agent; the menu counts, a second queue resets nothing
talk                  first heard an agent → the end; holding counts, waiting in the queue does not
wrap-up               후처리 of the agents who had the call, added up

Of an outbound call (we call somebody back) the wait is what the person spent on the line before an agent spoke to them,
and there is no time to first answer: nobody knocked at our door.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from changgu.acd.agent_words import AgentState
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallbackBooked,
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
    Fact,
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    Outcome,
    PersonAnswered,
    Recorded,
    WaitAnnounced,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, QueueName
from changgu.acd.queues import Way

FORMULAS = {
    "wait_seconds": (
        "대기열에 들어간 때부터 요원과 처음 연결된 때까지. 연결되지 못한 통화는 다른 길(음성메일 등)로 나가거나 "
        "끊긴 때까지. 단위: 초",
        "From entering the queue to first hearing an agent; for a call that reached nobody, to leaving the queue by "
        "another way or to its end. Seconds.",
    ),
    "time_to_first_answer_seconds": (
        "대표번호에 도착한 때부터 요원과 처음 연결된 때까지(ARS 시간 포함). 단위: 초",
        "From reaching our number to first hearing an agent, the menu included. Seconds.",
    ),
    "talk_seconds": (
        "요원과 처음 연결된 때부터 통화가 끝난 때까지. 보류 시간은 들어가고 대기 시간은 들어가지 않음. 단위: 초",
        "From first hearing an agent to the end of the call; holding counts, waiting does not. Seconds.",
    ),
    "wrap_up_seconds": (
        "통화가 끝난 뒤 요원이 후처리 상태에 있던 시간. 단위: 초",
        "How long the agents of this call were in wrap-up after it. Seconds.",
    ),
    "promised_seconds": (
        "대기 중 처음 안내받은 예상 대기시간: 안내한 때부터 이 시간 안에 연결된다고 한 것. 단위: 초",
        "What the caller was first told of their wait: to be answered within so long from then. Seconds.",
    ),
}
"""What each figure means, Korean and English, for the pages and the API."""


DIAL_CAUSES = frozenset({"no_answer", "busy", "declined", "unreachable", "congestion", "error", "gone"})
"""Why a person whom we dialled was not reached."""

DIAL_ENDED = frozenset({"", "agent_left"})
"""The dial was cut short; with any other reason of NOT_REACHED nobody had been dialled yet."""


@dataclass(frozen=True, slots=True)
class MenuStep:
    """A node of the menu, and the key by which the caller came to it."""

    node: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Departed:
    """A rule of a queue, or a key, sent the caller another way."""

    queue: QueueName
    why: Departure
    to: str
    """The destination as configured, such as `queue:helpdesk` or `voicemail`."""
    at: Instant
    key: str | None = None


class CallRecord(msgspec.Struct, frozen=True, gc=False):
    """A call so far. A time is None until it has come; a figure is None until it is final.

    Every fact makes it anew, so it is a struct like the facts (see `acd.message`).
    """

    id: CallId
    direction: Direction
    caller: str | None
    dialled: str
    arrived_at: Instant
    queue: QueueName | None = None
    """The queue it was in last, or that did not take it."""
    first_queue: QueueName | None = None
    """The queue it came to first."""
    agent: AgentId | None = None
    """The first agent whom the caller heard; one whose phone only rang is not named (a missed offer is
    no answered call)."""
    outcome: Outcome | None = None
    ended_by: Ender | None = None
    reason: str = ""
    """Why it was refused, or was not reached; see `facts.CallEnded.reason`."""
    callback: CallbackId | None = None
    """The promise that an outbound call keeps; of a caller's call the last that was made in it."""
    departures: tuple[Departed, ...] = ()
    """Every way that it was sent out of a queue, or opened to others, in order."""
    grounds: frozenset[str] = frozenset()
    """Why it had priority."""
    queued_at: Instant | None = None
    """When it first entered a queue; earlier than our first fact of it when the caller waited elsewhere meanwhile."""
    placed_at: Instant | None = None
    """What its place was counted from, when last it entered a queue."""
    left_at: Instant | None = None
    """When it left the queue by another way and did not come back."""
    reached_at: Instant | None = None
    """When the person whom we called picked up."""
    promised_at: Instant | None = None
    """When the caller was first told how long it would take."""
    promised_seconds: float | None = None
    answered_at: Instant | None = None
    ended_at: Instant | None = None
    offers: int = 0
    """How often it was offered to an agent, one after the other or to several at once."""
    menu_path: tuple[MenuStep, ...] = ()
    hold_seconds: float = 0.0
    held_since: Instant | None = None
    wrapped_up_seconds: float = 0.0
    """Wrap-ups that are over."""
    wrapping_up: tuple[tuple[AgentId, Instant], ...] = ()
    """Agents still in wrap-up after this call, and since when."""

    @property
    def wait_seconds(self) -> float | None:
        """See the module's table; None for a call that never queued or still waits."""
        outbound = self.direction is Direction.OUTBOUND
        return _between(self.reached_at if outbound else self.queued_at, self._waited_until)

    @property
    def time_to_first_answer_seconds(self) -> float | None:
        """See the module's table; None until answered."""
        return None if self.direction is Direction.OUTBOUND else _between(self.arrived_at, self.answered_at)

    @property
    def talk_seconds(self) -> float | None:
        """See the module's table; None for a call not answered, or still going on."""
        return _between(self.answered_at, self.ended_at)

    @property
    def wrap_up_seconds(self) -> float | None:
        """See the module's table; None for a call not answered, and until the wrap-up is over."""
        if self.answered_at is None or self.ended_at is None or self.wrapping_up:
            return None
        return round(self.wrapped_up_seconds, 6)

    @property
    def promise_kept(self) -> bool | None:
        """Whether the caller was answered within what they were first told.

        None without a promise, while the call waits, and for a caller who left before the promised time was over:
        nobody knows whether we would have kept it.
        """
        if self.promised_at is None or self.promised_seconds is None or self._waited_until is None:
            return None
        promised = self.promised_at + self.promised_seconds
        if self.answered_at is not None:
            return self.answered_at <= promised
        return None if self._waited_until < promised else False

    @property
    def _waited_until(self) -> Instant | None:
        if self.answered_at is not None:
            return self.answered_at
        return self.left_at if self.left_at is not None else self.ended_at

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected: the call is over and so is its wrap-up."""
        return self.ended_at is not None and not self.wrapping_up


def call_of(fact: Fact) -> CallId | None:
    """The call that a fact is about, if any."""
    call: CallId | None = getattr(fact, "call", None)
    return call


def advance(record: CallRecord | None, at: Instant, fact: Fact) -> CallRecord | None:
    """The record after one more fact about it; None while the call has not started."""
    if isinstance(fact, CallStarted):
        if record is not None:
            return record
        arrived_at = at if fact.since is None else min(at, fact.since)
        return CallRecord(fact.call, fact.direction, fact.caller, fact.dialled, arrived_at, callback=fact.callback)
    if isinstance(fact, CallServedElsewhere):
        return _served_elsewhere(fact) if record is None else record
    return None if record is None else _advanced(record, at, fact)


def _served_elsewhere(fact: CallServedElsewhere) -> CallRecord:
    return CallRecord(
        fact.call, Direction.INBOUND, fact.caller, fact.dialled, fact.arrived_at,
        queue=fact.queue, first_queue=fact.queue, agent=fact.served_by, outcome=fact.outcome, ended_by=fact.by,
        queued_at=fact.queued_at, answered_at=fact.answered_at, ended_at=fact.ended_at, offers=fact.offers,
    )  # fmt: skip


def fold(recorded: Iterable[Recorded]) -> dict[CallId, CallRecord]:
    """The records of every call whose start is among these facts."""
    records: dict[CallId, CallRecord] = {}
    for entry in recorded:
        call = call_of(entry.fact)
        if call is not None:
            after = advance(records.get(call), entry.at, entry.fact)
            if after is not None:
                records[call] = after
    return records


def _advanced(record: CallRecord, at: Instant, fact: Fact) -> CallRecord:
    match fact:
        case MenuStepTaken(node=node, key=key):
            return replace(record, menu_path=(*record.menu_path, MenuStep(node, key)))
        case CallQueued():
            return _queued(record, at, fact)
        case CallOverflowed():
            return _departed(record, at, fact)
        case WaitAnnounced(promise=promise) if promise is not None and record.promised_at is None:
            return replace(record, promised_at=at, promised_seconds=promise)
        case CallbackBooked(callback=made):
            kept = record.callback if record.direction is Direction.OUTBOUND else None
            return replace(record, callback=kept or made)
        case PersonAnswered():
            return replace(record, reached_at=_first(record.reached_at, at))
        case CallOffered():
            return replace(record, offers=record.offers + 1)
        case CallAnswered(queue=queue):
            return replace(record, queue=queue, first_queue=record.first_queue or queue)
        case CallConnected(agent=agent):
            return replace(record, agent=record.agent or agent, answered_at=_first(record.answered_at, at))
        case HoldStarted():
            return replace(record, held_since=_first(record.held_since, at))
        case HoldEnded():
            return _off_hold(record, at)
        case CallEnded(outcome=outcome, by=by, reason=reason):
            if record.ended_at is not None:
                return record
            return replace(_off_hold(record, at), outcome=outcome, ended_by=by, reason=reason, ended_at=at)
        case AgentStateChanged():
            return _wrapping_up(record, at, fact)
        case _:
            return record


def _queued(record: CallRecord, at: Instant, fact: CallQueued) -> CallRecord:
    queued_at = _first(record.queued_at, at if fact.entered_at is None else min(at, fact.entered_at))
    return replace(
        record,
        queue=fact.queue,
        first_queue=record.first_queue or fact.queue,
        queued_at=queued_at,
        arrived_at=min(record.arrived_at, queued_at),
        placed_at=at if fact.placed_at is None else fact.placed_at,
        left_at=None,
        grounds=record.grounds | fact.grounds,
    )


def leaves_queue(to: str) -> bool:
    """Whether a caller sent this way (`CallOverflowed.to`) waits no longer; sent to another queue they wait there."""
    return to.partition(":")[0] not in (Way.OPEN, Way.QUEUE)


def _departed(record: CallRecord, at: Instant, fact: CallOverflowed) -> CallRecord:
    departed = Departed(fact.queue, fact.why, fact.to, at, fact.key)
    return replace(
        record,
        queue=record.queue or fact.queue,
        first_queue=record.first_queue or fact.queue,
        departures=(*record.departures, departed),
        left_at=at if record.queued_at is not None and leaves_queue(fact.to) else record.left_at,
    )


def _off_hold(record: CallRecord, at: Instant) -> CallRecord:
    if record.held_since is None:
        return record
    held = max(0.0, at - record.held_since)
    return replace(record, held_since=None, hold_seconds=round(record.hold_seconds + held, 6))


def _wrapping_up(record: CallRecord, at: Instant, fact: AgentStateChanged) -> CallRecord:
    if not record.wrapping_up and fact.after is not AgentState.WRAP_UP:
        return record
    since = dict(record.wrapping_up)
    done = record.wrapped_up_seconds
    if fact.agent in since:
        done = round(done + max(0.0, at - since.pop(fact.agent)), 6)
    if fact.after is AgentState.WRAP_UP:
        since[fact.agent] = at
    return replace(record, wrapped_up_seconds=done, wrapping_up=tuple(since.items()))


def _first(known: Instant | None, at: Instant) -> Instant:
    return at if known is None else known


def _between(start: Instant | None, end: Instant | None) -> float | None:
    return None if start is None or end is None else round(max(0.0, end - start), 6)

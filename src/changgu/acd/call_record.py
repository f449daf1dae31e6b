"""One call as one row: the fold of its facts, with the times by which waiting and talking are measured.

Every figure comes from the ledger, never from the PBX's CDR (CTI-13):

wait                  first queued → first heard an agent; → the end, when nobody was reached
time to first answer  arrived at our number → first heard an agent; the menu counts, a second queue resets nothing
talk                  first heard an agent → the end; holding counts, waiting in the queue does not
wrap-up               후처리 of the agents who had the call, added up
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from changgu.acd.agent_state import AgentState
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    Fact,
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    Outcome,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, Instant, QueueName

FORMULAS = {
    "wait_seconds": (
        "대기열에 들어간 때부터 요원과 처음 연결된 때까지. 연결되지 못한 통화는 끊긴 때까지. 단위: 초",
        "From entering the queue to first hearing an agent; for a call that reached nobody, to its end. Seconds.",
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
}
"""What each figure means, Korean and English, for the pages and the API."""


@dataclass(frozen=True, slots=True)
class MenuStep:
    """A node of the menu, and the key by which the caller came to it."""

    node: str
    key: str | None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call so far. A time is None until it has come; a figure is None until it is final."""

    id: CallId
    direction: Direction
    caller: str | None
    dialled: str
    arrived_at: Instant
    queue: QueueName | None = None
    """The queue it was in last."""
    agent: AgentId | None = None
    """The first agent whom the caller heard; one whose phone only rang is not named (a missed offer is
    no answered call)."""
    outcome: Outcome | None = None
    ended_by: Ender | None = None
    queued_at: Instant | None = None
    answered_at: Instant | None = None
    ended_at: Instant | None = None
    offers: int = 0
    """How many phones rang for it, one after the other."""
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
        until = self.answered_at if self.answered_at is not None else self.ended_at
        return _between(self.queued_at, until)

    @property
    def time_to_first_answer_seconds(self) -> float | None:
        """See the module's table; None until answered."""
        return _between(self.arrived_at, self.answered_at)

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
        return CallRecord(fact.call, fact.direction, fact.caller, fact.dialled, at)
    return None if record is None else _advanced(record, at, fact)


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
        case CallQueued(queue=queue):
            return replace(record, queue=queue, queued_at=_first(record.queued_at, at))
        case CallOffered():
            return replace(record, offers=record.offers + 1)
        case CallAnswered(queue=queue):
            return replace(record, queue=queue)
        case CallConnected(agent=agent):
            return replace(record, agent=record.agent or agent, answered_at=_first(record.answered_at, at))
        case HoldStarted():
            return replace(record, held_since=_first(record.held_since, at))
        case HoldEnded():
            return _off_hold(record, at)
        case CallEnded(outcome=outcome, by=by):
            if record.ended_at is not None:
                return record
            return replace(_off_hold(record, at), outcome=outcome, ended_by=by, ended_at=at)
        case AgentStateChanged():
            return _wrapping_up(record, at, fact)
        case _:
            return record


def _off_hold(record: CallRecord, at: Instant) -> CallRecord:
    if record.held_since is None:
        return record
    held = max(0.0, at - record.held_since)
    return replace(record, held_since=None, hold_seconds=round(record.hold_seconds + held, 6))


def _wrapping_up(record: CallRecord, at: Instant, fact: AgentStateChanged) -> CallRecord:
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

"""What became of callers while changgu was away, read out of Asterisk's own queue_log.

The dialplan frames each visit to a plain queue (see `asterisk_conf/templates/dialplan.conf.j2`): DID, with the number
that was dialled, when the caller gets there; FULL, with the caller's number, when they are one too many; RETURNED when
changgu takes them back, which makes the rest of the call ours to tell; GONE when they have hung up. Between stand the
rows of app_queue itself. Calls without DID are our own, written by `ami.queue_log_writer`, and are passed over. HUNGUP,
with the numbers that were dialled and that called, is written when one of our own callers hangs up while changgu is
away: the ledger knows nearly all of them. Times are whole seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from changgu.acd.facts import CallServedElsewhere, Ender, Outcome
from changgu.acd.identity import AgentId, CallId, Instant, QueueName
from changgu.telephony.numbers import presented

CALL_AND_EVENT = 5
"""The fields that every row has: time, call, queue, agent, event."""

RETURNS_KEPT = 1_000
"""Callers taken back who are remembered for a moment: when that fails, they are in the plain queue again."""

CONNECTED = frozenset({"CONNECT"})
CALLER_ENDED = frozenset({"COMPLETECALLER"})
AGENT_ENDED = frozenset({"COMPLETEAGENT", "BLINDTRANSFER", "ATTENDEDTRANSFER"})
TURNED_AWAY = frozenset({"EXITEMPTY", "EXITWITHTIMEOUT", "WITHDRAW", "FULL"})
RANG = frozenset({"RINGNOANSWER", "RINGCANCELED"})


@dataclass(frozen=True, slots=True)
class Row:
    """One line of queue_log."""

    at: Instant
    call: CallId
    queue: str
    agent: str
    event: str
    data: tuple[str, ...] = ()


def parse(line: str) -> Row | None:
    """A line `epoch|callid|queue|agent|EVENT|data…`; None when it is none."""
    epoch, *fields = line.rstrip("\r\n").split("|")
    if len(fields) < CALL_AND_EVENT - 1 or not (epoch.isascii() and epoch.isdecimal() and len(epoch) < 16):
        return None
    call, queue, agent, event, *data = fields
    return Row(float(epoch), CallId(call), queue, agent, event, tuple(data))


def came_at(call: CallId) -> Instant | None:
    """When a caller's channel began, to the second: it stands in its id, `system-epoch.number`."""
    epoch = call.rpartition("-")[2].partition(".")[0]
    return float(epoch) if epoch.isascii() and epoch.isdecimal() and len(epoch) < 16 else None


@dataclass(slots=True)
class _Visit:
    """One caller in a plain queue, so far."""

    offset: int
    """Where in the file their first row stands."""
    queue: QueueName
    dialled: str
    arrived_at: Instant
    caller: str | None = None
    queued_at: Instant | None = None
    agent: AgentId | None = None
    answered_at: Instant | None = None
    offers: int = 0
    left_while_ringing: bool = False
    turned_away: bool = False
    ended_at: Instant | None = None
    by: Ender = Ender.CALLER

    def take(self, row: Row) -> None:
        """One more row about this visit."""
        rang, self.left_while_ringing = self.left_while_ringing, False
        if row.event == "ENTERQUEUE":
            self.queue = QueueName(row.queue)
            self.queued_at = row.at if self.queued_at is None else self.queued_at
            self.caller = presented(row.data[1]) if len(row.data) > 1 else None
            self.ended_at, self.turned_away = None, False  # they were to be taken back, and came again
        elif row.event in CONNECTED:
            self.agent = self.agent or AgentId(row.agent)
            self.answered_at = row.at if self.answered_at is None else self.answered_at
            self.offers += 1
        elif row.event in RANG:
            self.offers += 1
            self.left_while_ringing = row.event == "RINGCANCELED"
        elif row.event in CALLER_ENDED | AGENT_ENDED:
            self.ended_at = row.at
            self.by = Ender.AGENT if row.event in AGENT_ENDED else Ender.CALLER
        elif row.event == "ABANDON":
            self.ended_at, self.left_while_ringing = row.at, rang
        elif row.event in TURNED_AWAY:
            self.ended_at, self.turned_away, self.by = row.at, True, Ender.DESK
            if row.event == "FULL" and row.data:  # who was let in has said so at ENTERQUEUE
                self.caller = self.caller or presented(row.data[0])

    def ended(self, call: CallId, at: Instant, *, lost: bool) -> CallServedElsewhere:
        """The whole visit, now that it is over."""
        if lost:
            outcome, by, at = Outcome.LOST, Ender.DESK, self.ended_at or at
        elif self.answered_at is not None:
            outcome, by, at = Outcome.ANSWERED, self.by, self.ended_at or at
        elif self.turned_away:
            outcome, by, at = Outcome.REFUSED, Ender.DESK, self.ended_at or at
        elif self.queued_at is None:
            outcome, by = Outcome.ABANDONED_IN_MENU, Ender.CALLER
        else:
            outcome = Outcome.ABANDONED_RINGING if self.left_while_ringing else Outcome.ABANDONED_IN_QUEUE
            by, at = Ender.CALLER, self.ended_at or at
        return CallServedElsewhere(
            call, self.caller, self.dialled, self.queue, outcome, by, self.arrived_at, at,
            queued_at=self.queued_at, answered_at=self.answered_at, served_by=self.agent, offers=self.offers,
        )  # fmt: skip


@dataclass(slots=True)
class ShadowHistory:
    """Follows the rows and tells of each visit once it is over."""

    _open: dict[CallId, _Visit] = field(default_factory=dict)
    _returned: dict[CallId, _Visit] = field(default_factory=dict)

    @property
    def unfinished(self) -> int:
        """Visits that are going on."""
        return len(self._open)

    def resume_at(self, end: int) -> int:
        """From where the file must be read again by whoever knows nothing: the first row of a visit still going on."""
        return min((visit.offset for visit in self._open.values()), default=end)

    def started_over(self) -> None:
        """What follows is another file: the offsets of the old one mean nothing in it."""
        for visit in self._open.values():
            visit.offset = 0

    def read(self, rows: Iterable[tuple[int, Row]]) -> list[CallServedElsewhere]:
        """Take in rows, each with its place in the file; the visits that ended, in order of their end."""
        return [ended for offset, row in rows for ended in self._take(offset, row)]

    def _take(self, offset: int, row: Row) -> list[CallServedElsewhere]:
        if row.event == "QUEUESTART":  # the PBX was started: whoever was in it is no more
            lost = [visit.ended(call, row.at, lost=visit.ended_at is None) for call, visit in self._open.items()]
            self._open.clear()
            self._returned.clear()
            return lost
        if row.event == "DID":
            self._begin(offset, row)
        elif row.event == "RETURNED":
            self._give_back(row.call)
        elif row.event == "HUNGUP":
            return [self._hung_up(row)]
        elif row.event == "GONE":
            visit = self._open.pop(row.call, None)
            return [] if visit is None else [visit.ended(row.call, row.at, lost=False)]
        elif (visit := self._open.get(row.call)) is not None:
            visit.take(row)
        return []

    def _begin(self, offset: int, row: Row) -> None:
        again = self._returned.pop(row.call, None)
        if again is None:
            again = _Visit(offset, QueueName(row.queue), row.data[0] if row.data else "", row.at)
        self._open.setdefault(row.call, again)

    def _hung_up(self, row: Row) -> CallServedElsewhere:
        visit = self._returned.pop(row.call, None)
        if visit is not None:
            visit.ended_at = None  # that was when they were taken out of the plain queue
            return visit.ended(row.call, row.at, lost=False)
        dialled, caller = (*row.data, "", "")[:2]
        return CallServedElsewhere(
            row.call, presented(caller), dialled, None, Outcome.ABANDONED_IN_MENU, Ender.CALLER,
            arrived_at=min(came_at(row.call) or row.at, row.at), ended_at=row.at,
        )  # fmt: skip

    def _give_back(self, call: CallId) -> None:
        visit = self._open.pop(call, None)
        if visit is None:
            return
        self._returned[call] = visit
        if len(self._returned) > RETURNS_KEPT:
            del self._returned[next(iter(self._returned))]

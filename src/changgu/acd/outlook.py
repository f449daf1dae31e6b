"""What the floor can say about waiting: how long the next caller will wait, and how well it has kept its word.

It learns from facts only, so an engine rebuilt from the ledger foresees what the lived one did.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterator
from typing import Final

from changgu.acd.call_state import CallState
from changgu.acd.estimated_wait import Forecast, forecast, situated
from changgu.acd.handling_times import Abandonment, ArrivalRate, HandlingTimes
from changgu.acd.identity import CallId, Instant, QueueName
from changgu.acd.lines import Line, Lines
from changgu.acd.promises import Calibration, Coverage, Settled
from changgu.acd.records import AWAY, AgentRecord, CallRecord

USUAL_PICKUP: Final = 5.0
"""Seconds until a ringing phone is picked up, before anything is known."""

PICKUP_FADES: Final = 0.95
"""What an earlier pick-up counts against the next one."""

KINDS_KNOWN: Final = 512
"""Kinds of callers (queue, needs, priority) whose arrivals are counted; the one not seen for longest is forgotten."""


class QueueOutlook:
    """What has been learnt about one queue."""

    __slots__ = ("abandonment", "calibration", "handling", "pickup")

    def __init__(self, confidence: float) -> None:
        self.handling = HandlingTimes()
        self.abandonment = Abandonment()
        self.calibration = Calibration(confidence)
        self.pickup = USUAL_PICKUP


class Outlook:
    """Learns from what happens, and says what to expect."""

    def __init__(self) -> None:
        self.confidence = 0.8
        self.coverage = Coverage()
        self._queues: dict[QueueName, QueueOutlook] = {}
        self._arrivals: OrderedDict[tuple[QueueName, frozenset[str], int], ArrivalRate] = OrderedDict()
        """By kind; who came last, last."""

    def of(self, queue: QueueName) -> QueueOutlook:
        """What has been learnt about a queue."""
        known = self._queues.get(queue)
        if known is None:
            known = self._queues[queue] = QueueOutlook(self.confidence)
        return known

    # Learning

    def arrived(self, call: CallRecord, priority: int, at: Instant) -> None:
        """A caller came to a queue."""
        if call.queue is None:
            return
        key = (call.queue, call.needs, priority)
        rate = self._arrivals.get(key)
        if rate is None:
            rate = self._arrivals[key] = ArrivalRate(at)
            if len(self._arrivals) > KINDS_KNOWN:
                self._arrivals.popitem(last=False)
        else:
            self._arrivals.move_to_end(key)
        rate.observe(at)

    def picked_up(self, queue: QueueName, seconds: float) -> None:
        """A phone rang for so long before it was picked up."""
        known = self.of(queue)
        known.pickup = known.pickup * PICKUP_FADES + seconds * (1.0 - PICKUP_FADES)

    def handled(self, queue: QueueName, seconds: float) -> None:
        """An agent was occupied by one caller for so long, from the offer to the end of the wrap-up."""
        self.of(queue).handling.observe(seconds)

    def stopped_waiting(self, call: CallRecord, at: Instant, *, abandoned: bool) -> None:
        """A caller was answered, gave up or went another way."""
        if call.queue is not None:
            self.of(call.queue).abandonment.observe(at - call.entered_at, abandoned)

    def promised(self, call: CallRecord, at: Instant, seconds: float) -> None:
        """A caller was told."""
        if call.queue is not None:
            self.coverage.promised(call.call, call.queue, at, seconds)

    def settle(self, call: CallId, at: Instant, *, answered: bool) -> None:
        """The wait of a caller who may have been told is over."""
        settled: list[Settled] = (
            self.coverage.answered(call, at) if answered else self.coverage.left(call, at)
        )  # fmt: skip
        for promise in settled:
            self.of(promise.queue).calibration.observe(promise.kept)

    # Foretelling

    def forecast(
        self, call: CallRecord, lines: Lines, worth: float, now: Instant, confidence: float | None = None
    ) -> Forecast | None:
        """When this caller will be answered; None when nobody who may take them is here.

        `worth` is the head start of one step of priority, in seconds. Without `confidence` the queue's own is taken,
        which has been learnt so that promises are kept as often as the floor wants.
        """
        if call.queue is None:
            return None
        own = call.line or lines.of(call)
        here = [agent for agent in _able(own, lines) if _will_serve(agent)]
        near = dict.fromkeys(line for agent in here for line in agent.lines)  # in an order that is the same everywhere
        queues = dict.fromkeys(line.queue for line in near)
        agents = {agent.login: agent for queue in queues for agent in lines.serving(queue)}
        agents.update((agent.login, agent) for agent in here)
        place = (call.key, call.seq)
        ahead = [(key, line) for line in near for key, line in _ahead(line, place)]
        known = self.of(call.queue)
        situation = situated(
            own,
            ahead,
            [
                (
                    _elapsed(agent, now),
                    self.of(agent.queue or call.queue).handling,
                    [line for line in agent.lines if line in near],
                )
                for agent in agents.values()
                if _will_serve(agent)
            ],
            {line: self.of(line.queue).handling for line in (own, *near)},
            self._coming(call, lines, near, worth, now),
            known.abandonment.rate,
            known.pickup,
        )
        return forecast(situation, known.calibration.level if confidence is None else confidence)

    def _coming(
        self, call: CallRecord, lines: Lines, near: Container[Line], worth: float, now: Instant
    ) -> Iterator[tuple[Line, float, float]]:
        """Callers who will be placed better if they come soon: their line, rate per second, and for how long."""
        for (queue, needs, priority), rate in self._arrivals.items():
            lasting = call.key + priority * worth - now
            if lasting > 0:
                line = lines.find(queue, needs)
                if line is not None and line in near:
                    yield line, rate.at(now), lasting


def _able(line: Line, lines: Lines) -> list[AgentRecord]:
    able = {agent.login: agent for queue in (line.queue, *line.kind.opened) for agent in lines.serving(queue)}
    return [agent for agent in able.values() if line.serves(agent)]


def _will_serve(agent: AgentRecord) -> bool:
    """Whether they are here and mean to stay after the present caller."""
    return agent.state not in AWAY and (agent.requested is None or agent.requested[0] not in AWAY)


def _elapsed(agent: AgentRecord, now: Instant) -> float | None:
    return None if agent.call is None else max(0.0, now - agent.reserved_at)


def _ahead(line: Line, place: tuple[float, int]) -> Iterator[tuple[float, Line]]:
    for key, seq, other in line.callers:
        if (key, seq) < place and other.state is CallState.WAITING and other.line is line and other.seq == seq:
            yield key, line

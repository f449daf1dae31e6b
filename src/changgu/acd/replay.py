"""Lives recorded traffic through the engine again and compares every fact, to the byte, with what the ledger says.

Each batch of the ledger is one event with the facts that followed from it. The event is handled at its recorded time;
the facts that come out must be those that were written down, in the same order. The first that is not is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from changgu.acd.engine import HalfDecided
from changgu.acd.event_json import Cause, FloorOpened
from changgu.acd.events import TOLD_LATE
from changgu.acd.facts import CallServedElsewhere, Emergency, Fact, FloorTakenUp, Recorded
from changgu.acd.identity import Instant
from changgu.acd.message_json import kind_of, text_of
from changgu.acd.queues import Floor

if TYPE_CHECKING:
    from changgu.acd.events import Event, ToldLate
    from changgu.acd.hand import Effect


class CannotReplay(Exception):
    """The ledger does not say what would be needed.

    NoEvent           a fact was written down without the event it followed from
    NoFloor           a set-up of the floor was not kept
    """

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"fact {seq}: {why}")
        self.seq = seq


class NoEvent(CannotReplay):
    """A fact was written down without the event it followed from: an older version of the program wrote it."""

    def __init__(self, seq: int) -> None:
        super().__init__(seq, "the event behind it was not kept")


class NoFloor(CannotReplay):
    """A set-up of the floor was not kept."""

    def __init__(self, seq: int, digest: str) -> None:
        super().__init__(seq, f"the set-up {digest} of the floor was not kept")
        self.digest = digest


class Decider(Protocol):
    """What lives through the day; `acd.engine.Engine`."""

    def configure(
        self, floor: Floor, now: Instant, emergency: Emergency | None = None, by: str | None = None, why: str = ""
    ) -> list[Effect]:
        """Take up a floor."""
        ...

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """Decide what follows from an event."""
        ...

    def catch_up(self, event: ToldLate, now: Instant) -> tuple[Instant, list[Effect]]:
        """The same of an event that tells when it happened, before now; with the time for which it counts."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """One event and all that followed from it."""

    cause: Cause
    at: Instant
    facts: tuple[Recorded, ...]

    @property
    def seq(self) -> int:
        """The number of the first fact."""
        return self.facts[0].seq


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where the ledger and the replay part."""

    seq: int
    at: Instant
    cause: Cause
    recorded: Fact | None
    """None: nothing more was written down for this event."""
    replayed: Fact | None
    """None: nothing more came out."""

    def fields(self) -> tuple[str, ...]:
        """The fields that differ; empty when the facts are of different kinds, or one of them is missing."""
        one, other = self.recorded, self.replayed
        if one is None or other is None or type(one) is not type(other):
            return ()
        return tuple(name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name))

    def __str__(self) -> str:
        told = f"fact {self.seq} at {self.at:.6f}, after {_line(self.cause)}"
        which = f" ({', '.join(self.fields())})" if self.fields() else ""
        return f"{told}{which}:\n  ledger  {_line(self.recorded)}\n  replay  {_line(self.replayed)}"


class Replayer:
    """Takes the ledger piece by piece.

    `floor` finds a set-up by its digest. `opened` gives the engine with which the program began again at a fact, from
    what the ledger held then; without one the engine that is here goes on, which has seen more of the past.
    """

    def __init__(
        self,
        engine: Decider,
        floor: Callable[[str], Floor | None],
        opened: Callable[[int], Decider | None] = lambda seq: None,
    ) -> None:
        self._engine = engine
        self._floor = floor
        self._opened = opened
        self._begun: list[Recorded] = []
        self.events = 0
        self.facts = 0
        self.faults = 0
        """Events at which the engine itself failed, now as then."""
        self.difference: Difference | None = None

    def feed(self, recorded: Iterable[Recorded]) -> Difference | None:
        """Goes on with these facts; the first difference, after which nothing more is compared."""
        for entry in recorded:
            if entry.because is not None and self._begun:
                self._live(self._begun)
                self._begun = []
            if self.difference is not None:
                return self.difference
            if entry.because is None and not self._begun:
                raise NoEvent(entry.seq)
            self._begun.append(entry)
        return None

    def finish(self) -> Difference | None:
        """The last event is complete."""
        if self._begun and self.difference is None:
            self._live(self._begun)
            self._begun = []
        return self.difference

    def _live(self, facts: Sequence[Recorded]) -> None:
        batch = Batch(_cause(facts[0]), facts[0].at, tuple(facts))
        came_out = [effect for effect in self._effects(batch) if isinstance(effect, Fact)]
        self.events += 1
        for number in range(max(len(facts), len(came_out))):
            entry = facts[number] if number < len(facts) else None
            mine = came_out[number] if number < len(came_out) else None
            if entry is None or mine is None or not same(entry.fact, mine):
                seq = batch.seq + number if entry is None else entry.seq
                written = None if entry is None else entry.fact
                self.difference = Difference(seq, batch.at, batch.cause, written, mine)
                return
            self.facts += 1

    def _effects(self, batch: Batch) -> Sequence[Effect]:
        try:
            if isinstance(batch.cause, CallServedElsewhere):
                return [batch.cause]  # it came and ended without us
            if isinstance(batch.cause, FloorTakenUp | FloorOpened):
                if isinstance(batch.cause, FloorOpened):
                    self._engine = self._opened(batch.seq) or self._engine
                floor = self._floor(batch.cause.digest)
                if floor is None:
                    raise NoFloor(batch.seq, batch.cause.digest)
                if isinstance(batch.cause, FloorOpened):
                    return self._engine.configure(floor, batch.at, batch.cause.emergency)
                order = batch.cause
                return self._engine.configure(floor, batch.at, order.emergency, order.by, order.why)
            if isinstance(batch.cause, TOLD_LATE) and batch.cause.at is not None:
                return self._engine.catch_up(batch.cause, batch.at)[1]
            return self._engine.handle(batch.cause, batch.at)
        except HalfDecided as fault:  # what was true in memory was written down all the same
            self.faults += 1
            return fault.effects


def same(one: Fact, other: Fact) -> bool:
    """Whether two facts are the same bytes in the ledger."""
    return type(one) is type(other) and text_of(one) == text_of(other)


def digests(recorded: Iterable[Recorded]) -> set[str]:
    """The set-ups that were taken up during these facts."""
    return {entry.because.digest for entry in recorded if isinstance(entry.because, FloorTakenUp | FloorOpened)}


def openings(recorded: Iterable[Recorded]) -> dict[int, str]:
    """The facts with which the program began, each with the set-up it began with."""
    return {entry.seq: entry.because.digest for entry in recorded if isinstance(entry.because, FloorOpened)}


def _cause(first: Recorded) -> Cause:
    if first.because is None:
        raise NoEvent(first.seq)
    return first.because


def _line(message: Cause | Fact | None) -> str:
    return "–" if message is None else f"{kind_of(message)} {text_of(message)}"

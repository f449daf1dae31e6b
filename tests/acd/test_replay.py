"""A recorded day, lived again, is the same day to the byte; a changed byte is found and named."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from changgu.acd.engine import Engine, HalfDecided
from changgu.acd.event_json import cause_from_text, cause_text
from changgu.acd.events import CallerDialledIn, Event, ToldLate
from changgu.acd.facts import CallQueued, CallStarted, Direction, FloorTakenUp, Recorded
from changgu.acd.hand import Effect
from changgu.acd.identity import CallId, Instant
from changgu.acd.queues import Floor
from changgu.acd.replay import CannotReplay, NoEvent, NoFloor, Replayer
from tests.acd.recorded_day import FLOOR, RecordedDay


def replayed(day: RecordedDay, recorded: Sequence[Recorded] | None = None) -> Replayer:
    replayer = Replayer(Engine(FLOOR), day.floors.get)
    replayer.feed(day.recorded if recorded is None else recorded)
    replayer.finish()
    return replayer


@pytest.mark.parametrize("seed", range(8))
def test_a_day_lived_again_is_the_same_day(seed: int) -> None:
    day = RecordedDay(seed)
    day.go_on(300)
    day.reload(replace(FLOOR, queues=(replace(FLOOR.queues[0], ring_limit=timedelta(seconds=5)), *FLOOR.queues[1:])))
    day.go_on(200)

    again = replayed(day)

    assert again.difference is None
    assert again.facts == len(day.recorded)
    assert again.events == sum(entry.because is not None for entry in day.recorded)


@pytest.mark.parametrize("seed", range(4))
def test_it_can_begin_anywhere(seed: int) -> None:
    day = RecordedDay(seed)
    day.go_on(400)
    begins = [number for number, entry in enumerate(day.recorded) if entry.because is not None]
    for begin in begins[1 :: len(begins) // 7]:
        replayer = Replayer(Engine.restore(FLOOR, day.recorded[:begin]), day.floors.get)
        for entry in day.recorded[begin:]:
            replayer.feed([entry])
        assert replayer.finish() is None
        assert replayer.facts == len(day.recorded) - begin


def test_events_survive_being_written_down() -> None:
    day = RecordedDay(1)
    day.go_on(500)
    causes = [entry.because for entry in day.recorded if entry.because is not None]

    assert [cause_from_text(cause_text(cause)) for cause in causes] == causes


def test_a_changed_byte_is_found_and_named() -> None:
    day = RecordedDay(3)
    day.go_on(200)
    number, entry = next((n, e) for n, e in enumerate(day.recorded) if isinstance(e.fact, CallQueued))
    changed = Recorded(entry.seq, entry.at, msgspec.structs.replace(entry.fact, priority=7), entry.because)

    difference = replayed(day, [*day.recorded[:number], changed, *day.recorded[number + 1 :]]).difference

    assert difference is not None
    assert (difference.seq, difference.at, difference.fields()) == (entry.seq, entry.at, ("priority",))
    assert (difference.recorded, difference.replayed) == (changed.fact, entry.fact)
    assert '"priority":7' in str(difference)
    assert str(difference).startswith(f"fact {entry.seq} at {entry.at:.6f}, after CallArrived")


def test_a_fact_that_is_missing_and_one_too_many_are_found() -> None:
    day = RecordedDay(3)
    day.go_on(200)
    number, entry = next((n, e) for n, e in enumerate(day.recorded) if e.because is None)

    missing = replayed(day, [*day.recorded[:number], *day.recorded[number + 1 :]]).difference
    twice = replayed(day, [*day.recorded[: number + 1], entry, *day.recorded[number + 1 :]]).difference

    assert missing is not None
    assert missing.replayed == entry.fact
    assert twice is not None
    assert twice.recorded == entry.fact
    assert twice.seq == entry.seq


def test_what_was_not_kept_is_said() -> None:
    day = RecordedDay(3)
    day.go_on(20)
    with pytest.raises(NoEvent, match="fact 1:"):
        replayed(day, [msgspec.structs.replace(day.recorded[0], because=None)])
    with pytest.raises(NoFloor, match="nowhere"):
        replayed(day, [Recorded(1, day.now, FloorTakenUp("nowhere"), FloorTakenUp("nowhere"))])
    assert {NoEvent.__mro__[1], NoFloor.__mro__[1]} == {CannotReplay}


class FailsHalfWay:
    """An engine with a fault of ours in it: the fault is lived again, too."""

    def configure(self, floor: Floor, now: Instant, *_: object) -> list[Effect]:
        return []

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        raise HalfDecided([CallStarted(CallId("c1"), Direction.INBOUND, None, "1000")])

    def catch_up(self, event: ToldLate, now: Instant) -> tuple[Instant, list[Effect]]:
        return now, self.handle(event, now)


def test_what_was_true_when_the_engine_failed_is_true_again() -> None:
    cause = CallerDialledIn(CallId("c1"), None, "1000")
    replayer = Replayer(FailsHalfWay(), lambda digest: None)
    replayer.feed([Recorded(1, 5.0, CallStarted(CallId("c1"), Direction.INBOUND, None, "1000"), cause)])

    assert replayer.finish() is None
    assert (replayer.events, replayer.facts, replayer.faults) == (1, 1, 1)

"""What waiting callers are told: where they stand, and a promise that is kept count of (lessons 12-14)."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from changgu.acd.commands import Announce
from changgu.acd.engine import Effect
from changgu.acd.events import CallerHungUp, CallLost, Event, KeyPressed
from changgu.acd.facts import CallEnded, CallOverflowed, Departure, WaitAnnounced
from changgu.acd.identity import CallId, QueueName
from changgu.acd.queues import Announcements, Destination, Overflow, Queue, Way
from tests.support.floor import HELPDESK, OPENING, Floor, seconds


def telling(*overflows: Overflow, every: float | None = 30, estimate: bool = True, first: float = 10) -> Queue:
    rules = Announcements(
        seconds(first), None if every is None else seconds(every), position=True, estimate=estimate,
        comfort=("곧 연결해 드리겠습니다.", "기다려 주셔서 감사합니다."),
    )  # fmt: skip
    return Queue(HELPDESK, "helpdesk", announcements=rules, overflows=overflows, wrap_up=seconds(0))


def told(effects: list[Effect]) -> list[WaitAnnounced]:
    return [effect for effect in effects if isinstance(effect, WaitAnnounced)]


def busy(floor: Floor, *agents: str) -> None:
    """Everybody named has a conversation."""
    for agent in agents:
        floor.ready(agent)
        floor.call(f"with {agent}")
        floor.talk(agent)


def worked(floor: Floor, agent: str, calls: int, length: float) -> None:
    """So many conversations of the same length, so that there is something to foresee by."""
    floor.ready(agent)
    for number in range(calls):
        floor.call(f"earlier {agent} {number}")
        floor.talk(agent)
        floor.wait(length)
        floor.caller_hangs_up(f"earlier {agent} {number}")


def test_callers_are_told_first_after_a_while_and_then_again_and_again() -> None:
    floor = Floor("alice", queues=[telling()])
    floor.call("c1")
    times = []
    for _ in range(100):
        if told(floor.wait(1)):
            times.append(floor.now - OPENING)

    assert times == [10, 40, 70, 100]


def test_positions_count_who_is_ahead_in_the_same_queue() -> None:
    floor = Floor("alice", queues=[telling()])
    for call in ("c1", "c2", "c3"):
        floor.call(call)
    assert [fact.position for fact in told(floor.wait(10))] == [1, 2, 3]

    floor.ready("alice")
    assert [fact.position for fact in told(floor.wait(30))] == [1, 2]


def test_comfort_messages_take_turns() -> None:
    floor = Floor("alice", queues=[telling()])
    floor.call("c1")
    said = [effect.comfort for effect in floor.wait(75) if isinstance(effect, Announce)]

    assert said == ["곧 연결해 드리겠습니다.", "기다려 주셔서 감사합니다.", "곧 연결해 드리겠습니다."]


def test_nobody_is_told_anything_once_an_agent_has_picked_up() -> None:
    """Row 14: an announcement must not delay the answer."""
    floor = Floor("alice", queues=[telling()])
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")

    assert told(floor.wait(100)) == []


def test_an_announcement_that_falls_into_a_ring_is_made_when_the_caller_waits_again() -> None:
    floor = Floor("alice", queues=[telling()])
    floor.ready("alice")
    floor.call("c1")
    assert told(floor.wait(15)) == []

    floor.not_ready("alice")
    floor.decline("alice")
    assert len(told(floor.wait(0))) == 1


def test_without_anybody_here_the_wait_is_unknown() -> None:
    floor = Floor("alice", queues=[telling()])
    floor.call("c1")

    assert [fact.promise for fact in told(floor.wait(10))] == [None]
    assert floor.engine.forecast(HELPDESK, floor.now) is None


def test_a_promise_comes_from_how_long_callers_have_taken() -> None:
    short, long = Floor("alice", queues=[telling()]), Floor("alice", queues=[telling()])
    for floor, length in ((short, 20), (long, 200)):
        worked(floor, "alice", 60, length)
        busy(floor, "alice")
        floor.call("c1")
    (brief,), (lengthy,) = told(short.wait(10)), told(long.wait(10))

    assert brief.promise is not None
    assert lengthy.promise is not None
    assert brief.promise < lengthy.promise


def test_a_promise_never_grows_without_a_cause() -> None:
    floor = Floor("alice", queues=[telling(every=5)])
    worked(floor, "alice", 40, 60)
    busy(floor, "alice")
    floor.call("c1")
    moments = []
    for _ in range(8):
        for fact in told(floor.wait(5)):
            if fact.promise:
                moments.append(floor.now + fact.promise)

    assert len(moments) > 3
    assert all(later <= earlier + 0.01 for earlier, later in pairwise(moments))


def test_promises_are_held_against_what_happens() -> None:
    floor = Floor("alice", queues=[telling(every=None)])
    worked(floor, "alice", 40, 60)
    busy(floor, "alice")
    floor.call("c1")
    (promise,) = told(floor.wait(10))
    floor.caller_hangs_up("with alice")
    floor.talk("alice")
    kept = floor.engine.kept_promises()[HELPDESK]

    assert promise.promise
    assert (kept.kept, kept.missed) == (1, 0)


def test_a_caller_who_gives_up_after_the_promised_moment_was_let_down() -> None:
    floor = Floor("alice", queues=[telling(every=None)])
    worked(floor, "alice", 40, 60)
    busy(floor, "alice")
    floor.call("c1")
    floor.wait(3600)
    floor.caller_hangs_up("c1")

    assert floor.engine.kept_promises()[HELPDESK].missed == 1


def test_too_long_an_estimate_sends_callers_another_way() -> None:
    too_long = Overflow(Departure.ESTIMATE, Destination(Way.REFUSE), 30)
    floor = Floor("alice", queues=[telling(too_long)])
    worked(floor, "alice", 40, 100)
    busy(floor, "alice")
    effects = floor.call("c1")

    assert [effect.why for effect in effects if isinstance(effect, CallOverflowed)] == [Departure.ESTIMATE]
    assert [effect.reason for effect in effects if isinstance(effect, CallEnded)] == ["estimate"]


def test_an_unknown_estimate_turns_nobody_away() -> None:
    floor = Floor("alice", queues=[telling(Overflow(Departure.ESTIMATE, Destination(Way.REFUSE), 30))])
    floor.call("c1")

    assert floor.waiting() == ["c1"]


def test_callers_with_less_priority_are_promised_later() -> None:
    floor = Floor("alice", queues=[telling(every=None)])
    worked(floor, "alice", 40, 60)
    busy(floor, "alice")
    floor.call("plain")
    for number in range(5):
        floor.call(f"vip {number}", priority=1)
    promises = {fact.call: fact.promise for fact in told(floor.wait(10))}
    plain, vip = promises[CallId("plain")], promises[CallId("vip 0")]

    assert plain is not None
    assert vip is not None
    assert plain > vip


def test_who_was_led_away_at_the_door_and_comes_back_hears_the_first_comfort_first() -> None:
    door = Overflow(Departure.UNSTAFFED, Destination(Way.MENU, "news"))
    floor = Floor("alice", queues=[telling(door)])
    floor.call("c1")
    floor.queue("c1")

    assert [word.comfort for word in floor.wait(10) if isinstance(word, Announce)] == ["곧 연결해 드리겠습니다."]


def test_nobody_can_say_how_long_one_waits_in_a_queue_that_does_not_exist() -> None:
    floor = Floor("alice", queues=[telling()])
    floor.ready("alice")

    assert floor.engine.forecast(QueueName("nowhere"), floor.now) is None


def test_only_callers_who_gave_up_teach_that_callers_ahead_will_give_up() -> None:
    """Who pressed a key has not lost patience, nor has a call that the PBX lost: no wait is shorter for that."""

    def foreseen(leaves: Callable[[CallId], Event]) -> float:
        floor = Floor("alice", queues=[replace(telling(), keys={"1": Destination(Way.VOICEMAIL)})])
        worked(floor, "alice", 40, 60)
        busy(floor, "alice")
        for number in range(20):
            call = CallId(f"gone {number}")
            floor.call(call)
            floor.wait(30)
            floor.tell(leaves(call))
        for number in range(5):
            floor.call(f"ahead {number}")
        forecast = floor.engine.forecast(HELPDESK, floor.now)
        assert forecast is not None
        return forecast.promise

    assert foreseen(CallerHungUp) < foreseen(CallLost) == foreseen(lambda call: KeyPressed(call, "1"))


def test_what_was_learnt_outlives_a_restart() -> None:
    floor = Floor("alice", queues=[telling()])
    worked(floor, "alice", 40, 60)
    busy(floor, "alice")
    floor.call("c1")
    floor.wait(10)

    assert floor.restored().forecast(HELPDESK, floor.now) == floor.engine.forecast(HELPDESK, floor.now)
    assert floor.restored().picture() == floor.engine.picture()

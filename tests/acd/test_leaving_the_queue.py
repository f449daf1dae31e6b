"""Limits, overflow and keys: every caller who cannot be served here is led somewhere, and counted (MOD-01, MOD-03)."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from changgu.acd.commands import Divert, Farewell, HangUpCaller, PlayMusicOnHold, RingAgent, StopRinging
from changgu.acd.engine import Effect, Engine
from changgu.acd.events import CallArrived, KeyPressed, MenuEnded
from changgu.acd.facts import (
    CallEnded,
    CallOverflowed,
    CallQueued,
    CallWidened,
    Departure,
    Ender,
    NewsIgnored,
    OfferEnded,
    Outcome,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queues import Destination, Overflow, Queue, Way
from tests.support.floor import HELPDESK, Floor, a_queue, an_agent, seconds

C1, C2, C3 = CallId("c1"), CallId("c2"), CallId("c3")
NETWORK = QueueName("network")
VOICEMAIL = Destination(Way.VOICEMAIL)
REFUSE = Destination(Way.REFUSE)
TO_NETWORK = Destination(Way.QUEUE, "network")


def helpdesk(*rules: Overflow, keys: Mapping[str, Destination] | None = None, wrap_up: float = 30) -> Queue:
    return Queue(HELPDESK, "helpdesk", overflows=rules, keys=keys or {}, wrap_up=seconds(wrap_up))


def two_queues(*rules: Overflow, keys: Mapping[str, Destination] | None = None) -> Floor:
    agents = (an_agent("alice"), an_agent("bob", "network"))
    return Floor(*agents, queues=[helpdesk(*rules, keys=keys), a_queue("network")])


def rung(effects: list[Effect]) -> list[str]:
    return [effect.agent for effect in effects if isinstance(effect, RingAgent)]


def test_a_full_queue_says_so_and_the_caller_is_counted_with_the_reason() -> None:
    floor = Floor("alice", queues=[helpdesk(Overflow(Departure.FULL, REFUSE, 1))])
    floor.call("c1")

    assert floor.call("c2") == [
        CallOverflowed(C2, HELPDESK, Departure.FULL, "refuse", None, 0, limit=1.0),
        CallEnded(C2, Outcome.REFUSED, Ender.DESK, "full"),
        HangUpCaller(C2, Farewell.QUEUE_FULL),
    ]


def test_a_ringing_caller_still_fills_the_queue_and_a_talking_one_does_not() -> None:
    floor = Floor("alice", queues=[helpdesk(Overflow(Departure.FULL, REFUSE, 1))])
    floor.ready("alice")
    floor.call("c1")
    floor.call("c2")
    assert CallId("c2") not in floor.engine.calls

    floor.talk("alice")
    floor.call("c3")
    assert floor.waiting() == ["c3"]


@pytest.mark.parametrize("state", ["nobody", "away"])
def test_a_queue_that_nobody_serves_takes_nobody(state: str) -> None:
    floor = Floor("alice", queues=[helpdesk(Overflow(Departure.UNSTAFFED, REFUSE))])
    if state == "away":
        floor.sign_in("alice")
    ended = [effect for effect in floor.call("c1") if isinstance(effect, CallEnded | HangUpCaller)]

    assert ended == [CallEnded(C1, Outcome.REFUSED, Ender.DESK, "unstaffed"), HangUpCaller(C1, Farewell.NOBODY_HERE)]


def test_an_agent_in_a_call_staffs_the_queue() -> None:
    floor = Floor("alice", queues=[helpdesk(Overflow(Departure.UNSTAFFED, REFUSE))])
    floor.ready("alice")
    floor.call("c1")
    floor.talk("alice")
    floor.call("c2")

    assert floor.waiting() == ["c2"]


def test_too_many_callers_for_each_agent_go_to_another_queue() -> None:
    floor = two_queues(Overflow(Departure.RATIO, TO_NETWORK, 2))
    floor.ready("alice")
    floor.call("c1")
    floor.call("c2")
    floor.call("c3")

    assert floor.waiting() == ["c2"]
    assert floor.waiting("network") == ["c3"]


def test_who_has_waited_too_long_goes_to_another_queue_with_their_place() -> None:
    floor = two_queues(Overflow(Departure.WAITED, TO_NETWORK, 60))
    floor.call("c1")
    floor.wait(30)
    floor.call("c2", "network")
    effects = floor.wait(30)

    assert effects[:3] == [
        CallOverflowed(C1, HELPDESK, Departure.WAITED, "queue:network", None, 0, limit=60.0),
        CallQueued(C1, NETWORK, 0, placed_at=floor.now - 60),
        PlayMusicOnHold(C1, NETWORK),
    ]
    assert floor.waiting("network") == ["c1", "c2"]


def test_a_limit_that_passes_while_a_phone_rings_waits_for_the_answer() -> None:
    floor = two_queues(Overflow(Departure.WAITED, TO_NETWORK, 10))
    floor.call("c1")
    floor.wait(5)
    floor.ready("alice")
    floor.wait(10)
    assert floor.the_call("c1").state == "offered"

    floor.decline("alice")
    floor.not_ready("alice")
    floor.decline("alice")
    floor.wait(0)
    assert floor.waiting("network") == ["c1"]


def test_a_queue_that_is_deserted_lets_nobody_wait_in_vain() -> None:
    floor = Floor("alice", queues=[helpdesk(Overflow(Departure.DESERTED, REFUSE, 45))])
    floor.ready("alice")
    floor.call("c0")
    floor.talk("alice")
    floor.call("c1")
    floor.sign_out("alice")
    floor.caller_hangs_up("c0")
    assert floor.wait(30) != []  # the wrap-up ends and alice leaves
    assert floor.waiting() == ["c1"]

    floor.wait(44)
    assert floor.waiting() == ["c1"]
    effects = floor.wait(1)
    assert CallEnded(C1, Outcome.REFUSED, Ender.DESK, "deserted") in effects


def test_somebody_who_comes_back_in_time_saves_the_callers_of_a_deserted_queue() -> None:
    floor = Floor("alice", "bob", queues=[helpdesk(Overflow(Departure.DESERTED, REFUSE, 45))])
    floor.call("c1")
    floor.wait(40)
    floor.sign_in("bob")
    floor.ready("bob")
    floor.talk("bob")
    floor.call("c2")
    floor.wait(100)

    assert floor.waiting() == ["c2"]


def test_overload_opens_a_queue_to_another_region_and_the_caller_stays_in_place() -> None:
    """MOD-03."""
    floor = two_queues(Overflow(Departure.WAITED, Destination(Way.OPEN, "network"), 20))
    floor.ready("bob")
    floor.call("c1")

    effects = floor.wait(20)
    assert effects[0] == CallOverflowed(C1, HELPDESK, Departure.WAITED, "open:network", None, 0, limit=20.0)
    assert isinstance(effects[1], CallWidened)
    assert rung(effects) == ["bob"]
    assert floor.the_call("c1").queue == HELPDESK


def test_a_queue_that_opens_twice_opens_each_time_once() -> None:
    """MOD-03: one region after the other."""
    network = Overflow(Departure.WAITED, Destination(Way.OPEN, "network"), 20)
    third = Overflow(Departure.WAITED, Destination(Way.OPEN, "third"), 40)
    floor = Floor("alice", queues=[helpdesk(network, third), a_queue("network"), a_queue("third")])
    floor.call("c1")
    effects = floor.wait(3600)

    assert [effect.rule for effect in effects if isinstance(effect, CallOverflowed)] == [0, 1]
    assert floor.engine.next_deadline() is None


def test_a_rule_that_was_followed_before_ledgers_named_its_limit_is_not_followed_again() -> None:
    opening = Overflow(Departure.WAITED, Destination(Way.OPEN, "network"), 20)
    floor = two_queues(opening)
    floor.call("c1")
    floor.wait(20)
    old = [
        Recorded(one.seq, one.at, replace(one.fact, limit=None) if isinstance(one.fact, CallOverflowed) else one.fact)
        for one in floor.history
    ]

    assert Engine.restore(floor.plan, old).next_deadline() is None


def test_a_full_queue_can_open_at_the_door() -> None:
    floor = two_queues(Overflow(Departure.FULL, Destination(Way.OPEN, "network"), 1))
    floor.ready("bob")
    floor.call("c1")

    assert rung(floor.call("c2")) == ["bob"]


def test_overload_opens_the_queue_to_those_who_wait_already_so_that_nobody_is_overtaken() -> None:
    """MOD-03: region A's callers are helped by region B in the order in which they came."""
    floor = two_queues(Overflow(Departure.RATIO, Destination(Way.OPEN, "network"), 2))
    floor.ready("alice", "bob")
    floor.call("c0")
    floor.talk("alice")
    assert [rung(floor.call(call)) for call in ("c1", "c2")] == [[], []], "region A helps itself"

    assert rung(floor.call("c3")) == ["bob"]
    assert floor.the_call("c1").state == "offered"
    assert floor.waiting() == ["c2", "c3"]
    floor.talk("bob")
    floor.agent_hangs_up("bob")
    assert rung(floor.ready("bob")) == ["bob"]
    assert floor.the_call("c2").state == "offered"
    assert floor.restored().picture() == floor.engine.picture()


def test_rules_are_followed_in_their_order() -> None:
    floor = two_queues(Overflow(Departure.UNSTAFFED, VOICEMAIL), Overflow(Departure.FULL, REFUSE, 0))
    effects = floor.call("c1")

    assert effects[-1] == Divert(C1, HELPDESK, VOICEMAIL)


def test_a_chain_of_full_queues_ends_where_there_is_room() -> None:
    full = Overflow(Departure.FULL, Destination(Way.QUEUE, "third"), 0)
    queues = [
        helpdesk(Overflow(Departure.FULL, TO_NETWORK, 0)),
        Queue(NETWORK, "n", overflows=(full,)),
        a_queue("third"),
    ]
    floor = Floor(an_agent("alice", "third"), queues=queues)
    floor.ready("alice")

    assert rung(floor.call("c1")) == ["alice"]
    assert floor.the_call("c1").queue == "third"


def test_queues_that_send_callers_in_a_circle_let_them_wait_where_they_have_been() -> None:
    back = Overflow(Departure.FULL, Destination(Way.QUEUE, HELPDESK), 0)
    floor = Floor(
        "alice", queues=[helpdesk(Overflow(Departure.FULL, TO_NETWORK, 0)), Queue(NETWORK, "n", overflows=(back,))]
    )
    floor.call("c1")

    assert floor.waiting() == ["c1"]


# Keys


def test_a_key_leads_out_of_the_queue_at_any_moment() -> None:
    """Row 12: the breakout digit is swallowed while the position is announced."""
    floor = Floor("alice", queues=[helpdesk(keys={"1": VOICEMAIL})])
    floor.call("c1")

    assert floor.tell(KeyPressed(C1, "1")) == [
        CallOverflowed(C1, HELPDESK, Departure.KEY, "voicemail", "1"),
        Divert(C1, HELPDESK, VOICEMAIL),
    ]
    assert floor.waiting() == []


def test_a_key_silences_the_phone_that_rings_and_costs_the_agent_nothing() -> None:
    floor = Floor("alice", queues=[helpdesk(keys={"1": VOICEMAIL})])
    floor.ready("alice")
    floor.call("c1")
    effects = floor.tell(KeyPressed(C1, "1"))

    assert isinstance(effects[0], StopRinging)
    assert isinstance(effects[1], OfferEnded)
    assert (floor.agent("alice").state, floor.agent("alice").misses) == ("ready", 0)
    assert effects[-1] == Divert(C1, HELPDESK, VOICEMAIL)


def test_once_somebody_has_picked_up_keys_mean_nothing() -> None:
    floor = Floor("alice", queues=[helpdesk(keys={"1": VOICEMAIL})])
    floor.ready("alice")
    floor.call("c1")
    floor.answer("alice")

    (ignored,) = floor.tell(KeyPressed(C1, "1"))
    assert isinstance(ignored, NewsIgnored)


def test_other_keys_change_nothing() -> None:
    floor = Floor("alice", queues=[helpdesk(keys={"1": VOICEMAIL})])
    floor.call("c1")

    (ignored,) = floor.tell(KeyPressed(C1, "9"))
    assert isinstance(ignored, NewsIgnored)
    assert floor.waiting() == ["c1"]


def test_who_decides_to_keep_holding_has_their_place_again() -> None:
    """Row 45: re-entering after "keep holding?" loses the place."""
    floor = Floor("alice", queues=[helpdesk(keys={"1": Destination(Way.MENU, "more")})])
    floor.call("c1")
    floor.wait(20)
    floor.call("c2")
    floor.tell(KeyPressed(C1, "1"))
    floor.wait(20)
    floor.tell(CallArrived(C1, HELPDESK))

    assert floor.waiting() == ["c1", "c2"]
    assert floor.the_call("c1").entered_at == floor.now - 40


def test_a_full_queue_does_not_turn_away_who_only_stepped_out() -> None:
    floor = Floor(
        "alice", queues=[helpdesk(Overflow(Departure.FULL, REFUSE, 1), keys={"1": Destination(Way.MENU, "more")})]
    )
    floor.call("c1")
    floor.wait(1)
    floor.tell(KeyPressed(C1, "1"))
    floor.call("c2")
    floor.tell(CallArrived(C1, HELPDESK))

    assert floor.waiting() == ["c1", "c2"]


def diverted(to: Destination = VOICEMAIL) -> Floor:
    floor = Floor("alice", queues=[helpdesk(Overflow(Departure.UNSTAFFED, to))])
    floor.call("c1")
    return floor


@pytest.mark.parametrize("outcome", [Outcome.VOICEMAIL, Outcome.CALLBACK, Outcome.REDIRECTED])
def test_what_is_done_instead_of_waiting_is_the_outcome(outcome: Outcome) -> None:
    floor = diverted()

    assert floor.tell(MenuEnded(C1, served=True, outcome=outcome))[0] == CallEnded(C1, outcome, Ender.DESK)


def test_who_hears_only_an_announcement_was_refused_with_the_reason() -> None:
    floor = diverted(Destination(Way.ANNOUNCE, "closed"))

    assert floor.tell(MenuEnded(C1, served=False))[0] == CallEnded(C1, Outcome.REFUSED, Ender.DESK, "unstaffed")


def test_who_hangs_up_on_the_answering_machine_gave_up_in_the_queue() -> None:
    floor = diverted()

    assert floor.caller_hangs_up("c1") == [CallEnded(C1, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER)]


def test_a_reload_that_takes_the_rules_away_leaves_everybody_waiting() -> None:
    floor = two_queues(Overflow(Departure.WAITED, TO_NETWORK, 60))
    floor.call("c1")
    floor.configure(an_agent("alice"), an_agent("bob", "network"), queues=[a_queue(), a_queue("network")])
    floor.wait(600)

    assert floor.waiting() == ["c1"]


def test_a_caller_led_out_of_one_queue_is_found_in_the_ledger() -> None:
    floor = two_queues(Overflow(Departure.WAITED, TO_NETWORK, 60), keys={"1": VOICEMAIL})
    floor.call("c1")
    floor.call("c2")
    floor.tell(KeyPressed(C2, "1"))
    floor.wait(60)

    assert floor.restored().picture() == floor.engine.picture()


def test_who_comes_back_need_not_say_again_what_they_came_for() -> None:
    floor = Floor("alice", queues=[helpdesk(keys={"1": Destination(Way.MENU, "more")})])
    floor.call("c1", priority=2, skills={"vpn"})
    floor.tell(KeyPressed(C1, "1"))
    floor.tell(CallArrived(C1, HELPDESK))

    assert (floor.the_call("c1").priority, floor.the_call("c1").skills) == (2, frozenset({"vpn"}))


def test_who_was_led_away_at_the_door_and_comes_back_need_not_say_again_what_they_came_for() -> None:
    door = Overflow(Departure.UNSTAFFED, Destination(Way.MENU, "news"))
    floor = Floor(an_agent("alice", skills=["vpn"]), queues=[helpdesk(door)])
    floor.dial("c1")
    floor.tell(
        CallArrived(C1, HELPDESK, 2, frozenset({"vpn"}), AgentId("alice"), AgentId("bob"), frozenset({"vip"}))
    )  # fmt: skip
    rebuilt = floor.restored()
    lived = floor.tell(CallArrived(C1, HELPDESK))
    again = rebuilt.handle(CallArrived(C1, HELPDESK), floor.now)

    (queued,) = [effect for effect in lived if isinstance(effect, CallQueued)]
    assert (queued.priority, queued.skills, queued.agent, queued.last_agent, queued.grounds) == (
        2, frozenset({"vpn"}), AgentId("alice"), AgentId("bob"), frozenset({"vip"}),
    )  # fmt: skip
    assert again == lived

"""One caller's way through a tree: what is asked, what is kept, and where it ends."""

import json
from datetime import timedelta

import pytest

from changgu.ivr_flows.flow import Flow, Limits
from changgu.ivr_flows.nodes import (
    DigitsPrompt,
    Goodbye,
    HandOver,
    Menu,
    NamedPrompt,
    Node,
    NodeName,
    Say,
    TicketStatus,
)
from changgu.ivr_flows.session import (
    LOOK_UP_FAILED,
    NO_INPUT_PERSON,
    NOTHING_PRESSED,
    TICKET_UNKNOWN,
    TICKET_UNKNOWN_TWICE,
    WRONG_KEY,
    DigitsGathered,
    GreetingEnded,
    HangUp,
    LookedUp,
    LookUpFailed,
    MarkNode,
    NothingPressed,
    PersonWanted,
    Play,
    SessionState,
    ToQueue,
    Turn,
    Visit,
    WaitDigits,
    WaitLookUp,
    resume,
    start,
)


def n(name: str) -> NodeName:
    return NodeName(name)


GREETING, SERVICES, ASK, NET, PERSON, BYE = map(NamedPrompt, ("greeting", "services", "ask", "net", "person", "bye"))


def desk(*, limits: Limits | None = None) -> Flow:
    nodes: dict[NodeName, Node] = {
        n("greeting"): Say((GREETING,), n("services"), mandatory=True),
        n("services"): Menu((SERVICES,), {"2": n("network"), "8": n("status"), "3": n("bye")}, repeats=2),
        n("status"): TicketStatus((ASK,), n("services")),
        n("network"): HandOver("network", (NET,), 5, frozenset({"vpn"})),
        n("operator"): HandOver("helpdesk", (PERSON,)),
        n("bye"): Goodbye((BYE,), served=False),
    }
    return Flow("desk", "Desk", n("greeting"), n("operator"), nodes, limits or Limits())


def after(flow: Flow, *events: object) -> Turn:
    turn = start(flow, Visit("01012345678", "1000"))
    for event in events:
        match event:
            case str():
                turn = resume(flow, turn.state, DigitsGathered(event))
            case None:
                turn = resume(flow, turn.state, NothingPressed())
            case _:
                turn = resume(flow, turn.state, event)  # type: ignore[arg-type]
    return turn


def test_a_visit_begins_with_the_greeting_to_its_end_and_then_the_menu() -> None:
    turn = start(desk(), Visit())

    assert turn.steps == (
        MarkNode(n("greeting")),
        Play((GREETING,), interruptible=False),
        GreetingEnded(n("greeting")),
        MarkNode(n("services")),
        Play((SERVICES,)),
    )
    assert turn.wait == WaitDigits(1, 6.0, 1.0)


def test_a_key_leads_to_its_queue_with_priority_and_skills() -> None:
    turn = after(desk(), "2")

    assert turn.steps == (MarkNode(n("network"), "2"), Play((NET,)))
    assert turn.outcome == ToQueue("network", 5, frozenset({"vpn"}))
    assert turn.wait is None


def test_zero_reaches_a_person_from_the_menu() -> None:
    turn = after(desk(), "0")

    assert turn.steps == (MarkNode(n("operator"), "0"), Play((PERSON,)))
    assert turn.outcome == ToQueue("helpdesk")


def test_zero_reaches_a_person_while_a_ticket_number_is_asked_for() -> None:
    assert after(desk(), "8", "0").outcome == ToQueue("helpdesk")
    assert after(desk(), "8", "00").outcome == ToQueue("helpdesk")
    assert after(desk(), "8", "12*0").outcome == ToQueue("helpdesk")


def test_zero_ends_the_gathering_at_once_instead_of_waiting_for_more_digits() -> None:
    wait = after(desk(), "8").wait

    assert isinstance(wait, WaitDigits)
    assert wait.ends_at_once == "0"
    assert wait.terminator == "#"


def test_a_wrong_key_is_said_to_be_wrong_and_the_menu_is_said_again() -> None:
    turn = after(desk(), "7")

    assert turn.steps == (Play((WRONG_KEY, SERVICES)),)
    assert turn.outcome is None


def test_a_caller_who_cannot_press_keys_reaches_a_person_and_is_never_hung_up_on() -> None:
    flow = desk()

    assert after(flow, None).steps == (Play((NOTHING_PRESSED, SERVICES)),)
    assert after(flow, None, None).outcome is None
    third = after(flow, None, None, None)
    assert third.outcome == ToQueue("helpdesk")
    assert third.steps == (Play((NO_INPUT_PERSON,)), MarkNode(n("operator")), Play((PERSON,)))


def test_the_repeat_key_is_no_mistake() -> None:
    turn = after(desk(), None, None, "9", "*")

    assert turn.steps == (Play((SERVICES,)),)
    assert after(desk(), None, None, "9", "*", None).outcome == ToQueue("helpdesk")


def test_a_late_hash_is_no_mistake() -> None:
    turn = after(desk(), "#")

    assert turn.steps == (Play((SERVICES,)),)
    assert turn.state.misses == 0


def test_an_answer_is_heard_again_with_the_menu_that_follows_it() -> None:
    found = LookedUp({"state": "new"})
    answer = (NamedPrompt("ticket_number_is"), DigitsPrompt("77"), NamedPrompt("ticket_state_new"))

    assert after(desk(), "8", "77", found, "9").steps == (Play((*answer, SERVICES)),)
    assert after(desk(), "8", "77", found, "9", "#").steps == (Play((*answer, SERVICES)),)
    assert after(desk(), "8", "77", found, "8", "0").outcome == ToQueue("helpdesk")
    assert after(desk(), "8", "77", found, "8", "77").state.answer == ()


def test_a_ticket_number_is_looked_up_by_the_shell() -> None:
    turn = after(desk(), "8", "1234567")

    assert turn.wait == WaitLookUp("ticket_status", "1234567")
    assert turn.steps == ()


def test_the_answer_is_read_out_and_the_caller_goes_on() -> None:
    turn = after(desk(), "8", "1234567", LookedUp({"state": "allocated", "line": "2", "expected": "2026-11-21T15:10"}))

    answer, reached, menu = turn.steps
    assert answer == Play(
        (
            NamedPrompt("ticket_number_is"), DigitsPrompt("1234567"), NamedPrompt("ticket_state_allocated"),
            NamedPrompt("ticket_line_2"), NamedPrompt("ticket_expected"), NamedPrompt("month_11"),
            NamedPrompt("day_21"), NamedPrompt("pm"), NamedPrompt("hour_3"), NamedPrompt("minute_10"),
            NamedPrompt("ticket_expected_end"),
        )
    )  # fmt: skip
    assert (reached, menu) == (MarkNode(n("services")), Play((SERVICES,)))


def test_a_caller_who_got_an_answer_counts_as_served_whatever_they_do_next() -> None:
    assert not after(desk(), "8", "1234567").state.served
    assert after(desk(), "8", "1234567", LookedUp({})).state.served
    assert after(desk(), "3").outcome == HangUp(served=False)
    assert after(desk(), "8", "1", LookedUp({}), "3").outcome == HangUp(served=True)


def test_a_number_that_nobody_knows_is_read_back_and_asked_for_once_more() -> None:
    turn = after(desk(), "8", "1234567", LookedUp(None))

    assert turn.steps == (Play((DigitsPrompt("1234567"), TICKET_UNKNOWN, ASK)),)
    assert isinstance(turn.wait, WaitDigits)


def test_after_a_second_unknown_number_a_person_is_offered() -> None:
    turn = after(desk(), "8", "1", LookedUp(None), "2", LookedUp(None))

    assert turn.steps == (Play((TICKET_UNKNOWN_TWICE,)),)
    assert after(desk(), "8", "1", LookedUp(None), "2", LookedUp(None), "0").outcome == ToQueue("helpdesk")
    assert after(desk(), "8", "1", LookedUp(None), "2", LookedUp(None), None).outcome == ToQueue("helpdesk")
    back = after(desk(), "8", "1", LookedUp(None), "2", LookedUp(None), "9")
    assert back.steps == (MarkNode(n("services"), "9"), Play((SERVICES,)))


def test_when_tickets_cannot_be_looked_up_a_person_takes_over() -> None:
    turn = after(desk(), "8", "1234567", LookUpFailed())

    assert turn.steps[0] == Play((LOOK_UP_FAILED,))
    assert turn.outcome == ToQueue("helpdesk")


def test_star_forgets_the_digits_so_far() -> None:
    assert after(desk(), "8", "123*4567").wait == WaitLookUp("ticket_status", "4567")
    assert after(desk(), "8", "123*").steps == (Play((WRONG_KEY, ASK)),)


def test_a_visit_that_goes_round_and_round_ends_with_a_person() -> None:
    flow = desk(limits=Limits(turns=5))

    assert after(flow, *["9"] * 4).outcome is None
    assert after(flow, *["9"] * 5).outcome == ToQueue("helpdesk")


def test_the_shell_can_end_the_menu_with_a_person_at_any_time() -> None:
    for asked in ((), ("8",), ("8", "1234567")):
        assert after(desk(), *asked, PersonWanted()).outcome == ToQueue("helpdesk")


def test_news_that_does_not_answer_the_question_asks_it_again() -> None:
    assert after(desk(), LookedUp(None)).wait == WaitDigits(1, 6.0, 1.0)
    assert after(desk(), "8", "1234567", "5").wait == WaitLookUp("ticket_status", "1234567")


def test_a_session_survives_being_written_down() -> None:
    flow = desk()
    unknown, known = ("8", "1", LookedUp(None)), ("8", "1", LookedUp({"state": "new", "line": "1"}))
    for events in ((), ("8",), ("8", "1234567"), unknown, known, ("2",)):
        state = after(flow, *events).state
        assert SessionState.from_dict(json.loads(json.dumps(state.as_dict()))) == state


def test_a_state_whose_node_is_gone_leads_to_a_person() -> None:
    flow = desk()
    state = SessionState(Visit(), n("gone"))

    assert resume(flow, state, DigitsGathered("2")).outcome == ToQueue("helpdesk")


def test_a_flow_without_a_person_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="hand-over"):
        Flow("f", "F", n("a"), n("a"), {n("a"): Goodbye()})
    with pytest.raises(ValueError, match="start"):
        Flow("f", "F", n("b"), n("a"), {n("a"): HandOver("q")})


def test_the_limits_of_a_visit_are_stated_in_one_place() -> None:
    assert Limits() == Limits(turns=60, visit=timedelta(minutes=10))

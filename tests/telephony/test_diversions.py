"""Ways out of a queue: voice mail, a call-back, a sentence, an outside number, the menu; and the way back."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from changgu.acd.commands import Divert, Farewell, HangUpCaller
from changgu.acd.events import CallArrived, CallbackAsked, CallerHungUp, Event, KeyPressed, MenuEnded, MenuStepReached
from changgu.acd.facts import Outcome
from changgu.acd.identity import CallId, QueueName
from changgu.acd.queues import Destination, Way
from changgu.telephony import diversions
from changgu.telephony.callbacks import callback_id
from changgu.telephony.dial_plan import DialPlan
from tests.support.fake_ari import FakeChannel
from tests.support.switchboard import CALL, PC, PLAN, Switchboard, open_switchboard

OUTSIDE = "outside-c1"
LEFT = MenuEnded(CALL, served=True, outcome=Outcome.VOICEMAIL)
PROMISED = MenuEnded(CALL, served=True, outcome=Outcome.CALLBACK)
REDIRECTED = MenuEnded(CALL, served=True, outcome=Outcome.REDIRECTED)
GAVE_UP = MenuEnded(CALL, served=False)
BACK = CallArrived(CALL, PC)


@pytest.fixture
async def board() -> AsyncIterator[Switchboard]:
    async with open_switchboard() as board:
        await board.caller_waits()
        board.posted.clear()
        yield board


def divert(way: Way, name: str = "") -> Divert:
    return Divert(CALL, PC, Destination(way, name))


def asked(number: str) -> CallbackAsked:
    return CallbackAsked(callback_id(CALL, number), number, PC, CALL)


async def ready_to_go_out(board: Switchboard) -> None:
    """A caller waits, and the PBX is asked in vain who is outside."""
    await board.caller_waits()
    board.posted.clear()
    await board.inbound.after_gap()
    await board.pbx.until_asked("GET", "channels")


async def ends_as(board: Switchboard, *events: Event) -> None:
    """What the ACD is told of the call from here to its end, and nothing else."""
    await board.until_posted(*events)
    await board.all_heard()
    assert tuple(board.posted) == events


@pytest.mark.parametrize(
    ("divert_to", "first"),
    [
        (divert(Way.VOICEMAIL), "POST channels/c1/record"),
        (divert(Way.NUMBER, "021234567"), "POST channels"),
        (divert(Way.ANNOUNCE, "goodbye"), "POST channels/c1/play"),
    ],
)
@pytest.mark.parametrize("broken", [False, True])
async def test_whoever_is_led_out_before_they_heard_anything_is_answered_first(
    divert_to: Divert, first: str, broken: bool
) -> None:
    async with open_switchboard() as board:
        await board.caller_waits(music=False)
        board.voice.broken = broken  # what cannot be said answers nobody
        board.do(divert_to)
        await board.until(lambda: len(board.requests()) > 1 or GAVE_UP in board.posted)
        await board.all_heard()

        assert board.requests()[0] == "POST channels/c1/answer"
        assert (first in board.requests()) != (broken and divert_to.to.way is Way.ANNOUNCE)


# ---- voice mail -----------------------------------------------------------------------------------------------------


async def test_a_caller_leaves_a_message_and_it_is_kept(board: Switchboard) -> None:
    board.do(divert(Way.VOICEMAIL))
    record = await board.pbx.until_asked("POST", "c1/record")
    assert board.said() == ["voicemail_prompt"]
    assert not board.pbx.channels[CALL].music
    assert record.query == {
        "name": "voicemail.pc.c1", "format": "wav", "ifExists": "overwrite", "beep": "true",
        "maxDurationSeconds": "180", "maxSilenceSeconds": "8", "terminateOn": "#",
    }  # fmt: skip
    await board.press("#")
    await board.pbx.end_recording("voicemail.pc.c1")

    await ends_as(board, LEFT)
    assert board.said()[-1] == "voicemail_thanks"
    assert board.letterbox is not None
    (message,) = board.letterbox.kept
    assert (message.call, message.queue, message.caller, message.seconds) == (CALL, PC, "01012345678", 4.0)
    assert "DELETE recordings/stored/voicemail.pc.c1" in board.requests()


async def test_a_caller_who_hangs_up_after_speaking_has_left_a_message(board: Switchboard) -> None:
    board.do(divert(Way.VOICEMAIL))
    await board.pbx.until_asked("POST", "c1/record")
    await board.pbx.hang_up(CALL)

    await ends_as(board, LEFT)
    assert board.letterbox is not None
    assert len(board.letterbox.kept) == 1


async def test_a_caller_who_says_nothing_leaves_no_message(board: Switchboard) -> None:
    board.do(divert(Way.VOICEMAIL))
    await board.pbx.until_asked("POST", "c1/record")
    await board.pbx.end_recording("voicemail.pc.c1", seconds=8, talking=0)

    await ends_as(board, GAVE_UP)
    assert board.letterbox is not None
    assert board.letterbox.kept == []


async def test_a_caller_who_hangs_up_without_a_word_has_given_up(board: Switchboard) -> None:
    board.do(divert(Way.VOICEMAIL))
    await board.pbx.until_asked("POST", "c1/record")
    await board.pbx.end_recording("voicemail.pc.c1", seconds=1, talking=0)
    await board.pbx.hang_up(CALL)
    await board.until(lambda: len(board.posted) > 0)
    await board.all_heard()

    assert board.posted in ([CallerHungUp(CALL)], [GAVE_UP, CallerHungUp(CALL)])


async def test_a_caller_who_hangs_up_in_the_prompt_has_given_up(board: Switchboard) -> None:
    board.pbx.prompts_end_at_once = False
    board.do(divert(Way.VOICEMAIL))
    await board.until_said("voicemail_prompt")
    await board.pbx.hang_up(CALL)

    await ends_as(board, CallerHungUp(CALL))


async def test_a_caller_whose_message_cannot_be_kept_is_told_nothing_untrue(
    board: Switchboard, caplog: pytest.LogCaptureFixture
) -> None:
    assert board.letterbox is not None
    board.letterbox.full = True
    board.do(divert(Way.VOICEMAIL))
    await board.pbx.until_asked("POST", "c1/record")
    await board.pbx.end_recording("voicemail.pc.c1")

    await ends_as(board, GAVE_UP)
    assert "voicemail_thanks" not in board.said()
    assert "the PBX has it as voicemail.pc.c1" in caplog.text
    assert "DELETE recordings/stored/voicemail.pc.c1" not in board.requests()


async def test_a_pbx_that_cannot_record_sends_the_caller_back_to_their_place(board: Switchboard) -> None:
    board.pbx.refuse("POST", "/record", 500)
    board.do(divert(Way.VOICEMAIL))

    await ends_as(board, BACK)
    assert board.said()[-1] == "voicemail_failed"


async def test_a_message_that_ended_while_the_line_was_down_is_kept(board: Switchboard) -> None:
    board.do(divert(Way.VOICEMAIL))
    await board.pbx.until_asked("POST", "c1/record")
    board.pbx.recordings.clear()  # it ends while nobody listens
    await board.inbound.after_gap()

    await ends_as(board, LEFT)


async def test_a_message_left_while_we_were_away_is_fetched_afterwards(board: Switchboard) -> None:
    board.pbx.stored = ["voicemail.pc.side-1.7", "somebody-elses"]
    await board.inbound.after_gap()

    await ends_as(board, MenuEnded(CallId("side-1.7"), served=True, outcome=Outcome.VOICEMAIL))
    assert board.letterbox is not None
    (message,) = board.letterbox.kept
    assert (message.call, message.queue, message.caller) == ("side-1.7", PC, None)
    assert board.pbx.stored == ["somebody-elses"]


async def test_a_message_begun_before_a_restart_is_fetched_when_it_ends_and_not_before(board: Switchboard) -> None:
    board.pbx.recordings["voicemail.pc.c1"] = CALL
    board.pbx.stored = ["voicemail.pc.c1"]
    await board.inbound.after_gap()
    await board.pbx.until_asked("GET", "live/voicemail.pc.c1")
    assert board.posted == []
    await board.pbx.end_recording("voicemail.pc.c1")

    await ends_as(board, LEFT)


async def test_a_message_that_could_not_be_kept_is_fetched_when_it_can(board: Switchboard) -> None:
    assert board.letterbox is not None
    board.letterbox.full = True
    board.pbx.stored = ["voicemail.pc.c9"]
    await board.inbound.after_gap()
    await board.pbx.until_asked("GET", "live/voicemail.pc.c9")
    await board.all_heard()
    assert board.pbx.stored == ["voicemail.pc.c9"]
    board.letterbox.full = False
    await board.inbound.after_gap()

    await board.until(lambda: board.pbx.stored == [])


async def test_a_desk_that_closes_keeps_what_was_said_so_far(board: Switchboard) -> None:
    board.do(divert(Way.VOICEMAIL))
    await board.pbx.until_asked("POST", "c1/record")
    board.do(HangUpCaller(CALL, Farewell.DESK_CLOSED))
    await board.pbx.until(lambda: CALL not in board.pbx.channels)
    await board.until(lambda: board.letterbox is not None and len(board.letterbox.kept) == 1)
    await board.all_heard()

    assert "상담 시간이 아닙니다" in board.said()[-1]
    assert board.posted == [], "the ACD ended the call itself"


# ---- call-back ------------------------------------------------------------------------------------------------------


async def test_a_caller_is_promised_a_call_at_the_number_they_call_from(board: Switchboard) -> None:
    board.do(divert(Way.CALLBACK))
    await board.until_said("callback_confirm")
    assert board.said() == ["callback_number_is", "01012345678", "callback_confirm"]
    await board.press("1")

    await ends_as(board, asked("01012345678"), PROMISED)
    assert board.said()[-1] == "callback_promised"


async def test_a_caller_gives_another_number_and_says_yes(board: Switchboard) -> None:
    board.do(divert(Way.CALLBACK))
    await board.until_said("callback_number_is")
    await board.press("2021234567#1")  # pressed ahead of every question

    await ends_as(board, asked("021234567"), PROMISED)
    assert board.said()[-1] == "callback_promised"


async def test_a_mistyped_number_is_started_over_with_a_star(board: Switchboard) -> None:
    board.do(divert(Way.CALLBACK))
    await board.until_said("callback_number_is")
    await board.press("2010*021234567#1")

    await ends_as(board, asked("021234567"), PROMISED)


@pytest.mark.parametrize("number", ["0012025550123", "0607001234", "1000", "112"])
async def test_a_number_that_may_not_be_dialled_is_asked_for_again(board: Switchboard, number: str) -> None:
    board.do(divert(Way.CALLBACK))
    await board.until_said("callback_confirm")
    await board.press("2")
    await board.until_said("callback_enter_number")
    await board.press(f"{number}#")
    await board.until_said("callback_number_refused")
    await board.press("01099998888#")
    await board.until_said("01099998888")
    await board.press("1")

    await ends_as(board, asked("01099998888"), PROMISED)


async def test_a_caller_who_rather_waits_goes_back_to_their_place(board: Switchboard) -> None:
    board.do(divert(Way.CALLBACK))
    await board.until_said("callback_confirm")
    await board.press("0")

    await ends_as(board, BACK)
    assert board.said()[-1] == "callback_declined"


async def test_whoever_goes_back_is_wanted_the_same_agent_for(board: Switchboard) -> None:
    """The priority and the skills with which they came are theirs until they have spoken to somebody."""
    visitor = board.inbound.visitor(CALL)
    assert visitor is not None
    visitor.arrived = CallArrived(CALL, PC, 3, frozenset({"vpn:2"}), since=7.0)
    board.do(divert(Way.CALLBACK))
    await board.until_said("callback_confirm")
    await board.press("0")

    await ends_as(board, CallArrived(CALL, PC, 3, frozenset({"vpn:2"})))


async def test_keys_that_lead_nowhere_lead_back_to_the_queue(board: Switchboard) -> None:
    board.do(divert(Way.CALLBACK))
    for times in (1, 2, 3):
        await board.until_said("callback_confirm", times)
        await board.press("7")

    await ends_as(board, BACK)


async def test_whoever_hangs_up_after_the_promise_has_not_given_up(board: Switchboard) -> None:
    board.do(divert(Way.CALLBACK))
    await board.until_said("callback_confirm")
    board.pbx.prompts_end_at_once = False
    await board.press("1")
    await board.until_said("callback_promised")
    await board.pbx.hang_up(CALL)

    await ends_as(board, asked("01012345678"), PROMISED)


async def test_whoever_hangs_up_before_the_promise_has_given_up(board: Switchboard) -> None:
    board.do(divert(Way.CALLBACK))
    await board.until_said("callback_confirm")
    await board.pbx.hang_up(CALL)

    await ends_as(board, CallerHungUp(CALL))


async def test_without_a_line_outside_nobody_is_promised_anything(board: Switchboard) -> None:
    board.plan = DialPlan()
    board.do(divert(Way.CALLBACK))
    for times in (1, 2, 3):
        await board.until_said("callback_enter_number", times)
        await board.press("01012345678#")

    await ends_as(board, BACK)


def test_a_promise_has_one_name_and_it_can_be_part_of_any_other() -> None:
    name = callback_id(CALL, "01012345678")
    assert name == callback_id(CALL, "01012345678") != callback_id(CallId("c2"), "01012345678")
    assert name.isascii()
    assert name.isalnum()
    assert len(name) < 30


# ---- a sentence -----------------------------------------------------------------------------------------------------


async def test_a_caller_hears_a_sentence_and_that_is_all(board: Switchboard) -> None:
    board.do(divert(Way.ANNOUNCE, "goodbye"))

    await ends_as(board, GAVE_UP)
    assert board.said() == ["goodbye"]


# ---- an outside number ----------------------------------------------------------------------------------------------


async def test_a_caller_is_put_through_and_the_other_side_hangs_up(board: Switchboard) -> None:
    board.do(divert(Way.NUMBER, "02-123-4567"))
    dialled = await board.pbx.until_asked("POST", "channels")
    assert dialled.query == {
        "endpoint": "PJSIP/021234567@trunk-carrier", "app": "changgu", "appArgs": "outside,c1", "channelId": OUTSIDE,
        "callerId": "<1000>", "timeout": "40", "originator": "c1",
    }  # fmt: skip
    assert board.pbx.channels[CALL].ringback
    await board.pbx.start(OUTSIDE)
    await board.pbx.until(lambda: board.pbx.bridges.get(OUTSIDE) == {CALL, OUTSIDE})
    assert not board.pbx.channels[CALL].ringback
    await board.press("1")
    await board.pbx.hang_up(OUTSIDE)

    await ends_as(board, REDIRECTED)
    assert board.pbx.bridges == {}


async def test_a_caller_who_hangs_up_on_the_other_side_was_put_through(board: Switchboard) -> None:
    board.do(divert(Way.NUMBER, "021234567"))
    await board.pbx.until_asked("POST", "channels")
    await board.pbx.start(OUTSIDE)
    await board.pbx.until(lambda: board.pbx.bridges.get(OUTSIDE) == {CALL, OUTSIDE})
    await board.pbx.hang_up(CALL)

    await ends_as(board, REDIRECTED)
    await board.pbx.until(lambda: board.pbx.channels == {} and board.pbx.bridges == {})


async def test_a_caller_who_hangs_up_while_it_rings_outside_has_given_up(board: Switchboard) -> None:
    board.do(divert(Way.NUMBER, "021234567"))
    await board.pbx.until_asked("POST", "channels")
    await board.pbx.hang_up(CALL)

    await ends_as(board, CallerHungUp(CALL))
    await board.pbx.until(lambda: board.pbx.channels == {})


@pytest.mark.parametrize("cause", [17, 19, 34])
async def test_an_outside_number_that_does_not_answer_leads_back_to_the_queue(board: Switchboard, cause: int) -> None:
    board.do(divert(Way.NUMBER, "021234567"))
    await board.pbx.until_asked("POST", "channels")
    await board.pbx.hang_up(OUTSIDE, cause, stasis_end=False)

    await ends_as(board, BACK)
    assert board.said() == ["number_failed"]


async def test_a_number_that_may_not_be_dialled_leads_back_to_the_queue(board: Switchboard) -> None:
    board.do(divert(Way.NUMBER, "0012025550123"))

    await ends_as(board, BACK)
    assert board.said() == ["number_failed"]
    assert "POST channels" not in board.requests()


async def test_a_desk_that_closes_ends_the_talk_outside(board: Switchboard) -> None:
    board.do(divert(Way.NUMBER, "021234567"))
    await board.pbx.until_asked("POST", "channels")
    await board.pbx.start(OUTSIDE)
    await board.pbx.until(lambda: board.pbx.bridges.get(OUTSIDE) == {CALL, OUTSIDE})
    board.do(HangUpCaller(CALL, Farewell.NONE))
    await board.pbx.until(lambda: board.pbx.channels == {} and board.pbx.bridges == {})

    assert board.posted == []


async def test_a_talk_outside_from_before_a_restart_ends_with_the_other_side(board: Switchboard) -> None:
    board.pbx.channels[OUTSIDE] = FakeChannel(OUTSIDE, "outside,c1")
    board.pbx.bridges[OUTSIDE] = {CALL, OUTSIDE}
    await board.pbx.hang_up(OUTSIDE)

    await ends_as(board, REDIRECTED)
    assert board.pbx.bridges == {}


async def test_no_more_callers_are_put_through_at_once_than_the_site_allows(board: Switchboard) -> None:
    """Toll fraud: whoever finds a way to the outside line must not find a hundred."""
    board.plan = replace(PLAN, most_at_once=1)
    board.do(divert(Way.NUMBER, "021234567"))
    await board.pbx.until_asked("POST", "channels")
    await board.pbx.call_in("c2", exten="1003")
    await board.until_posted(CallArrived(CallId("c2"), PC))
    board.posted.clear()
    board.do(Divert(CallId("c2"), PC, Destination(Way.NUMBER, "021234567")))
    await board.until_posted(CallArrived(CallId("c2"), PC))

    assert board.requests().count("POST channels") == 1
    assert board.said() == ["number_failed"]
    await board.pbx.start(OUTSIDE)
    await board.pbx.until(lambda: board.pbx.bridges.get(OUTSIDE) == {CALL, OUTSIDE})
    await board.pbx.hang_up(OUTSIDE)
    await board.until_posted(REDIRECTED)

    board.do(Divert(CallId("c2"), PC, Destination(Way.NUMBER, "021234567")))
    await board.until(lambda: board.requests().count("POST channels") == 2)


async def test_a_talk_outside_from_before_a_restart_counts_among_those_that_may_be(board: Switchboard) -> None:
    board.plan = replace(PLAN, most_at_once=1)
    board.pbx.channels["outside-c0"] = FakeChannel("outside-c0", "outside,c0")
    await board.inbound.after_gap()
    await board.pbx.until_asked("GET", "channels")
    await board.until(lambda: board.inbound._diversions.outside_now == 1)
    board.do(divert(Way.NUMBER, "021234567"))

    await ends_as(board, BACK)
    assert "POST channels" not in board.requests()


async def test_nobody_is_put_through_before_it_is_known_how_many_are() -> None:
    """The PBX does not tell at the first asking: one more caller waits for it, rather than being one too many."""
    async with open_switchboard(looked=False) as board:
        board.plan = replace(PLAN, most_at_once=1)
        board.pbx.channels["outside-c0"] = FakeChannel("outside-c0", "outside,c0")
        board.pbx.refuse("GET", "channels", 500)
        await ready_to_go_out(board)
        board.do(divert(Way.NUMBER, "021234567"))

        await ends_as(board, BACK)
        assert "POST channels" not in board.requests()


async def test_whoever_waits_to_be_put_through_is_once_it_is_known_that_few_are() -> None:
    async with open_switchboard(looked=False) as board:
        board.plan = replace(PLAN, most_at_once=1)
        board.pbx.refuse("GET", "channels", 500)
        await ready_to_go_out(board)
        board.do(divert(Way.NUMBER, "021234567"))

        await board.pbx.until_asked("POST", "channels")
        assert board.said() == []


async def test_a_pbx_that_never_tells_who_is_outside_puts_nobody_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversions, "COUNTED_WITHIN", 0.2)
    async with open_switchboard(looked=False) as board:
        board.pbx.refuse("GET", "channels", 500, times=100)
        await ready_to_go_out(board)
        board.do(divert(Way.NUMBER, "021234567"))

        await board.until_posted(BACK)
        assert board.said() == ["number_failed"]
        assert "POST channels" not in board.requests()


# ---- the menu -------------------------------------------------------------------------------------------------------


async def test_a_caller_is_led_to_a_place_in_the_menu_and_on_to_another_queue(board: Switchboard) -> None:
    board.do(divert(Way.MENU, "services"))
    await board.until_posted(MenuStepReached(CALL, "services"))
    await board.press("2")
    await board.until_posted(CallArrived(CALL, QueueName("network")))

    assert KeyPressed(CALL, "2") not in board.posted
    board.posted.clear()
    await board.press("3")
    await board.until_posted(KeyPressed(CALL, "3"))


async def test_a_menu_that_is_gone_leads_to_a_person(board: Switchboard) -> None:
    board.do(divert(Way.MENU, "nowhere"))

    await board.until_posted(CallArrived(CALL, QueueName("helpdesk")))


async def test_whoever_has_hung_up_meanwhile_is_not_diverted(board: Switchboard) -> None:
    await board.pbx.hang_up(CALL)
    await board.until_posted(CallerHungUp(CALL))
    board.do(divert(Way.VOICEMAIL))
    await board.until_idle()

    await ends_as(board, CallerHungUp(CALL))

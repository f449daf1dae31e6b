"""What waiting callers hear and press, and that nothing of it delays an answer."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from changgu.acd.commands import Announce, ConnectCall, Divert, Farewell, HangUpCaller, PlayMusicOnHold, StopRinging
from changgu.acd.events import AgentHungUp, CallArrived, CallerHungUp, KeyPressed, MenuStepReached, PartiesConnected
from changgu.acd.identity import CallId, OfferId, QueueName
from changgu.acd.queues import Announcements, Destination, Floor, Queue, Way
from changgu.ivr_flows.loader import load
from changgu.ivr_flows.service import LANGUAGES, sentences
from changgu.ivr_flows.spoken import PROMISES_SPOKEN
from changgu.telephony.farewells import FAREWELLS
from changgu.telephony.legs import AgentLeg
from changgu.telephony.queue_experience import MUSIC_AFTER, QueueExperience, announced, comfort_sentences
from tests.support.switchboard import ALICE, BOB, CALL, CAROL, PC, NameVoice, Switchboard, leg, open_switchboard, ring

THIRD = Announce(CALL, PC, position=3, promise=110.0, comfort="잠시만 기다려 주십시오.")


@pytest.fixture
async def board() -> AsyncIterator[Switchboard]:
    async with open_switchboard() as board:
        yield board


def words(command: Announce, language: str = "ko") -> list[str]:
    known = sentences(language)
    return [known.get(NameVoice.name(prompt), NameVoice.name(prompt)) for prompt in announced(command, language)]


# ---- the words ------------------------------------------------------------------------------------------------------


def test_a_caller_is_comforted_and_told_their_place_and_the_wait() -> None:
    assert words(THIRD) == ["잠시만 기다려 주십시오.", "지금 세 번째로 대기 중입니다.", "약 이 분 안에 연결됩니다."]
    assert words(Announce(CALL, PC, position=1, promise=5), "en") == [
        "You are next in the queue.", "You should be connected within about one minute.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "약 일 분"), (60, "약 일 분"), (60.1, "약 이 분"), (599, "약 십 분"), (601, "약 십오 분"),
        (1801, "약 사십 분"), (3600, "약 한 시간"), (3601, "한 시간이 넘게"), (1e9, "한 시간이 넘게"),
    ],
)  # fmt: skip
def test_a_promise_never_becomes_shorter_by_being_said(seconds: float, said: str) -> None:
    (sentence,) = words(Announce(CALL, PC, promise=seconds))
    assert said in sentence


def test_a_place_far_back_is_composed() -> None:
    assert words(Announce(CALL, PC, position=137)) == ["지금 백삼십칠 번째로 대기 중입니다."]


def test_a_place_that_makes_no_sense_is_not_said() -> None:
    assert words(Announce(CALL, PC, position=0)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_again_and_again_is_made_before_the_first_caller(language: str) -> None:
    ready = sentences(language).keys()
    names = {NameVoice.name(one) for place in range(1, 31) for one in announced(Announce(CALL, PC, place), language)}
    names |= {NameVoice.name(one) for wait in PROMISES_SPOKEN for one in announced(Announce(CALL, PC, None, wait * 60),
                                                                                   language)}  # fmt: skip
    assert names <= ready
    assert {"wait_long", "voicemail_prompt", "callback_confirm", "number_failed", "callback_hello"} <= ready


def test_comfort_messages_are_known_for_the_warm_up() -> None:
    comfort = Announcements(comfort=("곧 연결됩니다.", "please_wait", "기다려 주셔서 감사합니다."))
    floor = Floor((Queue(PC, "PC", announcements=comfort), Queue(QueueName("b"), "B", announcements=comfort)))
    assert comfort_sentences(floor) == ("곧 연결됩니다.", "기다려 주셔서 감사합니다.")


# ---- announcements --------------------------------------------------------------------------------------------------


async def test_after_an_announcement_the_music_goes_on(board: Switchboard) -> None:
    board.pbx.prompts_end_at_once = False
    await board.caller_waits()
    board.do(THIRD)
    await board.until_said("position_3")
    assert board.said() == ["잠시만 기다려 주십시오.", "position_3", "wait_minutes_2"]
    await board.pbx.finish(next(iter(board.pbx.playbacks)))

    await board.pbx.until_asked("POST", "c1/moh", times=2)


LANGUAGES_OFFERED = """
flow: main
title: t
start: first
person: operator
nodes:
  first: {kind: choose_language, say: choose_language, languages: {1: ko, 2: en}, next: operator}
  operator: {kind: to_queue, say: to_person, queue: pc}
"""


async def test_who_chose_english_in_the_menu_waits_and_is_sent_away_in_english(board: Switchboard) -> None:
    """CTI-18: place, time and farewell; a comfort sentence is the desk's, one that is a prompt is in theirs."""
    board.menu = load(LANGUAGES_OFFERED, "main.yaml", None, {})
    await board.pbx.call_in(CALL, "1000")
    await board.until_posted(MenuStepReached(CALL, "first"))
    await board.press("2")
    await board.until_posted(CallArrived(CALL, PC, language="en"))
    board.do(PlayMusicOnHold(CALL, PC), THIRD)
    await board.until_said("wait_minutes_2")
    assert board.voice.spoken[-3:] == [
        ("ko", "잠시만 기다려 주십시오."), ("en", "position_3"), ("en", "wait_minutes_2"),
    ]  # fmt: skip

    board.do(Announce(CALL, PC, comfort="please_wait"))
    await board.until_said("please_wait")
    assert board.voice.spoken[-1] == ("en", "please_wait")

    board.do(Divert(CALL, PC, Destination(Way.VOICEMAIL)))
    await board.until_said("voicemail_prompt")
    assert board.voice.spoken[-1] == ("en", "voicemail_prompt")

    await board.inbound.say_farewell(CALL, Farewell.WAITED_TOO_LONG)
    assert board.voice.spoken[-1] == ("en", FAREWELLS["en"][Farewell.WAITED_TOO_LONG].text)


async def test_music_after_an_announcement_that_ended_unheard_of_is_asked_for_until_it_plays(
    board: Switchboard,
) -> None:
    """It was asked for once, and a line that dropped at this left the caller in silence."""
    board.pbx.prompts_end_at_once = False
    await board.caller_waits()
    board.do(THIRD)
    await board.until_said("position_3")
    board.pbx.playbacks.clear()  # and nobody told us
    board.pbx.refuse("POST", "c1/moh", 0)
    await board.pbx.drop()
    await board.pbx.until_asked("POST", "c1/moh", times=2)
    await board.pbx.drop()

    await board.pbx.until_asked("POST", "c1/moh", times=3)
    await board.until_idle()
    board.switch.line_is_up()
    await board.until_idle()
    assert board.requests().count("POST channels/c1/moh") == 3, "what plays is not asked for again"


async def test_an_announcement_that_the_pbx_refuses_leaves_the_music_as_it_is(board: Switchboard) -> None:
    await board.caller_waits()
    board.pbx.refuse("POST", "c1/play", 409)
    board.do(THIRD)
    await board.pbx.until_asked("POST", "c1/play")
    await board.until_idle()
    await asyncio.sleep(2 * MUSIC_AFTER)  # longer than anybody is without music

    assert board.requests().count("POST channels/c1/moh") == 1


async def test_an_answer_cuts_an_announcement_short(board: Switchboard) -> None:
    board.pbx.prompts_end_at_once = False
    await board.caller_waits()
    board.do(THIRD)
    await board.until_said("position_3")
    (playback,) = board.pbx.playbacks
    before = len(board.pbx.asked)
    await board.talks()
    await board.until_idle()

    joining = [one for one in board.requests()[before:] if one != "POST channels"]
    assert joining == [
        f"DELETE playbacks/{playback}", "DELETE channels/c1/moh", "POST bridges/call-c1",
        "POST bridges/call-c1/addChannel",
    ]  # fmt: skip
    assert not board.pbx.channels[CALL].music, "and no music comes back"


async def test_the_two_are_joined_before_any_reply_about_the_announcement(board: Switchboard) -> None:
    board.pbx.prompts_end_at_once = False
    await board.caller_waits()
    board.do(THIRD, ring(ALICE, 7))
    await board.until_said("position_3")
    await board.pbx.until(lambda: leg(7) in board.pbx.channels)
    await board.picks_up(ALICE, 7)
    board.pbx.silent = True
    board.do(ConnectCall(ALICE, CALL, OfferId(7)))

    await board.pbx.until_asked("POST", "addChannel")


async def test_an_announcement_whose_sound_comes_too_late_for_the_caller_is_dropped(board: Switchboard) -> None:
    await board.caller_waits()
    board.voice.ready.clear()
    board.do(THIRD)
    await board.talks()
    board.voice.ready.set()
    await board.all_heard()
    await board.until_idle()

    assert board.said() == []


async def test_music_plays_until_a_new_sentence_has_been_made(board: Switchboard) -> None:
    board.voice.ready.clear()
    await board.caller_waits()
    board.do(THIRD)
    assert board.pbx.channels[CALL].music
    board.voice.ready.set()

    await board.until_said("position_3")


async def test_a_sentence_that_takes_too_long_is_left_out_and_music_plays(board: Switchboard) -> None:
    voice, asked = NameVoice(), asyncio.Event()
    voice.ready.clear()
    made: list[asyncio.Task[None]] = []

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        made.append(asyncio.create_task(work))

    sound = QueueExperience(board.ari, lambda call, do: asked.set(), spawn, voice, "ko", too_late=0.01)
    sound.announce(THIRD)
    await asyncio.gather(*made)

    await asyncio.wait_for(asked.wait(), 5)  # for the music
    assert sound.end(CALL) == []


async def test_a_second_announcement_does_not_run_into_the_first(board: Switchboard) -> None:
    board.pbx.prompts_end_at_once = False
    await board.caller_waits()
    board.do(THIRD)
    await board.until_said("position_3")
    board.do(Announce(CALL, PC, position=2))
    await board.until_idle()
    await board.all_heard()

    assert "position_2" not in board.said()


async def test_an_announcement_that_the_pbx_refuses_leaves_the_music(board: Switchboard) -> None:
    await board.caller_waits()
    board.pbx.refuse("POST", "/play", 500)
    board.do(THIRD)
    await board.pbx.until_asked("POST", "/play")
    await board.until_idle()
    board.do(Announce(CALL, PC, position=2))

    await board.until_said("position_2")
    assert board.pbx.channels[CALL].music


async def test_nobody_waits_in_silence_when_an_announcement_ended_unheard_of(board: Switchboard) -> None:
    board.pbx.prompts_end_at_once = False
    await board.caller_waits()
    board.do(THIRD)
    await board.until_said("position_3")
    board.pbx.playbacks.clear()  # it ends while nobody listens
    await board.pbx.drop()

    await board.pbx.until_asked("POST", "c1/moh", times=2)


async def test_an_announcement_to_a_caller_who_heard_nothing_yet_is_followed_by_music(board: Switchboard) -> None:
    await board.caller_waits(music=False)
    board.do(THIRD)

    await board.pbx.until_asked("POST", "c1/moh")
    assert "position_3" in board.said()


async def test_a_farewell_ends_what_plays(board: Switchboard) -> None:
    board.pbx.prompts_end_at_once = False
    await board.caller_waits()
    board.do(THIRD)
    await board.until_said("position_3")
    (announcement,) = board.pbx.playbacks
    board.do(HangUpCaller(CALL, Farewell.WAITED_TOO_LONG))
    await board.pbx.until_asked("POST", "c1/play", times=2)
    requests = board.requests()

    assert requests.index(f"DELETE playbacks/{announcement}") < len(requests) - 1
    assert "오래 기다리게" in board.said()[-1]
    await board.pbx.finish(next(iter(board.pbx.playbacks)))
    await board.pbx.until(lambda: CALL not in board.pbx.channels)


async def test_a_caller_who_hangs_up_in_an_announcement_is_told_once(board: Switchboard) -> None:
    board.pbx.prompts_end_at_once = False
    await board.caller_waits()
    board.do(THIRD)
    await board.until_said("position_3")
    asked = len(board.pbx.asked)
    await board.pbx.hang_up(CALL)
    await board.until_posted(CallerHungUp(CALL))
    await board.all_heard()

    assert board.posted.count(CallerHungUp(CALL)) == 1
    assert [one for one in board.requests()[asked:] if "moh" in one] == []


# ---- keys -----------------------------------------------------------------------------------------------------------


async def test_a_key_is_told_while_waiting_and_also_during_an_announcement(board: Switchboard) -> None:
    board.pbx.prompts_end_at_once = False
    await board.caller_waits()
    await board.press("2")
    await board.until_posted(KeyPressed(CALL, "2"))
    board.do(THIRD)
    await board.until_said("position_3")
    await board.press("1")

    await board.until_posted(KeyPressed(CALL, "1"))


async def test_one_press_told_twice_is_one_key(board: Switchboard) -> None:
    await board.caller_waits()
    for at in ("09:00:01.000", "09:00:01.030"):
        await board.pbx.press(CALL, "1", at=f"2026-03-01T{at}+0900")
    await board.all_heard()

    assert board.posted.count(KeyPressed(CALL, "1")) == 1


async def test_keys_pressed_to_an_agent_are_nobodys_business(board: Switchboard) -> None:
    await board.caller_waits()
    await board.talks()
    await board.press("1")
    await board.all_heard()

    assert KeyPressed(CALL, "1") not in board.posted


async def test_keys_pressed_in_the_menu_are_the_menus(board: Switchboard) -> None:
    board.pbx.prompts_end_at_once = False
    await board.pbx.call_in(CALL, "1000")
    await board.until_said("greeting")
    await board.press("5")
    await board.all_heard()

    assert KeyPressed(CALL, "5") not in board.posted


# ---- many phones ----------------------------------------------------------------------------------------------------


async def test_all_phones_ring_at_once_and_the_first_answer_wins(board: Switchboard) -> None:
    await board.caller_waits()
    board.pbx.silent = True
    board.do(ring(ALICE, 7), ring(BOB, 8), ring(CAROL, 9))
    await board.pbx.until_asked("POST", "channels", times=3)  # none waited for another's reply
    board.pbx.silent = False


async def test_the_winner_is_joined_and_the_others_phones_say_who_answered(board: Switchboard) -> None:
    await board.caller_waits()
    board.do(ring(ALICE, 7), ring(BOB, 8), ring(CAROL, 9))
    await board.pbx.until(lambda: leg(9) in board.pbx.channels)
    await board.picks_up(BOB, 8)
    board.do(
        StopRinging(ALICE, CALL, OfferId(7), elsewhere=True), StopRinging(CAROL, CALL, OfferId(9), elsewhere=True),
        ConnectCall(BOB, CALL, OfferId(8)),
    )  # fmt: skip
    await board.until_posted(PartiesConnected(BOB, CALL, OfferId(8)))
    await board.until_idle()

    ended = [asked for asked in board.pbx.asked if asked.method == "DELETE" and "offer" in asked.path]
    assert [asked.query for asked in ended] == [{"reason": "answered_elsewhere"}] * 2
    assert board.pbx.bridges == {"call-c1": {CALL, leg(8)}}
    talk = board.switch.conversation(CALL)
    assert talk is not None
    assert talk.agent == BOB
    assert list(board.switch.legs) == [leg(8)]


async def test_a_caller_is_joined_without_waiting_for_the_losers_phones(board: Switchboard) -> None:
    await board.caller_waits()
    board.do(ring(ALICE, 7), ring(BOB, 8))
    await board.pbx.until(lambda: leg(8) in board.pbx.channels)
    await board.picks_up(BOB, 8)
    board.pbx.silent = True
    board.do(StopRinging(ALICE, CALL, OfferId(7), elsewhere=True), ConnectCall(BOB, CALL, OfferId(8)))

    await board.pbx.until_asked("POST", "addChannel")


async def test_who_answers_second_does_not_take_the_conversation_over(board: Switchboard) -> None:
    await board.caller_waits()
    board.do(ring(ALICE, 7), ring(BOB, 8))
    await board.pbx.until(lambda: leg(8) in board.pbx.channels)
    await board.picks_up(BOB, 8)
    board.do(ConnectCall(BOB, CALL, OfferId(8)))
    await board.until_posted(PartiesConnected(BOB, CALL, OfferId(8)))
    await board.picks_up(ALICE, 7)  # her answer crossed our hang-up
    talk = board.switch.conversation(CALL)
    assert talk is not None
    assert talk.agent == BOB
    await board.pbx.hang_up(leg(7))
    await board.until_posted(AgentHungUp(ALICE, CALL, OfferId(7)))
    await board.until_idle()

    assert board.pbx.bridges == {"call-c1": {CALL, leg(8)}}


async def test_an_offer_withdrawn_for_no_winner_shows_as_missed(board: Switchboard) -> None:
    await board.caller_waits()
    board.do(ring(ALICE, 7))
    await board.pbx.until(lambda: leg(7) in board.pbx.channels)
    board.do(StopRinging(ALICE, CALL, OfferId(7)))

    asked = await board.pbx.until_asked("DELETE", leg(7))
    assert asked.query == {}


async def test_a_caller_who_waits_again_after_a_failed_join_hears_music_again(board: Switchboard) -> None:
    await board.caller_waits()
    board.pbx.refuse("POST", "addChannel", 500, times=2)
    board.do(ring(ALICE, 7))
    await board.pbx.until(lambda: leg(7) in board.pbx.channels)
    await board.picks_up(ALICE, 7)
    board.do(ConnectCall(ALICE, CALL, OfferId(7)), PlayMusicOnHold(CALL, PC))

    await board.pbx.until_asked("POST", "c1/moh", times=2)
    await asyncio.wait_for(board.until_idle(CallId("c1")), 5)


# ---- found again after a restart ------------------------------------------------------------------------------------


async def test_who_waited_through_a_restart_hears_no_music_over_the_agents_voice(board: Switchboard) -> None:
    await board.caller_waits(music=False)
    board.switch.adopt_waiting(CALL)  # their music has not been asked for again when it is their turn
    await board.talks()
    asked = board.requests()
    assert asked.index("DELETE channels/c1/moh") < asked.index("POST bridges/call-c1/addChannel")


async def said_before_a_restart(board: Switchboard) -> None:
    """An announcement plays that nobody here has begun."""
    board.pbx.prompts_end_at_once = False
    await board.caller_waits(music=False)
    board.pbx.playbacks["c1-wait-2"] = CALL
    board.switch.adopt_waiting(CALL)


async def test_what_was_being_said_at_a_restart_ends_before_the_music(board: Switchboard) -> None:
    await said_before_a_restart(board)
    board.do(PlayMusicOnHold(CALL, PC))
    await board.pbx.until_asked("POST", "c1/moh")
    asked = board.requests()
    assert asked.index("DELETE playbacks/c1-wait-2") < asked.index("POST channels/c1/moh")
    assert board.pbx.playbacks == {}

    board.do(THIRD)
    await board.pbx.until_asked("POST", "c1/play")
    await board.talks()
    assert board.requests().count("DELETE playbacks/c1-wait-2") == 1, "its end is known"


async def test_what_was_being_said_at_a_restart_is_not_said_over_the_agents_voice(board: Switchboard) -> None:
    await said_before_a_restart(board)
    await board.talks()
    asked = board.requests()
    assert asked.index("DELETE playbacks/c1-wait-2") < asked.index("POST bridges/call-c1/addChannel")
    assert board.pbx.playbacks == {}


async def test_the_next_announcement_does_not_wait_for_the_one_from_before_the_restart(board: Switchboard) -> None:
    await said_before_a_restart(board)
    board.do(THIRD)
    await board.pbx.until_asked("POST", "c1/play")
    asked = board.requests()
    assert asked.index("DELETE playbacks/c1-wait-2") < asked.index("POST channels/c1/play")
    (now,) = board.pbx.playbacks
    await board.talks()
    assert f"DELETE playbacks/{now}" in board.requests()
    assert board.pbx.playbacks == {}


async def test_a_callers_announcements_take_turns_with_two_names(board: Switchboard) -> None:
    """So few that a desk that finds them again knows them all."""
    await board.caller_waits()
    for position in (5, 4, 3, 2):
        board.do(Announce(CALL, PC, position=position))
        await board.until_said(f"position_{position}")
        await board.until_idle()
        await board.pbx.until_asked("POST", "c1/moh", times=7 - position)
    names = [one.query["playbackId"] for one in board.pbx.asked if one.path.endswith("c1/play")]
    assert names == ["c1-wait-1", "c1-wait-2", "c1-wait-1", "c1-wait-2"]


async def test_who_was_rung_for_through_a_restart_in_vain_hears_music_again(board: Switchboard) -> None:
    await board.caller_waits(music=False)
    found = AgentLeg(OfferId(7), CALL, ALICE)
    board.switch.adopt(found, answered=False, bridge=None, joined=False)
    await board.pbx.until_asked("POST", "c1/moh")

"""Calling people back: whom we dial, what we are told of it, and what the agent hears and sees."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from changgu.acd.commands import ConnectCall, DialPerson, Farewell, HangUpCaller
from changgu.acd.events import CallerHungUp, DialFailed, PartiesConnected, PersonReached
from changgu.acd.identity import CallId, OfferId
from changgu.telephony.dial_plan import DialPlan
from tests.support.switchboard import ALICE, BOB, PC, Switchboard, leg, open_switchboard, ring

BACK = CallId("cb1f0e-1")
DIAL = DialPerson(BACK, "010-1234-5678", PC, timedelta(seconds=40))


@pytest.fixture
async def board() -> AsyncIterator[Switchboard]:
    async with open_switchboard() as board:
        board.promised[BACK] = "01012345678"
        yield board


async def rings(board: Switchboard) -> None:
    """The person's telephone rings."""
    board.do(DIAL)
    await board.pbx.until(lambda: BACK in board.pbx.channels)


async def agent_waits(board: Switchboard) -> None:
    """Alice was rung first and has picked up."""
    board.do(ring(ALICE, 7, call=BACK, outbound=True))
    await board.pbx.until(lambda: leg(7, BACK) in board.pbx.channels)
    await board.picks_up(ALICE, 7, BACK)


async def test_a_person_is_dialled_over_the_trunk_and_sees_the_desks_number(board: Switchboard) -> None:
    board.do(DIAL)
    asked = await board.pbx.until_asked("POST", "channels")

    assert asked.query == {
        "endpoint": "PJSIP/01012345678@trunk-carrier", "app": "changgu", "appArgs": "person,pc,01012345678",
        "channelId": BACK, "callerId": "<1000>", "timeout": "40",
    }  # fmt: skip


async def test_agent_first_the_agent_sees_whom_they_will_speak_to(board: Switchboard) -> None:
    board.do(ring(ALICE, 7, call=BACK, outbound=True))
    asked = await board.pbx.until_asked("POST", "channels")

    assert asked.query["callerId"] == "<01012345678>"
    assert "originator" not in asked.query, "the person has no channel that could be named"


async def test_agent_first_the_agent_hears_it_ring_until_the_person_answers(board: Switchboard) -> None:
    await agent_waits(board)
    await rings(board)
    assert board.pbx.channels[leg(7, BACK)].ringback
    await board.pbx.start(BACK)
    await board.until_posted(PersonReached(BACK))
    board.do(ConnectCall(ALICE, BACK, OfferId(7)))
    await board.until_posted(PartiesConnected(ALICE, BACK, OfferId(7)))

    assert not board.pbx.channels[leg(7, BACK)].ringback
    assert board.pbx.bridges == {f"call-{BACK}": {BACK, leg(7, BACK)}}
    identity = board.inbound.identity(BACK)
    assert identity is not None
    assert (identity.number, identity.dialled) == ("01012345678", "1000")


async def test_agent_first_an_agent_may_hang_up_while_it_rings_outside(board: Switchboard) -> None:
    await agent_waits(board)
    await rings(board)
    talk = board.switch.conversation(BACK)

    assert talk is not None
    assert talk.agent == ALICE


async def test_caller_first_the_person_hears_who_calls_and_music_until_an_agent_answers(board: Switchboard) -> None:
    board.pbx.prompts_end_at_once = False
    await rings(board)
    await board.pbx.start(BACK)
    await board.until_posted(PersonReached(BACK))
    board.do(ring(ALICE, 7, call=BACK, outbound=True))
    await board.until_said("callback_hello")
    rung = await board.pbx.until_asked("POST", "channels", times=2)
    assert rung.query["originator"] == BACK
    assert rung.query["callerId"] == "<01012345678>"
    board.do(ring(BOB, 8, call=BACK, outbound=True))
    await board.pbx.until(lambda: leg(8, BACK) in board.pbx.channels)
    await board.pbx.finish(next(iter(board.pbx.playbacks)))
    await board.pbx.until(lambda: board.pbx.channels[BACK].music)
    await board.picks_up(BOB, 8, BACK)
    board.do(ConnectCall(BOB, BACK, OfferId(8)))
    await board.until_posted(PartiesConnected(BOB, BACK, OfferId(8)))

    assert board.said() == ["callback_hello"]
    assert not board.pbx.channels[BACK].music


async def test_who_spoke_english_with_us_is_called_in_english(board: Switchboard) -> None:
    """Whether we dialled them, or find them picking up after a restart: the PBX bears it on their line."""
    board.do(msgspec.structs.replace(DIAL, language="en"))
    asked = await board.pbx.until_asked("POST", "channels")
    assert asked.query["appArgs"] == "person,pc,01012345678,en"
    await board.pbx.start(BACK)
    await board.until_posted(PersonReached(BACK))
    assert board.inbound.language(BACK) == "en"
    board.do(ring(ALICE, 7, call=BACK, outbound=True))
    await board.until_said("callback_hello")

    assert board.voice.spoken[-1] == ("en", "callback_hello")


async def test_a_telephone_that_rang_for_an_earlier_version_is_answered_in_the_desks_language(
    board: Switchboard,
) -> None:
    await rings(board)
    assert board.pbx.channels[BACK].args == "person,pc,01012345678"
    await board.pbx.start(BACK)
    await board.until_posted(PersonReached(BACK))

    assert board.inbound.language(BACK) is None


@pytest.mark.parametrize(
    ("cause", "word"), [(17, "busy"), (21, "declined"), (19, "no_answer"), (1, "unreachable"), (34, "congestion")]
)
async def test_a_person_who_is_not_reached_is_told_with_the_reason(board: Switchboard, cause: int, word: str) -> None:
    await rings(board)
    await board.pbx.hang_up(BACK, cause, stasis_end=False)

    await board.until_posted(DialFailed(BACK, word))
    assert board.posted == [DialFailed(BACK, word)]


async def test_a_person_who_did_not_answer_in_time_is_told_as_such_whatever_the_network_says(
    board: Switchboard,
) -> None:
    board.do(DialPerson(BACK, "01012345678", PC, timedelta(seconds=1)))
    await board.pbx.until(lambda: BACK in board.pbx.channels)
    await board.pbx.hang_up(BACK, 0, stasis_end=False)

    await board.until_posted(DialFailed(BACK, "no_answer"))


async def test_a_trunk_that_is_down_is_unreachable(board: Switchboard) -> None:
    board.pbx.refuse("POST", "channels", 500)
    board.do(DIAL)

    await board.until_posted(DialFailed(BACK, "unreachable"))


@pytest.mark.parametrize("plan", [DialPlan(), DialPlan("PJSIP/{number}@trunk-carrier", deny=("010",))])
async def test_a_number_that_may_not_be_dialled_any_more_is_not_dialled(board: Switchboard, plan: DialPlan) -> None:
    board.plan = plan
    board.do(DIAL)

    await board.until_posted(DialFailed(BACK, "unreachable"))
    assert "POST channels" not in board.requests()


async def test_a_person_who_hangs_up_after_answering_is_told_once(board: Switchboard) -> None:
    await rings(board)
    await board.pbx.start(BACK)
    await board.until_posted(PersonReached(BACK))
    await board.pbx.hang_up(BACK)
    await board.until_posted(CallerHungUp(BACK))
    await board.all_heard()

    assert board.posted == [PersonReached(BACK), CallerHungUp(BACK)]


async def test_a_call_that_is_ended_while_it_rings_outside_ends_without_a_word(board: Switchboard) -> None:
    await rings(board)
    board.do(HangUpCaller(BACK, Farewell.NONE))
    await board.until_idle(BACK)
    await board.all_heard()

    assert BACK not in board.pbx.channels
    assert board.posted == []


async def test_a_call_that_is_ended_before_it_was_dialled_is_never_dialled(board: Switchboard) -> None:
    board.do(DIAL, HangUpCaller(BACK, Farewell.NONE))
    await board.until_idle(BACK)

    assert "POST channels" not in board.requests()
    assert board.posted == []


async def test_nobody_is_dialled_twice_when_the_line_drops(board: Switchboard) -> None:
    board.pbx.silent = True
    board.do(DIAL)
    await board.pbx.until_asked("POST", "channels")
    board.pbx.silent = False
    await board.pbx.drop()

    await board.until_posted(DialFailed(BACK, "gone"))
    assert board.requests().count("POST channels") == 1


async def test_a_person_who_answered_while_the_line_was_down_has_been_reached(board: Switchboard) -> None:
    await rings(board)
    board.pbx.channels[BACK].in_stasis = True  # and nobody told us
    await board.pbx.drop()

    await board.until_posted(PersonReached(BACK))
    assert board.posted == [PersonReached(BACK)]


async def test_a_person_whose_telephone_still_rings_after_a_gap_goes_on_ringing(board: Switchboard) -> None:
    await rings(board)
    await board.pbx.drop()
    await board.pbx.until_asked("GET", BACK)
    await board.until_idle(BACK)

    assert board.posted == []
    assert BACK in board.pbx.channels

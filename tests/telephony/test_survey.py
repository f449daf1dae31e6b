"""Callers who stay on the line are asked four questions by keys; requesters are called for it, one after the other."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from changgu.acd.commands import Farewell, HangUpCaller
from changgu.acd.identity import CallId
from changgu.ivr_flows.nodes import NamedPrompt
from changgu.ivr_flows.session import WaitDigits
from changgu.telephony.ari.client import path
from changgu.telephony.ari.messages import AriEvent
from changgu.telephony.ari.stream import AriStream
from changgu.telephony.ivr_player import IvrPlayer
from changgu.telephony.legs import SurveyLeg, purpose, stasis_args
from changgu.telephony.survey import QUESTIONS, Invitation, SurveyAsker
from changgu.telephony.survey_calls import LEG, SurveyCalls
from changgu.ticketing.surveys.form import Question
from tests.support.fake_ari import FakeAri, FakeChannel
from tests.support.switchboard import CALL, PLAN, FileAri, NameVoice, NoTickets, Switchboard, open_switchboard
from tests.support.waiting import eventually

Given = tuple[str, str, int | None]
AT_ONCE = WaitDigits(1, 0.01, 0.01, ends_at_once="")
HELLO = (NamedPrompt("survey_intro"),)


@dataclass
class Notebook:
    """Writes answers down."""

    wanted: set[CallId] = field(default_factory=set)
    case: str | None = "1000018"
    given: list[Given] = field(default_factory=list)
    broken: bool = False

    def wants(self, call: CallId) -> bool:
        if call not in self.wanted:
            return False
        self.wanted.discard(call)
        return True

    async def case_of(self, call: CallId) -> str | None:
        if self.broken:
            raise OSError("the database is away")
        return self.case

    async def answer(self, call: CallId, case: str, question: str, score: int | None) -> None:
        self.given.append((case, question, score))


def scores(*given: int | None) -> list[Given]:
    return [("1000018", question, score) for question, score in zip(QUESTIONS, given, strict=True)]


@pytest.fixture
def notebook() -> Notebook:
    return Notebook({CALL})


@pytest.fixture
async def board(notebook: Notebook) -> AsyncIterator[Switchboard]:
    async with open_switchboard(notebook) as board:
        await board.caller_waits()
        await board.talks()
        yield board


def test_the_questions_are_those_of_the_form() -> None:
    assert list(QUESTIONS) == [question.value for question in Question]


async def test_a_caller_who_stays_on_the_line_is_asked_and_then_hung_up_on(
    board: Switchboard, notebook: Notebook
) -> None:
    board.do(HangUpCaller(CALL, Farewell.NONE))
    await board.until_said("survey_promptness")
    assert not board.pbx.bridges, "nobody else hears the questions"
    for number, question in enumerate(QUESTIONS):
        await board.until_said(f"survey_{question}")
        await board.press("5432"[number])

    await board.pbx.until(lambda: CALL not in board.pbx.channels)
    assert notebook.given == scores(5, 4, 3, 2)
    assert board.said()[-1] == "survey_thanks"


async def test_a_key_that_is_no_score_is_asked_for_once_more(board: Switchboard, notebook: Notebook) -> None:
    board.do(HangUpCaller(CALL, Farewell.NONE))
    await board.until_said("survey_promptness")
    await board.press("9")
    await board.until_said("survey_promptness", times=2)
    await board.press("0")
    for question in QUESTIONS[1:]:
        await board.until_said(f"survey_{question}")
        await board.press("4")

    await board.pbx.until(lambda: CALL not in board.pbx.channels)
    assert notebook.given == scores(None, 4, 4, 4)


async def test_a_caller_who_hangs_up_leaves_the_rest_unanswered(board: Switchboard, notebook: Notebook) -> None:
    board.do(HangUpCaller(CALL, Farewell.NONE))
    await board.until_said("survey_promptness")
    await board.press("5")
    await board.until_said("survey_accuracy")
    board.posted.clear()
    await board.pbx.hang_up(CALL)

    await board.until(lambda: len(notebook.given) == 4)
    assert notebook.given == scores(5, None, None, None)
    await board.until_idle()
    assert board.posted == [], "the ACD ended the call itself"


async def test_a_case_that_has_been_answered_is_not_asked_about(board: Switchboard, notebook: Notebook) -> None:
    notebook.case = None
    board.do(HangUpCaller(CALL, Farewell.NONE))

    await board.pbx.until(lambda: CALL not in board.pbx.channels)
    assert (notebook.given, "survey_intro" in board.said()) == ([], False)


async def test_who_was_not_answered_is_not_asked(board: Switchboard, notebook: Notebook) -> None:
    notebook.wanted.clear()
    board.do(HangUpCaller(CALL, Farewell.NONE))

    await board.pbx.until(lambda: CALL not in board.pbx.channels)
    assert "survey_intro" not in board.said()


async def test_a_survey_that_fails_ends_the_call_like_any_other(board: Switchboard, notebook: Notebook) -> None:
    notebook.broken = True
    board.do(HangUpCaller(CALL, Farewell.NONE))

    await board.pbx.until(lambda: CALL not in board.pbx.channels)


async def test_two_silences_in_a_row_end_it_and_all_is_kept_as_none(board: Switchboard, notebook: Notebook) -> None:
    asker = SurveyAsker(board.player, "ko", AT_ONCE)
    visitor = board.inbound.visitor(CALL)
    assert visitor is not None

    assert await asker.ask(visitor.handset, "1000018", HELLO, notebook) == 0

    assert notebook.given == scores(None, None, None, None)
    assert [name for name in board.said() if name.startswith("survey")] == [
        "survey_intro", "survey_promptness", "survey_accuracy",
    ]  # fmt: skip


async def test_a_machine_that_sends_a_fax_is_not_hung_up_on(board: Switchboard) -> None:
    visitor = board.inbound.visitor(CALL)
    assert visitor is not None
    visitor.handed_over = True
    await board.pbx.say("StasisEnd", channel=board.pbx.channels[CALL].resource())
    await board.until(lambda: not board.inbound.knows(CALL))

    board.do(HangUpCaller(CALL, Farewell.NONE))
    await board.until_idle()

    assert f"DELETE channels/{CALL}" not in board.requests()


# ---- by an outbound call --------------------------------------------------------------------------------------------


def test_the_purpose_of_a_survey_leg_comes_back_from_its_arguments() -> None:
    leg = SurveyLeg("1000018")
    assert purpose(tuple(stasis_args(leg).split(","))) == leg


@dataclass
class Invited(Notebook):
    """Who is to be called, and what came of it."""

    waiting: list[Invitation] = field(default_factory=list)
    calls: list[tuple[str, bool]] = field(default_factory=list)

    async def next(self) -> Invitation | None:
        return self.waiting.pop(0) if self.waiting else None

    async def called(self, ticket: str, *, reached: bool) -> None:
        self.calls.append((ticket, reached))


class OutboundRoom:
    """Survey calls on a fake PBX."""

    def __init__(self, pbx: FakeAri, *invitations: Invitation, by_telephone: bool = True) -> None:
        self.pbx = pbx
        self.invited = Invited(waiting=list(invitations))
        self.stream = AriStream(pbx.address, self._hear, on_connected=lambda: self.calls.line_is_up())
        self.ari = FileAri(self.stream, pbx.address)
        player = IvrPlayer(self.ari, NameVoice(), NoTickets(), lambda event: None)
        self.calls = SurveyCalls(
            self.ari, SurveyAsker(player, "ko"), self.invited if by_telephone else None, lambda: PLAN, lambda: "1000",
            every=0.01, clock=lambda: 5.0,
        )  # fmt: skip

    def _hear(self, event: AriEvent) -> None:
        self.calls.hear(event)

    async def until_said(self, name: str) -> None:
        def said() -> bool:
            plays = [asked for asked in self.pbx.asked if asked.path.endswith("/play")]
            return any(f"sound:{name}" in asked.body["media"] for asked in plays)

        await self.pbx.until(said)

    async def until_called(self, *calls: tuple[str, bool]) -> None:
        async def told() -> bool:
            return self.invited.calls == list(calls)

        await eventually(told, within=5, every=0.01)

    async def __aenter__(self) -> "OutboundRoom":
        self.stream_task = asyncio.create_task(self.stream.run())
        await self.stream.wait_connected()
        self.task = asyncio.create_task(self.calls.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (self.task, self.stream_task):
            task.cancel()
        await asyncio.gather(self.task, self.stream_task, return_exceptions=True)


async def test_a_requester_is_called_and_asked() -> None:
    async with FakeAri() as pbx, OutboundRoom(pbx, Invitation("1000018", "01012345678")) as room:
        leg = f"{LEG}5-1"
        await pbx.until(lambda: leg in pbx.channels)
        originated = await pbx.until_asked("POST", "channels")
        assert originated.query["endpoint"] == "PJSIP/01012345678@trunk-carrier"
        assert originated.query["appArgs"] == "survey,1000018"
        await pbx.start(leg)
        await room.until_said("survey_hello")
        for number, question in enumerate(QUESTIONS):
            await room.until_said(f"survey_{question}")
            await pbx.press(leg, "5", at=f"2026-03-01T09:0{number}:00.000+0900")

        await room.until_called(("1000018", True))
        assert room.invited.given == scores(5, 5, 5, 5)
        await pbx.until(lambda: leg not in pbx.channels)


async def test_whoever_does_not_pick_up_may_be_called_again_and_the_next_is_called() -> None:
    invitations = (Invitation("1000018", "01012345678"), Invitation("1000026", "01099999999"))
    async with FakeAri() as pbx, OutboundRoom(pbx, *invitations) as room:
        await pbx.until(lambda: f"{LEG}5-1" in pbx.channels)
        await pbx.hang_up(f"{LEG}5-1", 19, stasis_end=False)
        await pbx.until(lambda: f"{LEG}5-2" in pbx.channels)
        await pbx.start(f"{LEG}5-2")
        await room.until_said("survey_hello")
        await pbx.hang_up(f"{LEG}5-2")

        await room.until_called(("1000018", False), ("1000026", True))
        assert [given[2] for given in room.invited.given] == [None] * 4


async def test_a_number_that_may_not_be_dialled_is_not_dialled() -> None:
    async with FakeAri() as pbx, OutboundRoom(pbx, Invitation("1000018", "06012345678")) as room:
        await room.until_called(("1000018", False))

        assert not [asked for asked in pbx.asked if asked.path == "channels" and asked.method == "POST"]


async def test_a_leg_from_before_a_restart_is_ended() -> None:
    async with FakeAri() as pbx:
        pbx.channels[f"{LEG}4-9"] = FakeChannel(f"{LEG}4-9", "survey,1000018")
        async with OutboundRoom(pbx):
            await pbx.until(lambda: not pbx.channels)


@pytest.mark.parametrize(("by_telephone", "looks"), [(True, 1), (False, 0)])
async def test_only_a_desk_that_calls_for_the_survey_looks_for_legs_from_before(
    by_telephone: bool, looks: int
) -> None:
    async with FakeAri() as pbx, OutboundRoom(pbx, by_telephone=by_telephone) as room:
        await room.ari.request("GET", path("channels"))  # what was asked before this has been answered before it

        assert len([asked for asked in pbx.asked if (asked.method, asked.path) == ("GET", "channels")]) == looks + 1

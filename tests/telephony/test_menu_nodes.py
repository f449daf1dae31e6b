"""Nodes of a menu that need the world, performed on a fake PBX: voice, records, call-backs, other numbers, services."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from changgu.acd.events import CallArrived, CallbackAsked, CallerHungUp, MenuEnded, MenuStepReached
from changgu.acd.facts import Outcome
from changgu.acd.identity import CallId, QueueName
from changgu.ivr_flows.heard import Question
from changgu.ivr_flows.loader import load
from changgu.ivr_flows.service import beside
from changgu.telephony import diversions
from changgu.telephony.callbacks import callback_id
from changgu.telephony.ivr_player import Helpers
from changgu.telephony.ivr_web import WebAnswerTrouble, WebLookUps, fields_of
from changgu.telephony.speech.listening import Heard, Limits, NoInput, NoMatch
from changgu.telephony.speech.recogniser import Answer, Busy
from tests.support.switchboard import CALL, Switchboard, open_switchboard

HELP = QueueName("helpdesk")
AT_SIX = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def board_with(
    nodes: str, helpers: Helpers | None = None, *, longest: timedelta | None = None
) -> AbstractAsyncContextManager[Switchboard]:
    """A desk whose menu begins at `first`; `operator` and `bye` are there. `longest` is a visit's time."""
    text = (
        "flow: f\nstart: first\nperson: operator\nnodes:\n"
        "  operator: {kind: to_queue, say: person, queue: helpdesk}\n" + nodes
    )
    text += "  bye: {kind: hang_up, say: bye}\n" if "bye" in nodes else ""
    menu = load(text, "f.yaml", None, {}, None, beside())
    if longest is not None:
        menu = replace(menu, limits=replace(menu.limits, visit=longest))
    return open_switchboard(menu=menu, helpers=helpers)


# ---- voice ----------------------------------------------------------------------------------------------------------

TOPIC = """\
  first:
    kind: collect_speech
    say: ask
    keys_say: by_key
    name: topic
    grammar: {choices: [{value: pc, words: [프린터], key: 1}, {value: net, words: [인터넷], key: 2}]}
    next: by_topic
  by_topic: {kind: condition, when: [{value: topic, is: net, go: net}], otherwise: bye}
  net: {kind: to_queue, queue: network}
"""


@dataclass
class Ears:
    """A recogniser that answers what the test says, when it says so."""

    answers: list[Answer] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    began: Callable[[], None] | None = None
    said: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: int = 0

    async def listen(
        self, channel: str, question: Question, limits: Limits | None = None, *,
        asked: asyncio.Event | None = None, began: Callable[[], None] | None = None,
    ) -> Answer:  # fmt: skip
        self.questions.append(question)
        self.began = began
        if self.answers and isinstance(self.answers[0], Busy):
            return self.answers.pop(0)
        try:
            await self.said.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.answers.pop(0)


async def test_a_caller_says_what_they_want() -> None:
    ears = Ears([Heard(("인터넷",), 0.9, "net")])
    ears.said.set()
    async with board_with(TOPIC, Helpers(recognisers=ears)) as board:
        await board.pbx.call_in(CALL)
        await board.until_posted(CallArrived(CALL, QueueName("network")))

        assert [question.language for question in ears.questions] == ["ko"]


async def test_a_caller_who_speaks_early_cuts_the_question_short() -> None:
    ears = Ears([Heard(("인터넷",), 0.9, "net")])
    async with board_with(TOPIC, Helpers(recognisers=ears)) as board:
        board.pbx.prompts_end_at_once = False
        await board.pbx.call_in(CALL)
        await board.until_said("ask")
        await board.until(lambda: ears.began is not None)
        assert ears.began is not None
        ears.began()
        await board.pbx.until_asked("DELETE", "c1-sound-1")
        ears.said.set()

        await board.until_posted(CallArrived(CALL, QueueName("network")))


async def test_a_key_answers_a_question_that_is_listened_to() -> None:
    ears = Ears()
    async with board_with(TOPIC, Helpers(recognisers=ears)) as board:
        await board.pbx.call_in(CALL)
        await board.until_said("ask")
        await board.press("2")
        await board.until_posted(CallArrived(CALL, QueueName("network")))

        assert ears.cancelled == 1


@pytest.mark.parametrize("ears", [None, Ears([Busy("all are busy")])], ids=["no recogniser", "all busy"])
async def test_when_nobody_can_listen_the_question_is_asked_by_keys(ears: Ears | None) -> None:
    async with board_with(TOPIC, Helpers(recognisers=ears)) as board:
        await board.pbx.call_in(CALL)
        await board.until_said("by_key")
        await board.press("2")
        await board.until_posted(CallArrived(CALL, QueueName("network")))

        assert "ask" not in board.said(), "nobody is told to speak who is not heard"


async def test_two_misses_by_voice_and_the_question_is_asked_by_keys() -> None:
    ears = Ears([NoInput(), NoMatch(("자동차",), 0.4)])
    ears.said.set()
    async with board_with(TOPIC, Helpers(recognisers=ears)) as board:
        await board.pbx.call_in(CALL)
        await board.until_said("by_key")

        assert board.said() == ["ask", "nothing_pressed", "ask", "by_key"]


class BrokenEars(Ears):
    """Raises."""

    async def listen(
        self, channel: str, question: Question, limits: Limits | None = None, *,
        asked: asyncio.Event | None = None, began: Callable[[], None] | None = None,
    ) -> Answer:  # fmt: skip
        raise RuntimeError("no sound")


async def test_a_recogniser_that_breaks_costs_nobody_their_call() -> None:
    async with board_with(TOPIC, Helpers(recognisers=BrokenEars())) as board:
        await board.pbx.call_in(CALL)
        await board.until_said("by_key")
        await board.press("2")
        await board.until_posted(CallArrived(CALL, QueueName("network")))


# ---- the clock ------------------------------------------------------------------------------------------------------

HOURS = "  first: {kind: opening_hours, calendar: desk, open: operator, closed: bye, lunch: bye, holiday: bye}\n"


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        (datetime(2026, 11, 20, 8, 59, 59, tzinfo=UTC), True),
        (AT_SIX, False),
        (datetime(2026, 11, 20, 3, 30, tzinfo=UTC), False),
        (datetime(2026, 10, 5, 1, 0, tzinfo=UTC), False),
    ],
    ids=["17:59:59", "18:00:00", "lunch", "substitute holiday"],
)
async def test_the_clock_leads_callers(at: datetime, is_open: bool) -> None:
    async with board_with(HOURS, Helpers(now=lambda: at)) as board:
        await board.pbx.call_in(CALL)
        await board.until_posted(CallArrived(CALL, HELP) if is_open else MenuEnded(CALL, served=True))


# ---- on the caller's line -------------------------------------------------------------------------------------------

RECORD = "  first: {kind: record, say: voicemail_prompt, queue: pc, longest: 60, next: bye, failed: operator}\n"


async def test_a_message_left_in_the_menu_is_kept_and_the_menu_goes_on() -> None:
    async with board_with(RECORD) as board:
        await board.pbx.call_in(CALL)
        record = await board.pbx.until_asked("POST", "c1/record")
        assert (record.query["name"], record.query["maxDurationSeconds"]) == ("voicemail.pc.c1", "60")
        await board.pbx.end_recording("voicemail.pc.c1")
        await board.until_posted(MenuEnded(CALL, served=True, outcome=Outcome.VOICEMAIL))

        assert board.said() == ["voicemail_prompt", "bye"]
        assert board.letterbox is not None
        assert [message.queue for message in board.letterbox.kept] == ["pc"]


async def test_a_caller_who_hangs_up_while_recording_has_left_a_message() -> None:
    async with board_with(RECORD) as board:
        await board.pbx.call_in(CALL)
        await board.pbx.until_asked("POST", "c1/record")
        await board.pbx.hang_up(CALL)
        await board.until_posted(MenuEnded(CALL, served=True, outcome=Outcome.VOICEMAIL))

        assert board.letterbox is not None
        assert len(board.letterbox.kept) == 1
        assert CallerHungUp(CALL) not in board.posted


MESSAGE_THEN_PERSON = (
    "  first: {kind: record, say: voicemail_prompt, queue: pc, longest: 60, next: operator, failed: operator}\n"
)


async def test_whoever_leaves_a_message_and_then_gives_up_in_the_queue_has_given_up() -> None:
    async with board_with(MESSAGE_THEN_PERSON) as board:
        await board.pbx.call_in(CALL)
        await board.pbx.until_asked("POST", "c1/record")
        await board.pbx.end_recording("voicemail.pc.c1")
        await board.until_posted(CallArrived(CALL, HELP))
        await board.pbx.hang_up(CALL)
        await board.until_posted(CallerHungUp(CALL))

        assert not [event for event in board.posted if isinstance(event, MenuEnded)], "the queue still waits for them"


async def test_a_long_message_has_all_the_time_that_the_menu_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversions, "FILE_PATIENCE", 0.1 - diversions.LONGEST_MESSAGE)
    async with board_with(RECORD.replace("60", "600")) as board:
        await board.pbx.call_in(CALL)
        await board.pbx.until_asked("POST", "c1/record")
        await asyncio.sleep(0.3)
        await board.pbx.end_recording("voicemail.pc.c1")
        await board.until_posted(MenuEnded(CALL, served=True, outcome=Outcome.VOICEMAIL))

        assert board.said() == ["voicemail_prompt", "bye"]


@pytest.mark.parametrize("heard_of", [True, False], ids=["it goes on", "its end was missed"])
async def test_a_message_that_does_not_end_in_time_is_ended_and_kept(
    heard_of: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diversions, "FILE_PATIENCE", 0.1 - 60)
    async with board_with(RECORD) as board:
        await board.pbx.call_in(CALL)
        await board.pbx.until_asked("POST", "c1/record")
        if not heard_of:
            del board.pbx.recordings["voicemail.pc.c1"]
        await board.pbx.until_asked("POST", "recordings/live/voicemail.pc.c1/stop")
        await board.until_posted(MenuEnded(CALL, served=True, outcome=Outcome.VOICEMAIL))

        assert board.said() == ["voicemail_prompt", "bye"]
        assert board.letterbox is not None
        assert len(board.letterbox.kept) == 1


async def test_a_message_that_nobody_can_end_costs_nobody_their_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversions, "FILE_PATIENCE", 0.1 - 60)
    monkeypatch.setattr(diversions, "STOPPED_WITHIN", 0.1)
    async with board_with(RECORD) as board:
        monkeypatch.setattr(board.pbx, "end_recording", lambda name: asyncio.sleep(0))
        await board.pbx.call_in(CALL)
        await board.until_posted(CallArrived(CALL, HELP))


async def test_a_message_whose_end_is_told_late_is_kept_and_ends_nobodys_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversions, "FILE_PATIENCE", 0.1 - 60)
    monkeypatch.setattr(diversions, "STOPPED_WITHIN", 0.1)
    async with board_with(RECORD) as board:
        ends = board.pbx.end_recording
        monkeypatch.setattr(board.pbx, "end_recording", lambda name: asyncio.sleep(0))
        await board.pbx.call_in(CALL)
        await board.until_posted(CallArrived(CALL, HELP))
        await ends("voicemail.pc.c1")
        letterbox = board.letterbox
        assert letterbox is not None
        await board.until(lambda: bool(letterbox.kept))
        await board.all_heard()
        await board.pbx.hang_up(CALL)
        await board.until_posted(CallerHungUp(CALL))

        assert not [event for event in board.posted if isinstance(event, MenuEnded)]


async def test_a_caller_who_says_nothing_goes_where_the_flow_says() -> None:
    async with board_with(RECORD) as board:
        await board.pbx.call_in(CALL)
        await board.pbx.until_asked("POST", "c1/record")
        await board.pbx.end_recording("voicemail.pc.c1", talking=0)
        await board.until_posted(CallArrived(CALL, HELP))


CALL_BACK = "  first: {kind: callback_request, queue: pc, priority: 2, skills: [vpn], failed: operator}\n"


async def test_a_call_back_is_promised_in_the_menu() -> None:
    async with board_with(CALL_BACK) as board:
        await board.pbx.call_in(CALL)
        number = "01012345678"
        asked = CallbackAsked(callback_id(CALL, number), number, QueueName("pc"), CALL, 2, frozenset({"vpn"}))
        await board.until_posted(asked, MenuEnded(CALL, served=True, outcome=Outcome.CALLBACK))

        assert board.said() == ["menu_callback_promised"]


async def test_who_asks_for_a_call_back_in_english_is_promised_one_in_english() -> None:
    choice = "  first: {kind: choose_language, say: choose_language, languages: {1: ko, 2: en}, next: promised}\n"
    async with board_with(choice + CALL_BACK.replace("first", "promised")) as board:
        await board.pbx.call_in(CALL)
        await board.until_posted(MenuStepReached(CALL, "first"))
        await board.press("2")
        await board.until(lambda: any(isinstance(event, CallbackAsked) for event in board.posted))

        assert [event.language for event in board.posted if isinstance(event, CallbackAsked)] == ["en"]


ABOUT_A_TICKET = """\
  first:
    {kind: look_up, source: call_me_back, key: "1000018 {caller} {language}", name: promise, found: bye, not_found: bye}
"""


@pytest.mark.parametrize(("number", "asker"), [("01012345678", "01012345678"), ("", CALL)], ids=["shown", "withheld"])
async def test_a_look_up_is_told_in_which_call_it_is_asked(number: str, asker: str) -> None:
    async with board_with(ABOUT_A_TICKET) as board:
        await board.pbx.call_in(CALL, number=number)
        await board.until_said("bye")

        assert board.look_ups.asked == [("call_me_back", f"1000018 {number} ko", asker, CALL)]


async def test_no_call_back_to_a_number_that_may_not_be_dialled() -> None:
    async with board_with(CALL_BACK) as board:
        await board.pbx.call_in(CALL, number="0601234567")
        await board.until_posted(CallArrived(CALL, HELP))

        assert not [event for event in board.posted if isinstance(event, CallbackAsked)]


NUMBER = "  first: {kind: to_number, number: \"0215881234\", failed: operator}\n"


async def test_a_caller_is_put_through_from_the_menu() -> None:
    async with board_with(NUMBER) as board:
        await board.pbx.call_in(CALL)
        await board.pbx.until(lambda: "outside-c1" in board.pbx.channels)
        await board.pbx.start("outside-c1")
        await board.pbx.until_asked("POST", "bridges/outside-c1/addChannel")
        await board.pbx.hang_up("outside-c1")
        await board.until_posted(MenuEnded(CALL, served=True, outcome=Outcome.REDIRECTED))


async def test_a_talk_outside_that_outlasts_the_visit_ends_like_any_other() -> None:
    async with board_with(NUMBER, longest=timedelta(0)) as board:
        await board.pbx.call_in(CALL)
        await board.pbx.until(lambda: "outside-c1" in board.pbx.channels)
        await board.pbx.start("outside-c1")
        await board.pbx.until_asked("POST", "bridges/outside-c1/addChannel")
        await board.pbx.hang_up("outside-c1")
        await board.until_posted(MenuEnded(CALL, served=True, outcome=Outcome.REDIRECTED))

        assert CallArrived(CALL, HELP) not in board.posted


async def test_a_message_that_outlasts_the_visit_is_left_and_a_question_then_is_a_person() -> None:
    async with board_with(RECORD, longest=timedelta(0)) as board:
        await board.pbx.call_in(CALL)
        await board.pbx.until_asked("POST", "c1/record")
        await board.pbx.end_recording("voicemail.pc.c1")
        await board.until_posted(MenuEnded(CALL, served=True, outcome=Outcome.VOICEMAIL))
    async with board_with(NUMBER, longest=timedelta(0)) as board:
        await board.pbx.call_in(CALL)
        await board.pbx.until(lambda: "outside-c1" in board.pbx.channels)
        await board.pbx.hang_up("outside-c1", cause=17)
        await board.until_posted(CallArrived(CALL, HELP))


async def test_a_caller_who_cannot_be_put_through_goes_where_the_flow_says() -> None:
    async with board_with(NUMBER) as board:
        await board.pbx.call_in(CALL)
        await board.pbx.until(lambda: "outside-c1" in board.pbx.channels)
        await board.pbx.hang_up("outside-c1", cause=17)
        await board.until_posted(CallArrived(CALL, HELP))


async def test_where_nobody_takes_faxes_whoever_wanted_to_send_one_reaches_a_person() -> None:
    async with board_with("  first: {kind: receive_fax}\n") as board:
        await board.pbx.call_in(CALL)
        await board.until_posted(CallArrived(CALL, HELP))

        assert board.said() == ["person"]


# ---- other systems --------------------------------------------------------------------------------------------------

WEB = """\
  first: {kind: collect_digits, say: ask, name: item, min: 3, max: 3, next: look}
  look:
    kind: http_look_up
    url: "https://stock.example/items/{item}"
    query: {by: "{caller}"}
    name: item
    timeout: 0.5
    found: told
    not_found: bye
  told: {kind: say, say: {value: item.where_floor, as: digits}, next: bye}
"""


def web(answer: Callable[[httpx.Request], httpx.Response]) -> WebLookUps:
    return WebLookUps(httpx.MockTransport(answer))


async def test_a_web_service_answers_and_its_field_is_said() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"where": {"floor": 7}})

    async with board_with(WEB, Helpers(web=web(answer))) as board:
        await board.pbx.call_in(CALL)
        await board.until_said("ask")
        await board.press("412")
        await board.until_posted(MenuEnded(CALL, served=True))

        assert asked == ["https://stock.example/items/412?by=01012345678"]
        assert board.said() == ["ask", "7", "bye"]


async def test_a_web_service_that_does_not_know_and_one_that_fails() -> None:
    async with board_with(WEB, Helpers(web=web(lambda request: httpx.Response(404)))) as board:
        await board.pbx.call_in(CALL)
        await board.until_said("ask")
        await board.press("412")
        await board.until_posted(MenuStepReached(CALL, "bye"))
    async with board_with(WEB, Helpers(web=web(lambda request: httpx.Response(500)))) as board:
        await board.pbx.call_in(CALL)
        await board.until_said("ask")
        await board.press("412")
        await board.until_posted(CallArrived(CALL, HELP))

        assert board.said() == ["ask", "look_up_failed", "person"]


class SlowWeb:
    """Never answers."""

    async def get(self, url: str, query: Sequence[tuple[str, str]], limit: float) -> Mapping[str, str] | None:
        await asyncio.Event().wait()
        return None


async def test_an_address_keeps_the_query_of_its_own() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(204)

    await web(answer).get("https://stock.example/a%2Fb?key=1", (("by", "010 1&2"),), 1.0)
    await web(answer).get("https://stock.example/a%2Fb?key=1", (), 1.0)
    assert asked == ["https://stock.example/a%2Fb?key=1&by=010+1%262", "https://stock.example/a%2Fb?key=1"]


async def test_a_web_service_that_is_late_does_not_keep_a_caller() -> None:
    async with board_with(WEB, Helpers(web=SlowWeb())) as board:
        await board.pbx.call_in(CALL)
        await board.until_said("ask")
        await board.press("412")
        await board.until_posted(CallArrived(CALL, HELP))


async def test_what_a_web_service_may_answer() -> None:
    long, empty, odd = httpx.Response(200, content=b" " * 70_000), httpx.Response(200), httpx.Response(200, text="<p>")
    assert await web(lambda request: empty).get("https://a.example", (), 1) is None
    elsewhere = httpx.Response(302, headers={"location": "https://b.example"})
    answers = iter((long, odd, elsewhere))
    asked = web(lambda request: next(answers))
    for _ in range(3):
        with pytest.raises(WebAnswerTrouble):
            await asked.get("https://a.example", (), 1)
    assert fields_of([{"a": 1}, {"a": 2}]) == {"count": "2", "a": "1"}
    assert fields_of({"a": {"b": None, "c": [1, 2], "d": True}}) == {"a_b": "", "a_c_count": "2", "a_d": "true"}
    assert (fields_of([]), fields_of({}), fields_of(7)) == (None, None, {"value": "7"})


SEND = "  first: {kind: send_message, message: sms, to: \"{caller}\", text: \"접수 {dialled}\", next: bye}\n"


@dataclass
class Post:
    """Sends, or does not."""

    trouble: Exception | None = None
    sent: list[tuple[str, str, str, str]] = field(default_factory=list)

    async def send(self, kind: str, to: str, text: str, subject: str, call: str) -> None:
        assert call == CALL
        if self.trouble is not None:
            raise self.trouble
        self.sent.append((kind, to, text, subject))


async def test_a_message_is_sent() -> None:
    post = Post()
    async with board_with(SEND, Helpers(messengers=post)) as board:
        await board.pbx.call_in(CALL)
        await board.until_posted(MenuEnded(CALL, served=True))

        assert post.sent == [("sms", "01012345678", "접수 1000", "")]


@pytest.mark.parametrize("post", [None, Post(OSError("no gateway"))], ids=["nobody sends", "it fails"])
async def test_a_message_that_is_not_sent_is_said(post: Post | None) -> None:
    async with board_with(SEND, Helpers(messengers=post)) as board:
        await board.pbx.call_in(CALL)
        await board.until_posted(MenuEnded(CALL, served=True))

        assert board.said() == ["message_failed", "bye"]


SURVEY = "  first: {kind: survey_question, question: overall, say: ask, next: bye}\n"


@dataclass
class Forms:
    """Keeps answers, or does not."""

    trouble: Exception | None = None
    kept: list[tuple[CallId, str, str, int | None]] = field(default_factory=list)

    async def answer(self, call: CallId, case: str, question: str, score: int | None) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.kept.append((call, case, question, score))


async def test_a_score_is_kept() -> None:
    forms = Forms()
    async with board_with(SURVEY, Helpers(surveys=forms)) as board:
        await board.pbx.call_in(CALL)
        await board.until_said("ask")
        await board.press("4")
        await board.until_posted(MenuEnded(CALL, served=True))

        assert forms.kept == [(CALL, "", "overall", 4)]


async def test_a_score_that_cannot_be_kept_costs_nobody_their_call() -> None:
    async with board_with(SURVEY, Helpers(surveys=Forms(OSError("full")))) as board:
        await board.pbx.call_in(CALL)
        await board.until_said("ask")
        await board.press("4")
        await board.until_posted(MenuEnded(CALL, served=True))


LANGUAGES = """\
  first: {kind: choose_language, say: choose, languages: {1: ko, 2: en}, next: bye}
"""


async def test_from_its_choice_on_a_call_is_in_the_chosen_language() -> None:
    async with board_with(LANGUAGES) as board:
        await board.pbx.call_in(CALL)
        await board.until_said("choose", times=2)
        await board.press("2")
        await board.until_posted(MenuEnded(CALL, served=True))

        assert [spoken for spoken, _ in board.voice.spoken] == ["ko", "en", "en"]

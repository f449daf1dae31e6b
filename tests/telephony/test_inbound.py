"""Callers from the first ring through the menu, on a fake PBX."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from changgu.acd.commands import Divert, Farewell
from changgu.acd.events import CallArrived, CallerDialledIn, CallerHungUp, Event, MenuEnded, MenuStepReached
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queues import Destination, Way
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import ChooseLanguage, DigitsPrompt, HandOver, NamedPrompt, NodeName, Prompt, TextPrompt
from changgu.ivr_flows.service import load_file, shipped_menu
from changgu.ivr_flows.session import HangUp, NothingPressed, Turn, Visit, WaitDigits, start
from changgu.telephony.admission import Admission
from changgu.telephony.ari.client import Ari
from changgu.telephony.ari.messages import AriEvent, Channel
from changgu.telephony.ari.stream import AriStream
from changgu.telephony.farewells import fixed_sentences
from changgu.telephony.handset import Handset, Standing
from changgu.telephony.inbound import SHORT_GREETING, Desk, Inbound
from changgu.telephony.ivr_player import IvrPlayer
from changgu.telephony.numbers import NumberPlan
from tests.support.fake_ari import FakeAri, FakeChannel
from tests.support.waiting import eventually

CALL = CallId("c1")
MENU = load_file(shipped_menu())
NUMBERS = NumberPlan("1000", {"1002": QueueName("network")})


class NameVoice:
    """Every prompt is a sound of its own name."""

    async def playlist(self, prompts: Sequence[Prompt], language: str) -> list[str]:
        return [f"sound:{self._name(prompt)}" for prompt in prompts]

    @staticmethod
    def _name(prompt: Prompt) -> str:
        match prompt:
            case NamedPrompt(name):
                return name
            case DigitsPrompt(digits):
                return digits
            case TextPrompt(text):
                return text


@dataclass
class FakeTickets:
    """One ticket, or trouble."""

    trouble: Exception | None = None

    async def look_up(self, kind: str, argument: str, asker: str, call: CallId) -> Mapping[str, str] | None:
        if self.trouble is not None:
            raise self.trouble
        return {"number": argument, "state": "resolved"} if argument == "1234567" else None


class Guestbook:
    """Knows one caller; or keeps everybody waiting, also whoever does not want to know any more, or fails."""

    def __init__(self, trouble: Exception | None = None, *, slow: bool = False) -> None:
        self.trouble = trouble
        self.answers = asyncio.Event()
        if not slow:
            self.answers.set()
        self.asked: list[str] = []
        self.by_heart: Standing | None = None
        """What it knows of anybody without looking."""

    def at_once(self, number: str) -> Standing | None:
        if self.by_heart is not None and self.trouble is not None:
            raise self.trouble
        return self.by_heart

    async def of_caller(self, number: str) -> Standing:
        self.asked.append(number)
        try:
            await self.answers.wait()
        finally:  # a database that is asked no more ends what it has begun, and its session waits for that
            await self.answers.wait()
        if self.trouble is not None:
            raise self.trouble
        return Standing(2, frozenset({"vip"}), AgentId("alice"))


@dataclass
class Lobby:
    """Inbound on a fake PBX."""

    pbx: FakeAri
    posted: list[Event] = field(default_factory=list)
    tickets: FakeTickets = field(default_factory=FakeTickets)
    broken_menu: bool = False
    menu: Flow = MENU
    keys: int = 0
    book: Guestbook | None = None
    admission: Admission | None = None
    conversations: int = 0
    greeting: Sequence[Prompt] = SHORT_GREETING

    def __post_init__(self) -> None:
        self.stream = AriStream(self.pbx.address, self._hear)
        self.ari = Ari(self.stream, self.pbx.address)
        player = IvrPlayer(self.ari, NameVoice(), self.tickets, self.posted.append)
        desk = Desk(
            lambda: NUMBERS, self._menu, short_greeting=self.greeting, standings=self, admission=self.admission
        )
        self.inbound = Inbound(
            self.ari, player, self.posted.append, desk, conversations=lambda: self.conversations
        )  # fmt: skip

    def at_once(self, number: str) -> Standing | None:
        return self.book.at_once(number) if self.book is not None else Standing()

    async def of_caller(self, number: str) -> Standing:
        return await self.book.of_caller(number) if self.book is not None else Standing()

    def _menu(self, dialled: str) -> Flow:
        if self.broken_menu:
            raise KeyError("no such menu")
        return self.menu

    def _hear(self, event: AriEvent) -> None:
        self.inbound.hear(event)

    async def press(self, keys: str, call: str = CALL) -> None:
        for key in keys:
            self.keys += 1
            await self.pbx.press(call, key, at=f"2026-03-01T09:{self.keys:02}:00.000+0900")

    async def until_posted(self, event: Event, times: int = 1) -> None:
        async def so() -> bool:
            return self.posted.count(event) >= times

        try:
            await eventually(so, within=5, every=0.01)
        except AssertionError:
            raise AssertionError(f"no {event}; posted {self.posted}") from None

    def said(self) -> list[str]:
        """Every prompt that was started, in order."""
        return [
            media.removeprefix("sound:")
            for asked in self.pbx.asked
            if asked.path.endswith("/play")
            for media in asked.body["media"]
        ]


@asynccontextmanager
async def opened(greeting: Sequence[Prompt]) -> AsyncIterator[Lobby]:
    async with FakeAri() as pbx:
        lobby = Lobby(pbx, greeting=greeting)
        running = [asyncio.create_task(lobby.stream.run()), asyncio.create_task(lobby.inbound.run())]
        await lobby.stream.wait_connected()
        yield lobby
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    async with opened(SHORT_GREETING) as lobby:
        yield lobby


@pytest.fixture
async def silent_lobby() -> AsyncIterator[Lobby]:
    """A queue's own number says nothing."""
    async with opened(()) as lobby:
        yield lobby


async def test_a_caller_is_answered_greeted_and_led_to_a_queue(lobby: Lobby) -> None:
    await lobby.pbx.call_in(CALL)
    await lobby.until_posted(MenuStepReached(CALL, "services"))
    await lobby.press("2")
    await lobby.until_posted(CallArrived(CALL, QueueName("network")))

    assert lobby.posted[0] == CallerDialledIn(CALL, "01012345678", "1000")
    assert lobby.pbx.asked[1].path == "channels/c1/answer"
    assert lobby.said()[:3] == ["greeting", "machine_voice", "recording_notice"]
    assert MenuStepReached(CALL, "network", "2") in lobby.posted


async def test_a_menu_may_ask_for_skills_at_a_level_and_for_one_agent(lobby: Lobby) -> None:
    person = HandOver("network", priority=2, skills=frozenset({"vpn:3"}), agent="alice")
    lobby.menu = replace(MENU, start=MENU.person, nodes={MENU.person: person})
    await lobby.pbx.call_in(CALL)
    await lobby.until_posted(CallArrived(CALL, QueueName("network"), 2, frozenset({"vpn:3"}), AgentId("alice")))


async def test_a_language_is_told_again_whenever_its_caller_comes_to_a_queue(lobby: Lobby) -> None:
    """Led away at the door of a queue, they were never in it: the next one has to know, too, also after a restart."""
    choice = ChooseLanguage((NamedPrompt("greeting"),), {"1": "ko", "2": "en"}, MENU.person)
    first, nodes = NodeName("choice"), {MENU.person: HandOver("network")}
    lobby.menu = replace(MENU, start=first, nodes={first: choice, **nodes})
    await lobby.pbx.call_in(CALL)
    await lobby.press("2")
    english = CallArrived(CALL, QueueName("network"), language="en")
    await lobby.until_posted(english)

    lobby.inbound.divert(Divert(CALL, QueueName("network"), Destination(Way.MENU, MENU.person)))
    await lobby.until_posted(english, times=2)


async def test_a_queues_own_number_has_a_greeting_and_no_menu(lobby: Lobby) -> None:
    await lobby.pbx.call_in(CALL, "1002")
    await lobby.until_posted(CallArrived(CALL, QueueName("network")))

    assert lobby.said() == ["greeting", "machine_voice", "recording_notice"]
    assert not [event for event in lobby.posted if isinstance(event, MenuStepReached)]


async def test_who_is_to_hear_nothing_yet_costs_no_request_before_an_idle_agents_phone_rings(
    silent_lobby: Lobby,
) -> None:
    await silent_lobby.pbx.call_in(CALL, "1002")
    await silent_lobby.until_posted(CallArrived(CALL, QueueName("network")))
    assert not silent_lobby.pbx.asked[1:]
    assert silent_lobby.inbound.answering.is_put_off(CALL)
    await silent_lobby.pbx.hang_up(CALL)
    await silent_lobby.until_posted(CallerHungUp(CALL))
    assert not silent_lobby.inbound.answering.is_put_off(CALL)


async def test_a_menu_that_says_nothing_answers_nobody(silent_lobby: Lobby) -> None:
    silent_lobby.menu = replace(MENU, start=MENU.person, nodes={MENU.person: HandOver("network")})
    await silent_lobby.pbx.call_in(CALL)
    await silent_lobby.until_posted(CallArrived(CALL, QueueName("network")))
    assert not silent_lobby.pbx.asked[1:]


async def test_nobody_is_told_anything_before_they_are_answered(silent_lobby: Lobby) -> None:
    await silent_lobby.pbx.call_in(CALL, "1002")
    await silent_lobby.until_posted(CallArrived(CALL, QueueName("network")))
    await silent_lobby.inbound.say_farewell(CALL, Farewell.QUEUE_FULL)

    asked = [asked.path for asked in silent_lobby.pbx.asked]
    assert asked.index("channels/c1/answer") < asked.index("channels/c1/play")


async def test_whoever_speaks_or_listens_to_a_caller_answers_them_without_being_told_to(silent_lobby: Lobby) -> None:
    """The player does, so that no way through the desk can forget it."""
    pbx, tickets = silent_lobby.pbx, silent_lobby.tickets
    player = IvrPlayer(silent_lobby.ari, NameVoice(), tickets, silent_lobby.posted.append)

    def answered(call: str) -> int:
        return [asked.path for asked in pbx.asked].count(f"channels/{call}/answer")

    handsets = [Handset(CallId(f"c{number}")) for number in range(1, 5)]
    told, asked, awaited, left_alone = handsets
    for handset in handsets:
        player.answering.put_off(handset.call)
        pbx.channels[handset.call] = FakeChannel(handset.call, "inbound,1000", state="Ring")
    said = asyncio.create_task(player.say(told, SHORT_GREETING, "ko", interruptible=False))
    await pbx.until_asked("POST", "c1/play")
    assert answered("c1") == 1
    told.hung_up()
    await said

    at_once = WaitDigits(1, 0.01, 0.01)
    assert await player.ask(asked, (), "ko", at_once) == NothingPressed()
    assert answered("c2") == 1

    state = start(MENU, Visit("01012345678", "1000", "ko", "2026-03-01")).state
    assert await player.perform(awaited, Turn((), at_once, None, state), "ko") == NothingPressed()
    assert answered("c3") == 1

    assert await player.perform(left_alone, Turn((), None, HangUp(served=False), state), "ko") is None
    await player.say(left_alone, (), "ko", interruptible=False)
    assert answered("c4") == 0
    await player.perform(awaited, Turn((), at_once, None, state), "ko")
    assert answered("c3") == 1, "once"


async def test_who_is_led_out_of_the_queue_at_once_is_answered_first(silent_lobby: Lobby) -> None:
    await silent_lobby.pbx.call_in(CALL, "1002")
    await silent_lobby.until_posted(CallArrived(CALL, QueueName("network")))
    silent_lobby.inbound.divert(Divert(CALL, QueueName("network"), Destination(Way.MENU, "services")))
    await silent_lobby.until_posted(MenuStepReached(CALL, "services"))
    await silent_lobby.pbx.until_asked("POST", "c1/play")

    asked = [asked.path for asked in silent_lobby.pbx.asked]
    assert asked.index("channels/c1/answer") < asked.index("channels/c1/play")


async def test_changgu_dies_before_a_waiting_caller_is_answered_and_makes_up_for_it(silent_lobby: Lobby) -> None:
    silent_lobby.inbound.adopt(Channel(CALL, "PJSIP/trunk-1", "Ring"), "1002")
    silent_lobby.inbound.adopt(Channel(CallId("c2"), "PJSIP/trunk-2", "Up"), "1002")
    answering = silent_lobby.inbound.answering
    assert answering.is_put_off(CALL), "with their music, or with an agent"
    assert not answering.is_put_off(CallId("c2"))


async def test_a_key_stops_the_menu_at_once_and_is_not_swallowed(lobby: Lobby) -> None:
    lobby.pbx.prompts_end_at_once = False
    await lobby.pbx.call_in(CALL)
    await lobby.pbx.until_asked("POST", "/play")
    await lobby.press("1")
    await lobby.pbx.finish("c1-sound-1")  # the mandatory greeting is heard to its end, and the key waits

    await lobby.pbx.until_asked("POST", "/play", times=2)
    assert "services" not in lobby.said(), "a key pressed ahead answers the menu before it is said"
    await lobby.pbx.finish("c1-sound-2")
    await lobby.until_posted(CallArrived(CALL, QueueName("pc")))


async def test_a_prompt_is_deleted_when_a_key_cuts_it_short(lobby: Lobby) -> None:
    lobby.pbx.prompts_end_at_once = False
    await lobby.pbx.call_in(CALL)
    await lobby.pbx.until_asked("POST", "/play")
    await lobby.pbx.finish("c1-sound-1")
    await lobby.until_posted(MenuStepReached(CALL, "services"))
    await lobby.pbx.until_asked("POST", "/play", times=2)
    await lobby.press("4")

    await lobby.pbx.until_asked("DELETE", "playbacks/c1-sound-2")


async def test_a_ticket_is_looked_up_and_read_out(lobby: Lobby) -> None:
    await lobby.pbx.call_in(CALL)
    await lobby.until_posted(MenuStepReached(CALL, "services"))
    await lobby.press("8")
    await lobby.until_posted(MenuStepReached(CALL, "ticket_status", "8"))
    await lobby.press("1234567#")
    await lobby.until_posted(MenuStepReached(CALL, "after_ticket_status"))
    await lobby.press("3")
    await lobby.until_posted(MenuEnded(CALL, served=True))

    assert {"1234567", "ticket_state_resolved"} <= set(lobby.said())


async def test_when_nothing_can_be_looked_up_the_caller_reaches_a_person(lobby: Lobby) -> None:
    lobby.tickets.trouble = ConnectionError("the ticket system is down")
    await lobby.pbx.call_in(CALL)
    await lobby.until_posted(MenuStepReached(CALL, "services"))
    await lobby.press("8")
    await lobby.until_posted(MenuStepReached(CALL, "ticket_status", "8"))
    await lobby.press("1234567#")

    await lobby.until_posted(CallArrived(CALL, QueueName("helpdesk")))
    assert "look_up_failed" in lobby.said()


async def test_a_caller_who_hangs_up_is_told_once(lobby: Lobby) -> None:
    await lobby.pbx.call_in(CALL)
    await lobby.until_posted(MenuStepReached(CALL, "services"))
    await lobby.pbx.hang_up(CALL)
    await lobby.until_posted(CallerHungUp(CALL))
    await lobby.ari.request("GET", "channels")  # everything said before it has been heard

    assert lobby.posted.count(CallerHungUp(CALL)) == 1
    assert not lobby.inbound.knows(CALL)


async def test_a_visit_that_fails_ends_with_an_apology_and_others_go_on(lobby: Lobby) -> None:
    await lobby.pbx.call_in("other")
    await lobby.until_posted(MenuStepReached(CallId("other"), "services"))
    lobby.broken_menu = True
    await lobby.pbx.call_in(CALL)
    await lobby.until_posted(MenuEnded(CALL, served=False))
    await lobby.pbx.until_asked("DELETE", "channels/c1")
    await lobby.press("2", "other")
    await lobby.until_posted(CallArrived(CallId("other"), QueueName("network")))

    assert lobby.inbound.failed == 1
    assert any(sentence in lobby.said() for sentence in fixed_sentences("ko"))


async def test_a_prompt_is_said_again_when_the_line_dropped_under_it(lobby: Lobby) -> None:
    lobby.pbx.silent = True
    await lobby.pbx.call_in(CALL)
    await lobby.pbx.until_asked("POST", "/answer")
    lobby.pbx.silent = False
    await lobby.pbx.drop()

    await lobby.until_posted(MenuStepReached(CALL, "services"))


async def test_after_a_gap_a_prompt_that_ended_unheard_of_is_over(lobby: Lobby) -> None:
    lobby.pbx.prompts_end_at_once = False
    await lobby.pbx.call_in(CALL)
    await lobby.pbx.until_asked("POST", "/play")
    lobby.pbx.playbacks.clear()  # it ended while nobody listened
    await lobby.inbound.after_gap()

    await lobby.until_posted(MenuStepReached(CALL, "services"))


async def test_a_caller_from_the_plain_queue_hears_no_menu_again(lobby: Lobby) -> None:
    await lobby.pbx.call_in(CALL)
    await lobby.until_posted(MenuStepReached(CALL, "services"))
    await lobby.pbx.hang_up(CALL)
    await lobby.until_posted(CallerHungUp(CALL))
    lobby.posted.clear()
    asked = len(lobby.pbx.asked)
    channel = {"id": "c2", "name": "PJSIP/x", "state": "Up", "caller": {"number": "021234567", "name": ""}}
    await lobby.pbx.say("StasisStart", channel=channel, args=["returned", "network"])
    await lobby.until_posted(CallArrived(CallId("c2"), QueueName("network")))

    assert lobby.posted[0] == CallerDialledIn(CallId("c2"), "021234567", "1000")
    assert not [one for one in lobby.pbx.asked[asked:] if one.path.endswith("/play")]


async def test_the_farewell_is_said_in_the_desks_language(lobby: Lobby) -> None:
    await lobby.pbx.call_in(CALL)
    await lobby.until_posted(MenuStepReached(CALL, "services"))
    await lobby.inbound.say_farewell(CALL, Farewell.DESK_CLOSED)

    assert lobby.said()[-1] == fixed_sentences("ko")[0]


async def test_a_withheld_number_is_none(lobby: Lobby) -> None:
    await lobby.pbx.call_in(CALL, number="anonymous")

    await lobby.until_posted(CallerDialledIn(CALL, None, "1000"))


@pytest.mark.parametrize("greeting", [SHORT_GREETING, ()])
async def test_a_caller_who_is_known_comes_to_the_queue_with_their_standing(greeting: Sequence[Prompt]) -> None:
    async with opened(greeting) as lobby:
        lobby.book = book = Guestbook()
        await lobby.pbx.call_in(CALL, "1002")
        await lobby.until_posted(
            CallArrived(CALL, QueueName("network"), 2, last_agent=AgentId("alice"), grounds=frozenset({"vip"}))
        )
    assert book.asked == ["01012345678"]


async def test_what_is_known_by_heart_of_a_caller_is_not_looked_up() -> None:
    async with opened(()) as lobby:
        lobby.book = book = Guestbook(slow=True)
        book.by_heart = Standing(1, frozenset({"vip"}))
        await lobby.pbx.call_in(CALL, "1002")
        await lobby.until_posted(CallArrived(CALL, QueueName("network"), 1, grounds=frozenset({"vip"})))
    assert book.asked == []


async def test_a_memory_that_fails_costs_nobody_their_call() -> None:
    async with opened(()) as lobby:
        lobby.book = book = Guestbook(RuntimeError("damaged"))
        book.by_heart = Standing()
        await lobby.pbx.call_in(CALL, "1002")
        await lobby.until_posted(CallArrived(CALL, QueueName("network")))
    assert lobby.inbound.failed == 0


@pytest.mark.parametrize("greeting", [SHORT_GREETING, ()])
@pytest.mark.parametrize("trouble", [None, RuntimeError("the database is away")])
async def test_a_caller_never_waits_for_what_is_known_of_them(
    greeting: Sequence[Prompt], trouble: Exception | None
) -> None:
    async with opened(greeting) as lobby:
        lobby.book = book = Guestbook(trouble, slow=trouble is None)
        await lobby.pbx.call_in(CALL, "1002")
        await lobby.until_posted(CallArrived(CALL, QueueName("network")))
        book.answers.set()
    assert book.asked == ["01012345678"]
    assert lobby.inbound.failed == 0

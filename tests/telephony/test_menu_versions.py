"""On a caller's line: the version of the menu the call began with, and notices between its steps."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from changgu.acd.commands import Divert
from changgu.acd.events import CallArrived, CallerHungUp, MenuStepReached
from changgu.acd.identity import CallId, QueueName
from changgu.acd.queues import Destination, Way
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.loader import load
from changgu.ivr_flows.nodes import HandOver, NodeName
from changgu.ivr_flows.publishing.notices import Notice, heard_at, mark_of
from changgu.telephony.inbound import Desk
from tests.support.fake_ari import FakeAri
from tests.telephony.test_inbound import CALL, MENU, NUMBERS, Lobby

NOW = datetime(2026, 3, 2, tzinfo=UTC)
OUTAGE = "내부망에 장애가 있어 복구하고 있습니다."
NEW = replace(MENU, nodes={**MENU.nodes, NodeName("network"): HandOver("helpdesk")})


class Board:
    """Menus and notices by hand."""

    language = "ko"

    def __init__(self) -> None:
        self.flow: Flow = MENU
        self.begun: dict[CallId, Flow] = {}
        self.notices: list[Notice] = []
        self.heard: set[tuple[str, int]] = set()

    def flow_of(self, call: CallId, dialled: str) -> Flow:
        return self.begun.setdefault(call, self.flow)

    def put(self, *places: str, english: str = "") -> None:
        sentences = {"ko": OUTAGE} | ({"en": english} if english else {})
        number = len(self.notices) + 1
        self.notices.append(Notice(number, sentences, frozenset(places), NOW, NOW + timedelta(hours=1), "boss", NOW))

    def for_call(self, call: str, place: str) -> Sequence[Notice]:
        return [one for one in heard_at(self.notices, place, NOW) if (call, one.id) not in self.heard]


class Room(Lobby):
    """A lobby whose menus and notices are kept by a board."""

    def furnish(self, board: Board) -> None:
        self.inbound._desk = replace(self.inbound._desk, menus=board, notices=board)


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
async def room(board: Board) -> AsyncIterator[Room]:
    async with FakeAri() as pbx:
        room = Room(pbx)
        room.furnish(board)
        running = [asyncio.create_task(room.stream.run()), asyncio.create_task(room.inbound.run())]
        await room.stream.wait_connected()
        yield room
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def test_a_desk_needs_neither_versions_nor_notices() -> None:
    assert Desk(lambda: NUMBERS, lambda dialled: MENU).menus is None


async def test_a_call_in_the_menu_goes_on_in_the_version_it_began_with(room: Room, board: Board) -> None:
    await room.pbx.call_in(CALL)
    await room.until_posted(MenuStepReached(CALL, "services"))
    board.flow = NEW
    await room.press("2")
    await room.until_posted(CallArrived(CALL, QueueName("network")))

    await room.pbx.call_in("c2")
    await room.until_posted(MenuStepReached(CallId("c2"), "services"))
    await room.press("2", "c2")
    await room.until_posted(CallArrived(CallId("c2"), QueueName("helpdesk")))


async def test_who_is_led_back_into_the_menu_finds_the_version_of_their_call(room: Room, board: Board) -> None:
    await room.pbx.call_in(CALL)
    await room.until_posted(MenuStepReached(CALL, "services"))
    await room.press("2")
    await room.until_posted(CallArrived(CALL, QueueName("network")))
    board.flow = NEW
    to = Destination(Way.MENU, "network")
    room.posted.clear()
    room.inbound.divert(Divert(CALL, QueueName("network"), to))
    await room.until_posted(CallArrived(CALL, QueueName("network")))


async def test_a_rule_that_is_newer_than_the_call_leads_into_the_newer_version(room: Room, board: Board) -> None:
    await room.pbx.call_in(CALL)
    await room.until_posted(MenuStepReached(CALL, "services"))
    await room.press("2")
    await room.until_posted(CallArrived(CALL, QueueName("network")))
    room.menu = replace(NEW, nodes={**NEW.nodes, NodeName("outage"): HandOver("helpdesk")})
    room.inbound.divert(Divert(CALL, QueueName("network"), Destination(Way.MENU, "outage")))
    await room.until_posted(CallArrived(CALL, QueueName("helpdesk")))


async def test_everybody_hears_a_notice_after_the_greeting_to_its_end_and_keys_are_kept(
    room: Room, board: Board
) -> None:
    board.put("desk")
    room.pbx.prompts_end_at_once = False
    await room.pbx.call_in(CALL)
    await room.pbx.until_asked("POST", "/play")
    await room.pbx.finish("c1-sound-1")
    await room.pbx.until_asked("POST", "/play", times=2)
    assert room.said()[-1] == OUTAGE
    await room.press("2")
    assert MenuStepReached(CALL, mark_of(1), None) not in room.posted
    await room.pbx.finish("c1-sound-2")
    await room.until_posted(MenuStepReached(CALL, mark_of(1), None))
    await room.pbx.until_asked("POST", "/play", times=3)
    await room.pbx.finish("c1-sound-3")
    await room.until_posted(CallArrived(CALL, QueueName("network")))
    assert "services" not in room.said()


async def test_who_hangs_up_while_a_notice_is_said_has_not_heard_it(room: Room, board: Board) -> None:
    board.put("desk")
    room.pbx.prompts_end_at_once = False
    await room.pbx.call_in(CALL)
    await room.pbx.until_asked("POST", "/play")
    await room.pbx.finish("c1-sound-1")
    await room.pbx.until_asked("POST", "/play", times=2)
    await room.pbx.hang_up(CALL)
    await room.until_posted(CallerHungUp(CALL))
    assert MenuStepReached(CALL, mark_of(1), None) not in room.posted


async def test_on_the_way_to_a_queue_its_notice_is_said_last(room: Room, board: Board) -> None:
    board.put("queue:network")
    await room.pbx.call_in(CALL)
    await room.until_posted(MenuStepReached(CALL, "services"))
    assert OUTAGE not in room.said()
    await room.press("2")
    await room.until_posted(CallArrived(CALL, QueueName("network")))
    assert room.said()[-2:] == ["to_network", OUTAGE]
    assert room.posted.index(MenuStepReached(CALL, mark_of(1), None)) < room.posted.index(
        CallArrived(CALL, QueueName("network"))
    )


async def test_who_dials_the_queue_itself_hears_it_too(room: Room, board: Board) -> None:
    board.put("queue:network")
    board.put("desk")
    await room.pbx.call_in(CALL, "1002")
    await room.until_posted(CallArrived(CALL, QueueName("network")))
    assert room.said() == ["greeting", "machine_voice", "recording_notice", OUTAGE, OUTAGE]


async def test_a_notice_for_everybody_and_for_the_queue_dialled_is_said_once(room: Room, board: Board) -> None:
    board.put("desk", "queue:network")
    await room.pbx.call_in(CALL, "1002")
    await room.until_posted(CallArrived(CALL, QueueName("network")))
    assert room.said() == ["greeting", "machine_voice", "recording_notice", OUTAGE]


async def test_a_notice_for_a_place_of_the_menu_is_said_before_what_is_said_there(room: Room, board: Board) -> None:
    board.put("service:ticket_status", english="An outage.")
    await room.pbx.call_in(CALL)
    await room.until_posted(MenuStepReached(CALL, "services"))
    await room.press("8")
    await room.until_posted(MenuStepReached(CALL, mark_of(1), None))
    await room.pbx.until_asked("POST", "/play", times=4)
    assert room.said()[-2:] == [OUTAGE, "ask_ticket_number"]


ASKS_FOR_NOTICES = """
flow: main
title: t
start: first
person: operator
nodes:
  first: {kind: look_up, source: notice, key: network, name: news, found: told, not_found: operator, failed: operator}
  told: {kind: say, say: {text: "알려 드립니다. {news.text}"}, next: operator}
  operator: {kind: to_queue, say: to_person, queue: pc}
"""


async def test_a_notice_that_the_menu_looks_up_counts_as_heard_once_it_is_said(room: Room, board: Board) -> None:
    class OnAir:
        async def look_up(self, kind: str, argument: str, asker: str, call: CallId) -> Mapping[str, str] | None:
            return {"text": OUTAGE, "count": "1", "notice": "7"} if (kind, argument) == ("notice", "network") else None

    room.inbound._player._look_ups = OnAir()
    board.flow = load(ASKS_FOR_NOTICES, "main.yaml", None, {})
    room.pbx.prompts_end_at_once = False
    heard = MenuStepReached(CALL, mark_of(7), None)

    await room.pbx.call_in(CALL)
    await room.pbx.until_asked("POST", "/play")
    assert room.said() == ["알려 드립니다.", OUTAGE]
    assert heard not in room.posted, "who hangs up now has not heard it"
    await room.pbx.finish(next(iter(room.pbx.playbacks)))
    await room.until_posted(heard)
    room.pbx.prompts_end_at_once = True
    await room.pbx.until_asked("POST", "/play", times=2)

    assert room.posted.count(heard) == 1

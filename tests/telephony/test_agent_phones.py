"""Which phones can be reached, when the PBX's list and its news disagree."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

import pytest

from changgu.acd.events import Event, PhoneReachable, PhoneUnreachable
from changgu.acd.identity import AgentId
from changgu.telephony.agent_phones import AgentPhones
from changgu.telephony.ami.client import Message

ALICE = AgentId("alice")
UP = [{"ObjectName": "agent-alice", "DeviceState": "Not in use"}]
GONE = [{"ObjectName": "agent-alice", "DeviceState": "Unavailable"}]


class SlowList:
    """A PBX whose list is answered when the test says so."""

    connected = True

    def __init__(self) -> None:
        self._hears: dict[str, Callable[[Message], None]] = {}
        self._asked: asyncio.Queue[asyncio.Future[Sequence[Message]]] = asyncio.Queue()
        self.come_up: Callable[[], None] = lambda: None

    def listen(self, event: str, hear: Callable[[Message], None]) -> None:
        self._hears[event] = hear

    def on_connected(self, tell: Callable[[], None]) -> None:
        self.come_up = tell

    async def listing(self, name: str) -> Sequence[Message]:
        reply: asyncio.Future[Sequence[Message]] = asyncio.get_running_loop().create_future()
        self._asked.put_nowait(reply)
        return await reply

    def tells(self, status: str) -> None:
        self._hears["PeerStatus"]({"Peer": "PJSIP/agent-alice", "PeerStatus": status})

    def contact_changed(self) -> None:
        self._hears["ContactStatus"]({"EndpointName": "agent-alice"})

    async def asked(self) -> "asyncio.Future[Sequence[Message]]":
        """The list is asked for; the test answers it."""
        return await asyncio.wait_for(self._asked.get(), 5)


class Room:
    """Alice's phone as the ACD sees it."""

    def __init__(self) -> None:
        self.pbx = SlowList()
        self.posted: list[Event] = []
        self.phones = AgentPhones(
            self.pbx, self.posted.append, lambda: [ALICE], lambda agent: False, settling=0.05
        )


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    running = asyncio.create_task(room.phones.run())
    yield room
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_phone_that_speaks_without_us_cannot_be_rung_until_it_is_done() -> None:
    """A caller whom a plain queue connected while we were away: the agent is not free, and no call is offered."""
    pbx, posted, calls = SlowList(), list[Event](), {ALICE: False}
    phones = AgentPhones(
        pbx, posted.append, lambda: [ALICE], lambda agent: True, settling=0.01, has_call=lambda agent: calls[agent]
    )
    running = asyncio.create_task(phones.run())
    speaks = [{"ObjectName": "agent-alice", "DeviceState": "In use"}]
    pbx.come_up()
    (await pbx.asked()).set_result(speaks)
    (await pbx.asked()).set_result(speaks)
    (await pbx.asked()).set_result(UP)
    pbx.contact_changed()
    (await pbx.asked()).set_result(UP)
    assert posted == [PhoneUnreachable(ALICE), PhoneReachable(ALICE)]
    calls[ALICE] = True
    for _ in range(3):
        pbx.contact_changed()
        (await pbx.asked()).set_result(speaks)
    assert len(posted) == 2, "a call of ours is no reason"
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_phones_that_have_only_just_hung_up_do_not_have_all_phones_looked_at_every_second() -> None:
    pbx, posted, bob = SlowList(), list[Event](), AgentId("bob")
    phones = AgentPhones(
        pbx, posted.append, lambda: [ALICE, bob], lambda agent: True, settling=0.01, has_call=lambda agent: False,
        elsewhere_again=(0.01, 0.2),
    )  # fmt: skip
    running = asyncio.create_task(phones.run())
    clock = asyncio.get_running_loop().time

    def with_one_speaking(speaker: AgentId) -> list[dict[str, str]]:
        return [
            {"ObjectName": f"agent-{one}", "DeviceState": "In use" if one == speaker else "Not in use"}
            for one in (ALICE, bob)
        ]

    pbx.come_up()
    (await pbx.asked()).set_result(with_one_speaking(ALICE))
    (await pbx.asked()).set_result(with_one_speaking(bob))
    second = clock()
    third = await pbx.asked()
    assert clock() - second > 0.15, "only another one spoke"
    assert posted == []
    third.set_result(with_one_speaking(bob))
    (await pbx.asked()).set_result(with_one_speaking(ALICE))
    assert posted == [PhoneUnreachable(bob)]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_list_asked_for_before_a_phone_registered_does_not_take_it_away_again(room: Room) -> None:
    room.pbx.come_up()
    old = await room.pbx.asked()
    room.pbx.tells("Reachable")
    old.set_result(GONE)
    later = await room.pbx.asked()  # the two disagreed, so it looks once more
    later.set_result(UP)
    room.pbx.contact_changed()
    await room.pbx.asked()
    assert room.posted == [PhoneReachable(ALICE)]


async def test_a_list_that_is_not_yet_up_to_date_with_the_news_is_not_believed(room: Room) -> None:
    room.pbx.tells("Registered")
    room.pbx.contact_changed()
    (await room.pbx.asked()).set_result(GONE)
    (await room.pbx.asked()).set_result(UP)
    room.pbx.contact_changed()
    await room.pbx.asked()
    assert room.posted == [PhoneReachable(ALICE)]


async def test_a_list_that_keeps_saying_otherwise_is_believed_in_the_end(room: Room) -> None:
    room.pbx.tells("Reachable")
    room.pbx.contact_changed()
    (await room.pbx.asked()).set_result(GONE)
    (await room.pbx.asked()).set_result(GONE)
    room.pbx.contact_changed()
    await room.pbx.asked()
    assert room.posted == [PhoneReachable(ALICE), PhoneUnreachable(ALICE)]


async def test_many_phones_that_come_back_at_once_cost_one_more_list(room: Room) -> None:
    room.pbx.contact_changed()
    first = await room.pbx.asked()
    for _ in range(300):
        room.pbx.contact_changed()
    first.set_result(UP)
    (await room.pbx.asked()).set_result(UP)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.15):
            await room.pbx.asked()


class Known:
    """A phone that was there and is gone in the list, whoever asks for it."""

    def __init__(self) -> None:
        self.pbx = SlowList()
        self.posted: asyncio.Queue[Event] = asyncio.Queue()
        self.phones = AgentPhones(self.pbx, self.posted.put_nowait, lambda: [ALICE], lambda agent: True, settling=0.01)

    async def told(self, *asks: Callable[[], None], meanwhile: Callable[[], None] = lambda: None) -> Event:
        running = asyncio.create_task(self.phones.run())
        for ask in asks:
            ask()
        reply = await self.pbx.asked()
        meanwhile()
        reply.set_result(GONE)
        told = await asyncio.wait_for(self.posted.get(), 5)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return told


async def test_a_phone_that_went_unheard_is_found_by_watching() -> None:
    known = Known()
    assert await known.told(known.phones.watch) == PhoneUnreachable(ALICE, unheard=True)


async def test_a_phone_that_is_gone_when_the_line_is_back_did_not_go_unheard() -> None:
    known = Known()
    assert await known.told(known.pbx.come_up, known.phones.watch) == PhoneUnreachable(ALICE)
    known = Known()
    assert await known.told(known.phones.watch, known.pbx.come_up) == PhoneUnreachable(ALICE)


async def test_a_phone_of_which_there_is_news_did_not_go_unheard() -> None:
    known = Known()
    assert await known.told(known.phones.watch, known.pbx.contact_changed) == PhoneUnreachable(ALICE)
    known = Known()
    news = known.pbx.contact_changed
    assert await known.told(known.phones.watch, meanwhile=news) == PhoneUnreachable(ALICE)

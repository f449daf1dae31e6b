"""Everybody rings, one picks up: they are joined first, and nobody's phone rings for two callers at once."""

from collections.abc import AsyncIterator, Iterable

import pytest

from changgu.acd.commands import Command, ConnectCall, HangUpAgent, RingAgent, StopRinging
from changgu.acd.engine import Effect
from changgu.acd.events import AgentAnswered, AgentHungUp, Event, PartiesConnected
from changgu.acd.identity import AgentId, CallId, OfferId
from changgu.telephony import lanes
from changgu.telephony.switch import RUNG_AT_ONCE
from tests.support.floor import Floor, a_queue
from tests.support.switchboard import ALICE, BOB, CALL, CAROL, Switchboard, leg, open_switchboard, ring

PHONES = 60
NEXT = CallId("c2")
JOIN = "POST bridges/call-c1/addChannel"


@pytest.fixture
async def board() -> AsyncIterator[Switchboard]:
    async with open_switchboard() as board:
        await board.caller_waits()
        yield board


def given(effects: Iterable[Effect]) -> list[Command]:
    return [effect for effect in effects if isinstance(effect, Command)]


class Desk:
    """The engine decides, the switch obeys; everybody rings."""

    def __init__(self, board: Switchboard, agents: int) -> None:
        self.board = board
        names = [f"agent{number}" for number in range(1, agents + 1)]
        self.floor = Floor(*names, queues=[a_queue(strategy="ring_all")])
        for name in names:
            self.floor.ready(name)

    def tell(self, event: Event) -> None:
        self.board.do(*given(self.floor.tell(event)))

    async def everybody_rings(self) -> list[RingAgent]:
        rung = [one for one in given(self.floor.call(CALL)) if isinstance(one, RingAgent)]
        self.board.do(*rung)
        await self.board.pbx.until(lambda: all(leg(one.offer) in self.board.pbx.channels for one in rung))
        return rung

    async def picks_up(self, one: RingAgent) -> None:
        """Their phone is answered, and the ACD hears of it."""
        await self.board.picks_up(one.agent, one.offer)
        self.tell(AgentAnswered(one.agent, CALL, one.offer))


def silenced(board: Switchboard) -> list[int]:
    """Where among all requests phones are told to stop."""
    return [at for at, asked in enumerate(board.requests()) if asked.startswith("DELETE channels/offer-")]


async def test_of_many_phones_the_one_that_was_picked_up_is_joined_before_the_others_are_silenced(
    board: Switchboard,
) -> None:
    """A caller is to hear the agent within 100 ms of their answer, not when hundreds of requests have been served."""
    desk = Desk(board, PHONES)
    rung = await desk.everybody_rings()
    winner = rung[PHONES // 2]
    await desk.picks_up(winner)
    await board.until_posted(PartiesConnected(winner.agent, CALL, winner.offer))
    await board.until_idle()

    assert board.requests().index(JOIN) < silenced(board)[0]
    assert len(silenced(board)) == PHONES - 1
    assert board.pbx.channels.keys() == {CALL, leg(winner.offer)}


async def test_a_join_that_is_tried_again_is_still_ahead_of_the_others_phones(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "JOIN_ALONE", 5.0)  # however slow the computer is on which this is tested
    desk = Desk(board, 3)
    rung = await desk.everybody_rings()
    board.pbx.refuse("POST", "addChannel", 422)
    await desk.picks_up(rung[0])
    await board.until_posted(PartiesConnected(rung[0].agent, CALL, rung[0].offer))
    await board.until_idle()

    joins = [at for at, asked in enumerate(board.requests()) if asked == JOIN]
    assert len(joins) == 2
    assert joins[-1] < silenced(board)[0]


async def test_a_join_that_takes_long_lets_nobodys_phone_ring_on(board: Switchboard) -> None:
    desk = Desk(board, 3)
    rung = await desk.everybody_rings()
    board.pbx.refuse("POST", "addChannel", 0)
    await desk.picks_up(rung[0])
    await board.pbx.until(lambda: len(silenced(board)) == 2)

    assert not board.pbx.bridges["call-c1"], "nor is anybody joined yet"


async def test_who_picks_up_while_another_is_being_joined_has_not_won(board: Switchboard) -> None:
    desk = Desk(board, 3)
    first, second, third = await desk.everybody_rings()
    board.pbx.refuse("POST", "addChannel", 422)
    await desk.picks_up(second)
    await desk.picks_up(first)  # their phone still rang
    await board.until_posted(PartiesConnected(second.agent, CALL, second.offer))
    await board.until_idle()

    assert board.pbx.bridges == {"call-c1": {CALL, leg(second.offer)}}
    assert board.pbx.channels.keys() == {CALL, leg(second.offer)}, "theirs has been hung up on"
    talk = board.switch.conversation(CALL)
    assert talk is not None
    assert talk.agent == second.agent
    assert not [event for event in board.posted if isinstance(event, AgentHungUp)]
    assert third.agent not in {event.agent for event in board.posted if isinstance(event, AgentAnswered)}


async def test_the_agent_who_hangs_up_at_once_was_joined_before(board: Switchboard) -> None:
    board.do(ring(ALICE, 7), ring(BOB, 8))
    await board.pbx.until(lambda: leg(8) in board.pbx.channels)
    await board.picks_up(BOB, 8)
    board.do(
        ConnectCall(BOB, CALL, OfferId(8)), StopRinging(ALICE, CALL, OfferId(7)), HangUpAgent(BOB, CALL, OfferId(8))
    )
    await board.until_idle()

    asked = board.requests()
    assert asked.index(JOIN) < asked.index(f"DELETE channels/{leg(7)}") < asked.index(f"DELETE channels/{leg(8)}")


async def test_a_phone_rings_for_the_next_caller_once_it_is_silent_for_the_one_before(board: Switchboard) -> None:
    """Many phones say that they are busy when they are called while they ring: a miss that is nobody's."""
    await board.pbx.call_in(NEXT, "1003")
    for offer, agent in ((7, ALICE), (8, BOB), (9, CAROL)):
        board.do(ring(agent, offer))
        await board.pbx.until(lambda offer=offer: leg(offer) in board.pbx.channels)  # type: ignore[misc]
    await board.picks_up(BOB, 8)
    board.do(
        ConnectCall(BOB, CALL, OfferId(8)), StopRinging(ALICE, CALL, OfferId(7)), StopRinging(CAROL, CALL, OfferId(9)),
        ring(ALICE, 10, call=NEXT), ring(CAROL, 11, call=NEXT),
    )  # fmt: skip
    await board.until_idle()
    await board.until_idle(NEXT)

    asked = [(one.path, one.query.get("channelId")) for one in board.pbx.asked if "offer" in f"{one.path}{one.query}"]
    assert asked.index((f"channels/{leg(7)}", None)) < asked.index(("channels", leg(10, NEXT)))
    assert asked.index((f"channels/{leg(9)}", None)) < asked.index(("channels", leg(11, NEXT)))


async def test_a_phone_that_the_pbx_does_not_silence_rings_for_the_next_caller_all_the_same(board: Switchboard) -> None:
    await board.pbx.call_in(NEXT, "1003")
    board.do(ring(ALICE, 7))
    await board.pbx.until(lambda: leg(7) in board.pbx.channels)
    board.pbx.refuse("DELETE", leg(7), 0)
    board.do(StopRinging(ALICE, CALL, OfferId(7)), ring(ALICE, 8, call=NEXT))

    await board.pbx.until(lambda: leg(8, NEXT) in board.pbx.channels)


async def test_a_caller_is_joined_while_hundreds_of_phones_are_silenced_for_another(board: Switchboard) -> None:
    """The PBX takes one request after the other."""
    await board.pbx.call_in(NEXT, "1003")
    offers = range(101, 101 + 5 * RUNG_AT_ONCE)
    board.do(*(ring(AgentId(f"agent{offer}"), offer) for offer in offers), ring(BOB, 8, call=NEXT))
    await board.pbx.until(lambda: {*map(leg, offers), leg(8, NEXT)} <= board.pbx.channels.keys())
    await board.picks_up(BOB, 8, NEXT)
    board.pbx.silent = True
    board.do(*(StopRinging(AgentId(f"agent{offer}"), CALL, OfferId(offer)) for offer in offers))
    await board.pbx.until(lambda: len(silenced(board)) == RUNG_AT_ONCE)
    board.do(ConnectCall(BOB, NEXT, OfferId(8)))
    await board.pbx.until_asked("POST", "call-c2/addChannel")

    assert len(silenced(board)) == RUNG_AT_ONCE

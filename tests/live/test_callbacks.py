"""Calling people back on the real PBX: a SIP telephone outside rings over the trunk, and an agent speaks to it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from changgu.acd.commands import ConnectCall, DialPerson, Farewell, HangUpAgent, HangUpCaller, RingAgent
from changgu.acd.events import AgentAnswered, CallerHungUp, DialFailed, Event, PartiesConnected, PersonReached
from changgu.acd.identity import CallId, OfferId
from tests.support.telephone_side import (
    ALICE,
    DESK,
    PC,
    PERSON_HERTZ,
    PERSONS_NUMBER,
    PROMPT_HERTZ,
    Line,
    TelephoneSide,
    open_side,
)
from tests.support.tones import AGENT_HERTZ

pytestmark = pytest.mark.asyncio(loop_scope="module")

BACK, OFFER = CallId("cb0123456789abcdef-1"), OfferId(1)
DIAL = DialPerson(BACK, PERSONS_NUMBER, PC, timedelta(seconds=20))
RING = RingAgent(ALICE, BACK, OFFER, timedelta(seconds=20), outbound=True)
CONNECT = ConnectCall(ALICE, BACK, OFFER)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    line = Line(tmp_path_factory.mktemp("callbacks"), 23200)
    await line.start()
    yield line
    await line.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def side(line: Line, tmp_path: Path) -> AsyncIterator[TelephoneSide]:
    async with open_side(line, tmp_path) as side:
        side.numbers[BACK] = PERSONS_NUMBER
        yield side


async def they_talk(side: TelephoneSide, outside: str) -> None:
    """Each speaks while the other sends keys; then the person hangs up."""
    await side.event(PartiesConnected)
    await side.others.order(do="dtmf", call=outside, digits="3456789")
    await side.agents.expect("dtmf", line="alice", digit="9")
    await side.agents.order(do="dtmf", call="alice-1", digits="9876543")
    await side.others.expect("dtmf", line="person", digit="3")
    await side.hang_up(side.others, outside)
    await side.agents.expect("ended", call="alice-1")


async def test_agent_first_the_agent_hears_it_ring_and_then_the_person(side: TelephoneSide) -> None:
    await side.agent(ALICE)

    def react(event: Event) -> None:
        match event:
            case AgentAnswered():
                side.do(DIAL)
            case PersonReached():
                side.do(CONNECT)
            case CallerHungUp():
                side.do(HangUpAgent(ALICE, BACK, OFFER))
            case _:
                return

    side.react = react
    side.do(RING)
    rung = await side.agents.expect("incoming", line="alice")
    called = await side.others.expect("incoming", line="person")
    outside = await side.answers_outside()
    await they_talk(side, outside)

    assert PERSONS_NUMBER in rung.details["caller"]
    assert f"sip:{DESK}@" in called.details["caller"]
    assert side.events() == [
        AgentAnswered(ALICE, BACK, OFFER), PersonReached(BACK), PartiesConnected(ALICE, BACK, OFFER),
        CallerHungUp(BACK),
    ]  # fmt: skip
    await side.has_heard("alice-1", PERSON_HERTZ, 0.4)
    await side.has_heard(outside, AGENT_HERTZ, 0.4)


async def test_caller_first_the_person_is_greeted_and_hears_music_until_the_agent_answers(side: TelephoneSide) -> None:
    await side.agent(ALICE, answer_after=1.5)

    def react(event: Event) -> None:
        match event:
            case PersonReached():
                side.do(RING)
            case AgentAnswered():
                side.do(CONNECT)
            case CallerHungUp():
                side.do(HangUpAgent(ALICE, BACK, OFFER))
            case _:
                return

    side.react = react
    side.do(DIAL)
    outside = await side.answers_outside()
    rung = await side.agents.expect("incoming", line="alice")
    await they_talk(side, outside)

    assert PERSONS_NUMBER in rung.details["caller"]
    assert [type(event) for event in side.events()] == [PersonReached, AgentAnswered, PartiesConnected, CallerHungUp]
    await side.has_heard(outside, PROMPT_HERTZ, 0.1)
    await side.has_heard(outside, AGENT_HERTZ, 0.4)


async def test_a_person_who_does_not_answer_is_not_reached(side: TelephoneSide) -> None:
    side.do(DialPerson(BACK, PERSONS_NUMBER, PC, timedelta(seconds=2)))
    _, failed = await side.event(DialFailed)

    assert failed == DialFailed(BACK, "no_answer")
    await side.others.expect("ended", line="person")


@pytest.mark.parametrize(("order", "word"), [("busy", "busy"), ("decline", "declined")])
async def test_a_person_who_will_not_be_spoken_to_is_not_reached(side: TelephoneSide, order: str, word: str) -> None:
    side.do(DIAL)
    await side.others.order(do=order, call=await side.rings_outside())
    _, failed = await side.event(DialFailed)

    assert failed == DialFailed(BACK, word)


async def test_a_call_back_that_is_called_off_stops_ringing(side: TelephoneSide) -> None:
    side.do(DIAL)
    await side.rings_outside()
    side.do(HangUpCaller(BACK, Farewell.NONE))
    await side.others.expect("ended", line="person")
    await side.nothing_is_left()

    assert side.events() == []


async def test_nobody_is_called_abroad(side: TelephoneSide) -> None:
    side.do(DialPerson(BACK, "0012025550123", PC, timedelta(seconds=2)))
    _, failed = await side.event(DialFailed)

    assert failed == DialFailed(BACK, "unreachable")

"""Waiting on the real PBX: an answer cuts announcements short, keys lead out, and phones show no missed call."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import time, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from changgu.acd.commands import (
    Announce,
    Command,
    ConnectCall,
    Divert,
    Farewell,
    HangUpAgent,
    HangUpCaller,
    PlayMusicOnHold,
    RingAgent,
    StopRinging,
)
from changgu.acd.events import (
    AgentAnswered,
    CallArrived,
    CallerHungUp,
    Event,
    KeyPressed,
    MenuEnded,
    PartiesConnected,
    RingFailed,
)
from changgu.acd.facts import (
    CallAnswered,
    CallbackClosed,
    CallbackEnd,
    CallConnected,
    CallEnded,
    CallQueued,
    Outcome,
    WaitAnnounced,
)
from changgu.acd.identity import AgentId, CallId, OfferId
from changgu.acd.queues import Agent, Announcements, CallbackRules, Destination, Floor, Queue, Way
from changgu.telephony.legs import agent_leg
from tests.support.telephone_side import (
    ALICE,
    BOB,
    LONG,
    PC,
    PC_NUMBER,
    PERSON_HERTZ,
    PERSONS_NUMBER,
    PROMPT_HERTZ,
    WIRE,
    Line,
    TelephoneSide,
    TheAcd,
    open_side,
)
from tests.support.tones import AGENT_HERTZ, CALLER_HERTZ, loud_seconds, read_samples, tone_seconds, tone_share
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = timedelta(seconds=20)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    line = Line(tmp_path_factory.mktemp("waiting"), 23000)
    await line.start()
    yield line
    await line.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def side(line: Line, tmp_path: Path) -> AsyncIterator[TelephoneSide]:
    async with open_side(line, tmp_path) as side:
        yield side


def ring(agent: AgentId, offer: int, call: CallId) -> RingAgent:
    return RingAgent(agent, call, OfferId(offer), LIMIT)


def connects(side: TelephoneSide) -> None:
    """As the ACD does: whoever answers is connected."""

    def react(event: Event) -> None:
        match event:
            case AgentAnswered(agent, call, offer):
                side.do(ConnectCall(agent, call, offer))
            case MenuEnded(call):
                side.do(HangUpCaller(call, Farewell.NONE))
            case _:
                return

    side.react = react


def order_of_tones(file: Path, *tones: int) -> list[int]:
    """Which of these tones was heard when, each run of one once; 50 ms steps, a run is three of them."""
    samples, rate = read_samples(file)
    step = rate // 20
    frequencies = np.fft.rfftfreq(step, 1 / rate)
    heard: list[int] = []
    for start in range(0, len(samples) - step, step):
        piece = samples[start : start + step]
        peak = float(frequencies[int(np.argmax(np.abs(np.fft.rfft(piece * np.hanning(step)))))])
        loud = float(np.sqrt((piece**2).mean())) > 0.05
        heard.append(next((tone for tone in tones if loud and abs(peak - tone) <= 25), 0))
    sure = [a for a, b, c in zip(heard, heard[1:], heard[2:], strict=False) if a == b == c and a]
    return [sure[0], *(b for a, b in pairwise(sure) if a != b)] if sure else []


AT_ONCE = LONG / 4
"""Seconds within which whoever has answered is connected: nobody waits for the end of an announcement. A machine that
does other things, too, keeps no fraction of a second."""


async def test_an_agents_answer_cuts_an_announcement_short_at_once(side: TelephoneSide) -> None:
    await side.agent(ALICE)
    call = await side.caller()
    connects(side)
    side.do(PlayMusicOnHold(call, PC), Announce(call, PC, position=3))
    await some_time_passes(side)
    side.do(ring(ALICE, 1, call))
    answered, _ = await side.event(AgentAnswered)
    connected, _ = await side.event(PartiesConnected)
    side.posted.clear()
    await side.press("3456789")  # to the agent: nobody else's business
    await side.agents.expect("dtmf", line="alice", digit="9")
    await side.hang_up(side.others, side.visit)
    side.do(HangUpAgent(ALICE, call, OfferId(1)))

    assert connected - answered < AT_ONCE, f"connected {1000 * (connected - answered):.0f} ms after the answer"
    assert order_of_tones(await side.heard_by(side.visit), PROMPT_HERTZ, AGENT_HERTZ) == [PROMPT_HERTZ, AGENT_HERTZ]
    assert tone_seconds(await side.heard_by(side.visit), PROMPT_HERTZ) < LONG - 2, "the rest is not said"
    assert not [event for event in side.events() if isinstance(event, KeyPressed)]


async def test_after_an_announcement_there_is_music_again_until_the_answer(side: TelephoneSide) -> None:
    await side.agent(ALICE)
    call = await side.caller()
    connects(side)
    side.do(PlayMusicOnHold(call, PC), Announce(call, PC, promise=100))  # a short one
    await some_time_passes(side)
    side.do(ring(ALICE, 1, call))
    await side.event(PartiesConnected)
    await side.press("3456789")
    await side.agents.expect("dtmf", line="alice", digit="9")
    await side.hang_up(side.others, side.visit)
    side.do(HangUpAgent(ALICE, call, OfferId(1)))

    heard = await side.heard_by(side.visit)
    tones = tone_seconds(heard, PROMPT_HERTZ) + tone_seconds(heard, AGENT_HERTZ)
    assert order_of_tones(heard, AGENT_HERTZ)[-1] == AGENT_HERTZ
    assert loud_seconds(heard, 0.0005) > tones + 0.5, "music between the announcement and the agent"


async def some_time_passes(side: TelephoneSide) -> None:
    """As much as seven keys take; each is told, whatever plays."""
    await side.press("3456789")

    async def told() -> bool:
        return [event.key for event in side.events() if isinstance(event, KeyPressed)] == list("3456789")

    await eventually(told, within=10)


async def leaves_a_message(side: TelephoneSide) -> CallId:
    call = await side.caller()
    side.do(PlayMusicOnHold(call, PC), Announce(call, PC, position=3))

    def react(event: Event) -> None:
        match event:
            case KeyPressed(_, "1"):
                side.do(Divert(call, PC, Destination(Way.VOICEMAIL)))
            case MenuEnded():
                side.do(HangUpCaller(call, Farewell.NONE))
            case _:
                return

    side.react = react
    await side.press("1")  # while the announcement plays
    await side.event(KeyPressed)
    return call


async def test_a_key_leads_out_of_the_queue_to_voice_mail(side: TelephoneSide) -> None:
    call = await leaves_a_message(side)
    await side.recording_lasts(call, 3)
    await side.press("#")
    _, ended = await side.event(MenuEnded)
    await side.others.expect("ended", call=side.visit)

    assert ended == MenuEnded(call, served=True, outcome=Outcome.VOICEMAIL)
    (message,) = side.letterbox.kept
    assert message.seconds >= 2
    assert tone_share(side.letterbox.file(call), CALLER_HERTZ) > 0.5
    assert not [event for event in side.events() if isinstance(event, CallerHungUp)]


async def test_a_message_is_kept_of_a_caller_who_just_hangs_up(side: TelephoneSide) -> None:
    call = await leaves_a_message(side)
    await side.recording_lasts(call, 3)
    await side.hang_up(side.others, side.visit)
    _, ended = await side.event(MenuEnded)

    assert ended == MenuEnded(call, served=True, outcome=Outcome.VOICEMAIL)
    assert tone_share(side.letterbox.file(call), CALLER_HERTZ) > 0.5
    assert not [event for event in side.events() if isinstance(event, CallerHungUp)]


async def test_a_caller_is_put_through_to_an_outside_number(side: TelephoneSide) -> None:
    call = await side.caller()
    connects(side)
    side.do(PlayMusicOnHold(call, PC), Divert(call, PC, Destination(Way.NUMBER, PERSONS_NUMBER)))
    outside = await side.answers_outside()
    await side.press("3456789")  # a phone that sends keys sends no voice: first the one, then the other
    await side.others.expect("dtmf", line="person", digit="9")
    await side.others.order(do="dtmf", call=outside, digits="9876543")
    await side.others.expect("dtmf", line="caller", digit="3")
    await side.hang_up(side.others, outside)
    _, ended = await side.event(MenuEnded)
    await side.others.expect("ended", call=side.visit)

    assert ended == MenuEnded(call, served=True, outcome=Outcome.REDIRECTED)
    assert order_of_tones(await side.heard_by(side.visit), PERSON_HERTZ) == [PERSON_HERTZ]
    assert order_of_tones(await side.heard_by(outside), CALLER_HERTZ) == [CALLER_HERTZ]


async def test_an_outside_number_that_is_busy_leads_back_to_the_queue(side: TelephoneSide) -> None:
    call = await side.caller()
    side.do(PlayMusicOnHold(call, PC), Divert(call, PC, Destination(Way.NUMBER, PERSONS_NUMBER)))
    outside = await side.rings_outside()
    side.posted.clear()
    await side.others.order(do="busy", call=outside)
    _, back = await side.event(CallArrived)
    await side.hang_up(side.others, side.visit)
    await side.event(CallerHungUp)

    assert back == CallArrived(call, PC)


async def test_everybodys_phone_rings_and_one_agent_gets_the_call(side: TelephoneSide) -> None:
    await side.agent(ALICE, answer_after=None)
    await side.agent(BOB, answer_after=None)
    call = await side.caller()

    def react(event: Event) -> None:
        if isinstance(event, AgentAnswered):
            side.do(
                StopRinging(ALICE, call, OfferId(1), elsewhere=True), ConnectCall(event.agent, call, event.offer)
            )

    side.react = react
    side.do(ring(ALICE, 1, call), ring(BOB, 2, call))
    await bob_answers_when_both_ring(side)
    _, connected = await side.event(PartiesConnected)
    await side.agents.expect("ended", line="alice")
    await side.agents.expect("media", line="bob")
    await side.press("5")
    await side.agents.expect("dtmf", line="bob", digit="5")
    await side.hang_up(side.others, side.visit)
    side.do(HangUpAgent(BOB, call, OfferId(2)))

    assert connected.agent == BOB
    assert not [event for event in side.events() if isinstance(event, RingFailed)]


async def bob_answers_when_both_ring(side: TelephoneSide) -> None:
    await side.agents.expect("incoming", line="alice")
    ringing = await side.agents.expect("incoming", line="bob")
    await side.agents.order(do="answer", call=ringing.call)


async def rings_at(side: TelephoneSide, leg: str) -> bool:
    """Whether the PBX knows that this phone rings."""
    channels = await side.telephony.ari.request("GET", "channels")
    return any(channel["id"] == leg and channel["state"] == "Ringing" for channel in channels)


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_phone_is_told_on_the_wire_that_another_answered(side: TelephoneSide, elsewhere: bool) -> None:
    """RFC 3326: with `Reason: SIP;cause=200` on the CANCEL a phone shows no missed call; without it, it does."""
    wire = side.line.wire
    call = await side.caller()
    stop: Command = StopRinging(WIRE, call, OfferId(1), elsewhere=elsewhere)
    side.do(ring(WIRE, 1, call))
    invited = await wire.until_heard("INVITE")
    await eventually(lambda: rings_at(side, agent_leg(OfferId(1), call)))  # the phone's 180 has come through, too
    side.do(stop)
    cancel = await wire.until_heard("CANCEL", of=invited)
    await side.hang_up(side.others, side.visit)

    reasons = [line for line in cancel.split("\r\n") if line.lower().startswith("reason:")]
    assert any("SIP" in reason and "cause=200" in reason for reason in reasons) == elsewhere, reasons


# ---- the same with the ACD itself ------------------------------------------------------------------------------------


def desk_with(queue: Queue) -> Floor:
    agents = tuple(Agent(login, login, frozenset({PC})) for login in (ALICE, BOB))
    return Floor((queue,), agents)


WAITS = Queue(
    PC, "PC", PC_NUMBER, ring_limit=LIMIT, wrap_up=timedelta(0),
    announcements=Announcements(timedelta(seconds=0.5), timedelta(seconds=60), position=True),
    keys={"1": Destination(Way.VOICEMAIL), "2": Destination(Way.CALLBACK)},
    callbacks=CallbackRules(opens=time(0), closes=time(23, 59, 59)),
)  # fmt: skip


async def test_a_caller_who_waits_is_told_their_place_and_connected_at_once_when_an_agent_comes(
    side: TelephoneSide,
) -> None:
    async with TheAcd(side, desk_with(WAITS)) as acd:
        await side.agent(ALICE)
        call = await side.caller()
        told = await acd.fact(WaitAnnounced)
        await some_time_passes(side)
        await acd.ready(ALICE)
        answered = await acd.when(CallAnswered)
        connected = await acd.when(CallConnected)
        await side.press("3456789")
        await side.agents.expect("dtmf", line="alice", digit="9")
        await side.hang_up(side.others, side.visit)
        ended = await acd.fact(CallEnded)

    assert told == WaitAnnounced(call, 1, None, told.staffed, told.ahead)
    assert ended.outcome is Outcome.ANSWERED
    assert connected - answered < AT_ONCE
    heard = await side.heard_by(side.visit)
    assert order_of_tones(heard, PROMPT_HERTZ, AGENT_HERTZ) == [PROMPT_HERTZ, AGENT_HERTZ]


async def test_a_caller_who_presses_1_leaves_a_message_instead_of_waiting(side: TelephoneSide) -> None:
    async with TheAcd(side, desk_with(WAITS)) as acd:
        call = await side.caller()
        await acd.fact(CallQueued)
        await side.press("1")
        await side.recording_lasts(call, 2)
        await side.press("#")
        ended = await acd.fact(CallEnded)
        await side.others.expect("ended", call=side.visit)

    assert ended.outcome is Outcome.VOICEMAIL
    assert len(side.letterbox.kept) == 1


async def test_a_caller_who_presses_2_is_called_back_when_an_agent_is_free(side: TelephoneSide) -> None:
    async with TheAcd(side, desk_with(WAITS)) as acd:
        await side.agent(ALICE)
        call = await side.caller()
        await acd.fact(CallQueued)
        await side.press("2")
        await side.is_diverted(call)
        await side.press(f"2{PERSONS_NUMBER}#1")  # ahead of every question
        ended = await acd.fact(CallEnded)
        await side.others.expect("ended", call=side.visit)
        await acd.ready(ALICE)
        outside = await side.answers_outside()
        connected = await acd.fact(CallConnected)
        await side.agents.order(do="dtmf", call="alice-1", digits="345")
        await side.others.expect("dtmf", line="person", digit="5")
        await side.hang_up(side.others, outside)
        await side.agents.expect("ended", call="alice-1")
        closed = await acd.fact(CallbackClosed)

    assert ended.outcome is Outcome.CALLBACK
    assert connected.agent == ALICE
    assert closed.end is CallbackEnd.KEPT


async def test_all_phones_ring_and_the_first_to_answer_has_the_call(side: TelephoneSide) -> None:
    async with TheAcd(side, desk_with(replace(WAITS, strategy="ring_all"))) as acd:
        await side.agent(ALICE, answer_after=None)
        await side.agent(BOB, answer_after=None)
        await acd.ready(ALICE)
        await acd.ready(BOB)
        await side.caller()
        await bob_answers_when_both_ring(side)
        connected = await acd.fact(CallConnected)
        await side.agents.expect("ended", line="alice")
        await side.hang_up(side.others, side.visit)
        await acd.fact(CallEnded)

    assert connected.agent == BOB

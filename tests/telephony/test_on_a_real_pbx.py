"""The telephone side against the real Asterisk, with real SIP phones that speak and listen."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.call_record import fold
from changgu.acd.events import AgentNotReady, CallArrived, DeskClosed
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Ender,
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    OfferEnd,
    OfferEnded,
    Outcome,
)
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queue_log import QueueLog
from changgu.app.schema import upgrade
from changgu.asterisk_conf.plan import PbxPlan
from changgu.asterisk_conf.render import render
from changgu.ground.database import Database
from changgu.telephony.ami.queue_log_writer import as_written, written_since
from changgu.telephony.cel import LINKEDID_END, CelEvent
from changgu.telephony.cel_audit import cel_check
from changgu.telephony.cel_writer import CelWriter
from changgu.telephony.legs import agent_leg, bridge_of
from changgu.telephony.pbx import PrivatePbx
from changgu.telephony.recorder import AGENT, CALLER, MixMonitorRecorder
from changgu.telephony.shadow_reader import Place
from tests.support.real_pbx import real_pbx
from tests.support.room_phones import Phones
from tests.support.telephone_room import DESK_NUMBER, FLOOR, LONG_MENU, MENU_HERTZ, PBX_FLOOR, RING_SECONDS, Room
from tests.support.tones import AGENT_HERTZ, CALLER_HERTZ, longest_break, tone_seconds, tone_share
from tests.support.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

ALICE, BOB = AgentId("alice"), AgentId("bob")


plan, pbx, room, phones = real_pbx("room", rtp_first=22000)


async def test_a_caller_presses_a_key_and_talks_to_an_agent_and_both_hear_each_other(
    room: Room, phones: Phones, tmp_path: Path
) -> None:
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.caller("c1")
    await room.fact(MenuStepTaken, node="services")
    await phones.hears("c1", MENU_HERTZ, 0.5)  # some of the menu, before the key cuts it short
    await phones.press("c1", "2")
    await room.fact(CallConnected)
    await phones.hears("c1", AGENT_HERTZ, 1.5)
    await phones.hears("alice-1", CALLER_HERTZ, 1.5)
    await phones.hang_up("c1")
    ended = await room.fact(CallEnded)

    assert (ended.outcome, ended.by) == (Outcome.ANSWERED, Ender.CALLER)
    started = await room.fact(CallStarted)
    assert (started.caller, started.dialled) == ("01012345678", DESK_NUMBER)
    assert (await room.fact(CallQueued)).queue == "network"
    await phones.ended("alice-1")
    await room.nothing_is_left()
    assert tone_seconds(tmp_path / "c1.wav", MENU_HERTZ) < LONG_MENU - 2, "the key must cut the long menu short"


async def test_a_queues_own_number_needs_no_menu_and_few_requests(room: Room, phones: Phones) -> None:
    await phones.agent(ALICE, answer_after=0.0)
    await room.ready(ALICE)
    before = room.telephony.stream.requests
    await phones.caller("c1", "1003")
    await room.fact(CallConnected)
    await phones.hang_up("c1")
    await room.fact(CallEnded)
    await phones.ended("alice-1")
    await room.witness_nothing_left()
    spent = room.telephony.stream.requests - before

    assert (await room.fact(CallQueued)).queue == "pc"
    assert spent <= 7, "answer, originate, subscription to the leg, bridge, addChannel, and two deletes"


async def test_keys_pressed_before_the_menu_ends_are_kept(room: Room, phones: Phones) -> None:
    await phones.caller("c1")
    await phones.soft.expect("answered", call="c1")
    await room.fact(MenuStepTaken, node="services")
    await phones.press("c1", "8")
    await room.fact(MenuStepTaken, node="ticket_status")
    await phones.press("c1", "1234567#")
    await room.fact(MenuStepTaken, node="after_ticket_status")
    await phones.press("c1", "3")

    assert (await room.fact(CallEnded)).outcome is Outcome.SELF_SERVED
    await phones.ended("c1")


@pytest.mark.parametrize("moment", ["menu", "queue", "ringing", "connecting", "talking"])
async def test_a_caller_who_hangs_up_leaves_nothing_behind(room: Room, phones: Phones, moment: str) -> None:
    outcomes = {
        "menu": Outcome.ABANDONED_IN_MENU, "queue": Outcome.ABANDONED_IN_QUEUE, "ringing": Outcome.ABANDONED_RINGING,
        "connecting": None, "talking": Outcome.ANSWERED,
    }  # fmt: skip
    if moment != "queue":
        await phones.agent(ALICE, answer_after=None if moment == "ringing" else 0.0)
        await room.ready(ALICE)
    await phones.caller("c1", DESK_NUMBER if moment == "menu" else "1001")
    match moment:
        case "menu":
            await room.fact(MenuStepTaken, node="services")
        case "queue":
            await room.fact(CallQueued)
        case "ringing":
            await phones.soft.expect("incoming", line="alice")
        case "connecting":
            await room.fact(CallAnswered)
        case _:
            await room.fact(CallConnected)
    await phones.hang_up("c1")
    ended = await room.fact(CallEnded)

    assert ended.outcome is outcomes[moment] or moment == "connecting"
    await room.nothing_is_left()


async def test_an_agent_who_does_not_answer_loses_the_offer_to_the_next(room: Room, phones: Phones) -> None:
    await phones.agent(ALICE, answer_after=None)
    await phones.agent(BOB, answer_after=0.0)
    await room.ready(ALICE)
    await phones.caller("c1", "1001")
    await room.fact(CallOffered, agent=ALICE)
    await room.ready(BOB)
    missed = await room.fact(OfferEnded, agent=ALICE)
    await room.fact(CallConnected, agent=BOB)
    await phones.hang_up("c1")
    await room.fact(CallEnded)

    assert missed.why is OfferEnd.NO_ANSWER
    await phones.ended("alice-1")


@pytest.mark.parametrize(("key", "cause"), [("busy", "busy"), ("decline", "declined")])
async def test_a_phone_that_says_no_is_told_apart(room: Room, phones: Phones, key: str, cause: str) -> None:
    await phones.agent(ALICE, answer_after=None)
    await room.ready(ALICE)
    await phones.caller("c1", "1001")
    await phones.soft.expect("incoming", line="alice")
    await phones.soft.order(do=key, call="alice-1")
    failed = await room.fact(OfferEnded)
    await phones.hang_up("c1")
    await room.fact(CallEnded)

    assert (failed.why, failed.cause) == (OfferEnd.FAILED, cause)


async def test_an_agent_who_hangs_up_ends_the_callers_leg(room: Room, phones: Phones) -> None:
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.caller("c1", "1001")
    await room.fact(CallConnected)
    await phones.hang_up("alice-1")
    ended = await room.fact(CallEnded)

    assert ended.by is Ender.AGENT
    await phones.ended("c1")


async def test_hold_gives_the_caller_music_and_resume_gives_them_back(
    room: Room, phones: Phones, tmp_path: Path
) -> None:
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.caller("c1", "1001")
    call = (await room.fact(CallConnected)).call
    await phones.hears("c1", AGENT_HERTZ, 0.5)
    await room.telephony.control.hold(ALICE, call)
    await room.fact(HoldStarted)
    await asyncio.sleep(2)
    before = tone_seconds(tmp_path / "c1.wav", AGENT_HERTZ)
    await room.telephony.control.resume(ALICE, call)
    await room.fact(HoldEnded)
    await phones.hears("c1", AGENT_HERTZ, before + 0.7)
    await phones.hears("alice-1", CALLER_HERTZ, 0.8)
    await room.telephony.control.hang_up(ALICE, call)
    await room.fact(CallEnded, by=Ender.AGENT)
    await phones.ended("c1")

    assert longest_break(tmp_path / "c1.wav", AGENT_HERTZ) > 1.5, "the agent must not be heard during hold"


async def test_hold_by_the_phones_own_key_is_told_to_the_acd(room: Room, phones: Phones) -> None:
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.caller("c1", "1001")
    await room.fact(CallConnected)
    await phones.soft.expect("answered", call="alice-1")  # the PBX may tell of it before the phone has heard so
    await phones.soft.order(do="hold", call="alice-1")
    await room.fact(HoldStarted)
    await phones.soft.expect("held", call="alice-1")  # the same: until then it cannot resume
    await phones.soft.order(do="resume", call="alice-1")
    await room.fact(HoldEnded)
    await phones.hang_up("c1")
    await room.fact(CallEnded)


async def test_a_conversation_is_recorded_one_file_per_voice(room: Room, phones: Phones, tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    folder.mkdir()
    recorder = MixMonitorRecorder(room.ami)
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.caller("c1", "1001")
    call = (await room.fact(CallConnected)).call
    await recorder.start(call, folder)
    await asyncio.sleep(2)
    await recorder.stop(call)
    await phones.hang_up("c1")
    await room.fact(CallEnded)

    assert tone_share(folder / CALLER, CALLER_HERTZ) > 0.8
    assert tone_share(folder / AGENT, AGENT_HERTZ) > 0.8


async def test_a_phone_that_unregisters_makes_its_agent_unreachable(room: Room, phones: Phones) -> None:
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.soft.order(do="unregister", line="alice")

    await room.fact(AgentStateChanged, agent=ALICE, after=AgentState.UNREACHABLE)


async def test_a_phone_that_is_switched_off_signs_out_and_leaves_no_agent_reachable(room: Room, phones: Phones) -> None:
    """Else the next phone of this agent would find it still there, and be taken for it until the PBX notices."""
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.soft.stop()

    await room.fact(AgentStateChanged, agent=ALICE, after=AgentState.UNREACHABLE)


async def test_what_happened_stands_in_asterisks_own_queue_log(room: Room, phones: Phones, plan: PbxPlan) -> None:
    log = Path(plan.folders.log) / "queue_log"
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.caller("c1", "1001")
    call = (await room.fact(CallConnected)).call
    await phones.hang_up("c1")
    await room.fact(CallEnded)
    await room.fact(AgentStateChanged, agent=ALICE, after=AgentState.WRAP_UP)

    async def events() -> list[str]:
        rows = [line.split("|") for line in log.read_text().splitlines()] if log.exists() else []
        found = [row[4] for row in rows if row[1] == call]
        return found if "COMPLETECALLER" in found else []

    assert await eventually(events) == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]
    words, there = QueueLog(lambda agent: [queue.name for queue in FLOOR.queues]), written_since(log, Place())
    ours = [row for recorded in room.ledger for row in words.rows(recorded) if row.callid == call]
    assert [there[as_written(row)] for row in ours] == [1, 1, 1], "a row in doubt is known again when it stands there"


async def test_the_pbxs_own_account_of_a_call_agrees_with_the_ledger(
    pbx: PrivatePbx, plan: PbxPlan, phones: Phones, tmp_path: Path
) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.db'}")
    await upgrade(database)
    room = Room(plan, tmp_path)
    writer = CelWriter(room.ami, database)
    async with room:
        writing = asyncio.create_task(writer.run())
        await phones.agent(ALICE, answer_after=1.5)
        await room.ready(ALICE)
        await phones.caller("c1", "1001")
        call = (await room.fact(CallConnected)).call
        await asyncio.sleep(1.5)  # talk, for longer than the tolerance
        await phones.hang_up("c1")
        await room.fact(CallEnded)

        async def account() -> list[CelEvent]:
            events = await writer.store.of_call(call)
            return events if any(event.kind == LINKEDID_END for event in events) else []

        events = await eventually(account)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    await database.close()
    leg = agent_leg((await room.fact(CallConnected)).offer, call)
    kinds = {one: [event.kind for event in events if event.unique_id == one] for one in (call, leg)}

    assert kinds[call] == ["CHAN_START", "ANSWER", "BRIDGE_ENTER", "BRIDGE_EXIT", "HANGUP"]
    assert kinds[leg][:3] == ["CHAN_START", "ANSWER", "BRIDGE_ENTER"]
    assert events[-1].kind == LINKEDID_END
    assert len(events) == len(kinds[call]) + len(kinds[leg]), "no other channel had a part in it"
    assert {event.bridge for event in events if event.kind == "BRIDGE_ENTER"} == {bridge_of(call)}
    assert writer.dropped == 0
    record = fold(room.ledger)[call]
    assert cel_check(events, record) == []
    assert any(event.at.microsecond for event in events), "fractions of a second, though CEL tells whole ones"


# ---- changgu goes away and comes back ------------------------------------------------------------------------------


async def test_after_a_restart_conversations_go_on_and_waiting_callers_keep_their_place(
    pbx: PrivatePbx, plan: PbxPlan, phones: Phones, tmp_path: Path
) -> None:
    async with Room(plan, tmp_path) as first:
        await phones.agent(ALICE)
        await first.ready(ALICE)
        await phones.caller("talking", "1001")
        talking = (await first.fact(CallConnected)).call
        await phones.caller("waiting", "1001")
        waiting = (await first.fact(CallQueued, where=lambda fact: fact.call != talking)).call
        queued_at = first.engine.calls[waiting].queued_at
        legs = set(await first.channels())
    async with Room(plan, tmp_path, first.ledger) as second:
        assert set(await second.channels()) == legs, "nobody was cut off, nobody was rung anew"
        assert second.engine.calls[waiting].queued_at == queued_at
        assert not [fact for fact in second.facts if isinstance(fact, CallEnded | CallStarted)]
        await phones.hang_up("talking")
        await second.fact(CallEnded, call=talking, outcome=Outcome.ANSWERED)
        await second.fact(CallConnected, call=waiting)
        await phones.hang_up("waiting")
        await second.fact(CallEnded, call=waiting, outcome=Outcome.ANSWERED)
        await second.nothing_is_left()


async def test_after_a_restart_what_was_missed_is_made_up_for(
    pbx: PrivatePbx, plan: PbxPlan, phones: Phones, tmp_path: Path
) -> None:
    async with Room(plan, tmp_path) as first:
        await phones.agent(ALICE, answer_after=None)
        await first.ready(ALICE)
        await phones.caller("c1", "1001")
        offer = await first.fact(CallOffered)
        await phones.soft.expect("incoming", line="alice")
        await phones.caller("gone", "1001")
        gone = (await first.fact(CallQueued, where=lambda fact: fact.call != offer.call)).call
    await phones.hang_up("gone")
    await phones.ended("gone")
    await phones.soft.order(do="hang_up", call="alice-1")
    await phones.ended("alice-1")
    async with Room(plan, tmp_path, first.ledger) as second:
        await second.fact(CallEnded, call=gone, outcome=Outcome.ABANDONED_IN_QUEUE)
        await second.fact(OfferEnded, call=offer.call, offer=offer.offer, cause="gone")
        await second.fact(CallOffered, call=offer.call)
        await phones.soft.expect("incoming", call="alice-2")
        await phones.soft.order(do="answer", call="alice-2")
        await second.fact(CallConnected, call=offer.call)
        assert await second.bridges() == [f"call-{offer.call}"]
        await phones.hang_up("c1")
        await second.fact(CallEnded, call=offer.call)
        await second.nothing_is_left()


async def test_an_agent_who_picks_up_while_changgu_is_away_has_the_caller_when_it_is_back(
    pbx: PrivatePbx, plan: PbxPlan, phones: Phones, tmp_path: Path
) -> None:
    """Their leg waits in the dialplan, with music, also beyond the ring limit; nothing is counted as missed."""
    async with Room(plan, tmp_path) as first:
        await phones.agent(ALICE, answer_after=None)
        await first.ready(ALICE)
        await phones.caller("c1", "1001")
        offer = await first.fact(CallOffered)
        await phones.soft.expect("incoming", line="alice")
    await phones.soft.order(do="answer", call="alice-1")
    await phones.soft.expect("answered", call="alice-1")
    await asyncio.sleep(RING_SECONDS)
    async with Room(plan, tmp_path, first.ledger) as second:
        answered = await second.fact(CallAnswered, call=offer.call)
        assert (answered.agent, answered.offer) == (ALICE, offer.offer)
        await second.fact(CallConnected, call=offer.call)
        assert not any(isinstance(fact, OfferEnded | CallOffered) for fact in second.facts)
        await phones.hears("alice-1", CALLER_HERTZ, 0.7)
        await phones.hears("c1", AGENT_HERTZ, 0.7)
        await phones.hang_up("c1")
        await second.fact(CallEnded, call=offer.call, outcome=Outcome.ANSWERED)
        await phones.ended("alice-1")
        await second.nothing_is_left()


async def test_a_caller_in_the_menu_hears_it_again_after_a_restart(
    pbx: PrivatePbx, plan: PbxPlan, phones: Phones, tmp_path: Path
) -> None:
    async with Room(plan, tmp_path) as first:
        await phones.caller("c1")
        await first.fact(MenuStepTaken, node="services")
    async with Room(plan, tmp_path, first.ledger) as second:
        await second.fact(MenuStepTaken, node="services")
        await phones.press("c1", "1")
        assert (await second.fact(CallQueued)).queue == "pc"
        await phones.hang_up("c1")
        await second.fact(CallEnded)
        await second.nothing_is_left()


async def test_legs_and_callers_of_whom_the_ledger_knows_nothing(
    pbx: PrivatePbx, plan: PbxPlan, phones: Phones, tmp_path: Path
) -> None:
    async with Room(plan, tmp_path) as first:
        await phones.agent(ALICE, answer_after=None)
        await first.ready(ALICE)
        await phones.caller("c1", "1001")
        offered = await first.fact(CallOffered)
        await phones.soft.expect("incoming", line="alice")
    async with Room(plan, tmp_path, []) as second:
        started = await second.fact(CallStarted)
        assert started.call == offered.call
        await phones.ended("alice-1")
        await second.channel_is_gone(agent_leg(offered.offer, offered.call))
        await phones.hang_up("c1")
        await second.fact(CallEnded)
        await second.nothing_is_left()


async def test_callers_who_came_while_changgu_was_away_are_fetched_from_the_plain_queue(
    pbx: PrivatePbx, plan: PbxPlan, phones: Phones, tmp_path: Path
) -> None:
    await phones.caller("c1", "1002")
    await phones.soft.expect("answered", call="c1")
    async with Room(plan, tmp_path) as room:
        queued = await room.fact(CallQueued)
        assert queued.queue == "network"
        assert (await room.fact(CallStarted)).caller == "01012345678"
        await phones.agent(ALICE)
        await room.ready(ALICE)
        await room.fact(CallConnected, call=queued.call)
        await phones.hang_up("c1")
        await room.fact(CallEnded)
        await room.nothing_is_left()


async def test_a_lost_line_is_made_good_while_calls_go_on(room: Room, phones: Phones) -> None:
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.caller("c1", "1001")
    call = (await room.fact(CallConnected)).call
    room.telephony.reconciler.done.clear()
    await room.telephony.stream.drop()
    await phones.hang_up("c1")
    await asyncio.wait_for(room.telephony.reconciler.done.wait(), 10)
    ended = await room.fact(CallEnded, call=call)

    assert ended.outcome is Outcome.ANSWERED


async def test_an_unknown_queue_ends_with_an_apology(room: Room, phones: Phones, tmp_path: Path) -> None:
    await phones.caller("c1")
    call = (await room.fact(MenuStepTaken, node="services")).call
    room.post(CallArrived(call, QueueName("nowhere")))
    assert (await room.fact(CallEnded)).outcome is Outcome.REFUSED

    await phones.ended("c1")
    await phones.hears("c1", MENU_HERTZ, 0.1)


async def test_the_plain_queues_do_not_ring_who_is_not_ready(room: Room, phones: Phones) -> None:
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await eventually(lambda: _paused(room, "alice", False))
    assert await room.runner.ask(AgentNotReady(ALICE, NotReadyReason.MEAL)) is None
    await eventually(lambda: _paused(room, "alice", True))


async def _paused(room: Room, login: str, wanted: bool) -> bool:
    members = [entry for entry in await room.ami.listing("QueueStatus") if entry.get("Name") == login]
    return bool(members) and all((member["Paused"] == "1") is wanted for member in members)


async def test_when_the_desk_closes_callers_are_told_and_nobody_is_left(
    room: Room, phones: Phones, tmp_path: Path
) -> None:
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.caller("talking", "1001")
    talking = (await room.fact(CallConnected)).call
    await phones.caller("waiting", "1001")
    waiting = (await room.fact(CallQueued, where=lambda fact: fact.call != talking)).call
    room.post(DeskClosed(waiting))
    room.post(DeskClosed(talking))
    await room.fact(CallEnded, call=talking)
    await room.fact(CallEnded, call=waiting)
    for call in ("waiting", "talking", "alice-1"):
        await phones.ended(call)
    await phones.hears("waiting", MENU_HERTZ, 0.1)


async def test_a_pbx_that_stands_still_for_a_while_keeps_its_calls(room: Room, phones: Phones, pbx: PrivatePbx) -> None:
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.caller("c1", "1001")
    call = (await room.fact(CallConnected)).call
    assert pbx.pid is not None
    room.telephony.reconciler.done.clear()
    os.kill(pbx.pid, signal.SIGSTOP)
    try:
        await eventually(lambda: _disconnected(room))
    finally:
        os.kill(pbx.pid, signal.SIGCONT)
    await asyncio.wait_for(room.telephony.reconciler.done.wait(), 15)

    assert call in room.engine.calls
    await phones.hang_up("c1")
    await room.fact(CallEnded, call=call, outcome=Outcome.ANSWERED)


async def _disconnected(room: Room) -> bool:
    return not room.telephony.connected


async def test_calls_that_a_crashed_pbx_took_with_it_are_lost_and_the_desk_goes_on(
    room: Room, phones: Phones, pbx: PrivatePbx, plan: PbxPlan
) -> None:
    await phones.agent(ALICE)
    await room.ready(ALICE)
    await phones.caller("c1", "1001")
    call = (await room.fact(CallConnected)).call
    assert pbx.pid is not None
    os.kill(pbx.pid, signal.SIGKILL)
    await eventually(lambda: _gone(pbx))
    await pbx.start(render(plan, PBX_FLOOR))
    await room.fact(CallEnded, call=call, outcome=Outcome.LOST)
    await asyncio.wait_for(room.telephony.reconciler.done.wait(), 10)
    await phones.caller("c2", "1001")

    await room.fact(CallStarted, where=lambda fact: fact.call != call)
    await phones.hang_up("c2")
    await room.fact(CallEnded, where=lambda fact: fact.call != call)


async def _gone(pbx: PrivatePbx) -> bool:
    return not pbx.running

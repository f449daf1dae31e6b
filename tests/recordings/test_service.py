"""Conversations are recorded, linked, ended and destroyed; what is missing is said."""

import json
import os
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from sqlite3 import connect

import pytest

from changgu.acd.facts import (
    CallConnected,
    CallEnded,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    MenuStepTaken,
    Outcome,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, OfferId
from changgu.ground.database import Database
from changgu.recordings.store import Leg, Recording, RecordingState, RecordingStore
from tests.recordings.conftest import NETWORK, SECRET, T0, Office, write_tone

C1 = CallId("c1")


async def test_a_conversation_has_one_file_for_each_voice_and_one_for_both(office: Office) -> None:
    async with office.open():
        office.connect()
        office.end()
    recordings = await office.store.of_call(C1)
    assert [recording.leg for recording in recordings] == [Leg.MIX, Leg.CALLER, Leg.AGENT]
    for recording in recordings:
        assert recording.state is RecordingState.COMPLETE
        assert (recording.agent, recording.queue, recording.caller) == ("alice", "network", "01012345678")
        assert recording.started_at == datetime.fromtimestamp(T0 + 10, UTC)
        assert recording.ended_at == datetime.fromtimestamp(T0 + 70, UTC)
        assert (recording.seconds, recording.bytes) == (0.5, 8044)
        path = office.service.file_of(recording)
        assert path == office.folder / f"2026/11/21/c1/{recording.leg.value}.wav"
        assert path.stat().st_size == recording.bytes


async def test_a_call_that_goes_on_to_a_second_agent_is_one_recording(office: Office) -> None:
    async with office.open():
        office.connect()
        assert await office.service.settle()
        office.recorder.refuses = "started twice"
        office.happen(CallConnected(C1, AgentId("bob"), OfferId(2)))
        office.end()
    assert {one.state for one in await office.store.of_call(C1)} == {RecordingState.COMPLETE}


async def test_nothing_is_recorded_before_caller_and_agent_hear_each_other(office: Office) -> None:
    async with office.open():
        office.happen(CallStarted(C1, Direction.INBOUND, None, "1000"), CallQueued(C1, NETWORK, 0))
        office.happen(CallEnded(C1, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER))
    assert office.recorder.started == {}
    assert office.recorder.stopped == []
    assert await office.store.of_call(C1) == []


async def test_a_queue_that_does_not_record_leaves_no_trace(office: Office) -> None:
    async with office.open():
        office.connect(queue=SECRET)
        office.end()
    assert office.recorder.started == {}
    assert await office.store.of_call(C1) == []


async def test_a_caller_without_the_notice_is_not_recorded_and_the_page_says_so(office: Office) -> None:
    async with office.open():
        office.happen(CallStarted(C1, Direction.INBOUND, None, "1000"), MenuStepTaken(C1, "services", None))
        office.happen(CallQueued(C1, NETWORK, 0), CallConnected(C1, AgentId("alice"), OfferId(1)))
        office.end()
    (recording,) = await office.store.of_call(C1)
    assert (recording.state, recording.path) == (RecordingState.SKIPPED, None)
    assert office.recorder.started == {}


async def test_a_recorder_that_refuses_leaves_an_explicit_failure(office: Office) -> None:
    office.recorder.refuses = "No such channel"
    async with office.open():
        office.connect()
        office.end()
    recordings = await office.store.of_call(C1)
    assert {recording.state for recording in recordings} == {RecordingState.FAILED}
    assert "No such channel" in recordings[0].why


async def test_a_full_or_forbidden_folder_leaves_an_explicit_failure(office: Office) -> None:
    office.folder.write_text("not a folder")
    async with office.open():
        office.connect()
        office.end()
    recordings = await office.store.of_call(C1)
    assert [(one.state, one.path) for one in recordings] == 3 * [(RecordingState.FAILED, None)]
    assert office.recorder.started == {}


async def test_a_voice_of_which_no_sound_came_is_said_to_be_missing(office: Office) -> None:
    office.recorder.silent_legs = {"caller"}
    async with office.open():
        office.connect()
        office.end()
    mix, caller, agent = await office.store.of_call(C1)
    assert (mix.state, agent.state) == (RecordingState.COMPLETE, RecordingState.COMPLETE)
    assert (caller.state, caller.why) == (RecordingState.FAILED, "no file: the PBX wrote none")


async def test_a_database_that_is_away_does_not_stop_the_recording(office: Office, tmp_path: Path) -> None:
    """The note beside the files brings the rows back."""
    with closing(connect(tmp_path / "changgu.db")) as other:
        other.execute("ALTER TABLE recordings RENAME TO gone")
        async with office.open():
            office.connect()
        assert C1 in office.recorder.started
        other.execute("ALTER TABLE gone RENAME TO recordings")
    await office.recorder.stop(C1)
    await office.service.reconcile(set())
    recordings = await office.store.of_call(C1)
    assert [recording.state for recording in recordings] == 3 * [RecordingState.COMPLETE]
    assert recordings[0].caller == "01012345678"


async def test_a_recording_whose_end_nobody_saw_gets_it_from_its_file(office: Office) -> None:
    async with office.open():
        office.connect("c1")
        office.connect("c2")
    office.service = office.new_service()
    for call in ("c1", "c2"):
        folder = office.recorder.started[CallId(call)]
        write_tone(folder / "mix.wav")
        content = (folder / "mix.wav").read_bytes()
        (folder / "mix.wav").write_bytes(content[:40] + bytes(4) + content[44:])  # never closed
        os.utime(folder / "mix.wav", (T0 + 42, T0 + 42))
    await office.service.reconcile({CallId("c2")})

    ended, *legs = await office.store.of_call(C1)
    assert (ended.state, ended.seconds) == (RecordingState.COMPLETE, 0.5)
    assert {leg.state for leg in legs} == {RecordingState.FAILED}
    assert {one.state for one in await office.store.of_call(CallId("c2"))} == {RecordingState.RECORDING}


async def test_after_a_restart_a_recording_that_went_on_is_ended_as_usual(office: Office) -> None:
    async with office.open():
        office.connect()
    tail = [
        Recorded(1, T0, CallStarted(C1, Direction.INBOUND, None, "1002")),
        Recorded(2, T0, CallQueued(C1, NETWORK, 0)),
        Recorded(3, T0, CallConnected(C1, AgentId("alice"), OfferId(1))),
    ]
    office.service = office.new_service()
    for recorded in tail:
        office.service.remember(recorded)
    await office.service.reconcile({C1})
    async with office.open():
        office.end()
    assert office.recorder.stopped == [C1]
    assert {one.state for one in await office.store.of_call(C1)} == {RecordingState.COMPLETE}


async def test_a_conversation_that_began_while_we_were_away_is_recorded_from_now(office: Office) -> None:
    for recorded in [
        Recorded(1, T0, CallStarted(C1, Direction.INBOUND, None, "1002")),
        Recorded(2, T0, CallQueued(C1, NETWORK, 0)),
        Recorded(3, T0, CallConnected(C1, AgentId("alice"), OfferId(1))),
    ]:
        office.service.remember(recorded)
    await office.service.reconcile({C1})
    async with office.open():
        office.end()
    assert C1 in office.recorder.started
    assert {one.state for one in await office.store.of_call(C1)} == {RecordingState.COMPLETE}


class BusyStore(RecordingStore):
    """While it is asked about a call, another caller arrives."""

    office: Office

    async def of_call(self, call: CallId) -> list[Recording]:
        self.office.happen(CallStarted(CallId(f"after-{call}"), Direction.INBOUND, None, "1002"))
        return await super().of_call(call)


async def test_callers_who_arrive_while_the_past_is_settled_disturb_nothing(
    database: Database, tmp_path: Path
) -> None:
    office = Office(database, tmp_path / "recordings")
    office.store = BusyStore(database)
    office.store.office = office
    office.service = office.new_service()
    for number, call in enumerate((C1, CallId("c2"))):
        for fact in (
            CallStarted(call, Direction.INBOUND, None, "1002"),
            CallQueued(call, NETWORK, 0),
            CallConnected(call, AgentId("alice"), OfferId(number)),
        ):
            office.service.remember(Recorded(1, T0, fact))
    await office.service.reconcile({C1, CallId("c2")})
    async with office.open():
        office.end()
        office.end("c2")
    assert set(office.recorder.started) == {C1, CallId("c2")}


async def test_what_is_overdue_is_destroyed_for_good_and_the_rest_stays(office: Office) -> None:
    async with office.open():
        office.connect()
        office.end()
    before = await office.store.of_call(C1)
    last_day = before[0].purge_on
    assert last_day == date(2027, 5, 20)
    assert await office.service.purge(date(2027, 5, 19)) == 0
    assert await office.service.purge(last_day) == 3
    assert await office.service.purge(last_day) == 0
    after = await office.store.of_call(C1)
    assert {(one.state, one.path, one.caller) for one in after} == {(RecordingState.PURGED, None, None)}
    assert not (office.folder / "2026/11/21/c1").exists()


@pytest.mark.parametrize("call", ["../../etc/passwd", "/etc/passwd", "a/b", ".", "..", "", "x" * 140, "c\n1", "통화"])
async def test_a_calls_id_cannot_lead_out_of_the_folder(office: Office, call: str) -> None:
    async with office.open():
        office.connect(call)
        office.end(call)
    for recording in await office.store.of_call(CallId(call)):
        path = office.service.file_of(recording)
        assert path is not None
        assert path.is_relative_to(office.folder.resolve() / "2026/11/21")
        assert recording.state is RecordingState.COMPLETE
    (note,) = office.folder.glob("2026/11/21/*/call.json")
    assert json.loads(note.read_text())["call"] == call


async def test_a_path_in_the_database_that_leads_out_of_the_folder_is_not_followed(
    office: Office, tmp_path: Path
) -> None:
    async with office.open():
        office.connect()
        office.end()
    (tmp_path / "secret.wav").write_text("secret")
    with closing(connect(tmp_path / "changgu.db")) as other:
        for path in ("../secret.wav", str(tmp_path / "secret.wav"), "..", "."):
            other.execute("UPDATE recordings SET path = ?", (path,))
            other.commit()
            (recording, *_) = await office.store.of_call(C1)
            assert office.service.file_of(recording) is None, path

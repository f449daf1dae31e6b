"""A message that a caller left is kept like any recording: listed with its call, heard, and destroyed in time."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from changgu.acd.facts import CallConnected, CallQueued, CallStarted, Direction, Recorded
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.recordings.store import Leg, RecordingState
from changgu.recordings.wav import NoWav
from tests.recordings.conftest import NETWORK, T0, Office, write_tone


@dataclass(frozen=True)
class Message:
    call: CallId
    queue: QueueName
    caller: str | None
    sound: bytes


@pytest.fixture
def message(tmp_path: Path) -> Message:
    write_tone(tmp_path / "left.wav", seconds=2.5)
    return Message(CallId("pbx-1.7"), NETWORK, "01012345678", (tmp_path / "left.wav").read_bytes())


async def test_a_message_is_kept_with_its_call(office: Office, message: Message) -> None:
    await office.service.keep(message)

    (kept,) = await office.store.of_call(message.call)
    assert (kept.leg, kept.state, kept.queue, kept.agent) == (Leg.MESSAGE, RecordingState.COMPLETE, NETWORK, None)
    assert (kept.caller, kept.seconds, kept.bytes) == ("01012345678", 2.5, len(message.sound))
    file = office.service.file_of(kept)
    assert file is not None
    assert file.read_bytes() == message.sound


async def test_whoever_left_a_message_and_then_reaches_an_agent_has_both_recorded(
    office: Office, message: Message
) -> None:
    await office.service.keep(message)
    async with office.open():
        office.connect(message.call)
        office.end(message.call)

    left, *talked = reversed(await office.store.of_call(message.call))
    assert {one.state for one in (left, *talked)} == {RecordingState.COMPLETE}
    assert (left.leg, left.agent, left.seconds) == (Leg.MESSAGE, None, 2.5)
    assert [(one.leg, one.agent) for one in talked] == [(leg, "alice") for leg in (Leg.AGENT, Leg.CALLER, Leg.MIX)]
    file = office.service.file_of(left)
    assert file is not None
    assert file.read_bytes() == message.sound


async def test_a_conversation_after_a_message_that_began_while_we_were_away_is_recorded(
    office: Office, message: Message
) -> None:
    await office.service.keep(message)
    for fact in (
        CallStarted(message.call, Direction.INBOUND, None, "1002"),
        CallQueued(message.call, NETWORK, 0),
        CallConnected(message.call, AgentId("alice"), OfferId(1)),
    ):
        office.service.remember(Recorded(1, T0, fact))
    await office.service.reconcile({message.call})
    async with office.open():
        office.end(message.call)

    assert message.call in office.recorder.started


async def test_a_conversation_purged_before_its_message_leaves_the_note_to_it(office: Office, message: Message) -> None:
    async with office.open():
        office.connect(message.call)
        office.end(message.call)
    office.now += timedelta(days=1)
    await office.service.keep(message)
    talked, left = [
        [one for one in await office.store.of_call(message.call) if (one.leg is Leg.MESSAGE) is wanted]
        for wanted in (False, True)
    ]

    assert await office.service.purge(talked[0].purge_on) == 3
    file = office.service.file_of(left[0])
    assert file is not None
    assert file.exists()
    assert await office.service.purge(left[0].purge_on) == 1
    assert not file.parent.exists()


async def test_a_message_kept_twice_is_one_message(office: Office, message: Message) -> None:
    await office.service.keep(message)
    await office.service.keep(message)

    assert len(await office.store.of_call(message.call)) == 1


async def test_a_second_message_in_the_same_call_is_joined_to_the_first(
    office: Office, message: Message, tmp_path: Path
) -> None:
    await office.service.keep(message)
    write_tone(tmp_path / "more.wav", seconds=1.5)
    more = Message(message.call, NETWORK, None, (tmp_path / "more.wav").read_bytes()[:-2000] + bytes(2000))

    await office.service.keep(more)
    await office.service.keep(more)

    (kept,) = await office.store.of_call(message.call)
    assert kept.seconds == 4.0
    file = office.service.file_of(kept)
    assert file is not None
    assert file.read_bytes()[44:] == message.sound[44:] + more.sound[44:]


async def test_a_message_is_destroyed_when_its_time_is_over(office: Office, message: Message) -> None:
    await office.service.keep(message)
    (kept,) = await office.store.of_call(message.call)
    file = office.service.file_of(kept)
    assert file is not None

    assert await office.service.purge(kept.purge_on - timedelta(days=1)) == 0
    assert await office.service.purge(kept.purge_on) == 1
    assert not file.exists()
    assert not file.parent.exists()


async def test_what_is_no_sound_is_refused_before_anything_is_written(office: Office, message: Message) -> None:
    with pytest.raises(NoWav):
        await office.service.keep(Message(message.call, NETWORK, None, b"<html>"))

    assert await office.store.of_call(message.call) == []


async def test_a_second_message_after_midnight_lies_beside_the_first_and_goes_with_it(
    office: Office, message: Message, tmp_path: Path
) -> None:
    first = await office.service.keep(message)
    office.now += timedelta(days=1)
    write_tone(tmp_path / "second.wav", seconds=1.5)
    second = (tmp_path / "second.wav").read_bytes()
    second = second[:44] + bytes(255 - one for one in second[44:])
    both = await office.service.keep(replace(message, sound=second))

    (kept,) = await office.store.of_call(message.call)
    assert (kept.path, both.seconds) == (first.path, 4.0)
    assert len(list(office.service.folder.rglob("*.wav"))) == 1
    await office.service.purge(kept.purge_on)
    assert not list(office.service.folder.rglob("*.wav"))

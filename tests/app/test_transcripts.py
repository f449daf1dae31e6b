"""Voice mail is written down after the call, once, and its ticket says how sure the machine is."""

import asyncio
from pathlib import Path

import pytest

from changgu.acd.identity import CallId
from changgu.app.message_joins import VoicemailTickets
from changgu.app.transcripts import TRIES, Transcripts
from changgu.telephony.diversions import Message
from changgu.telephony.speech.listening import Transcript
from changgu.telephony.speech.recogniser import GaveUp, Unreadable
from changgu.ticketing.intake.messages import TicketMessage
from tests.app.test_message_joins import CALL, NETWORK, PHONE, House, house, sound

__all__ = ["house"]


class Machine:
    """Hears what it is told to hear, or nobody has time (None), or nothing can be read."""

    def __init__(self) -> None:
        self.files: list[Path] = []
        words = Transcript(("프린터가", "안", "됩니다"), (0.9, 0.5, 0.4))
        self.hears: Transcript | type[Unreadable | GaveUp] | None = words

    async def transcribe(self, file: Path) -> Transcript | None:
        self.files.append(file)
        if self.hears in (Unreadable, GaveUp):
            raise self.hears(str(file))
        assert self.hears is None or isinstance(self.hears, Transcript)
        return self.hears


async def left(house: House, call: CallId = CALL) -> None:
    keeper = VoicemailTickets(house.recordings, house.intake, house.callers)
    await keeper.keep(Message(call, NETWORK, PHONE, 2.0, sound()))


async def message(house: House, call: CallId = CALL) -> TicketMessage:
    (ticket,) = await house.tickets.for_call(call)
    (found,) = await house.intake.of_ticket(ticket.number)
    return found


def transcripts(house: House, machine: Machine) -> Transcripts:
    made = Transcripts(house.intake, house.recording_store, house.recordings, machine.transcribe)
    house.intake.tell(made.look)
    return made


async def test_the_ticket_is_there_at_once_and_its_words_when_they_are_ready(house: House) -> None:
    machine = Machine()
    working = asyncio.create_task(transcripts(house, machine).run())
    await asyncio.sleep(0)
    await left(house)
    assert (await message(house)).recording is not None

    async with asyncio.timeout(10):
        while (found := await message(house)).transcript_confidence is None:
            await asyncio.sleep(0.01)
    working.cancel()

    assert found.transcript == "프린터가 안 됩니다"
    assert found.transcript_confidence == pytest.approx(0.6)
    assert [file.read_bytes() for file in machine.files] == [sound()]


async def test_a_message_is_listened_to_once_and_silence_is_said_to_be_silence(house: House) -> None:
    machine = Machine()
    machine.hears = Transcript()
    await left(house)
    made = transcripts(house, machine)

    assert [await made.write_down(machine.transcribe) for _ in range(2)] == [1, 0]
    found = await message(house)
    assert (found.transcript, found.transcript_confidence) == ("", 0.0)


@pytest.mark.parametrize("hears", [GaveUp, Unreadable])
async def test_what_ends_the_machine_is_tried_a_few_times_and_what_cannot_be_read_once(
    house: House, hears: type[Unreadable | GaveUp]
) -> None:
    machine = Machine()
    machine.hears = hears
    await left(house)
    made = transcripts(house, machine)

    for _ in range(TRIES + 2):
        await made.write_down(machine.transcribe)

    assert len(machine.files) == (TRIES if hears is GaveUp else 1)
    assert (await message(house)).transcript == ""


async def test_a_machine_that_is_not_ready_uses_up_no_try(house: House) -> None:
    """Messages that come fast make it look again at once: three times within minutes is not seven days."""
    machine = Machine()
    ready, machine.hears = machine.hears, None
    await left(house)
    made = transcripts(house, machine)
    for _ in range(TRIES + 2):
        assert await made.write_down(machine.transcribe) == 0

    machine.hears = ready

    assert await made.write_down(machine.transcribe) == 1
    assert (await message(house)).transcript == "프린터가 안 됩니다"


async def test_without_a_recogniser_nothing_is_written_down(house: House) -> None:
    await left(house)

    async with asyncio.timeout(5):
        await Transcripts(house.intake, house.recording_store, house.recordings, None).run()

    assert (await message(house)).transcript_confidence is None

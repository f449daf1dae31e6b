"""Voice mail and fax become tickets, once, and nobody forgets to reply to them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from changgu.acd.identity import CallId, QueueName
from changgu.ground.database import Database
from changgu.ground.lookout import LONGEST_SLEEP, SHORTEST_SLEEP
from changgu.ground.trouble import BadInput, Conflict, NotFound
from changgu.ivr_flows.opening_hours import Calendar, period
from changgu.ticketing.entries import Caller
from changgu.ticketing.intake.messages import Answer, MessageKind, TicketMessage, Waiting
from changgu.ticketing.intake.runner import Expiry, UnansweredWatch
from changgu.ticketing.intake.service import LARGEST_FILE, Intake
from changgu.ticketing.lifecycle import Move
from changgu.ticketing.number import TicketNumber
from changgu.ticketing.service import Tickets
from changgu.ticketing.ticket import CallRole, Channel, Kind, TicketState
from tests.ticketing.conftest import KIM, PARK, Clock

CALL, NETWORK = CallId("pbx-1.7"), QueueName("network")
LEE = Caller("010-1234-5678", 7, "이사용", "총무팀")
SEOUL = ZoneInfo("Asia/Seoul")
PDF = b"%PDF-1.4\n..."


@pytest.fixture
def intake(database: Database, tickets: Tickets, clock: Clock, tmp_path: Path) -> Intake:
    titles = {"network": "네트워크"}
    waiting = Waiting(timedelta(minutes=30))
    return Intake(database, tickets, tmp_path / "attachments", waiting, lambda name: titles[name], clock)


async def classify(tickets: Tickets, number: TicketNumber) -> None:
    await tickets.update(number, {"kind": Kind.INQUIRY}, KIM)


async def test_a_voice_mail_becomes_a_ticket_with_its_sound_and_its_words(intake: Intake, tickets: Tickets) -> None:
    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41, "프린터가 안 됩니다", seconds=12.5)

    assert opened.is_new
    file = await tickets.file(opened.ticket)
    ticket = file.ticket
    assert (ticket.title, ticket.channel) == ("네트워크 음성메일 (010-1234-5678)", Channel.VOICEMAIL)
    assert (ticket.requester, ticket.person, ticket.queue) == ("이사용", 7, "network")
    assert (ticket.owner, ticket.is_unclassified) == (None, True)
    assert ticket.description == "음성메일 받아쓰기(자동):\n프린터가 안 됩니다"
    assert [(link.call, link.role) for link in file.calls] == [(CALL, CallRole.CREATED)]
    (message,) = await intake.of_ticket(opened.ticket)
    assert (message.kind, message.recording, message.seconds) == (MessageKind.VOICEMAIL, 41, 12.5)
    assert (message.transcript, message.caller, message.answered) == ("프린터가 안 됩니다", "010-1234-5678", None)


async def test_a_voice_mail_that_is_told_twice_is_one_ticket(intake: Intake, tickets: Tickets) -> None:
    first = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)
    again = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)

    assert (again.ticket, again.message, again.is_new) == (first.ticket, first.message, False)
    assert len(await tickets.for_person(7)) == 1


async def test_a_message_whose_ticket_was_opened_before_a_crash_is_attached_to_it(
    intake: Intake, tickets: Tickets
) -> None:
    ticket, _ = await tickets.open_for_call(CALL, None, NETWORK, LEE, "음성메일", channel=Channel.VOICEMAIL)

    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)

    assert (opened.ticket, opened.is_new) == (ticket.number, True)


async def test_a_withheld_number_and_no_queue_make_a_ticket_too(intake: Intake, tickets: Tickets) -> None:
    opened = await intake.open_voicemail_ticket(CALL, Caller(), None, 41)

    assert (await tickets.get(opened.ticket)).title == "음성메일"


async def test_words_that_come_later_stand_beside_the_sound(intake: Intake, clock: Clock) -> None:
    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)

    assert await intake.untranscribed(clock() - timedelta(days=1)) == [(CALL, 41)]
    await intake.transcribed(CALL, "모니터가 꺼집니다", 0.62)

    message = await intake.get(opened.message)
    assert (message.transcript, message.transcript_confidence) == ("모니터가 꺼집니다", 0.62)
    assert await intake.untranscribed(clock() - timedelta(days=1)) == []
    with pytest.raises(NotFound):
        await intake.transcribed(CallId("another"), "…", 0.5)


async def test_more_that_is_said_in_the_same_call_is_listened_to_anew(intake: Intake, clock: Clock) -> None:
    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41, seconds=4.0)
    await intake.transcribed(CALL, "여보세요", 0.9)
    told: list[bool] = []
    intake.tell(lambda: told.append(True))

    await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41, seconds=4.0)
    assert await intake.untranscribed(clock() - timedelta(days=1)) == []
    await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41, seconds=9.5)

    assert await intake.untranscribed(clock() - timedelta(days=1)) == [(CALL, 41)]
    assert ((await intake.get(opened.message)).seconds, told) == (9.5, [True])


async def test_a_fax_becomes_a_ticket_with_its_pdf(intake: Intake, tickets: Tickets) -> None:
    opened = await intake.open_fax_ticket(CALL, LEE, NETWORK, PDF, 3)

    ticket = await tickets.get(opened.ticket)
    assert (ticket.channel, ticket.title) == (Channel.FAX, "네트워크 팩스 (010-1234-5678)")
    assert ticket.description == "팩스 3쪽"
    path = await intake.document(opened.message)
    assert path.read_bytes() == PDF
    assert not list(path.parent.glob("*.part"))
    assert (await intake.get(opened.message)).bytes == len(PDF)
    assert (await intake.open_fax_ticket(CALL, LEE, NETWORK, PDF, 3)).is_new is False


@pytest.mark.parametrize("call", ["../../etc/passwd", "a/b", "", "x" * 149, "-rf"])
async def test_the_name_of_a_call_never_leads_out_of_the_folder(intake: Intake, call: str, tmp_path: Path) -> None:
    opened = await intake.open_fax_ticket(CallId(call), LEE, NETWORK, PDF, 1)

    path = await intake.document(opened.message)
    assert path.is_relative_to(tmp_path / "attachments")
    assert list(tmp_path.rglob("*.pdf")) == [path]


async def test_what_is_no_pdf_is_refused_before_anything_is_kept(
    intake: Intake, tickets: Tickets, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="no PDF"):
        await intake.open_fax_ticket(CALL, LEE, NETWORK, b"<html>", 1)
    with pytest.raises(BadInput, match="larger"):
        await intake.open_fax_ticket(CALL, LEE, NETWORK, PDF + bytes(LARGEST_FILE), 1)

    assert await tickets.for_call(CALL) == []
    assert not (tmp_path / "attachments").exists()


async def test_a_voice_mail_has_no_document(intake: Intake) -> None:
    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)

    with pytest.raises(NotFound):
        await intake.document(opened.message)
    with pytest.raises(NotFound):
        await intake.get(999)


# ---- nobody replies -------------------------------------------------------------------------------------------------


async def test_the_desk_is_told_once_when_nobody_has_replied_in_time(intake: Intake, clock: Clock) -> None:
    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)
    assert await intake.next_alert() == clock() + timedelta(minutes=30)

    clock.pass_by(minutes=29, seconds=59)
    assert await intake.raise_alerts() == []
    assert await intake.late() == []

    clock.pass_by(seconds=1)
    assert [message.id for message in await intake.raise_alerts()] == [opened.message]
    assert await intake.raise_alerts() == []
    assert [message.is_late for message in await intake.late()] == [True]
    assert await intake.next_alert() is None


async def test_a_call_back_that_reached_the_caller_is_a_reply_and_one_that_did_not_is_none(
    intake: Intake, tickets: Tickets, clock: Clock
) -> None:
    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)
    await classify(tickets, opened.ticket)
    clock.pass_by(minutes=31)
    await intake.raise_alerts()

    await tickets.record_callback(opened.ticket, "부재중", KIM, reached=False)
    assert len(await intake.late()) == 1

    await tickets.record_callback(opened.ticket, "안내함", KIM, reached=True)
    assert await intake.late() == []
    answered = (await intake.get(opened.message)).answered
    assert answered is not None
    assert (answered.how, answered.at, answered.by) == (Answer.CALLED_BACK, clock(), "kim")


async def test_a_resolved_ticket_is_a_reply_until_it_is_taken_up_again(
    intake: Intake, tickets: Tickets, clock: Clock
) -> None:
    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)
    await classify(tickets, opened.ticket)
    await tickets.move(opened.ticket, Move(TicketState.RESOLVED, action="메일로 안내"), KIM)

    clock.pass_by(hours=1)
    assert await intake.raise_alerts() == []
    answered = (await intake.get(opened.message)).answered
    assert answered is not None
    assert answered.how is Answer.RESOLVED

    await tickets.move(opened.ticket, Move(TicketState.ALLOCATED, assignee="박", reason="아직"), KIM)
    assert (await intake.get(opened.message)).answered is None
    assert len(await intake.raise_alerts()) == 1


async def test_a_call_back_from_before_the_message_is_no_reply_to_it(
    intake: Intake, tickets: Tickets, clock: Clock
) -> None:
    ticket, _ = await tickets.open_for_call(CALL, None, NETWORK, LEE, "전화")
    await tickets.record_callback(ticket.number, "먼저 건 전화", KIM)
    clock.pass_by(minutes=5)
    await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)

    clock.pass_by(minutes=30)
    assert len(await intake.raise_alerts()) == 1


async def test_a_message_that_needs_no_reply_is_dismissed_with_a_reason(intake: Intake, clock: Clock) -> None:
    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)
    with pytest.raises(BadInput):
        await intake.dismiss(opened.message, "  ", PARK)

    dismissed = await intake.dismiss(opened.message, "광고", PARK)

    assert dismissed.answered is not None
    assert (dismissed.answered.how, dismissed.answered.by) == (Answer.DISMISSED, "park")
    clock.pass_by(hours=2)
    assert await intake.raise_alerts() == []
    with pytest.raises(Conflict):
        await intake.dismiss(opened.message, "다시", KIM)


async def test_pages_hold_what_was_asked_for(intake: Intake) -> None:
    ids = [(await intake.open_voicemail_ticket(CallId(f"c{n}"), LEE, NETWORK, n)).message for n in range(5)]
    await intake.dismiss(ids[4], "광고", KIM)

    first, following = await intake.page(limit=3)
    assert [message.id for message in first] == [ids[4], ids[3], ids[2]]
    rest, end = await intake.page(limit=3, before=following)
    assert ([message.id for message in rest], end) == ([ids[1], ids[0]], None)
    unanswered, _ = await intake.page(unanswered=True)
    assert [message.id for message in unanswered] == [ids[3], ids[2], ids[1], ids[0]]


async def test_the_watch_shows_the_late_ones_and_knows_when_to_look_again(
    intake: Intake, tickets: Tickets, clock: Clock
) -> None:
    shown: list[Sequence[TicketMessage]] = []
    watch = UnansweredWatch(intake, shown.append)
    intake.tell(watch.look)

    assert await watch.look_once() == LONGEST_SLEEP
    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)
    clock.pass_by(minutes=29, seconds=50)
    assert await watch.look_once() == 10 + SHORTEST_SLEEP
    clock.pass_by(seconds=10)
    assert await watch.look_once() == LONGEST_SLEEP
    await watch.look_once()
    assert [[message.id for message in late] for late in shown] == [[], [opened.message]]

    await intake.dismiss(opened.message, "광고", KIM)
    await watch.look_once()
    assert list(shown[-1]) == []


@pytest.mark.parametrize("reply", ["called back", "dismissed"])
async def test_a_reply_is_seen_at_once_and_not_at_the_next_look(
    intake: Intake, tickets: Tickets, clock: Clock, reply: str
) -> None:
    """A minute later two agents would have called the same person."""
    shown: asyncio.Queue[Sequence[TicketMessage]] = asyncio.Queue()
    watch = UnansweredWatch(intake, shown.put_nowait)
    intake.tell(watch.look)
    tickets.tell(watch.ticket_changed)
    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)
    clock.pass_by(minutes=30)
    running = asyncio.create_task(watch.run())
    try:
        late = await asyncio.wait_for(shown.get(), 5)
        assert [message.id for message in late] == [opened.message]
        if reply == "called back":
            await tickets.record_callback(opened.ticket, "안내", KIM, reached=True)
        else:
            await intake.dismiss(opened.message, "광고", KIM)
        assert list(await asyncio.wait_for(shown.get(), 5)) == []
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


# ---- while the desk is open, and when the time is over ---------------------------------------------------------------


async def test_the_clock_of_a_message_stands_while_the_desk_is_closed(
    database: Database, tickets: Tickets, clock: Clock, tmp_path: Path
) -> None:
    nine_to_six = (period("09:00-18:00"),)
    office: list[Calendar | None] = [Calendar("Asia/Seoul", dict.fromkeys(range(5), nine_to_six))]
    waiting = Waiting(timedelta(minutes=30), lambda: office[0])
    intake = Intake(database, tickets, tmp_path / "attachments", waiting, now=clock)
    clock.pass_by(hours=8, minutes=45)  # Friday, 17:45 in Seoul
    opened = await intake.open_voicemail_ticket(CALL, LEE, NETWORK, 41)

    monday = datetime(2026, 11, 23, 0, 15, tzinfo=UTC)  # 9:15 in Seoul
    assert await intake.next_alert() == monday
    clock.pass_by(hours=40)
    assert await intake.raise_alerts() == []
    clock.pass_by(seconds=(monday - clock()).total_seconds() - 1)
    assert await intake.raise_alerts() == []
    clock.pass_by(seconds=1)
    assert [message.id for message in await intake.raise_alerts()] == [opened.message]
    office[0] = None
    assert waiting.alert_at(clock()) == clock() + timedelta(minutes=30), "without a calendar day and night count"


async def test_a_fax_is_destroyed_when_its_time_is_over_and_its_ticket_stays(
    intake: Intake, tickets: Tickets, clock: Clock, tmp_path: Path
) -> None:
    old = await intake.open_fax_ticket(CALL, LEE, NETWORK, PDF, 3)
    clock.pass_by(hours=24)
    new = await intake.open_fax_ticket(CallId("later"), LEE, NETWORK, PDF, 1)
    expiry = Expiry(2, SEOUL, {"faxes": intake.purge}, clock)
    assert await expiry.purge() == 0

    clock.pass_by(hours=24)
    assert await expiry.purge() == 1
    assert await expiry.purge() == 0

    with pytest.raises(NotFound):
        await intake.document(old.message)
    message = await intake.get(old.message)
    assert (message.file, message.pages, message.bytes) == (None, 3, len(PDF))
    assert await tickets.get(old.ticket)
    assert list(tmp_path.rglob("*.pdf")) == [await intake.document(new.message)]


async def test_a_fax_that_cannot_be_destroyed_keeps_no_other(
    intake: Intake, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = await intake.open_fax_ticket(CALL, LEE, NETWORK, PDF, 1)
    other = await intake.open_fax_ticket(CallId("later"), LEE, NETWORK, PDF, 1)
    file = await intake.document(stuck.message)
    file.unlink()
    file.mkdir()  # what is no file cannot be unlinked

    clock.pass_by(hours=1)
    assert await intake.purge(clock()) == 1

    assert f"message {stuck.message}" in caplog.text
    with pytest.raises(NotFound):
        await intake.document(other.message)
    file.rmdir()
    assert await intake.purge(clock()) == 1, "tried again the next time"


async def test_a_part_that_cannot_be_reached_keeps_no_other_from_being_destroyed(clock: Clock) -> None:
    told: list[datetime] = []

    async def broken(before: datetime) -> int:
        raise OSError("the disk is away")

    async def fine(before: datetime) -> int:
        told.append(before)
        return 2

    assert await Expiry(1, SEOUL, {"these": broken, "those": fine}, clock).purge() == 2
    assert told == [datetime(2026, 11, 20, tzinfo=SEOUL)], "what came today is kept for one day"

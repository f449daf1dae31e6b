"""Voice mail, faxes, PINs and surveys through the joins, over one real database."""

import asyncio
import io
import re
import wave
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from changgu.acd.events import CallbackAsked
from changgu.acd.facts import CallbackBooked, CallEnded, CallStarted, Direction, Ender, Outcome, Recorded
from changgu.acd.identity import CallId, QueueName
from changgu.app import schema
from changgu.app.flow_joins import NoticeLookUps, tell_of_missing_hours
from changgu.app.joins import MenuLookUps
from changgu.app.message_joins import (
    FaxTickets,
    KnownCallers,
    MenuSurveys,
    PinPeople,
    SelfServiceLookUps,
    SurveyDesk,
    SurveyInvitations,
    VoicemailTickets,
)
from changgu.app.pin_joins import MessagedPins, RegisteredPeople
from changgu.app.settings import DeskSettings
from changgu.directory.items import Asset, AssetTag
from changgu.directory.numbers import Numbering
from changgu.directory.person import NumberWritten, PersonCard, PersonWritten
from changgu.directory.service import Directory
from changgu.ground.access import Actor, Role
from changgu.ground.database import Database
from changgu.ground.trouble import Conflict
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.opening_hours import Calendar, period
from changgu.ivr_flows.publishing.callers.service import Notices
from changgu.ivr_flows.publishing.store import NoticeStore
from changgu.recordings.api import may_hear
from changgu.recordings.service import Recordings
from changgu.recordings.store import RecordingStore
from changgu.telephony.diversions import Message
from changgu.telephony.fax import Fax
from changgu.telephony.ivr_messages import MaybeSent, NotSent
from changgu.telephony.survey import Invitation
from changgu.ticketing.entries import NewTicket
from changgu.ticketing.intake.service import Intake
from changgu.ticketing.lifecycle import Move
from changgu.ticketing.outbox.service import Outbox
from changgu.ticketing.self_service.resets.service import PinResets
from changgu.ticketing.self_service.service import SelfService
from changgu.ticketing.self_service.store import WishRow
from changgu.ticketing.service import Tickets
from changgu.ticketing.surveys.form import Question, Way
from changgu.ticketing.surveys.service import Surveys
from changgu.ticketing.ticket import CallRole, Channel, Kind, TicketState
from tests.support.floor import Floor

SEOUL = ZoneInfo("Asia/Seoul")
MONDAY = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
"""14:00 in Seoul."""
CALL, NETWORK = CallId("pbx-1.7"), QueueName("network")
PHONE = "01012345678"
KIM = Actor("kim", "김상담", Role.AGENT)


class NoRecorder:
    async def start(self, call: CallId, folder: Path) -> None:
        raise AssertionError("nothing is recorded here")

    async def stop(self, call: CallId) -> None:
        raise AssertionError("nothing is recorded here")


class Post:
    """Takes what is sent; `refuses` names the ways that do not."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.refuses: dict[str, Exception] = {}
        self.keeps = ""
        """A way that takes the message and does not say so."""

    async def send(self, kind: str, to: str, text: str, subject: str) -> str:
        if kind in self.refuses:
            if kind == self.keeps:
                self.sent.append((kind, to, text))
            raise self.refuses[kind]
        self.sent.append((kind, to, text))
        return ""

    async def arrived(self, kind: str, receipt: str) -> None:
        return None


class House:
    """The rooms, joined as in `assembly`."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.directory = Directory(database, Numbering("KR", r"[1-9]\d{3}"))
        self.tickets = Tickets(database, now=self.now)
        self.intake = Intake(database, self.tickets, folder / "attachments", now=self.now)
        self.database = database
        self.recording_store = RecordingStore(database)
        self.recordings = Recordings(
            self.recording_store, NoRecorder(), folder / "recordings", dict, frozenset, zone=SEOUL, now=self.now
        )
        self.callers = KnownCallers(self.directory)
        self.surveys = Surveys(database, self.tickets, self.now)
        self.booked: list[CallbackAsked] = []
        self.service = SelfService(
            database, self.tickets, PinPeople(self.directory), b"key", book=self.booked.append,
            dialable=lambda number: number, queue=lambda: QueueName("helpdesk"), now=self.now,
            hasher=PasswordHasher(1, 8, 1),
        )  # fmt: skip
        self.at = MONDAY
        self.post = Post()
        self.outbox = Outbox(database, self.post, self.now)
        desk = DeskSettings(name="서비스데스크", number="1000")
        self.resets = PinResets(
            database, self.service, RegisteredPeople(self.directory),
            MessagedPins(self.directory, self.post, desk), self.outbox, self.now,
        )  # fmt: skip
        further = SelfServiceLookUps(self.directory, self.service, self.resets, SEOUL, self.now).sources
        self.look_ups = MenuLookUps(self.tickets, SEOUL, self.now, further)

    def now(self) -> datetime:
        return self.at

    async def lee(self) -> PersonCard:
        written = PersonWritten({"name": "이사용", "department": "총무팀", "employee_number": "20210417"},
                                [NumberWritten("010-1234-5678")])  # fmt: skip
        return await self.directory.create(written, "kim")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = schema.database_of(tmp_path)
    await schema.upgrade(database)
    yield House(database, tmp_path)
    await database.close()


def sound(seconds: float = 2.0) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x10\x20" * int(8000 * seconds))
    return out.getvalue()


async def test_a_voice_mail_is_kept_and_becomes_the_ticket_of_whoever_left_it(house: House) -> None:
    lee = await house.lee()
    keeper = VoicemailTickets(house.recordings, house.intake, house.callers)

    await keeper.keep(Message(CALL, NETWORK, PHONE, 2.0, sound()))
    await keeper.keep(Message(CALL, NETWORK, PHONE, 2.0, sound()))

    (ticket,) = await house.tickets.for_call(CALL)
    assert (ticket.channel, ticket.person, ticket.department) == (Channel.VOICEMAIL, lee.id, "총무팀")
    assert (ticket.contact, ticket.queue) == ("010-1234-5678", "network")
    (message,) = await house.intake.of_ticket(ticket.number)
    (recording,) = await house.recording_store.of_call(CALL)
    assert (message.recording, message.seconds) == (recording.id, 2.0)
    assert may_hear(KIM, recording), "whoever replies to it hears it"
    file = house.recordings.file_of(recording)
    assert file is not None
    assert file.read_bytes() == sound()


async def test_a_fax_becomes_the_ticket_of_whoever_sent_it(house: House) -> None:
    lee = await house.lee()
    faxes = FaxTickets(house.intake, house.callers, lambda: QueueName("helpdesk"))

    await faxes.keep(Fax(CALL, PHONE, None, b"%PDF-1.4", 1, False))
    await faxes.keep(Fax(CallId("other"), None, NETWORK, b"%PDF-1.4", 1, True))

    (ticket,) = await house.tickets.for_call(CALL)
    assert (ticket.channel, ticket.person, ticket.queue) == (Channel.FAX, lee.id, "helpdesk")
    assert "끊겨" in ticket.description
    (other,) = await house.tickets.for_call(CallId("other"))
    assert (other.person, other.queue, other.contact) == (None, "network", "")


async def test_a_caller_hears_of_their_newest_ticket_after_the_check(house: House) -> None:
    lee = await house.lee()
    pin = await house.service.issue_pin(lee.id, KIM)
    ticket = await house.tickets.open(NewTicket("느림", Kind.INQUIRY, person=lee.id), KIM)
    expected = MONDAY + timedelta(hours=3)
    await house.tickets.move(ticket.number, Move(TicketState.ASSIGNED, group="server", expected_at=expected), KIM)

    assert await house.look_ups.look_up("person", PHONE) == {
        "id": str(lee.id), "name": "이사용", "department": "총무팀", "mail": "",
    }  # fmt: skip
    for who in (PHONE, "20210417"):
        assert await house.look_ups.look_up("caller_check", f"{who} {pin}") == {"person": str(lee.id)}
    assert await house.look_ups.look_up("caller_check", f"{PHONE} 000000") is None
    assert await house.look_ups.look_up("caller_check", "") is None
    told = await house.look_ups.look_up("newest_ticket", str(lee.id))
    assert told is not None
    assert (told["number"], told["state"], told["line"]) == (ticket.number, "assigned", "3")
    assert told["expected"] == "2026-11-23T17:00:00+09:00"
    assert await house.look_ups.look_up("newest_ticket", "nobody") is None
    assert await house.look_ups.look_up("newest_ticket", "999") is None


@pytest.mark.parametrize("asker", ["0299999999", "pbx-1.9"])
async def test_one_telephone_or_one_call_cannot_try_a_pin_on_everybody(house: House, asker: str) -> None:
    lee = await house.lee()
    pin = await house.service.issue_pin(lee.id, KIM)
    for stranger in range(20220001, 20220011):
        assert await house.look_ups.look_up("caller_check", f"{stranger} {pin}", asker) is None

    assert await house.look_ups.look_up("caller_check", f"20210417 {pin}", asker) is None
    found = await house.look_ups.look_up("caller_check", f"20210417 {pin}", PHONE)
    assert found == {"person": str(lee.id)}, "whose number was tried is not shut out on their own telephone"


async def test_a_caller_asks_to_be_called_back_about_a_ticket(house: House) -> None:
    ticket = await house.tickets.open(NewTicket("느림", Kind.INQUIRY), KIM)

    promised = await house.look_ups.look_up("call_me_back", f"{ticket.number} {PHONE}")

    assert promised == {"callback": house.booked[0].callback}
    assert house.booked[0].language == ""
    assert await house.look_ups.look_up("call_me_back", f"1234 {PHONE}") is None
    await house.look_ups.look_up("call_me_back", f"{ticket.number} 01099998888 en")
    assert (house.booked[1].number, house.booked[1].language) == ("01099998888", "en")


async def test_who_asks_to_be_called_back_is_not_dialled_before_they_have_hung_up(house: House) -> None:
    ticket = await house.tickets.open(NewTicket("느림", Kind.INQUIRY), KIM)
    floor = Floor("alice", now=MONDAY.timestamp())
    floor.ready("alice")
    floor.dial(CALL, PHONE)

    await house.look_ups.look_up("call_me_back", f"{ticket.number} {PHONE} ko", PHONE, CALL)
    (asked,) = house.booked
    booked = floor.tell(asked)
    still_on_the_line = floor.wait(60)
    hung_up = [*floor.caller_hangs_up(CALL), *floor.wait(0)]

    assert [fact.call for fact in booked if isinstance(fact, CallbackBooked)] == [CALL]
    assert not [fact for fact in (*booked, *still_on_the_line) if isinstance(fact, CallStarted)]
    (dialled,) = (fact for fact in hung_up if isinstance(fact, CallStarted))
    assert (dialled.direction, dialled.caller, dialled.callback) == (Direction.OUTBOUND, PHONE, asked.callback)
    assert floor.agent("alice").call == dialled.call


async def test_the_call_is_linked_with_the_ticket_and_pressing_twice_is_one_promise(house: House) -> None:
    ticket = await house.tickets.open(NewTicket("느림", Kind.INQUIRY), KIM)

    promised = [
        await house.look_ups.look_up("call_me_back", f"{ticket.number} {PHONE} ko", PHONE, CALL) for _ in range(2)
    ]

    assert promised == [{"callback": house.booked[0].callback}] * 2
    assert len(house.booked) == 1
    file = await house.tickets.file(ticket.number)
    assert [(link.call, link.role) for link in file.calls] == [(CALL, CallRole.FOLLOWED_UP)]
    async with house.database.transaction() as session:
        wishes = (await session.scalars(select(WishRow))).all()
    assert [(wish.callback, wish.call) for wish in wishes] == [(house.booked[0].callback, CALL)]


async def test_only_conversations_that_the_agent_ended_are_asked_about(house: House) -> None:
    desk = SurveyDesk(house.surveys)
    for seq, (call, outcome, by) in enumerate(
        (
            ("c1", Outcome.ANSWERED, Ender.AGENT),
            ("c2", Outcome.ANSWERED, Ender.CALLER),
            ("c3", Outcome.SELF_SERVED, Ender.DESK),
        )
    ):
        desk.hear(Recorded(seq, 1.0, CallEnded(CallId(call), outcome, by)))

    assert [desk.wants(CallId(call)) for call in ("c1", "c1", "c2", "c3")] == [True, False, False, False]
    assert await desk.case_of(CallId("c1")) == "c1"
    await desk.answer(CallId("c1"), "c1", "overall", 4)
    assert await desk.case_of(CallId("c1")) is None


async def test_an_answer_in_a_menu_is_about_the_case_or_the_call(house: House) -> None:
    ticket = await house.tickets.open(NewTicket("느림", Kind.INQUIRY), KIM)
    menu = MenuSurveys(house.surveys)

    await menu.answer(CALL, ticket.number, "kindness", 5)
    await menu.answer(CALL, "", "satisfaction", None)

    about_ticket, about_call = await house.surveys.response(ticket.number), await house.surveys.response(CALL)
    assert about_ticket is not None
    assert about_call is not None
    assert (about_ticket.way, about_ticket.scores) == (Way.MENU, {Question.KINDNESS: 5})
    assert about_call.scores == {Question.OVERALL: None}


@pytest.mark.parametrize(
    ("hours_later", "called"), [(-5, False), (-4, True), (3, True), (4, False), (24 * 5, False), (24 * 7, True)]
)
async def test_requesters_are_called_in_the_hours_of_the_site_only(
    house: House, hours_later: int, called: bool
) -> None:
    house.at = MONDAY - timedelta(days=1)
    ticket = await house.tickets.open(NewTicket("느림", Kind.INQUIRY, contact=PHONE), KIM)
    await house.tickets.move(ticket.number, Move(TicketState.RESOLVED, action="조치"), KIM)
    await house.surveys.invite(ticket.number, "", KIM)
    invitations = SurveyInvitations(house.surveys, SEOUL, 10, 18, house.now)

    house.at = MONDAY + timedelta(hours=hours_later)

    expected = Invitation(ticket.number, PHONE) if called else None
    assert await invitations.next() == expected
    if called:
        await invitations.called(ticket.number, reached=True)
        assert await invitations.next() is None


@pytest.mark.parametrize(
    ("day", "hour", "called"),
    [("2026-10-02", 14, True), ("2026-10-05", 14, False), ("2026-10-06", 12, False), ("2026-10-06", 13, True),
     ("2026-10-10", 14, False)],
    ids=["Friday", "substitute holiday", "lunch", "after lunch", "a Saturday that is worked nowhere"],
)  # fmt: skip
async def test_nobody_is_called_for_the_survey_on_a_holiday_or_at_lunch(
    house: House, day: str, hour: int, called: bool
) -> None:
    house.at = datetime(2026, 9, 30, 1, tzinfo=UTC)
    ticket = await house.tickets.open(NewTicket("느림", Kind.INQUIRY, contact=PHONE), KIM)
    await house.tickets.move(ticket.number, Move(TicketState.RESOLVED, action="조치"), KIM)
    await house.surveys.invite(ticket.number, PHONE, KIM)
    hours = Calendar("Asia/Seoul", dict.fromkeys(range(5), (period("09:00-18:00"),)), (period("12:00-13:00"),))
    invitations = SurveyInvitations(house.surveys, SEOUL, 10, 18, house.now, lambda: hours)

    house.at = datetime.fromisoformat(f"{day}T{hour}:00").replace(tzinfo=SEOUL)

    assert (await invitations.next() is not None) is called


async def test_equipment_is_found_by_the_month_in_which_it_was_bought(house: House) -> None:
    lee = await house.lee()
    bought = [
        Asset(AssetTag("NB-1"), "노트북", "그램 15", purchased_on=date(2024, 3, 2)),
        Asset(AssetTag("MO-1"), "모니터", purchased_on=date(2024, 3, 30)),
        Asset(AssetTag("PR-1"), "프린터", purchased_on=date(2023, 3, 2)),
    ]
    await house.directory.update(lee.id, PersonWritten({}, assets=bought), "kim")

    found = await house.look_ups.look_up("asset", f"{lee.id} 202403")
    assert found == {"count": "2", "name": "그램 15", "number": "NB-1"}
    for key in (f"{lee.id} 202201", f"{lee.id}", "99 202403", "lee 202403"):
        assert await house.look_ups.look_up("asset", key) is None


async def test_a_menu_asks_what_is_on_the_air_and_hears_the_latest_in_the_callers_language(house: House) -> None:
    """TEC-04, WL-03: `look_up` with the source `notice`."""
    notices = Notices(NoticeStore(house.database), "ko", now=lambda: MONDAY)
    notices.join(SilentVoice())
    look_ups = MenuLookUps(house.tickets, SEOUL, further={"notice": NoticeLookUps(notices).notice})
    known = ["desk", "queue:network", "service:network", "service:pc"]
    boss, until = Actor("boss", "박팀장", Role.SUPERVISOR), MONDAY + timedelta(hours=1)

    assert await look_ups.look_up("notice", "network") is None
    await notices.put_on_air({"ko": "망 점검."}, ["queue:network"], None, until, boss, known)
    await notices.put_on_air({"ko": "망 복구.", "en": "Repaired."}, ["service:network"], None, until, boss, known)
    await notices.put_on_air({"ko": "PC 안내."}, ["service:pc"], MONDAY + timedelta(minutes=5), until, boss, known)

    assert await look_ups.look_up("notice", "network") == {"text": "망 복구.", "count": "2", "notice": "2"}
    assert await look_ups.look_up("notice", "network en") == {"text": "Repaired.", "count": "2", "notice": "2"}
    assert await look_ups.look_up("notice", "queue:network en") == {"text": "망 점검.", "count": "1", "notice": "1"}
    assert [await look_ups.look_up("notice", key) for key in ("desk", "pc", "", "nowhere ko")] == [None] * 4


class SilentVoice:
    """Can say everything."""

    async def prepare(self, flow: Flow) -> Sequence[str]:
        return []

    async def speak(self, text: str, language: str) -> bytes | None:
        return b"RIFF"


async def sent_pin(house: House) -> str:
    """The last one that went out."""
    found = re.search(r"[0-9]{6}", house.post.sent[-1][2])
    assert found
    return found[0]


async def test_a_forgotten_pin_goes_to_the_registered_mobile_and_is_chosen_anew(house: House) -> None:
    lee = await house.lee()
    sending = asyncio.create_task(house.outbox.run())

    assert await house.look_ups.look_up("pin_reset", "20210417 01012345678", "0299999999") == {"asked": "yes"}
    assert await house.look_ups.look_up("pin_reset", "20210417 01099999999", "0299999999") == {"asked": "yes"}
    assert await house.look_ups.look_up("pin_reset", "", "0299999999") == {"asked": "yes"}
    await house.outbox.settled()
    sending.cancel()

    ((way, to, text),) = house.post.sent
    assert (way, to) == ("sms", "+821012345678")
    assert "서비스데스크" in text
    pin = await sent_pin(house)
    told = await house.look_ups.look_up("caller_check", f"20210417 {pin}", PHONE)
    assert told == {"person": str(lee.id), "one_time": "yes"}
    assert await house.look_ups.look_up("choose_pin", f"20210417 {pin} 1234", PHONE) == {"changed": "easy"}
    assert await house.look_ups.look_up("choose_pin", f"20210417 {pin} 271931", PHONE) == {"changed": "yes"}
    assert await house.look_ups.look_up("choose_pin", f"20210417 {pin} 582931", PHONE) is None
    assert await house.look_ups.look_up("caller_check", "20210417 271931", PHONE) == {"person": str(lee.id)}


async def test_a_telephone_that_asks_for_many_people_is_paused(house: House) -> None:
    for turn in range(5):
        await house.look_ups.look_up("pin_reset", f"2022000{turn} 01012345678", "0299999999")

    assert await house.look_ups.look_up("pin_reset", "20210417 01012345678", "0299999999") is None


async def test_a_number_that_only_called_or_that_others_have_gets_no_pin(house: House) -> None:
    lee = await house.lee()
    await house.directory.create(PersonWritten({"name": "김동료"}, [NumberWritten("010-1234-5678")]), "kim")

    with pytest.raises(Conflict, match="neither"):
        await house.resets.send(lee.id, KIM)
    assert await RegisteredPeople(house.directory).by_numbers("20210417", PHONE) is None
    assert not house.post.sent


@pytest.mark.parametrize("trouble", [NotSent("거절", "refused"), TimeoutError(), OSError("broken")])
async def test_mail_is_the_way_when_sms_is_not(house: House, trouble: Exception) -> None:
    written = PersonWritten(
        {"name": "박메일", "employee_number": "20200001", "email": "park@example.org"}, [NumberWritten("010-2222-3333")]
    )
    park = await house.directory.create(written, "kim")
    house.post.refuses["sms"] = trouble

    sent = await house.resets.send(park.id, KIM)

    assert (sent.way, sent.to) == ("mail", "p***@example.org")
    assert (await house.service.caller_check(park.id, await sent_pin(house))).is_confirmed
    house.post.refuses["mail"] = trouble
    with pytest.raises(NotSent):
        await house.resets.send(park.id, KIM)


async def test_a_short_employee_number_gets_its_pin_among_many_telephones_that_contain_it(house: House) -> None:
    for colleague in range(60):
        await house.directory.create(
            PersonWritten({"name": f"김동료{colleague:02}"}, [NumberWritten(f"02-2110-{colleague:04}")]), "kim"
        )
    written = PersonWritten({"name": "홍길동", "employee_number": "2110"}, [NumberWritten("010-1234-5678")])
    hong = await house.directory.create(written, "kim")

    assert await RegisteredPeople(house.directory).by_numbers("2110", PHONE) == hong.id
    assert await PinPeople(house.directory).at_number("2110") == [hong.id]


async def test_a_pin_is_keyed_with_an_employee_number_that_is_also_somebody_elses_extension(house: House) -> None:
    written = PersonWritten({"name": "홍길동", "employee_number": "3456"}, [NumberWritten("010-1234-5678")])
    hong = await house.directory.create(written, "kim")
    other = await house.directory.create(PersonWritten({"name": "김내선"}, [NumberWritten("3456")]), "kim")
    sending = asyncio.create_task(house.outbox.run())

    assert await house.look_ups.look_up("pin_reset", f"3456 {PHONE}", "0299999999") == {"asked": "yes"}
    await house.outbox.settled()
    sending.cancel()
    told = await house.look_ups.look_up("caller_check", f"3456 {await sent_pin(house)}", PHONE)

    assert told == {"person": str(hong.id), "one_time": "yes"}
    assert not (await house.service.standing(other.id)).wrong_in_a_row


async def test_an_sms_that_may_have_gone_out_is_called_sent_and_its_pin_is_good(house: House) -> None:
    """Or whoever asks gets one SMS after another that does not work, and no limit counts them."""
    written = PersonWritten(
        {"name": "박메일", "employee_number": "20200001", "email": "park@example.org"}, [NumberWritten("010-2222-3333")]
    )
    park = await house.directory.create(written, "kim")
    house.post.keeps = "sms"
    house.post.refuses["sms"] = MaybeSent("모름", "nobody knows")

    sent = await house.resets.send(park.id, KIM)

    assert (sent.way, [way for way, _, _ in house.post.sent]) == ("sms", ["sms"])
    assert (await house.service.caller_check(park.id, await sent_pin(house))).is_confirmed


def test_settings_that_name_no_opening_hours_are_said_in_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    known = {"desk": Calendar("Asia/Seoul", {})}
    tell_of_missing_hours("desk", "desk", known)
    tell_of_missing_hours("", "", known)
    assert not caplog.records

    tell_of_missing_hours("dsek", "weekdays", known)

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    for said in ('messages.alert_hours = "dsek"', "day and night", 'surveys.calendar = "weekdays"', "Monday to Friday"):
        assert said in record.getMessage()

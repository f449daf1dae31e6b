"""Voice mail, fax, PINs and the survey over REST and on pages."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from argon2 import PasswordHasher

from changgu.acd.events import CallbackAsked
from changgu.acd.identity import CallId, QueueName
from changgu.directory.numbers import Numbering
from changgu.directory.service import Directory
from changgu.ground.database import Database
from changgu.ground.trouble import Conflict, NotFound
from changgu.ticketing import pages as ticket_pages
from changgu.ticketing.entries import Caller, NewTicket
from changgu.ticketing.intake import api as message_api
from changgu.ticketing.intake import pages as message_pages
from changgu.ticketing.intake.messages import Waiting
from changgu.ticketing.intake.service import Intake
from changgu.ticketing.lifecycle import Move
from changgu.ticketing.outbox import api as outgoing_api
from changgu.ticketing.outbox import pages as outgoing_pages
from changgu.ticketing.outbox.outgoing import Arrival, Receipt
from changgu.ticketing.outbox.service import Outbox
from changgu.ticketing.self_service import api as pin_api
from changgu.ticketing.self_service import pages as pin_pages
from changgu.ticketing.self_service.resets.limits import SentTo
from changgu.ticketing.self_service.resets.service import PinResets
from changgu.ticketing.self_service.service import SelfService
from changgu.ticketing.service import Tickets
from changgu.ticketing.surveys import api as survey_api
from changgu.ticketing.surveys.service import Surveys
from changgu.ticketing.ticket import Kind, TicketState
from tests.support.site import Site
from tests.ticketing.conftest import KIM, Clock

ATTACK = "<script>alert(1)</script>"
NETWORK = QueueName("network")
PDF = b"%PDF-1.4\n..."


class Folk:
    async def at_number(self, number: str) -> Sequence[int]:
        return []

    async def ids_of(self, person: int) -> Sequence[int]:
        return [person]

    async def known_numbers(self, person: int) -> Sequence[str]:
        if person != 7:
            raise NotFound("없음", "nobody")
        return []


class Callers:
    async def caller_of(self, call: CallId) -> Caller:
        return Caller()


class Nobody:
    async def by_numbers(self, employee: str, mobile: str) -> int | None:
        return None


class Post:
    refuses = False
    pin = ""

    async def deliver(self, person: int, pin: str) -> SentTo:
        if self.refuses:
            raise Conflict("등록된 번호가 없습니다.", "no number is known")
        self.pin = pin
        return SentTo("sms", "010-****-5678")


class Deliverer:
    """Takes SMS, and no mail until its server is put right."""

    refuses = True

    async def send(self, kind: str, to: str, text: str, subject: str) -> str:
        if kind == "mail" and self.refuses:
            raise Conflict("메일 서버가 받는 주소를 거절했습니다(550).", "the mail server refused the recipient (550)")
        return "SM1"

    async def arrived(self, kind: str, receipt: str) -> Receipt | None:
        return Receipt(Arrival.DELIVERED)


class House:
    """Everything behind the doors, over a real database."""

    def __init__(self, database: Database, tickets: Tickets, clock: Clock, folder: Path) -> None:
        self.tickets, self.clock = tickets, clock
        self.intake = Intake(database, tickets, folder, Waiting(timedelta(minutes=30)), now=clock)
        self.surveys = Surveys(database, tickets, clock)
        self.booked: list[CallbackAsked] = []
        self.service = SelfService(
            database, tickets, Folk(), b"key", book=self.booked.append, dialable=lambda number: number or None,
            queue=lambda: NETWORK, now=clock, hasher=PasswordHasher(1, 8, 1),
        )  # fmt: skip
        self.post = Post()
        self.deliverer = Deliverer()
        self.outbox = Outbox(database, self.deliverer, clock)
        self.resets = PinResets(database, self.service, Nobody(), self.post, self.outbox, clock)
        self.site = Site()
        gate, pages = self.site.gate, self.site.pages
        self.site.open([
            outgoing_api.build_router(gate, self.outbox), outgoing_pages.build_pages(gate, pages, self.outbox),
            message_api.build_router(gate, self.intake),
            message_pages.build_pages(gate, pages, self.intake, self.outbox.failed_lately),
            pin_api.build_router(gate, self.service, self.resets),
            pin_pages.build_pages(gate, pages, self.service, self.resets),
            survey_api.build_router(gate, self.surveys),
            ticket_pages.build_pages(
                gate, pages, tickets, Callers(), Directory(database, Numbering("KR", r"[1-9]\d{3}")),
                ZoneInfo("Asia/Seoul"), intake=self.intake, surveys=self.surveys,
                self_service=self.service,
            ),
        ])  # fmt: skip


@pytest.fixture
def house(database: Database, tickets: Tickets, clock: Clock, tmp_path: Path) -> House:
    return House(database, tickets, clock, tmp_path / "attachments")


@pytest.fixture
async def agent(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.site.visitor() as client:
        yield client


@pytest.fixture
async def supervisor(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.site.visitor("supervisor") as client:
        yield client


async def test_a_voice_mail_is_listed_with_its_sound_and_when_its_reply_is_due(
    house: House, agent: httpx.AsyncClient
) -> None:
    left = await house.intake.open_voicemail_ticket(CallId("c1"), Caller("010-1"), NETWORK, 41, ATTACK, seconds=9.5)

    (one,) = (await agent.get("/api/v1/messages?unanswered=true")).json()["items"]
    assert (one["ticket"], one["audio"], one["document"]) == (left.ticket, "/api/v1/recordings/41/audio", None)
    assert (one["alert_at"], one["late"], one["answered"]) == ("2026-11-20T00:30:00Z", False, None)
    for page in ("/messages", f"/tickets/{left.ticket}"):
        html = (await agent.get(page)).text
        assert "/api/v1/recordings/41/audio" in html
        assert "&lt;script&gt;" in html
        assert ATTACK not in html


async def test_the_pdf_of_a_fax_is_given_to_agents_only(house: House, agent: httpx.AsyncClient) -> None:
    fax = await house.intake.open_fax_ticket(CallId("c1"), Caller(), NETWORK, PDF, 2)
    path = f"/api/v1/messages/{fax.message}/document"

    answer = await agent.get(path)
    assert (answer.content, answer.headers["content-type"]) == (PDF, "application/pdf")
    assert answer.headers["cache-control"] == "private, no-store"
    assert path in (await agent.get("/messages?view=all")).text
    assert (await agent.get("/api/v1/messages/999/document")).status_code == 404
    async with house.site.visitor(None) as stranger:
        assert (await stranger.get(path)).status_code == 401
        assert (await stranger.get("/messages")).status_code == 303


async def test_late_messages_are_told_until_somebody_says_that_they_need_no_reply(
    house: House, agent: httpx.AsyncClient
) -> None:
    left = await house.intake.open_voicemail_ticket(CallId("c1"), Caller("010-1"), NETWORK, 41)
    house.clock.pass_by(minutes=30)
    await house.intake.raise_alerts()

    late = (await agent.get("/api/v1/messages/late")).json()
    assert (late["limit_minutes"], [one["id"] for one in late["items"]]) == (30, [left.message])
    assert "미응답" in (await agent.get("/messages?view=late")).text
    assert (await agent.post(f"/messages/{left.message}/dismissal", data={"why": " "})).status_code == 422
    assert (await agent.post(f"/messages/{left.message}/dismissal", data={"why": "광고"})).status_code == 303
    assert (await agent.get("/api/v1/messages/late")).json()["items"] == []
    again = await agent.post(f"/api/v1/messages/{left.message}/dismissal", json={"why": "또"})
    assert (again.status_code, again.json()["error"]["ko"]) == (409, "이미 답한 건입니다.")
    one = (await agent.get(f"/api/v1/messages/{left.message}")).json()
    assert (one["answered"]["how"], one["answered"]["by"]) == ("dismissed", "kim")


async def test_a_pin_is_given_out_shown_once_and_removed(house: House, agent: httpx.AsyncClient) -> None:
    page = await agent.post("/people/7/pin")
    assert page.headers["cache-control"] == "no-store"
    shown = next(word for word in page.text.replace(".", " ").split() if word.isdecimal() and len(word) == 6)
    assert (await house.service.caller_check(7, shown)).is_confirmed
    assert shown not in (await agent.get("/people/7/pin")).text

    new = (await agent.post("/api/v1/people/7/pin")).json()["pin"]
    assert (await house.service.caller_check(7, new)).is_confirmed
    assert (await agent.put("/api/v1/people/7/pin", json={"pin": "1111"})).status_code == 422
    assert (await agent.put("/api/v1/people/7/pin", json={"pin": "8264"})).json()["is_set"] is True
    assert (await agent.delete("/api/v1/people/7/pin")).json()["is_set"] is False
    for path in ("/people/8/pin", "/api/v1/people/8/pin"):
        assert (await agent.get(path)).status_code == 404
    async with house.site.visitor(None) as stranger:
        assert (await stranger.post("/api/v1/people/7/pin")).status_code == 401


async def test_somebody_is_called_back_about_a_ticket(house: House, agent: httpx.AsyncClient) -> None:
    ticket = await house.tickets.open(NewTicket("느림", Kind.INQUIRY), KIM)

    answer = await agent.post(f"/api/v1/tickets/{ticket.number}/call-me-back", json={"number": "01012345678"})

    assert answer.status_code == 201
    assert [asked.callback for asked in house.booked] == [answer.json()["callback"]]
    house.clock.pass_by(seconds=1)
    page = await agent.post(f"/tickets/{ticket.number}/call-me-back", data={"phone": "01012345678"})
    assert (page.status_code, page.headers["location"]) == (303, "/callbacks?done=booked")
    assert len(house.booked) == 2
    refused = await agent.post(f"/tickets/{ticket.number}/call-me-back", data={"phone": ""})
    assert refused.status_code == 422
    assert "연락드릴 수 없습니다" in refused.text


async def test_scores_are_for_supervisors(
    house: House, agent: httpx.AsyncClient, supervisor: httpx.AsyncClient
) -> None:
    ticket = await house.tickets.open(NewTicket("느림", Kind.INQUIRY, contact="01012345678"), KIM)
    await house.tickets.move(ticket.number, Move(TicketState.RESOLVED, action="조치"), KIM)
    path = f"/api/v1/tickets/{ticket.number}/survey"
    assert len((await agent.get("/api/v1/surveys/form")).json()) == 4
    for address in ("/api/v1/surveys", "/api/v1/surveys/figures", path):
        assert (await agent.get(address)).status_code == 403
    assert (await supervisor.get(path)).status_code == 404
    assert (await supervisor.post(f"{path}/invitation", json={})).status_code == 201

    answer = await supervisor.put(path, json={"scores": {"overall": 4, "kindness": None}})
    assert answer.json()["scores"] == {"kindness": None, "overall": 4}
    assert (await supervisor.put(path, json={"scores": {"overall": 9}})).status_code == 422
    assert (await supervisor.put(path, json={"scores": {}})).status_code == 422
    figures = (await supervisor.get("/api/v1/surveys/figures")).json()
    assert (figures["responses"], figures["response_rate"], figures["questions"][3]["mean"]) == (1, 1.0, 4.0)
    assert len((await supervisor.get("/api/v1/surveys")).json()["items"]) == 1
    assert (await supervisor.post(f"{path}/invitation", json={})).status_code == 409
    assert 'id="survey"' in (await supervisor.get(f"/tickets/{ticket.number}")).text
    assert 'id="survey"' not in (await agent.get(f"/tickets/{ticket.number}")).text


async def test_the_desk_has_a_pin_sent_that_it_does_not_see(house: House, agent: httpx.AsyncClient) -> None:
    page = await agent.post("/people/7/pin/send")

    assert page.status_code == 200
    assert "010-****-5678" in page.text
    assert house.post.pin not in page.text
    first = house.post.pin
    told = await agent.post("/api/v1/people/7/pin/send")
    assert (told.status_code, told.json()) == (201, {"way": "sms", "to": "010-****-5678"})
    assert not (await house.service.caller_check(7, first)).is_confirmed or first == house.post.pin
    standing = (await agent.get("/api/v1/people/7/pin")).json()
    assert (standing["good_until"], standing["used_at"]) == ("2026-11-21T00:00:00Z", None)
    assert (await house.service.caller_check(7, house.post.pin)).is_confirmed
    assert (await agent.get("/api/v1/people/7/pin")).json()["used_at"] == "2026-11-20T00:00:00Z"
    for language in ("ko", "en"):
        html = (await agent.get("/people/7/pin", headers={"accept-language": language})).text
        assert "pin." not in re.sub(r"<[^>]*>", "", html), "every word has its sentence"


async def test_a_pin_that_cannot_be_sent_says_why_on_the_page(house: House, agent: httpx.AsyncClient) -> None:
    house.post.refuses = True

    page = await agent.post("/people/7/pin/send")

    assert page.status_code == 409
    assert "등록된 번호가 없습니다." in page.text
    assert (await agent.post("/api/v1/people/7/pin/send")).status_code == 409
    assert (await agent.post("/people/8/pin/send")).status_code == 404


async def test_supervisors_see_what_went_to_callers_and_what_did_not(house: House) -> None:
    await house.outbox.send("sms", "01012345678", "접수 1030039는 처리 중입니다.", "", "pbx-1.7")
    with pytest.raises(Conflict):
        await house.outbox.send("mail", "lee@example.org", "<b>접수</b>", "접수")
    house.clock.pass_by(seconds=11)
    await house.outbox.settled()

    async with house.site.visitor("supervisor") as park, house.site.visitor() as kim:
        page = (await park.get("/messages/outgoing")).text
        for said in ("문자", "도착함", "SM1", "/calls/pbx-1.7", "보내지 못함", "(550)", "&lt;b&gt;접수"):
            assert said in page
        failed = (await park.get("/messages/outgoing?view=failed")).text
        assert "lee@example.org" in failed
        assert "01012345678" not in failed
        told = (await park.get("/api/v1/outgoing-messages")).json()
        assert [(one["state"], one["arrival"]) for one in told["items"]] == [
            ("refused", "unknown"), ("sent", "delivered")
        ]  # fmt: skip
        assert "접수" not in str(told)
        assert "보내지 못함 1" in (await park.get("/messages")).text
        assert "/messages/outgoing" not in (await kim.get("/messages")).text


async def test_a_supervisor_sends_a_failed_message_again_and_it_is_kept_who_did(house: House) -> None:
    for name in ("lee", "choi"):
        with pytest.raises(Conflict):
            await house.outbox.send("mail", f"{name}@example.org", "접수 1030039는 처리 중입니다.", "접수")
    house.deliverer.refuses = False

    async with house.site.visitor("supervisor") as park, house.site.visitor() as kim:
        page = (await park.get("/messages/outgoing?view=failed")).text
        assert page.count("다시 보내기</button>") == 2
        assert (await kim.post("/messages/outgoing/1/again")).status_code == 403
        assert (await kim.post("/api/v1/outgoing-messages/1/again")).status_code == 403
        sent = await park.post("/messages/outgoing/1/again", data={"view": "failed"})
        assert (sent.status_code, sent.headers["location"]) == (303, "/messages/outgoing")
        new = (await park.post("/api/v1/outgoing-messages/2/again")).json()
        assert (new["id"], new["state"], new["asked_by"], new["to"]) == (4, "waiting", "park", "choi@example.org")
        await house.outbox.settled()

        told = (await park.get("/api/v1/outgoing-messages")).json()["items"]
        assert [(one["id"], one["state"], one["asked_by"], one["again"], one["again_by"]) for one in told] == [
            (4, "sent", "park", None, ""), (3, "sent", "park", None, ""),
            (2, "refused", "caller", 4, "park"), (1, "refused", "caller", 3, "park"),
        ]  # fmt: skip
        page = (await park.get("/messages/outgoing")).text
        assert "park 님이 다시 보냈습니다" in page
        assert "다시 보내기</button>" not in page
        assert "lee@" not in (await park.get("/messages/outgoing?view=failed")).text
        assert await house.outbox.failed_lately() == 0
        twice = await park.post("/messages/outgoing/1/again")
        assert twice.status_code == 409
        assert "이미 다시 보냈습니다(park)." in twice.text
        assert (await park.post("/api/v1/outgoing-messages/99/again")).status_code == 404

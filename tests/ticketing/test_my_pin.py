"""People without an account get a PIN and choose one on a page, and strangers learn nothing there."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from changgu.ground.database import Database
from changgu.ticketing.self_service.pin import CheckResult
from changgu.ticketing.self_service.resets.limits import ASKED_FROM_A_NUMBER
from changgu.ticketing.self_service.resets.pages import build_pages
from changgu.ticketing.service import Tickets
from tests.support.site import Site
from tests.ticketing.conftest import KIM, Clock
from tests.ticketing.test_pin import LEE, PHONE
from tests.ticketing.test_pin_resets import EMPLOYEE, Desk, open_desk


@pytest.fixture
async def desk(database: Database, tickets: Tickets, clock: Clock) -> AsyncIterator[Desk]:
    async with open_desk(database, tickets, clock) as made:
        yield made


def at_the_page(desk: Desk, *, is_open: bool = True) -> httpx.AsyncClient:
    site = Site()
    site.open([build_pages(site.pages, desk.service, desk.resets, is_open)])
    return site.visitor(None)


async def choose(web: httpx.AsyncClient, pin: str, new: str, again: str = "") -> httpx.Response:
    typed = {"employee": EMPLOYEE, "pin": pin, "new": new, "again": again or new}
    return await web.post("/my-pin/choose", data=typed)


async def test_whoever_forgot_their_pin_has_one_sent_and_chooses_their_own(desk: Desk) -> None:
    async with at_the_page(desk) as web:
        asked = await web.post("/my-pin/ask", data={"employee": f" {EMPLOYEE} ", "mobile": PHONE})
        await desk.outbox.settled()
        ((person, sent),) = desk.post.sent
        chosen = await choose(web, sent, "8264")

    assert (asked.status_code, chosen.status_code, person) == (200, 200, LEE)
    assert sent not in asked.text
    assert "새 PIN을 정했습니다" in chosen.text
    assert "8264" not in chosen.text
    assert chosen.headers["cache-control"] == "no-store"
    assert (await desk.service.caller_check(EMPLOYEE, "8264")).is_confirmed
    assert (await desk.service.caller_check(EMPLOYEE, sent)).result is CheckResult.WRONG


async def test_a_stranger_reads_the_same_whoever_they_ask_for(desk: Desk) -> None:
    async with at_the_page(desk) as web:
        pages = [
            (await web.post("/my-pin/ask", data={"employee": employee, "mobile": mobile})).text
            for employee, mobile in ((EMPLOYEE, PHONE), (EMPLOYEE, "01000000000"), ("999", PHONE))
        ]
        await desk.outbox.settled()

    assert len(set(pages)) == 1
    assert len(desk.post.sent) == 1


async def test_wrong_pins_on_the_page_count_and_so_do_wishes(desk: Desk) -> None:
    pin = await desk.service.issue_pin(LEE, KIM)
    async with at_the_page(desk) as web:
        wrong = [(await choose(web, "0000", "8264")).status_code for _ in range(3)]
        right = await choose(web, pin, "8264")
        wishes = [
            (await web.post("/my-pin/ask", data={"employee": "1", "mobile": "2"})).status_code
            for _ in range(ASKED_FROM_A_NUMBER + 1)
        ]

    assert (wrong, right.status_code) == ([403] * 3, 403)
    assert (await desk.service.standing(LEE)).state is CheckResult.PAUSED
    assert wishes == [200] * ASKED_FROM_A_NUMBER + [429]


@pytest.mark.parametrize(
    ("new", "again", "said"), [("1234", "1234", "쓸 수 없는 PIN"), ("8264", "8265", "서로 다릅니다")]
)
async def test_a_pin_that_cannot_be_theirs_changes_nothing(desk: Desk, new: str, again: str, said: str) -> None:
    pin = await desk.service.issue_pin(LEE, KIM)
    async with at_the_page(desk) as web:
        answer = await choose(web, pin, new, again)

    assert answer.status_code == 422
    assert said in answer.text
    assert (await desk.service.caller_check(LEE, pin)).is_confirmed


async def test_where_nothing_sends_messages_only_choosing_is_offered(desk: Desk) -> None:
    desk.resets._post = None
    async with at_the_page(desk) as web:
        page = (await web.get("/my-pin")).text
        asked = await web.post("/my-pin/ask", data={"employee": EMPLOYEE, "mobile": PHONE})

    assert "/my-pin/ask" not in page
    assert "/my-pin/choose" in page
    assert asked.status_code == 409


async def test_a_site_that_does_not_open_the_page_has_none(desk: Desk) -> None:
    pin = await desk.service.issue_pin(LEE, KIM)
    async with at_the_page(desk, is_open=False) as web:
        answers = [
            await web.get("/my-pin"), await choose(web, pin, "8264"),
            await web.post("/my-pin/ask", data={"employee": EMPLOYEE, "mobile": PHONE}),
        ]  # fmt: skip
        await desk.outbox.settled()

    assert [answer.status_code for answer in answers] == [404] * 3
    assert desk.post.sent == []
    assert (await desk.service.caller_check(LEE, pin)).is_confirmed


@pytest.mark.parametrize("language", ["ko", "en"])
async def test_every_word_of_the_page_has_its_sentence(desk: Desk, language: str) -> None:
    site = Site()
    site.open([build_pages(site.pages, desk.service, desk.resets, True)])
    async with site.visitor(None, language) as web:
        html = (await web.get("/my-pin")).text + (await choose(web, "0000", "8264")).text
    words = re.sub(r"<[^>]*>", "", html)
    assert "pin." not in words
    assert bool(re.search("[가-힣]", words.replace("창구", "").replace("한국어", ""))) is (language == "ko")

"""People without an account get a PIN and choose one on a page, and strangers learn nothing there."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Literal

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from changgu.ground.database import Database
from changgu.ticketing.self_service.pin import WEB_AT_ONCE, WRONG_FROM_AN_ADDRESS, WRONG_ON_THE_WEB, CheckResult, Chosen
from changgu.ticketing.self_service.resets.limits import ASKED_FROM_AN_ADDRESS, ASKED_ON_THE_WEB, Asked
from changgu.ticketing.self_service.resets.pages import SAID, build_pages
from changgu.ticketing.self_service.sources import web_source
from changgu.ticketing.self_service.store import GuessRow
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


def said(answer: httpx.Response) -> str:
    """What the page will say, behind a redirect that a reload does not repeat."""
    assert answer.status_code == 303
    where, _, word = answer.headers["location"].partition("?said=")
    assert where == "/my-pin"
    return str(word)


def seen(answer: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
    """All of an answer but the employee number, which whoever typed it knows."""
    return answer.status_code, answer.text, [
        (name, re.sub(r"changgu_my_pin=\w*", "", value)) for name, value in answer.headers.multi_items()
    ]  # fmt: skip


async def choose(
    web: httpx.AsyncClient, pin: str, new: str, again: str = "", employee: str = EMPLOYEE
) -> httpx.Response:
    typed = {"employee": employee, "pin": pin, "new": new, "again": again or new}
    return await web.post("/my-pin/choose", data=typed)


async def test_whoever_forgot_their_pin_has_one_sent_and_chooses_their_own(desk: Desk) -> None:
    async with at_the_page(desk) as web:
        asked = await web.post("/my-pin/ask", data={"employee": f" {EMPLOYEE} ", "mobile": PHONE})
        await desk.outbox.settled()
        ((person, sent),) = desk.post.sent
        chosen = await choose(web, sent, "8264")

        read = await web.get(chosen.headers["location"])

    assert (said(asked), said(chosen), person) == ("asked", "chosen", LEE)
    assert "새 PIN을 정했습니다" in read.text
    assert EMPLOYEE not in read.text
    assert chosen.headers["cache-control"] == read.headers["cache-control"] == "no-store"
    assert (await desk.service.caller_check(EMPLOYEE, "8264")).is_confirmed
    assert (await desk.service.caller_check(EMPLOYEE, sent)).result is CheckResult.WRONG


async def test_a_stranger_reads_the_same_whoever_they_ask_for(desk: Desk) -> None:
    async with at_the_page(desk) as web:
        pages = [
            seen(await web.post("/my-pin/ask", data={"employee": employee, "mobile": mobile}))
            for employee, mobile in ((EMPLOYEE, PHONE), (EMPLOYEE, "01000000000"), ("999", PHONE))
        ]
        await desk.outbox.settled()

    assert pages[0][0] == 303
    assert pages == pages[:1] * 3
    assert len(desk.post.sent) == 1


async def test_who_guesses_reads_the_same_at_a_good_a_paused_a_locked_and_no_pin(desk: Desk) -> None:
    await desk.service.issue_pin(LEE, KIM)
    async with at_the_page(desk) as web:
        answers = [seen(await choose(web, "0000", "8264", employee=who)) for who in (EMPLOYEE, "999")]
        for turn in range(10):
            await desk.service.caller_check(LEE, "0")
            if turn in (3, 9):
                answers.append(seen(await choose(web, "0000", "8264")))
            desk.clock.pass_by(seconds=1000)

    assert (await desk.service.standing(LEE)).state is CheckResult.LOCKED
    assert answers[0][0] == 303
    assert answers == answers[:1] * 4


async def test_a_guess_at_a_paused_pin_costs_the_time_of_any_other(desk: Desk) -> None:
    hasher = desk.service._hasher = CountingHasher(time_cost=1, memory_cost=8, parallelism=1)
    await desk.service.issue_pin(LEE, KIM)
    async with at_the_page(desk) as web:
        looks = []
        for who in ("999", *[EMPLOYEE] * 4):
            hasher.looks = 0
            await choose(web, "0000", "8264", employee=who)
            looks.append(hasher.looks)

    assert (await desk.service.standing(LEE)).state is CheckResult.PAUSED
    assert looks == [2] * 5


class CountingHasher(PasswordHasher):
    """Counts what it looks at."""

    looks = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.looks += 1
        return super().verify(hash, password)


async def test_wrong_pins_on_the_page_count_and_so_do_wishes(desk: Desk) -> None:
    pin = await desk.service.issue_pin(LEE, KIM)
    async with at_the_page(desk) as web:
        wrong = [said(await choose(web, "0000", "8264")) for _ in range(3)]
        right = await choose(web, pin, "8264")
        wishes = [
            said(await web.post("/my-pin/ask", data={"employee": "1", "mobile": "2"}))
            for _ in range(ASKED_FROM_AN_ADDRESS + 2)
        ]
        assert (await web.get("/my-pin?said=paused")).status_code == 429

    assert (wrong, said(right)) == (["not_chosen"] * 3, "not_chosen")
    assert (await desk.service.standing(LEE)).state is CheckResult.PAUSED
    assert wishes == ["asked"] * ASKED_FROM_AN_ADDRESS + ["paused"] * 2
    assert len(await desk.outcomes()) == ASKED_FROM_AN_ADDRESS, "a flood is not kept"


async def test_an_address_has_its_guesses_and_all_addresses_together_have_theirs(desk: Desk) -> None:
    pin = await desk.service.issue_pin(LEE, KIM)

    async def guess(source: str) -> Chosen:
        return await desk.service.choose_on_the_web("999", "0000", "8264", source)

    first, second, third = (web_source(f"203.0.113.{last}") for last in (1, 2, 3))
    assert {await guess(first) for _ in range(WRONG_FROM_AN_ADDRESS)} == {Chosen.WRONG}
    assert await guess(first) is Chosen.CLOSED
    assert {await guess(second) for _ in range(WRONG_ON_THE_WEB - WRONG_FROM_AN_ADDRESS)} == {Chosen.WRONG}
    assert await guess(third) is Chosen.CLOSED
    assert (await desk.service.caller_check(EMPLOYEE, pin, PHONE)).is_confirmed, "the telephone stays open"
    async with desk.database.transaction() as session:
        assert len((await session.scalars(select(GuessRow.id))).all()) == WRONG_ON_THE_WEB + 1


async def test_guesses_at_a_locked_pin_count_for_the_address_and_not_for_the_pin(desk: Desk) -> None:
    await desk.service.issue_pin(LEE, KIM)
    source = web_source("203.0.113.1")
    said = [
        await desk.service.choose_on_the_web(EMPLOYEE, "0000", "8264", source)
        for _ in range(WRONG_FROM_AN_ADDRESS + 1)
    ]

    assert said == [Chosen.WRONG] * WRONG_FROM_AN_ADDRESS + [Chosen.CLOSED]
    assert (await desk.service.standing(LEE)).wrong_in_a_row == 3


async def test_all_addresses_together_ask_so_often_in_an_hour(desk: Desk) -> None:
    for turn in range(ASKED_ON_THE_WEB):
        assert await desk.resets.ask("999", PHONE, web_source(f"203.0.113.{turn}")) is Asked.ACCEPTED

    assert await desk.resets.ask("999", PHONE, web_source("198.51.100.1")) is Asked.PAUSED
    assert await desk.resets.ask("999", PHONE, "0299999999") is Asked.ACCEPTED


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("203.0.113.7", "web 203.0.113.7"), ("::ffff:203.0.113.7", "web 203.0.113.7"),
        ("2001:db8:0:1::1", "web 2001:db8:0:1::/64"), ("2001:db8:0:1:ffff::", "web 2001:db8:0:1::/64"),
        ("2001:db8:0:2::1", "web 2001:db8:0:2::/64"), ("fe80::1%eth0", "web fe80::/64"),
        ("203.0.113.7:5000", "web unknown"), ("", "web unknown"),
    ],
)  # fmt: skip
def test_whoever_has_a_network_of_addresses_counts_as_one(host: str, source: str) -> None:
    assert web_source(host) == source


async def test_a_caller_waits_behind_few_who_come_by_the_page(desk: Desk) -> None:
    pin = await desk.service.issue_pin(LEE, KIM)
    async with at_the_page(desk) as web:
        await desk.service._turn.acquire()  # somebody's PIN is looked at
        guesses = [asyncio.create_task(choose(web, "0000", "8264", employee=f"99{turn}")) for turn in range(8)]
        turned_away = [await one for one in guesses[WEB_AT_ONCE:]]
        caller = asyncio.create_task(desk.service.caller_check(EMPLOYEE, pin, PHONE))
        desk.service._turn.release()
        heard = [await one for one in guesses[:WEB_AT_ONCE]]

    assert [said(one) for one in [*heard, *turned_away]] == ["not_chosen"] * WEB_AT_ONCE + ["busy"] * 5
    assert (await caller).is_confirmed


@pytest.mark.parametrize("address", ["/my-pin?said=differ", "/my-pin?said=<script>"])
async def test_what_the_page_says_is_one_of_its_own_sentences(desk: Desk, address: str) -> None:
    async with at_the_page(desk) as web:
        page = await web.get(address)

    assert ("role=\"alert\"" in page.text) is address.endswith("differ")
    assert "<script>" not in page.text


async def test_after_a_mistake_the_number_is_still_there_and_the_field_says_what_is_wrong(desk: Desk) -> None:
    async with at_the_page(desk) as web:
        answer = await choose(web, "0000", "8264", "8265")
        page = (await web.get(answer.headers["location"])).text
        english = httpx.URL(re.findall(r'href="(/language/en[^"]*)"', page)[0])
        anew = (await web.get("/my-pin")).text

    assert EMPLOYEE not in str(answer.headers["location"])
    assert page.count(f'value="{EMPLOYEE}"') == 2
    assert re.search(r'id="new"[^>]*aria-describedby="choose-hint said" aria-invalid="true" autofocus', page)
    assert english.params["next"] == "/my-pin?said=differ"
    assert EMPLOYEE not in anew


@pytest.mark.parametrize(
    ("new", "again", "words"), [("1234", "1234", "쓸 수 없는 PIN"), ("8264", "8265", "서로 다릅니다")]
)
async def test_a_pin_that_cannot_be_theirs_changes_nothing(desk: Desk, new: str, again: str, words: str) -> None:
    pin = await desk.service.issue_pin(LEE, KIM)
    async with at_the_page(desk) as web:
        answer = await web.get((await choose(web, pin, new, again)).headers["location"])

    assert answer.status_code == 422
    assert words in answer.text
    assert (await desk.service.caller_check(LEE, pin)).is_confirmed


async def test_where_nothing_sends_messages_only_choosing_is_offered(desk: Desk) -> None:
    desk.resets._post = None
    async with at_the_page(desk) as web:
        page = (await web.get("/my-pin")).text
        asked = await web.post("/my-pin/ask", data={"employee": EMPLOYEE, "mobile": PHONE})

    assert "/my-pin/ask" not in page
    assert "/my-pin/choose" in page
    assert said(asked) == "unavailable"


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
        html = "".join([(await web.get(f"/my-pin?said={word}")).text for word in ("", *SAID)])
    words = re.sub(r"<[^>]*>", "", html)
    assert "pin." not in words
    assert bool(re.search("[가-힣]", words.replace("창구", "").replace("한국어", ""))) is (language == "ko")

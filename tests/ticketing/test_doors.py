"""Tickets over REST and on pages: the whole way from 신규 to 종료 and nothing typed turns on the reader."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from changgu.acd.identity import CallId
from changgu.directory.numbers import Numbering
from changgu.directory.person import NumberWritten, PersonWritten
from changgu.directory.service import Directory
from changgu.ground.database import Database
from changgu.ticketing.api import build_router
from changgu.ticketing.codes import DEFAULT_CODES
from changgu.ticketing.entries import Caller
from changgu.ticketing.number import ticket_number
from changgu.ticketing.pages import CallLine, Words, build_pages
from changgu.ticketing.service import Tickets
from tests.support.site import Site

ATTACK = "<script>alert(1)</script>"
INCIDENT = {"title": "VPN 접속 불가", "kind": "incident", "grade": "2"}
CODES = {"type_code": "software", "cause_code": "configuration", "resolution_code": "setting"}
SEOUL = ZoneInfo("Asia/Seoul")
NO_TIME = "9999-12-31T23:59:59Z"
"""What some programs write for none; there is no such moment in Seoul, and no page could show it."""


@pytest.fixture
def directory(database: Database) -> Directory:
    return Directory(database, Numbering("KR", r"[1-9]\d{3}"))


class Callers:
    """Who calls is whose number it is."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def caller_of(self, call: CallId) -> Caller:
        number = {"c1": "010-1234-5678", "c2": "010-9999-9999"}.get(call, "")
        found = await self._directory.find_by_number(number)
        return Caller(number, found[0].id, found[0].name, found[0].department) if found else Caller(number)


class PastCalls:
    """Knows one call."""

    async def lines_of(self, calls: Sequence[CallId]) -> Mapping[CallId, CallLine]:
        line = CallLine(datetime(2026, 11, 20, 0, 30, tzinfo=UTC), "네트워크", "김지은", "answered")
        return {call: line for call in calls if call == "1790000000.7"}


@pytest.fixture
def site(tickets: Tickets, directory: Directory) -> Site:
    site = Site()
    callers = Callers(directory)
    site.open([
        build_router(site.gate, tickets, callers),
        build_pages(site.gate, site.pages, tickets, callers, directory, SEOUL, past_calls=PastCalls()),
    ])  # fmt: skip
    return site


@pytest.fixture
async def agent(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.visitor() as client:
        yield client


@pytest.fixture
async def supervisor(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.visitor("supervisor") as client:
        yield client


async def opened(client: httpx.AsyncClient, **said: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/tickets", json={**INCIDENT, **said})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_ticket_goes_the_whole_way_over_rest(agent: httpx.AsyncClient) -> None:
    ticket = await opened(agent, call="c9")
    path = f"/api/v1/tickets/{ticket['number']}"
    assert (ticket["state"], ticket["state_ko"], ticket["owner"]) == ("new", "신규", "kim")
    assert {step["to"]: step["needs"] for step in ticket["steps"]} == {
        "resolved": ["classification", "action", "codes"],
        "assigned": ["classification", "group"],
    }
    moves: list[dict[str, Any]] = [
        {"to": "assigned", "group": "network", "expected_at": "2026-11-20T18:00:00+09:00"},
        {"to": "allocated", "assignee": "이담당"},
        {"to": "resolved", "action": "재설정", "minutes": 5, **CODES},
        {"to": "closed", "callback_note": "확인", "callback_call": "c10", "satisfaction": "no_answer"},
    ]
    for move in moves:
        answer = await agent.post(f"{path}/moves", json=move)
        assert answer.status_code == 200, answer.text
    closed = (await agent.get(path)).json()
    assert [entry["after"] for entry in closed["transitions"]] == ["new", "assigned", "allocated", "resolved", "closed"]
    assert (closed["survey"]["grade"], closed["survey"]["score"]) == ("no_answer", None)
    assert [(link["call"], link["role"]) for link in closed["calls"]] == [("c10", "callback"), ("c9", "created")]
    assert closed["expected_at"] == "2026-11-20T09:00:00Z"
    assert closed["minutes"] == 5
    assert closed["steps"] == []


async def test_a_refused_move_says_why_and_a_lost_race_is_a_conflict(agent: httpx.AsyncClient) -> None:
    path = f"/api/v1/tickets/{(await opened(agent))['number']}"
    for move, status, field in (
        ({"to": "assigned"}, 422, "group"),
        ({"to": "resolved"}, 422, "action"),
        ({"to": "closed"}, 409, None),
        ({"to": "assigned", "group": "network", "expected_state": "allocated"}, 409, None),
        ({"to": "nonsense"}, 422, "to"),
        ({"to": "assigned", "group": "network", "expected_at": "2026-11-20T18:00:00"}, 422, "expected_at"),
        ({"to": "assigned", "group": "network", "expected_at": NO_TIME}, 422, "expected_at"),
    ):
        answer = await agent.post(f"{path}/moves", json=move)
        assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)
        assert re.search("[가-힣]", answer.json()["error"]["ko"])


async def test_an_incident_is_not_saved_without_its_grade(agent: httpx.AsyncClient) -> None:
    for body, field in (
        ({"title": "x"}, "kind"),
        ({"title": "x", "kind": None}, "kind"),
        ({"title": "x", "kind": "incident"}, "grade"),
        ({"title": None, "kind": "inquiry"}, "title"),
        ({"title": "x", "kind": "inquiry", "person": 2**40}, "person"),
        ({"title": "x", "kind": "inquiry", "occurred_at": NO_TIME}, "occurred_at"),
    ):
        answer = await agent.post("/api/v1/tickets", json=body)
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)


async def test_a_ticket_opened_from_a_call_has_its_caller_on_it(agent: httpx.AsyncClient, directory: Directory) -> None:
    hana = await directory.create(
        PersonWritten({"name": "김하나", "department": "민원실"}, [NumberWritten("010-1234-5678")]), "kim"
    )
    known = await opened(agent, call="c1")
    assert (known["person"], known["requester"], known["department"]) == (hana.id, "김하나", "민원실")
    assert known["contact"] == "010-1234-5678"
    unknown = await opened(agent, call="c2")
    assert (unknown["person"], unknown["contact"]) == (None, "010-9999-9999")
    withheld = await opened(agent, call="c3", requester="이두리")
    assert (withheld["person"], withheld["requester"], withheld["contact"]) == (None, "이두리", "")


async def test_fields_actions_call_backs_and_calls_are_recorded(agent: httpx.AsyncClient) -> None:
    path = f"/api/v1/tickets/{(await opened(agent))['number']}"
    said = {"impact": "high", "urgency": "low", "description": "첫 줄\n둘째 줄"}
    patched = (await agent.patch(path, json=said)).json()
    assert (patched["priority"], patched["description"]) == ("3", "첫 줄\n둘째 줄")
    assert (await agent.patch(path, json={"kind": None})).status_code == 422
    assert (await agent.patch(path, json={"channel": None})).json()["error"]["field"] == "channel"
    acted = (await agent.post(f"{path}/actions", json={"text": "원격 점검", "minutes": 7})).json()
    assert [(one["text"], one["minutes"]) for one in acted["actions"]] == [("원격 점검", 7)]
    assert (await agent.post(f"{path}/actions", json={"text": " "})).status_code == 422
    called = (await agent.post(f"{path}/callbacks", json={"reached": False})).json()
    assert [one["reached"] for one in called["callbacks"]] == [False]
    linked = (await agent.post(f"{path}/calls", json={"call": "c5"})).json()
    assert [(one["call"], one["role"]) for one in linked["calls"]] == [("c5", "followed_up")]
    assert (await agent.post(f"{path}/calls", json={"call": ""})).status_code == 422


async def test_lists_are_filtered_and_paged(agent: httpx.AsyncClient, supervisor: httpx.AsyncClient) -> None:
    numbers = [(await opened(agent))["number"] for _ in range(3)]
    theirs = await opened(supervisor, title="프린터", kind="inquiry", queue="pc", person=7)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await agent.get("/api/v1/tickets", params={"limit": 3, "cursor": cursor})).json()
        seen += [one["number"] for one in page["items"]]
        cursor = page["next"]
    assert seen == [theirs["number"], *numbers[::-1]]
    for query in ("q=프린터", "kind=inquiry", "queue=pc", "person=7", "owner=park", "state=new&owner=park&open=true"):
        found = (await agent.get(f"/api/v1/tickets?{query}")).json()["items"]
        assert [one["number"] for one in found] == [theirs["number"]], query
    assert (await agent.get("/api/v1/tickets?since=2026-11-21T00:00:00Z")).json()["items"] == []
    for wrong in ("cursor=x", "cursor=-1", "limit=0", "limit=1000", "state=x", "since=yesterday", "person=0"):
        assert (await agent.get(f"/api/v1/tickets?{wrong}")).status_code == 422, wrong
    assert (await agent.get("/api/v1/tickets/codes")).json()["groups"][0]["line"] == 2


async def test_strangers_stay_out_and_a_ticket_that_is_not_there_is_not_found(site: Site) -> None:
    nowhere = ticket_number(500_000)
    async with site.visitor(None) as stranger:
        for path in ("/api/v1/tickets", f"/api/v1/tickets/{nowhere}"):
            assert (await stranger.get(path)).status_code == 401
        assert (await stranger.post("/api/v1/tickets", json=INCIDENT)).status_code == 401
        assert (await stranger.get("/tickets")).status_code == 303
    async with site.visitor() as client:
        for path in (f"/api/v1/tickets/{nowhere}", "/api/v1/tickets/1", f"/tickets/{nowhere}", "/tickets/x"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/tickets.csv")).status_code == 403


@pytest.mark.parametrize("lang", ["ko", "en"])
async def test_every_page_is_drawn_in_both_languages_in_every_state(site: Site, lang: str) -> None:
    async with site.visitor("supervisor", lang) as client:
        number = (await opened(client, call="c1", person=3))["number"]
        path = f"/tickets/{number}"
        forms: list[dict[str, str]] = [
            {"to": "assigned", "seen": "new", "group": "network"},
            {"to": "rejected", "seen": "assigned", "reason": "다른 그룹"},
            {"to": "assigned", "seen": "rejected", "group": "vendor", "expected_at": "2026-11-20T18:00"},
            {"to": "allocated", "seen": "assigned", "assignee": "이담당"},
            {"to": "resolved", "seen": "allocated", "action": "교체", "minutes": "30", **CODES},
            {"to": "closed", "seen": "resolved", "callback_note": "확인", "satisfaction": "satisfied"},
        ]
        for form in forms:
            await drawn(client, path)
            answer = await client.post(f"{path}/move", data=form)
            assert (answer.status_code, answer.headers.get("location")) == (303, path)
        page = await drawn(client, path)
        assert ("종료" if lang == "ko" else "closed") in page
        for other in ("/tickets", "/tickets?view=all", "/tickets/new", f"/tickets/new?follows={number}&call=c1"):
            await drawn(client, other)
        for view in ("mine", "handed_over", "unclassified_mine", "closed", "nonsense"):
            await drawn(client, f"/tickets?view={view}")


async def drawn(client: httpx.AsyncClient, path: str) -> str:
    page = await client.get(path)
    assert page.status_code == 200, page.text
    assert not re.findall(r"ticketing\.[a-z_.]+", page.text), path
    assert "style=" not in page.text
    ids = re.findall(r' id="([^"]+)"', page.text)
    assert len(ids) == len(set(ids)), sorted(one for one in ids if ids.count(one) > 1)
    unlabelled = set(re.findall(r' for="([^"]+)"', page.text)) - set(ids)
    assert not unlabelled
    return page.text


async def test_a_page_keeps_what_was_typed_when_it_is_refused(agent: httpx.AsyncClient) -> None:
    path = f"/tickets/{(await opened(agent))['number']}"
    half = {"to": "resolved", "seen": "new", "action": "재설정했음", "minutes": "9", "type_code": "other"}
    refused = await agent.post(f"{path}/move", data=half)
    assert refused.status_code == 422
    assert "원인 코드를 골라 주십시오." in refused.text
    assert "재설정했음" in refused.text
    assert re.search(r"<details open>\s*<summary[^>]*>1차 해결", refused.text)
    edited = await agent.post(f"{path}/edit", data={"title": "", "description": "적던 글", "kind": "incident"})
    assert (edited.status_code, "적던 글" in edited.text) == (422, True)
    new = await agent.post("/tickets/new", data={"title": "적던 제목", "kind": "incident"})
    assert (new.status_code, "적던 제목" in new.text, "장애등급을 정해 주십시오." in new.text) == (422, True, True)
    for form, data in (
        ("action", {"text": "", "minutes": "x"}),
        ("callback", {"note": "x" * 20_001}),
        ("call", {"call": "", "role": "nonsense"}),
        ("move", {"to": "assigned", "seen": "nonsense"}),
        ("move", {"to": ""}),
        ("edit", {"expected_at": "tomorrow"}),
    ):
        assert (await agent.post(f"{path}/{form}", data=data)).status_code == 422, form
    stale = await agent.post(f"{path}/move", data={"to": "assigned", "seen": "rejected", "group": "pc"})
    assert (stale.status_code, "그사이 다른 사람이" in stale.text) == (409, True)


async def test_forms_speak_of_the_wall_clock_of_the_site(agent: httpx.AsyncClient) -> None:
    number = (await opened(agent))["number"]
    form = {"to": "assigned", "seen": "new", "group": "network", "expected_at": "2026-11-20T18:00"}
    await agent.post(f"/tickets/{number}/move", data=form)
    assert (await agent.get(f"/api/v1/tickets/{number}")).json()["expected_at"] == "2026-11-20T09:00:00Z"
    assert 'value="2026-11-20T18:00"' in (await agent.get(f"/tickets/{number}")).text


async def test_small_forms_record_actions_call_backs_and_calls(agent: httpx.AsyncClient) -> None:
    number = (await opened(agent))["number"]
    path = f"/tickets/{number}"
    for form, data in (
        ("action", {"text": "원격 점검", "minutes": "5"}),
        ("callback", {"note": "부재중", "reached": "no"}),
        ("call", {"call": "c7", "role": "survey"}),
        ("edit", {**INCIDENT, "title": "새 제목", "change_required": "yes", "person": "3", "channel": "fax"}),
    ):
        assert (await agent.post(f"{path}/{form}", data=data)).status_code == 303, form
    ticket = (await agent.get(f"/api/v1/tickets/{number}")).json()
    assert (ticket["title"], ticket["change_required"], ticket["person"]) == ("새 제목", True, 3)
    assert ticket["channel"] == "fax"
    assert [one["reached"] for one in ticket["callbacks"]] == [False]
    assert [one["role"] for one in ticket["calls"]] == ["survey"]


async def test_a_ticket_s_calls_are_told_in_words_and_lead_to_their_pages(agent: httpx.AsyncClient) -> None:
    ticket = await opened(agent, call="1790000000.7")
    page = (await agent.get(f"/tickets/{ticket['number']}")).text
    section = page[page.index('id="calls"') : page.index('id="callbacks"')]
    told = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", section))
    assert "2026-11-20 09:30 접수 네트워크 김지은 응답" in told
    assert 'href="/calls/1790000000.7"' in section
    assert "1790000000.7" not in told


async def test_a_ticket_s_number_is_shown_one_way_on_every_page(agent: httpx.AsyncClient) -> None:
    number = (await opened(agent))["number"]
    following = (await opened(agent, follows=number))["number"]
    for path in ("/tickets?view=all", f"/tickets/{number}", f"/tickets/{following}"):
        text = re.sub("<[^>]+>", " ", (await agent.get(path)).text)
        assert f"{number[:3]}-{number[3:]}" in text, path
        assert number not in text, path


async def test_what_people_type_is_shown_and_never_run(agent: httpx.AsyncClient) -> None:
    ticket = await opened(agent, title=ATTACK, description=f"</textarea>{ATTACK}", requester=f'"><b>{ATTACK}')
    path = f"/tickets/{ticket['number']}"
    await agent.post(f"{path}/action", data={"text": ATTACK})
    await agent.post(f"{path}/call", data={"call": f"c{ATTACK}"})
    await agent.post(f"{path}/callback", data={"note": ATTACK})
    for shown in (path, "/tickets", f"/tickets?q={ATTACK}"):
        page = (await agent.get(shown)).text
        assert ATTACK not in page
        assert "&lt;script&gt;" in page


async def test_a_downloaded_list_is_never_calculated_by_a_spreadsheet(supervisor: httpx.AsyncClient) -> None:
    await opened(supervisor, title='=HYPERLINK("http://evil")', requester="+82", department="@SUM(1)")
    file = await supervisor.get("/tickets.csv")
    assert file.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(file.content.decode("utf-8-sig")))
    assert (row["title"], row["requester"], row["department"]) == ("'=HYPERLINK(\"http://evil\")", "'+82", "'@SUM(1)")
    assert (row["state"], row["kind"], row["opened_at"]) == ("신규", "장애", "2026-11-20 09:00:00")


async def test_a_number_typed_into_the_search_leads_to_its_ticket(agent: httpx.AsyncClient) -> None:
    number = (await opened(agent))["number"]
    for written in (number, f"{number[:3]}-{number[3:]}", f"{number[:3]} {number[3:]}"):
        answer = await agent.get("/tickets", params={"q": written})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/tickets/{number}")
    assert (await agent.get(f"/tickets/{number[:3]}-{number[3:]}")).headers["location"] == f"/tickets/{number}"


async def test_a_new_ticket_for_a_person_is_filled_in_from_the_directory(
    agent: httpx.AsyncClient, directory: Directory
) -> None:
    hana = await directory.create(
        PersonWritten({"name": "김하나", "department": "민원실"}, [NumberWritten("010-1234-5678")]), "kim"
    )
    page = (await agent.get(f"/tickets/new?person={hana.id}")).text
    for value in ("김하나", "민원실", "010-1234-5678", f'name="person" value="{hana.id}"'):
        assert value in page
    typed = {**INCIDENT, "person": str(hana.id), "requester": "김하나", "channel": "phone"}
    answer = await agent.post("/tickets/new", data=typed)
    assert answer.status_code == 303
    assert f"/people/{hana.id}" in (await agent.get(answer.headers["location"])).text


@pytest.mark.parametrize("strange", ["\x00", "\ud800", "\u202e\u0000x", "가" * 300, "' OR 1=1 --", "{{ 7*7 }}"])
async def test_no_text_in_any_field_is_an_accident(agent: httpx.AsyncClient, strange: str) -> None:
    fields = ("title", "description", "requester", "department", "contact", "configuration_item", "owner", "queue")
    codes = ("grade", "type_code", "cause_code", "resolution_code", "assignee", "group", "reason", "action", "call")
    number = (await opened(agent))["number"]
    path = f"/api/v1/tickets/{number}"
    for field in (*fields, *codes):
        body = json.dumps({**INCIDENT, field: strange})  # escapes what UTF-8 cannot say
        move = json.dumps({"to": "assigned", "group": "pc", field: strange})
        for method, target, content in (
            ("POST", "/api/v1/tickets", body),
            ("PATCH", path, body),
            ("POST", f"{path}/moves", move),
            ("POST", f"{path}/calls", json.dumps({"call": strange})),
            ("POST", f"{path}/actions", json.dumps({"text": strange})),
            ("POST", f"{path}/callbacks", json.dumps({"note": strange, "call": strange})),
        ):
            answer = await agent.request(
                method, target, content=content, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code < 500, (target, field)
    for page in (f"/tickets/{number}", "/tickets?view=all"):
        drawn_page = await agent.get(page)
        assert drawn_page.status_code == 200


def test_people_of_the_desk_are_shown_by_name_and_strangers_by_login() -> None:
    words = Words(DEFAULT_CODES, lambda: {"kim": "김상담"})
    assert [words.staff(login) for login in ("kim", "admin", None)] == ["김상담", "admin", "–"]

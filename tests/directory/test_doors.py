"""People over REST and on pages: who may do what, and nothing typed can turn against the reader."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import httpx
import pytest

from changgu.directory.api import build_router
from changgu.directory.pages import CallLine, TicketLine, build_pages
from changgu.directory.person import PersonId
from changgu.directory.service import Directory
from tests.support.site import Site

ATTACK = "<script>alert(1)</script>"


class OneCall:
    """Everybody has called once."""

    async def of_person(self, ids: Sequence[PersonId], numbers: Sequence[str], limit: int) -> Sequence[CallLine]:
        return [CallLine("1700000000.1&x", datetime(2026, 11, 20, tzinfo=UTC), "네트워크", "kim", "answered")]


class OneTicket:
    """Everybody has one ticket."""

    async def of_person(self, ids: Sequence[PersonId], limit: int) -> Sequence[TicketLine]:
        return [TicketLine("1000018", f"VPN {ATTACK}", "신규", "new", datetime(2026, 11, 20, tzinfo=UTC))]


@pytest.fixture
def site(directory: Directory) -> Site:
    site = Site()
    site.open([
        build_router(site.gate, directory),
        build_pages(site.gate, site.pages, directory, OneCall(), OneTicket()),
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


async def add(client: httpx.AsyncClient, **person: object) -> int:
    answer = await client.post("/api/v1/people", json=person)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def test_a_person_is_added_read_changed_and_found(agent: httpx.AsyncClient) -> None:
    person = {
        "name": "김하나",
        "employee_number": "100",
        "department": "민원실",
        "numbers": ["010-1234-5678", {"number": "031-123-4567", "kind": "home"}],
        "assets": [{"tag": "NB-1", "kind": "노트북", "purchased_on": "2024-03-02"}],
    }
    hana = await add(agent, **person)
    read = (await agent.get(f"/api/v1/people/{hana}")).json()
    assert [(number["canonical"], number["kind"]) for number in read["numbers"]] == [
        ("+821012345678", "mobile"),
        ("+82311234567", "home"),
    ]
    assert read["assets"][0]["purchased_on"] == "2024-03-02"

    changed = await agent.patch(f"/api/v1/people/{hana}", json={"department": "총무과"})
    assert (changed.json()["department"], changed.json()["numbers"]) == ("총무과", read["numbers"])
    for query in ("q=하나 총무", "q=010-1234-5678", "number=%2B82 10 1234 5678"):
        found = (await agent.get(f"/api/v1/people?{query}")).json()
        assert [one["id"] for one in found["items"]] == [hana]
    history = (await agent.get(f"/api/v1/people/{hana}/history")).json()["items"]
    assert [(one["actor"], one["field"]) for one in history] == [("kim", "department")]


async def test_pages_of_people_follow_the_cursor(agent: httpx.AsyncClient) -> None:
    for name in "라나가다마":
        await add(agent, name=name)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await agent.get("/api/v1/people", params={"limit": 2, "cursor": cursor})).json()
        seen += [one["name"] for one in page["items"]]
        cursor = page["next"]
    assert seen == list("가나다라마")
    for wrong in ("nonsense", "AAAA", "é"):
        assert (await agent.get("/api/v1/people", params={"cursor": wrong})).status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x", "email": "x"}, "email"),
        ({"name": "x", "numbers": ["nonsense"]}, "numbers"),
        ({"name": 7}, "name"),
    ],
)
async def test_a_wrong_value_is_answered_with_its_field(
    agent: httpx.AsyncClient, body: dict[str, object], field: str
) -> None:
    answer = await agent.post("/api/v1/people", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert answer.json()["error"]["ko"]


async def test_strangers_stay_out_and_importing_and_merging_is_for_supervisors(
    site: Site, agent: httpx.AsyncClient, supervisor: httpx.AsyncClient
) -> None:
    one, other = await add(agent, name="가"), await add(agent, name="나")
    async with site.visitor(None) as stranger:
        for path in ("/api/v1/people", f"/api/v1/people/{one}"):
            assert (await stranger.get(path)).status_code == 401
        assert (await stranger.get("/people")).status_code == 303
    file = {"file": ("people.csv", "사번,이름\n1,다\n".encode("cp949"))}
    assert (await agent.post("/api/v1/people/import", files=file)).status_code == 403
    assert (await agent.get("/people/import")).status_code == 403
    assert (await supervisor.post("/api/v1/people/import", files=file)).json() == {
        "added": 1,
        "updated": 0,
        "unchanged": 0,
    }
    assert (await agent.post(f"/api/v1/people/{one}/merge", json={"other": other})).status_code == 403
    assert (await supervisor.post(f"/api/v1/people/{one}/merge", json={"other": other})).status_code == 200
    assert (await agent.get(f"/api/v1/people/{other}")).json()["id"] == one
    assert (await agent.get("/api/v1/people/999")).status_code == 404
    assert (await agent.get("/api/v1/people/99999999999999999999")).status_code == 422


@pytest.mark.parametrize("lang", ["ko", "en"])
async def test_every_page_is_drawn_in_both_languages_without_missing_words(site: Site, lang: str) -> None:
    async with site.visitor("supervisor", lang) as client:
        hana = await add(client, name="김하나", numbers=["010-1234-5678"], assets=[{"tag": "NB-1"}], title="주무관")
        await client.patch(f"/api/v1/people/{hana}", json={"numbers": ["1234"], "email": "a@b"})
        paths = ("/people", "/people/new", "/people/import", f"/people/{hana}", f"/people/{hana}/edit")
        for path in paths:
            page = await client.get(path)
            assert page.status_code == 200, page.text
            assert not re.findall(r"directory\.[a-z_.]+", page.text), path
            assert "style=" not in page.text
        assert ("사용자" if lang == "ko" else "People") in (await client.get("/people")).text


async def test_a_person_page_shows_profile_numbers_assets_calls_and_tickets(agent: httpx.AsyncClient) -> None:
    hana = await add(agent, name="김하나", employee_number="100", numbers=["010-1234-5678"], assets=[{"tag": "NB-1"}])
    page = (await agent.get(f"/people/{hana}")).text
    for shown in ("김하나", "100", "010-1234-5678", "NB-1", "네트워크", "응답", "1000018", "신규"):
        assert shown in page
    assert "/calls/1700000000.1%26x" in page


async def test_what_people_type_is_shown_and_never_run(agent: httpx.AsyncClient) -> None:
    hana = await add(agent, name=ATTACK, department=f'"{ATTACK}', employee_number="'><b>", computer_id=ATTACK)
    for path in ("/people", f"/people/{hana}", f"/people/{hana}/edit", f"/people?q={ATTACK}x"):
        page = (await agent.get(path)).text
        assert ATTACK not in page
        assert "&lt;script&gt;" in page


async def test_the_form_adds_and_changes_a_person_and_keeps_what_was_typed_when_it_is_refused(
    agent: httpx.AsyncClient,
) -> None:
    typed = {"name": "김하나", "numbers": "mobile: 010-1234-5678\n1234", "assets": "NB-1|노트북|||2024-03-02"}
    refused = await agent.post("/people/new", data={**typed, "email": "nonsense"})
    assert refused.status_code == 422
    assert "김하나" in refused.text
    assert "전자우편 주소가 아닙니다." in refused.text
    added = await agent.post("/people/new", data=typed)
    assert added.status_code == 303
    person = added.headers["location"]
    form = (await agent.get(f"{person}/edit")).text
    assert "mobile: 010-1234-5678\nextension: 내선 1234" in form
    assert "NB-1|노트북|||2024-03-02" in form
    assert (await agent.post(f"{person}/edit", data={"name": "김둘", "numbers": "", "assets": ""})).status_code == 303
    assert (await agent.post(f"{person}/edit", data={"assets": "|x"})).status_code == 422
    found = (await agent.get("/api/v1/people")).json()["items"]
    assert [(one["name"], one["numbers"], one["assets"]) for one in found] == [("김둘", [], [])]


async def test_the_import_page_lists_every_mistake(supervisor: httpx.AsyncClient) -> None:
    rows = f"사번,이름,이메일\n1,가,x\n2,나,{ATTACK}\n"
    page = await supervisor.post("/people/import", files={"file": ("people.csv", rows.encode())})
    assert page.status_code == 422
    assert page.text.count("전자우편 주소가 아닙니다.") == 2
    assert ATTACK not in page.text
    example = await supervisor.get("/people/import/example.csv")
    done = await supervisor.post("/people/import", files={"file": ("people.csv", example.content)})
    assert "새로 1명" in done.text


async def test_a_search_with_one_answer_goes_straight_there(agent: httpx.AsyncClient) -> None:
    hana = await add(agent, name="김하나", numbers=["1234"])
    answer = await agent.get("/people?q=1234")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/people/{hana}")


@pytest.mark.parametrize("strange", ["\x00", "\ud800", "\u202e\u0000x", "가" * 300, "' OR 1=1 --", "{{ 7*7 }}"])
async def test_no_text_in_any_field_is_an_accident(agent: httpx.AsyncClient, strange: str) -> None:
    hana = await add(agent, name="김하나")
    fields = ("name", "employee_number", "department", "title", "email", "location", "computer_id", "fax")
    bodies: list[dict[str, object]] = [{field: strange} for field in fields]
    bodies += [{"numbers": [strange]}, {"assets": [{"tag": strange, "model": strange}]}]
    for body in bodies:
        for method, target in (("POST", "/api/v1/people"), ("PATCH", f"/api/v1/people/{hana}")):
            answer = await agent.request(
                method,
                target,
                content=json.dumps({"name": "x", **body}),  # escapes what UTF-8 cannot say
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code < 500, (target, body)
    for page in ("/people", f"/people/{hana}"):
        assert (await agent.get(page)).status_code == 200


async def test_only_a_supervisor_says_whose_calls_go_first(
    agent: httpx.AsyncClient, supervisor: httpx.AsyncClient
) -> None:
    number = await add(agent, name="김하나")
    refused = await agent.patch(f"/api/v1/people/{number}", json={"vip": True})
    assert (refused.status_code, refused.json()["error"]["field"]) == (403, "vip")
    assert (await agent.get(f"/api/v1/people/{number}")).json()["vip"] is False

    changed = await supervisor.patch(f"/api/v1/people/{number}", json={"vip": True})
    assert changed.json()["vip"] is True
    assert "우대 사용자" in (await agent.get(f"/people/{number}")).text
    assert 'name="vip"' not in (await agent.get(f"/people/{number}/edit")).text
    await agent.post(f"/people/{number}/edit", data={"name": "김하나"})  # who may not say it does not unsay it
    assert (await agent.get(f"/api/v1/people/{number}")).json()["vip"] is True

    form = await supervisor.get(f"/people/{number}/edit")
    assert 'value="yes" aria-describedby="vip-hint" checked' in form.text
    await supervisor.post(f"/people/{number}/edit", data={"name": "김하나", "vip_asked": "yes"})
    history = (await agent.get(f"/api/v1/people/{number}/history")).json()["items"]
    assert [(one["field"], one["before"], one["after"]) for one in history] == [("vip", "vip", ""), ("vip", "", "vip")]

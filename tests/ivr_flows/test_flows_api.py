"""The menu and notices by REST: what supervisors ask and what they are told."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import Request
from starlette.requests import HTTPConnection

from changgu.app.access import AccessGate
from changgu.app.accounts import Accounts
from changgu.app.rendering import SitePages
from changgu.app.web import build_app
from changgu.ground.access import Actor, Role
from changgu.ivr_flows.kinds import KINDS
from changgu.ivr_flows.publishing.api import build_router
from changgu.ivr_flows.publishing.pages import build_pages
from tests.app.whole_desk import Healthy
from tests.ivr_flows.menu_house import BOSS, DEPUTY, MAIN, NINE, UNSPEAKABLE, MenuHouse


class Door:
    """Lets in the two supervisors by a header."""

    def require(self, role: Role) -> Callable[..., Awaitable[Actor]]:
        assert role is Role.SUPERVISOR

        async def actor(request: Request) -> Actor:
            return DEPUTY if request.headers.get("as") == "deputy" else BOSS

        return actor

    async def admit(self, websocket: HTTPConnection, role: Role) -> Actor | None:
        return BOSS


@pytest.fixture
async def client(house: MenuHouse) -> AsyncIterator[httpx.AsyncClient]:
    door, site = Door(), SitePages()
    app = build_app(
        version="0", gate=AccessGate(Accounts(house.database)), pages=site, health=Healthy(),
        routers=[
            build_router(door, house.versions, house.notices, house.counts, house.menu),
            build_pages(door, site, house.versions, house.menu),
        ],
    )  # fmt: skip
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk/api/v1") as client:
        yield client


async def draft(client: httpx.AsyncClient) -> dict[str, Any]:
    return (await client.get("/flows/main/draft")).json()  # type: ignore[no-any-return]


async def test_a_node_is_changed_checked_and_published(client: httpx.AsyncClient, house: MenuHouse) -> None:
    before = await draft(client)
    services = next(one for one in before["nodes"] if one["name"] == "services")
    assert (services["kind"], services["column"], services["problems"]) == ("menu", 1, 0)
    assert services["says"]["en"].startswith("For computers")
    assert {"way": "2", "to": "network", "along": True} in services["ways"]

    fields = {**services["fields"], "repeats": 3}
    saved = await client.put("/flows/main/draft/nodes/services", json={"fields": fields, "revision": 0})
    assert (saved.json()["revision"], saved.json()["by"], saved.json()["problems"]) == (1, "boss", [])
    wish = {"revision": 1, "note": " 세 번 \n"}
    published = await client.post("/flows/main/publish", json=wish, headers={"as": "deputy"})
    found = published.json()
    assert (found["on_air"], found["draft_revision"]) == (2, 2)
    assert found["versions"][0] | {"at": ""} == {
        "number": 2, "standing": "on_air", "origin": "", "note": "세 번", "by": "deputy", "at": "",
    }  # fmt: skip
    assert [(one["version"], one["how"], one["by"]) for one in found["publications"]] == [
        (2, "published", "deputy"), (1, "file", "changgu:main.yaml"),
    ]  # fmt: skip
    back = await client.post("/flows/main/versions/1/roll-back", json={"note": ""})
    assert (back.json()["on_air"], [one["standing"] for one in back.json()["versions"]]) == (1, ["past", "on_air"])


async def test_mistakes_stand_at_their_node_and_line_and_keep_the_draft_off_the_air(client: httpx.AsyncClient) -> None:
    text = MAIN.replace("1: pc", "1: nowhere")
    saved = (await client.put("/flows/main/draft", json={"text": text, "revision": 0})).json()
    (dead_end, unreached) = sorted(saved["problems"], key=lambda one: one["line"])
    assert (dead_end["node"], dead_end["severity"]) == ("services", "error")
    assert text.splitlines()[dead_end["line"] - 1].strip() == "1: nowhere"
    assert unreached["node"] == "pc"
    assert [one["name"] for one in saved["nodes"] if one["astray"]] == ["pc"]
    refused = await client.post("/flows/main/publish", json={"revision": 1})
    assert refused.status_code == 422
    assert "nowhere" in refused.json()["error"]["en"]
    assert "nowhere" in refused.json()["error"]["ko"]


async def test_what_somebody_else_changed_meanwhile_is_a_conflict(client: httpx.AsyncClient) -> None:
    wish = {"text": MAIN, "revision": 0}
    assert (await client.put("/flows/main/draft", json=wish)).status_code == 200
    assert (await client.put("/flows/main/draft", json=wish)).status_code == 409
    assert (await client.post("/flows/main/publish", json={"revision": 0})).status_code == 409
    anew = await client.post("/flows/main/draft/anew", json={"revision": 1, "version": 1})
    assert (anew.json()["revision"], anew.json()["base"]) == (2, 1)


async def test_a_schedule_is_seen_and_withdrawn(client: httpx.AsyncClient) -> None:
    text = MAIN.replace("repeats: 2", "repeats: 3")
    await client.put("/flows/main/draft", json={"text": text, "revision": 0})
    at = (NINE + timedelta(hours=3)).isoformat()
    scheduled = (await client.post("/flows/main/publish", json={"revision": 1, "at": at})).json()
    assert (scheduled["on_air"], scheduled["versions"][0]["standing"]) == (1, "scheduled")
    id = scheduled["publications"][0]["id"]
    withdrawn = (await client.delete(f"/flows/main/publications/{id}")).json()
    assert withdrawn["publications"][0]["withdrawn_by"] == "boss"
    assert (await client.delete(f"/flows/main/publications/{id}")).status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "wish", "status"),
    [
        ("GET", "/flows/other", None, 404),
        ("GET", "/flows/main/versions/9", None, 404),
        ("DELETE", "/flows/main/draft/nodes/nowhere?revision=0", None, 404),
        ("DELETE", "/flows/main/draft/nodes/pc?revision=0", None, 409),
        ("PUT", "/flows/main/draft/nodes/x", {"fields": {"kind": None}, "revision": 0}, 422),
        ("PUT", "/flows/main/draft/nodes/x", {"fields": {"a": [[[[[["deep"]]]]]]}, "revision": 0}, 422),
        ("PUT", "/flows/main/draft", {"text": "x" * 1_000_001, "revision": 0}, 422),
        ("POST", "/flows/main/publish", {"revision": 0, "at": "2026-03-02T09:00:00"}, 422),
        ("GET", "/flows/main/paths?first=2026-03-02&last=2026-03-01", None, 422),
        ("GET", "/flows/main/paths?first=2024-03-02&last=2026-03-01", None, 422),
        ("POST", "/speech", {"text": UNSPEAKABLE}, 422),
        ("POST", "/speech", {"text": "hello", "language": "fr"}, 422),
        ("POST", "/notices", {"sentences": {"ko": "안내"}, "places": [], "ends_at": "2026-03-02T09:00:00Z"}, 422),
        ("DELETE", "/notices/7", None, 404),
    ],
)
async def test_what_cannot_be_is_refused(
    client: httpx.AsyncClient, method: str, path: str, wish: dict[str, Any] | None, status: int
) -> None:
    assert (await client.request(method, path, json=wish)).status_code == status


async def test_a_sentence_is_heard_as_callers_hear_it(client: httpx.AsyncClient, house: MenuHouse) -> None:
    sound = await client.post("/speech", json={"text": "안녕하십니까.", "language": "ko"})
    assert (sound.headers["content-type"], sound.content[:4]) == ("audio/wav", b"RIFF")
    assert house.voice.spoken == [("안녕하십니까.", "ko")]


async def test_a_notice_goes_on_the_air_and_off(client: httpx.AsyncClient, house: MenuHouse) -> None:
    wish = {
        "sentences": {"ko": " 장애가  있습니다. "}, "places": ["queue:network"],
        "ends_at": (NINE + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    made = await client.post("/notices", json=wish)
    assert (made.status_code, made.json()["on"], made.json()["sentences"]) == (201, True, {"ko": "장애가 있습니다."})
    assert len(house.notices.now("queue:network")) == 1
    id = made.json()["id"]
    assert (await client.delete(f"/notices/{id}")).json()["withdrawn_by"] == "boss"
    assert [(one["id"], one["on"]) for one in (await client.get("/notices")).json()] == [(id, False)]


async def test_figures_of_days_in_which_nobody_called_are_nought(client: httpx.AsyncClient) -> None:
    found = (await client.get("/flows/main/paths")).json()
    assert (found["first"], found["last"], found["nodes"], found["days"]) == ("2026-03-02", "2026-03-02", {}, [])
    assert (found["whole"]["entered"], found["whole"]["containment"]) == (0, None)
    assert (await client.get("/flows/main/paths/services")).json() == []


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("path", ["/flows", "/notices", "/flows/hours"])
async def test_every_word_of_the_pages_is_there(client: httpx.AsyncClient, path: str, language: str) -> None:
    page = await client.get(f"http://desk{path}", headers={"cookie": f"changgu_language={language}"})
    assert page.status_code == 200
    assert "flows." not in page.text.replace("flows.css", "").replace("flows.js", "")
    assert "notices." not in page.text.replace("notices.js", "")
    assert path != "/flows/hours" or "hours." not in page.text.replace("hours.js", "")
    if path == "/flows":
        assert all(f'"{kind}"' in page.text for kind in KINDS)

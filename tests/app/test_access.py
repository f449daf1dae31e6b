"""Who may do what: every door of the desk, tried by everybody."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from sqlalchemy.exc import SQLAlchemyError

from changgu.app.access import CSRF_HEADER, SESSION_COOKIE, AccessGate
from changgu.app.accounts import Visitor
from changgu.app.web import Guarded
from changgu.ground.access import Actor, Role
from tests.app.whole_desk import doors_of, whole_desk

OPEN = None
"""Nobody needs to be known: signing in, health, the API's description, and the visitors' phone and PIN page with
switches of their own."""
AGENT, SUPERVISOR, ADMIN = Role.AGENT, Role.SUPERVISOR, Role.ADMIN

MATRIX: Mapping[tuple[str, str], Role | None] = {
    # nobody known
    ("GET", "/"): OPEN,
    ("GET", "/healthz"): OPEN,
    ("GET", "/sign-in"): OPEN,
    ("POST", "/sign-in"): OPEN,
    ("POST", "/sign-out"): OPEN,
    ("GET", "/language/{lang}"): OPEN,
    ("GET", "/api/docs"): OPEN,
    ("GET", "/api/openapi.json"): OPEN,
    ("GET", "/phone"): OPEN,
    ("GET", "/my-pin"): OPEN,
    ("POST", "/my-pin/ask"): OPEN,
    ("POST", "/my-pin/choose"): OPEN,
    ("GET", "/phone/account"): OPEN,
    ("WS", "/sip/visitor"): OPEN,
    # the desk's work
    ("GET", "/password"): AGENT,
    ("POST", "/password"): AGENT,
    ("GET", "/desk"): AGENT,
    ("WS", "/desk/ws"): AGENT,
    ("WS", "/sip/ws"): AGENT,
    ("GET", "/api/v1/phone/credentials"): AGENT,
    ("GET", "/wallboard"): AGENT,
    ("GET", "/api/v1/wallboard"): AGENT,
    ("WS", "/api/v1/wallboard"): AGENT,
    ("GET", "/calls"): AGENT,
    ("GET", "/calls/{id}"): AGENT,
    ("GET", "/api/v1/calls"): AGENT,
    ("GET", "/api/v1/calls/{id}"): AGENT,
    ("GET", "/calls/{id}/why"): AGENT,
    ("GET", "/api/v1/calls/{id}/why"): AGENT,
    ("GET", "/calls/{id}/recordings"): AGENT,
    ("GET", "/api/v1/calls/{id}/recordings"): AGENT,
    ("GET", "/api/v1/recordings/{id}/audio"): AGENT,
    ("GET", "/api/v1/agents"): AGENT,
    ("GET", "/api/v1/emergency"): AGENT,
    ("POST", "/api/v1/agents/{login}/state"): AGENT,
    ("GET", "/api/v1/queues"): AGENT,
    ("GET", "/callbacks"): AGENT,
    ("POST", "/callbacks"): AGENT,
    ("POST", "/callbacks/{id}/cancel"): AGENT,
    ("GET", "/api/v1/callbacks"): AGENT,
    ("POST", "/api/v1/callbacks"): AGENT,
    ("DELETE", "/api/v1/callbacks/{id}"): AGENT,
    ("GET", "/api/v1/people"): AGENT,
    ("POST", "/api/v1/people"): AGENT,
    ("GET", "/api/v1/people/{id}"): AGENT,
    ("PATCH", "/api/v1/people/{id}"): AGENT,
    ("GET", "/api/v1/people/{id}/history"): AGENT,
    ("DELETE", "/api/v1/people/{person}/pin"): AGENT,
    ("GET", "/api/v1/messages"): AGENT,
    ("GET", "/api/v1/messages/late"): AGENT,
    ("GET", "/api/v1/messages/{id}"): AGENT,
    ("GET", "/api/v1/messages/{id}/document"): AGENT,
    ("GET", "/api/v1/people/{person}/pin"): AGENT,
    ("GET", "/api/v1/surveys/form"): AGENT,
    ("GET", "/messages"): AGENT,
    ("GET", "/people/{person}/pin"): AGENT,
    ("POST", "/api/v1/messages/{id}/dismissal"): AGENT,
    ("POST", "/api/v1/people/{person}/pin"): AGENT,
    ("POST", "/api/v1/tickets/{number}/call-me-back"): AGENT,
    ("POST", "/messages/{id}/dismissal"): AGENT,
    ("POST", "/people/{person}/pin"): AGENT,
    ("POST", "/people/{person}/pin/remove"): AGENT,
    ("POST", "/people/{person}/pin/send"): AGENT,
    ("POST", "/api/v1/people/{person}/pin/send"): AGENT,
    ("POST", "/tickets/{number}/call-me-back"): AGENT,
    ("PUT", "/api/v1/people/{person}/pin"): AGENT,
    ("GET", "/people"): AGENT,
    ("GET", "/people/new"): AGENT,
    ("POST", "/people/new"): AGENT,
    ("GET", "/people/{id}"): AGENT,
    ("GET", "/people/{id}/edit"): AGENT,
    ("POST", "/people/{id}/edit"): AGENT,
    ("GET", "/tickets"): AGENT,
    ("GET", "/tickets/new"): AGENT,
    ("POST", "/tickets/new"): AGENT,
    ("GET", "/tickets/{number}"): AGENT,
    ("POST", "/tickets/{number}/edit"): AGENT,
    ("POST", "/tickets/{number}/move"): AGENT,
    ("POST", "/tickets/{number}/action"): AGENT,
    ("POST", "/tickets/{number}/callback"): AGENT,
    ("POST", "/tickets/{number}/call"): AGENT,
    ("GET", "/api/v1/tickets"): AGENT,
    ("POST", "/api/v1/tickets"): AGENT,
    ("GET", "/api/v1/tickets/codes"): AGENT,
    ("GET", "/api/v1/tickets/{number}"): AGENT,
    ("PATCH", "/api/v1/tickets/{number}"): AGENT,
    ("POST", "/api/v1/tickets/{number}/moves"): AGENT,
    ("POST", "/api/v1/tickets/{number}/calls"): AGENT,
    ("POST", "/api/v1/tickets/{number}/actions"): AGENT,
    ("POST", "/api/v1/tickets/{number}/callbacks"): AGENT,
    # the floor
    ("GET", "/api/v1/outgoing-messages"): SUPERVISOR,
    ("GET", "/messages/outgoing"): SUPERVISOR,
    ("POST", "/messages/outgoing/{id}/again"): SUPERVISOR,
    ("POST", "/api/v1/outgoing-messages/{id}/again"): SUPERVISOR,
    ("GET", "/api/v1/first-contact"): SUPERVISOR,
    ("GET", "/first-contact"): SUPERVISOR,
    ("GET", "/surveys"): SUPERVISOR,
    ("GET", "/floor"): SUPERVISOR,
    # the menu and notices
    ("GET", "/flows"): SUPERVISOR,
    ("GET", "/flows/hours"): SUPERVISOR,
    ("GET", "/notices"): SUPERVISOR,
    ("GET", "/api/v1/flows/{flow}"): SUPERVISOR,
    ("GET", "/api/v1/flows/{flow}/draft"): SUPERVISOR,
    ("PUT", "/api/v1/flows/{flow}/draft"): SUPERVISOR,
    ("PUT", "/api/v1/flows/{flow}/draft/nodes/{node}"): SUPERVISOR,
    ("PUT", "/api/v1/flows/{flow}/draft/sentences/{language}/{name}"): SUPERVISOR,
    ("DELETE", "/api/v1/flows/{flow}/draft/nodes/{node}"): SUPERVISOR,
    ("POST", "/api/v1/flows/{flow}/draft/anew"): SUPERVISOR,
    ("POST", "/api/v1/flows/{flow}/publish"): SUPERVISOR,
    ("POST", "/api/v1/flows/{flow}/versions/{number}/roll-back"): SUPERVISOR,
    ("GET", "/api/v1/flows/{flow}/versions/{number}"): SUPERVISOR,
    ("DELETE", "/api/v1/flows/{flow}/publications/{id}"): SUPERVISOR,
    ("GET", "/api/v1/flows/{flow}/differences"): SUPERVISOR,
    ("POST", "/api/v1/flows/{flow}/draft/meanwhile"): SUPERVISOR,
    ("GET", "/api/v1/flows/{flow}/paths"): SUPERVISOR,
    ("GET", "/api/v1/flows/{flow}/paths/{node:path}"): SUPERVISOR,
    ("POST", "/api/v1/speech"): SUPERVISOR,
    ("GET", "/api/v1/flows/{flow}/hours"): SUPERVISOR,
    ("PUT", "/api/v1/flows/{flow}/hours"): SUPERVISOR,
    ("GET", "/api/v1/notices"): SUPERVISOR,
    ("POST", "/api/v1/notices"): SUPERVISOR,
    ("DELETE", "/api/v1/notices/{id}"): SUPERVISOR,
    ("GET", "/api/v1/surveys"): SUPERVISOR,
    ("GET", "/api/v1/surveys/figures"): SUPERVISOR,
    ("GET", "/api/v1/tickets/{number}/survey"): SUPERVISOR,
    ("POST", "/api/v1/tickets/{number}/survey/invitation"): SUPERVISOR,
    ("PUT", "/api/v1/tickets/{number}/survey"): SUPERVISOR,
    ("POST", "/api/v1/agents/{login}/force"): SUPERVISOR,
    ("PUT", "/api/v1/emergency"): SUPERVISOR,
    ("DELETE", "/api/v1/emergency"): SUPERVISOR,
    ("PATCH", "/api/v1/agents/{login}"): SUPERVISOR,
    ("GET", "/calls/{id}/trace"): SUPERVISOR,
    ("GET", "/api/v1/calls/{id}/trace"): SUPERVISOR,
    ("GET", "/tickets.csv"): SUPERVISOR,
    ("POST", "/api/v1/people/import"): SUPERVISOR,
    ("POST", "/api/v1/people/{id}/merge"): SUPERVISOR,
    ("GET", "/people/import"): SUPERVISOR,
    ("POST", "/people/import"): SUPERVISOR,
    ("GET", "/people/import/example.csv"): SUPERVISOR,
    ("POST", "/people/{id}/merge"): SUPERVISOR,
    # the house
    ("GET", "/accounts"): ADMIN,
    ("POST", "/accounts"): ADMIN,
    ("POST", "/accounts/people/{login}"): ADMIN,
    ("POST", "/accounts/people/{login}/password"): ADMIN,
    ("POST", "/accounts/tokens"): ADMIN,
    ("POST", "/accounts/tokens/revoke"): ADMIN,
}
"""Every door and the least role it opens to. A new route needs its line here."""

HERE = "http://desk.example:8000"
HOST = "desk.example:8000"
ASKERS: tuple[Role | None, ...] = (None, *Role)


class Roles:
    """Cookies and tokens that say their role."""

    async def visitor_by_cookie(self, cookie: str) -> Visitor | None:
        must_change = cookie.startswith("new-")
        role = cookie.removeprefix("new-")
        if role not in list(Role):
            return None
        return Visitor(Actor(role, role, Role(role)), must_change, csrf=f"csrf-of-{role}")

    async def visitor_by_token(self, token: str) -> Visitor | None:
        return Visitor(Actor(f"token:{token}", token, Role(token), "token")) if token in list(Role) else None


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return whole_desk(AccessGate(Roles()))


@pytest.fixture
async def web(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url=HERE)


def by_cookie(role: Role | None, origin: str | None = HERE) -> dict[str, str]:
    headers = {"origin": origin} if origin else {}
    return headers | ({"cookie": f"{SESSION_COOKIE}={role.value}"} if role else {})


def by_token(role: Role | None) -> dict[str, str]:
    return {"authorization": f"Bearer {role.value}"} if role else {}


def address(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "7", path)


@dataclass
class Socket:
    """A browser's side of one WebSocket that leaves as soon as it was let in."""

    app: FastAPI
    path: str
    headers: Mapping[str, str]
    sent: list[Mapping[str, Any]] = field(default_factory=list)

    async def knock(self) -> int | None:
        """The code with which we were turned away, or None when we were let in."""
        coming: Iterator[Mapping[str, Any]] = iter([{"type": "websocket.connect"}])
        headers = {"host": HOST, **self.headers}
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 40000),
            "server": ("127.0.0.1", 8000),
            "subprotocols": ["sip"],
        }

        async def receive() -> Mapping[str, Any]:
            return next(coming, {"type": "websocket.disconnect", "code": 1001})

        async def send(message: Mapping[str, Any]) -> None:
            self.sent.append(message)

        task = asyncio.ensure_future(self.app(scope, receive, send))  # type: ignore[arg-type]
        await asyncio.wait({task}, timeout=5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        codes = [message["code"] for message in self.sent if message["type"] == "websocket.close"]
        return next((code for code in codes if code in (4401, 4403)), None)


def test_every_door_is_declared(app: FastAPI) -> None:
    doors = {door for door in doors_of(app) if door[0] != "FILES"}
    assert not doors - MATRIX.keys(), "give these a line in MATRIX"
    assert not MATRIX.keys() - doors, "take these out of MATRIX"


def test_files_are_served_from_one_place_only(app: FastAPI) -> None:
    assert all(path == "/static" or path.startswith("/static/") for method, path in doors_of(app) if method == "FILES")


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("way", [by_cookie, by_token])
async def test_every_door_opens_to_its_role_and_to_nobody_below(
    app: FastAPI, web: httpx.AsyncClient, way: Any, asker: Role | None
) -> None:
    wrong: list[str] = []
    for method, path in doors_of(app):
        least = MATRIX.get((method, path))
        if method in ("WS", "FILES") or least is OPEN:
            continue
        answer = await web.request(method, address(path), headers=way(asker))
        refused = answer.status_code in (401, 403)
        expected = 401 if asker is None else 403 if asker.rank < least.rank else None
        if expected is None and refused and not _refused_for_another_reason(answer):
            wrong.append(f"{method} {path}: {asker} was refused with {answer.text}")
        if expected is not None and answer.status_code != expected:
            wrong.append(f"{method} {path}: {asker} got {answer.status_code} instead of {expected}")
    assert not wrong, "\n".join(wrong)


def _refused_for_another_reason(answer: httpx.Response) -> bool:
    """Past the door: a token has no password or phone of its own, and agents change nobody else's state."""
    return answer.status_code in (401, 403) and not any(
        words in answer.text for words in ("역할이 필요합니다", "다른 사이트", "비밀번호를 먼저")
    )


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("way", [by_cookie, by_token])
async def test_every_socket_opens_to_its_role_and_to_nobody_below(app: FastAPI, way: Any, asker: Role | None) -> None:
    for method, path in doors_of(app):
        least = MATRIX.get((method, path))
        if method != "WS" or least is OPEN:
            continue
        headers = {"origin": HERE} | way(asker)
        expected = 4401 if asker is None else 4403 if asker.rank < least.rank else None
        assert await Socket(app, address(path), headers).knock() == expected, (path, asker)


@pytest.mark.parametrize("origin", ["https://evil.example", "http://desk.example:8001", "null", None])
async def test_no_foreign_page_changes_anything(app: FastAPI, web: httpx.AsyncClient, origin: str | None) -> None:
    for method, path in doors_of(app):
        if method in ("WS", "FILES", "GET"):
            continue
        answer = await web.request(method, address(path), headers=by_cookie(Role.ADMIN, origin))
        assert (answer.status_code, answer.json()["error"]["en"]) == (403, "Requests from other sites are refused.")


@pytest.mark.parametrize("origin", ["https://evil.example", "http://desk.example:8001", "null", None])
async def test_no_foreign_page_opens_a_socket(app: FastAPI, origin: str | None) -> None:
    for method, path in doors_of(app):
        if method == "WS":
            socket = Socket(app, address(path), by_cookie(Role.ADMIN, origin))
            assert await socket.knock() == 4403, path
            assert socket.sent[0]["type"] == "websocket.close", "refused in the handshake"


async def test_a_foreign_page_cannot_sign_its_reader_in(web: httpx.AsyncClient) -> None:
    form = {"login": "a", "password": "b"}
    answer = await web.post("/sign-in", headers={"origin": "https://evil.example"}, data=form)
    assert answer.status_code == 403


async def test_a_client_without_origin_may_prove_itself_by_the_sessions_token(web: httpx.AsyncClient) -> None:
    headers = by_cookie(Role.SUPERVISOR, None)
    right, wrong = headers | {CSRF_HEADER: "csrf-of-supervisor"}, headers | {CSRF_HEADER: "csrf-of-admin"}
    path = "/api/v1/agents/kim/state"
    assert (await web.post(path, headers=right)).status_code != 403
    assert (await web.post(path, headers=wrong)).status_code == 403
    assert (await web.post(path, headers=right | {"origin": "https://evil.example"})).status_code == 403


async def test_a_given_password_opens_only_the_page_that_changes_it(app: FastAPI, web: httpx.AsyncClient) -> None:
    headers = {"cookie": f"{SESSION_COOKIE}=new-admin", "origin": HERE}
    page = {"accept": "text/html"}
    assert (await web.get("/password", headers=headers)).status_code == 200
    refusal = await web.get("/accounts", headers=headers | page)
    assert (refusal.status_code, refusal.headers["location"]) == (303, "/password")
    assert (await web.get("/api/v1/wallboard", headers=headers)).status_code == 403
    assert await Socket(app, "/api/v1/wallboard", headers).knock() == 4403


class Fickle(Roles):
    """Knows everybody until told to forget them; cannot always be asked."""

    def __init__(self) -> None:
        self.forgotten = False
        self.broken = False
        self.asked = asyncio.Semaphore(0)

    async def visitor_by_cookie(self, cookie: str) -> Visitor | None:
        self.asked.release()
        if self.broken:
            raise SQLAlchemyError("the database is away")
        return None if self.forgotten else await super().visitor_by_cookie(cookie)


async def test_a_socket_is_cut_when_whoever_opened_it_is_shut_out() -> None:
    fickle = Fickle()
    gate = AccessGate(fickle)
    gone = asyncio.Event()

    async def room(scope: Any, receive: Any, send: Any) -> None:
        websocket = WebSocket(scope, receive, send)
        assert await gate.admit(websocket, Role.AGENT) is not None
        await websocket.accept()
        with pytest.raises(WebSocketDisconnect):
            await websocket.receive_text()
        with pytest.raises(WebSocketDisconnect):
            await websocket.send_text("too late")
        gone.set()

    sent: list[Mapping[str, Any]] = []
    closed = asyncio.Event()
    coming = iter([{"type": "websocket.connect"}])

    async def receive() -> Mapping[str, Any]:
        if message := next(coming, None):
            return message
        await closed.wait()
        return {"type": "websocket.disconnect", "code": 1012}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)
        if message["type"] == "websocket.close":
            closed.set()

    headers = {"host": HOST, **by_cookie(Role.AGENT)}
    scope = {
        "type": "websocket", "scheme": "ws", "path": "/", "query_string": b"", "client": ("127.0.0.1", 40000),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    line = asyncio.create_task(Guarded(room, gate, {}, recheck=0.01)(scope, receive, send))  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(5):
            for _ in range(3):
                await fickle.asked.acquire()
            fickle.broken = True
            for _ in range(3):
                await fickle.asked.acquire()
            assert not closed.is_set(), "nobody is cut off because the database is away"
            fickle.broken, fickle.forgotten = False, True
            await gone.wait()
            await line
    finally:
        line.cancel()
    assert [message.get("code") for message in sent] == [None, 1012]


async def test_an_unknown_cookie_or_token_is_nobody(web: httpx.AsyncClient) -> None:
    for headers in ({"cookie": f"{SESSION_COOKIE}=forged"}, {"authorization": "Bearer forged"}):
        assert (await web.get("/api/v1/wallboard", headers=headers)).status_code == 401


async def test_a_token_counts_more_than_the_cookie_beside_it(web: httpx.AsyncClient) -> None:
    headers = by_token(Role.AGENT) | {"cookie": f"{SESSION_COOKIE}=admin"}
    assert (await web.get("/accounts", headers=headers)).status_code == 403


@pytest.mark.parametrize(
    ("public", "host", "origin", "allowed"),
    [
        (None, "desk.example", "http://desk.example", True),
        (None, "desk.example", "https://desk.example", True),
        (None, "127.0.0.1:8000", "http://localhost:8000", False),
        ("https://desk.example", "desk.example", "https://desk.example", True),
        ("https://desk.example", "desk.example", "http://desk.example", False),
        ("https://desk.example", "127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("https://desk.example", "internal:8000", "https://desk.example", True),
        ("https://desk.example/", "desk.example", "https://desk.example", True),
        (None, "desk.example", "http://desk.example.evil.example", False),
    ],
)
async def test_which_origin_is_ours(public: str | None, host: str, origin: str, allowed: bool) -> None:
    app = whole_desk(AccessGate(Roles(), public_origin=public))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as web:
        headers = by_cookie(Role.AGENT, origin) | {"host": host}
        assert ((await web.post("/password", headers=headers)).status_code == 422) is allowed

"""The web server as a browser and as a program meet it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import APIRouter, FastAPI

from changgu.app.access import SESSION_COOKIE, AccessGate
from changgu.app.accounts import Accounts
from changgu.app.pages import build_pages, own_address
from changgu.app.rendering import SitePages
from changgu.app.web import Health, build_app
from changgu.ground.access import Role
from changgu.ground.database import Base, Database
from changgu.ground.trouble import Conflict
from tests.app.whole_desk import whole_desk

HERE = "http://desk.example"
PAGE = {"accept": "text/html,*/*"}
PASSWORD = "a password for tests"


class Patient:
    """Is as well as it is told to be."""

    def __init__(self) -> None:
        self.state = Health(pbx_connected=True, pbx_version="20.6.0", database=True)

    async def health(self) -> Health:
        return self.state


class Desk:
    """A web server with accounts and two troublesome routes."""

    def __init__(self, database: Database, public_origin: str | None = None) -> None:
        self.accounts = Accounts(database, hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.gate = AccessGate(self.accounts, public_origin=public_origin)
        self.patient = Patient()
        pages = SitePages(site="시험 창구")
        self.shut_out: list[str] = []
        routers = [build_pages(self.gate, pages, self.accounts, self._shut_out), troublesome()]
        self.app: FastAPI = build_app(
            version="1.2.3",
            gate=self.gate,
            pages=pages,
            health=self.patient,
            routers=routers,
            connect_to=("ws://127.0.0.1:8088",),
        )

    async def _shut_out(self, login: str) -> None:
        self.shut_out.append(login)

    def browser(self, origin: str = HERE) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=origin, headers=PAGE | {"origin": origin})

    async def signed_in(self, login: str, role: Role) -> httpx.AsyncClient:
        await self.accounts.create_account(login, login, role, PASSWORD, must_change=False)
        browser = self.browser()
        answer = await browser.post("/sign-in", data={"login": login, "password": PASSWORD})
        assert answer.status_code == 303
        return browser


def troublesome() -> APIRouter:
    router = APIRouter()

    @router.get("/api/v1/closed")
    @router.get("/closed")
    async def closed() -> None:
        raise Conflict("이미 종료된 건입니다.", "The ticket is closed.", field="state")

    @router.get("/broken")
    @router.get("/api/v1/broken")
    async def broken() -> None:
        raise RuntimeError("the innards: password=hunter2")

    @router.get("/api/v1/count/{n}")
    async def count(n: int) -> int:
        return n

    return router


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    one = Database(f"sqlite+aiosqlite:///{tmp_path / 'web.sqlite'}")
    async with one.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield one
    await one.close()


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


async def test_health_names_every_part_that_calls_need(desk: Desk) -> None:
    answer = await desk.browser().get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "version": "1.2.3",
        "pbx": {"connected": True, "version": "20.6.0"},
        "database": "ok",
    }


@pytest.mark.parametrize(
    "state",
    [
        Health(pbx_connected=False, pbx_version=None, database=True),
        Health(pbx_connected=True, pbx_version="20.6.0", database=False),
    ],
)
async def test_health_is_503_when_a_part_is_down(desk: Desk, state: Health) -> None:
    desk.patient.state = state
    answer = await desk.browser().get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "degraded")


async def test_signing_in_leads_each_role_to_its_first_page(desk: Desk) -> None:
    for login, role, first in (("kim", Role.AGENT, "/desk"), ("lee", Role.SUPERVISOR, "/wallboard")):
        browser = await desk.signed_in(login, role)
        assert (await browser.get("/")).headers["location"] == first
    assert (await desk.browser().get("/")).headers["location"] == "/sign-in"


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: Desk) -> None:
    await desk.accounts.create_account("kim", "김", Role.AGENT, PASSWORD, must_change=False)
    form = {"login": "kim", "password": PASSWORD}
    plain = (await desk.browser().post("/sign-in", data=form)).headers["set-cookie"]
    assert SESSION_COOKIE in plain
    assert "HttpOnly" in plain
    assert "SameSite=lax" in plain
    assert "Secure" not in plain
    over_tls = (await desk.browser("https://desk.example").post("/sign-in", data=form)).headers["set-cookie"]
    assert "Secure" in over_tls


async def test_behind_a_proxy_that_ends_tls_the_cookie_is_secure_too(database: Database) -> None:
    desk = Desk(database, public_origin="https://desk.example")
    await desk.accounts.create_account("kim", "김", Role.AGENT, PASSWORD, must_change=False)
    browser = desk.browser()
    answer = await browser.post(
        "/sign-in", data={"login": "kim", "password": PASSWORD}, headers={"origin": "https://desk.example"}
    )
    assert "Secure" in answer.headers["set-cookie"]


async def test_signing_in_again_ends_the_session_before(desk: Desk) -> None:
    browser = await desk.signed_in("kim", Role.AGENT)
    before = browser.cookies[SESSION_COOKIE]

    await browser.post("/sign-in", data={"login": "kim", "password": PASSWORD})

    assert browser.cookies[SESSION_COOKIE] != before
    assert await desk.accounts.visitor_by_cookie(before) is None
    assert await desk.accounts.visitor_by_cookie(browser.cookies[SESSION_COOKIE]) is not None


async def test_whoever_asks_for_a_page_comes_back_to_it_after_signing_in(desk: Desk) -> None:
    await desk.accounts.create_account("root", "관리", Role.ADMIN, PASSWORD, must_change=False)
    browser = desk.browser()
    asked = await browser.get("/accounts?sort=name")
    assert asked.headers["location"] == "/sign-in?next=%2Faccounts%3Fsort%3Dname"
    form = await browser.get(asked.headers["location"])
    assert 'value="/accounts?sort=name"' in form.text
    signed = await browser.post(
        "/sign-in", data={"login": "root", "password": PASSWORD, "next": "/accounts?sort=name"}
    )
    assert signed.headers["location"] == "/accounts?sort=name"


@pytest.mark.parametrize(
    "address", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nb", ""]
)
def test_signing_in_never_leads_to_a_foreign_page(address: str) -> None:
    assert own_address(address) == "/"


async def test_a_wrong_password_is_said_in_words_and_keeps_the_login(desk: Desk) -> None:
    answer = await desk.browser().post("/sign-in", data={"login": "<kim>", "password": "wrong wrong wrong"})
    assert answer.status_code == 401
    assert "아이디 또는 비밀번호가 맞지 않습니다." in answer.text
    assert 'value="&lt;kim&gt;"' in answer.text
    assert "wrong wrong" not in answer.text


async def test_the_sixth_guess_is_told_how_long_to_wait(desk: Desk) -> None:
    browser = desk.browser()
    for _ in range(5):
        await browser.post("/sign-in", data={"login": "kim", "password": "wrong wrong wrong"})
    answer = await browser.post("/sign-in", data={"login": "kim", "password": "wrong wrong wrong"})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60


async def test_signing_out_ends_the_session_also_for_a_copied_cookie(desk: Desk) -> None:
    browser = await desk.signed_in("root", Role.ADMIN)
    cookie = browser.cookies[SESSION_COOKIE]
    await browser.post("/sign-out")
    thief = desk.browser()
    thief.cookies.set(SESSION_COOKIE, cookie)
    assert (await thief.get("/accounts")).status_code == 303


async def test_a_person_changes_their_password_and_stays_signed_in_here_only(desk: Desk) -> None:
    browser = await desk.signed_in("kim", Role.AGENT)
    elsewhere = desk.browser()
    await elsewhere.post("/sign-in", data={"login": "kim", "password": PASSWORD})
    new = "a better password"
    changed = await browser.post("/password", data={"present": PASSWORD, "new": new, "again": new})
    assert "비밀번호를 바꾸었습니다" in changed.text
    assert (await browser.get("/password")).status_code == 200
    assert (await elsewhere.get("/password")).status_code == 303


async def test_an_administrator_makes_accounts_and_tokens_and_sees_their_secrets_once(desk: Desk) -> None:
    browser = await desk.signed_in("root", Role.ADMIN)
    made = await browser.post("/accounts", data={"login": "lee", "name": "이서연", "role": "agent"})
    password = re.search(r"<code>([a-z2-9-]+)</code>", made.text)
    assert password is not None
    assert password[1] not in (await browser.get("/accounts")).text

    theirs = desk.browser()
    signed = await theirs.post("/sign-in", data={"login": "lee", "password": password[1]})
    assert signed.headers["location"] == "/password"

    token = await browser.post("/accounts/tokens", data={"name": "reporting", "role": "agent"})
    secret = re.search(r"<code>(changgu_[\w-]+)</code>", token.text)
    assert secret is not None
    program = {"authorization": f"Bearer {secret[1]}"}
    assert (await desk.browser().get("/password", headers=program)).status_code == 200
    await browser.post("/accounts/tokens/revoke", data={"name": "reporting"})
    assert (await desk.browser().get("/api/v1/nothing", headers=program)).status_code == 404
    assert (await desk.browser().get("/password", headers=program)).status_code == 303


async def test_an_administrator_shuts_a_person_out_lets_them_in_and_gives_them_a_role(desk: Desk) -> None:
    browser = await desk.signed_in("root", Role.ADMIN)
    await desk.accounts.create_account("kim", "김상담", Role.AGENT, PASSWORD, must_change=False)

    async def change(field: str, value: str) -> tuple[bool, Role]:
        answer = await browser.post("/accounts/people/kim", data={field: value})
        assert answer.headers["location"] == "/accounts"
        (kim,) = [one for one in await desk.accounts.accounts() if one.login == "kim"]
        return kim.disabled, kim.role

    assert await change("disabled", "true") == (True, Role.AGENT)
    assert await change("role", "supervisor") == (True, Role.SUPERVISOR)
    assert await change("disabled", "false") == (False, Role.SUPERVISOR)
    assert desk.shut_out == ["kim"], "the floor is told when they are shut out, and only then"


async def test_trouble_is_json_for_programs_and_a_page_for_people(desk: Desk) -> None:
    browser = desk.browser()
    program = await browser.get("/api/v1/closed")
    assert program.status_code == 409
    assert program.json() == {
        "error": {"ko": "이미 종료된 건입니다.", "en": "The ticket is closed.", "field": "state"}
    }
    page = await browser.get("/closed")
    assert (page.status_code, "이미 종료된 건입니다." in page.text) == (409, True)
    assert (await browser.get("/closed", headers={"accept": "application/json"})).json() == program.json()


async def test_a_malformed_request_is_422_and_names_the_field(desk: Desk) -> None:
    answer = await desk.browser().get("/api/v1/count/many")
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "n")


async def test_an_unknown_address_is_404_in_both_languages(desk: Desk) -> None:
    answer = await desk.browser().get("/api/v1/nothing")
    assert (answer.status_code, answer.json()["error"]["ko"]) == (404, "없는 주소입니다.")


@pytest.mark.parametrize("path", ["/broken", "/api/v1/broken"])
async def test_a_mistake_of_ours_shows_no_innards(desk: Desk, path: str) -> None:
    answer = await desk.browser().get(path)
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


async def test_every_answer_carries_the_guarding_headers(desk: Desk) -> None:
    browser = desk.browser()
    for path in ("/sign-in", "/healthz", "/static/app.css", "/api/v1/nothing", "/accounts", "/broken"):
        headers = (await browser.get(path)).headers
        policy = headers["content-security-policy"]
        assert "unsafe-inline" not in policy
        assert "unsafe-eval" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "connect-src 'self' ws://127.0.0.1:8088" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


async def test_pages_are_never_cached_and_files_are_asked_about(desk: Desk) -> None:
    browser = desk.browser()
    assert (await browser.get("/sign-in")).headers["cache-control"] == "no-store"
    first = await browser.get("/static/app.css")
    assert first.headers["cache-control"] == "no-cache"
    again = await browser.get("/static/app.css", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304


async def test_the_language_is_the_readers_choice(desk: Desk) -> None:
    browser = desk.browser()
    assert "<h1>로그인</h1>" in (await browser.get("/sign-in")).text
    chosen = await browser.get("/language/en?next=/sign-in")
    assert chosen.headers["location"] == "/sign-in"
    english = (await browser.get("/sign-in")).text
    assert "<h1>Sign in</h1>" in english
    assert '<html lang="en">' in english
    assert (await browser.get("/language/en?next=//evil.example")).headers["location"] == "/"
    assert (await browser.get("/language/xx")).status_code == 404


async def test_the_api_describes_itself_without_the_internet(desk: Desk) -> None:
    browser = desk.browser()
    page = (await browser.get("/api/docs")).text
    assert "/api/v1/count/{n}" in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert (await browser.get("/api/openapi.json")).json()["info"]["version"] == "1.2.3"


async def test_every_operation_is_summed_up_in_words_and_not_by_its_function_s_name(desk: Desk) -> None:
    described = whole_desk(desk.gate).openapi()
    summaries = [one["summary"] for path in described["paths"].values() for one in path.values()]
    assert [summary for summary in summaries if summary == summary.title()] == []


async def test_the_description_names_the_role_that_each_operation_needs(desk: Desk) -> None:
    described = whole_desk(desk.gate).openapi()
    assert described["paths"]["/api/v1/wallboard"]["get"]["x-role"] == "agent"
    assert described["paths"]["/api/v1/wallboard"]["get"]["security"] == [{"bearer": []}]
    assert "x-role" not in described["paths"]["/healthz"]["get"]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert path == "/healthz" or "x-role" in operation, f"{method} {path} is open to everybody"

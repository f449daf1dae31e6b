"""People whom we promised to call back: booked, seen, cancelled and never forgotten."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import text

from changgu.acd.api import PersonRef
from changgu.acd.events import (
    AgentAnswered,
    AgentReady,
    CallbackAsked,
    DialFailed,
    PartiesConnected,
    PersonReached,
    PhoneReachable,
)
from changgu.acd.facts import CallbackClosed
from changgu.acd.identity import AgentId, CallbackId, CallId
from changgu.acd.store import FloorStore
from changgu.acd.worklist.api import Worklist, build_router
from changgu.acd.worklist.pages import build_pages
from changgu.acd.worklist.store import CallbackHistory
from changgu.app.rendering import SitePages
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput
from tests.acd.test_api import ALICE, NETWORK, PC, T0, Desk, OpenGate, desk

__all__ = ["desk"]

HONG = "01012345678"
DAY = 86_400.0
Show = Callable[..., Awaitable[httpx.Response]]


class Numbers:
    """Dials mobile numbers; one is of somebody known."""

    def dialable(self, written: str) -> str:
        number = re.sub(r"[^0-9]", "", written)
        if not number.startswith("010"):
            raise BadInput("걸 수 있는 번호가 아닙니다.", "not allowed", field="number")
        return number

    async def people_at(self, numbers: Collection[str]) -> Mapping[str, PersonRef]:
        return {HONG: PersonRef(7, "홍길동", "총무과")} if HONG in numbers else {}


@pytest.fixture(autouse=True)
def worklist(desk: Desk, database: Database) -> Worklist:
    desk.clock.time = T0 - T0 % DAY + 2 * 3600  # 11:00 in Seoul
    floor = FloorStore(database)
    worklist = Worklist(desk.engine, CallbackHistory(database), floor, desk.runner, Numbers())
    desk.app.include_router(build_router(OpenGate(), worklist))
    desk.app.include_router(build_pages(OpenGate(), SitePages(), worklist, floor, ZoneInfo("Asia/Seoul")))
    return worklist


@pytest.fixture
def show(desk: Desk) -> Show:
    async def shown(path: str, actor: str = "boss", lang: str = "ko", **form: str) -> httpx.Response:
        transport, cookies = httpx.ASGITransport(desk.app), {"changgu_language": lang}
        async with httpx.AsyncClient(transport=transport, base_url="http://desk", cookies=cookies) as client:
            method = "POST" if form or path.endswith("/cancel") else "GET"
            return await client.request(method, path, headers={"x-actor": actor}, data=form)

    return shown


async def test_a_promise_has_every_field_of_the_contract(desk: Desk) -> None:
    answer = await desk.ask("POST", "/callbacks", "alice", json={"number": "010-1234-5678", "queue": "network"})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert re.fullmatch(r"cb[0-9a-f]{20}", body["id"])
    at = datetime.fromtimestamp(desk.clock.time, UTC).isoformat().replace("+00:00", "Z")
    assert body | {"id": ""} == {
        "id": "", "number": HONG, "person": {"id": 7, "name": "홍길동", "department": "총무과"}, "queue": "network",
        "state": "queued", "booked_at": at, "waiting_since": at, "due_at": at, "attempts": 0, "cause": "",
        "asked_from": None, "call": f"{body['id']}-1", "ended_at": None, "ended_by": None,
    }  # fmt: skip
    await desk.happen()
    assert (await desk.get("/callbacks"))["items"] == [body]


@pytest.mark.parametrize(
    ("actor", "wish", "status", "field"),
    [
        ("boss", {"number": HONG, "queue": "pc", "priority": 2}, 201, None),
        ("alice", {"number": HONG, "queue": "pc"}, 403, "queue"),
        ("stranger", {"number": HONG, "queue": "network"}, 403, "queue"),
        ("alice", {"number": HONG, "queue": "network", "priority": 1}, 403, "priority"),
        ("boss", {"number": HONG, "queue": "nowhere"}, 422, "queue"),
        ("boss", {"number": "060-700-1234", "queue": "pc"}, 422, "number"),
        ("boss", {"number": "", "queue": "pc"}, 422, None),
        ("boss", {"number": HONG, "queue": "pc", "not_before": "2027-09-21T00:00:00Z"}, 422, "not_before"),
        ("boss", {"number": HONG, "queue": "pc", "not_before": "2026-09-21T11:00:00"}, 422, None),
    ],
)
async def test_who_may_promise_what(
    desk: Desk, actor: str, wish: dict[str, object], status: int, field: str | None
) -> None:
    answer = await desk.ask("POST", "/callbacks", actor, json=wish)
    assert answer.status_code == status, answer.text
    assert answer.json().get("field") == field


async def test_one_promise_for_each_number(desk: Desk) -> None:
    await desk.ask("POST", "/callbacks", "boss", json={"number": HONG, "queue": "network"})
    answer = await desk.ask("POST", "/callbacks", "boss", json={"number": "010 1234 5678", "queue": "pc"})
    assert (answer.status_code, answer.json()["field"]) == (409, "number")


async def test_one_promise_for_each_person(desk: Desk, show: Show) -> None:
    """Whoever books it reads why, as it is not this number that is promised already."""
    mobile, wish = "01000000002", {"number": HONG, "queue": "network"}
    desk.people.update({HONG: "7", mobile: "7"})
    await desk.ask("POST", "/callbacks", "boss", json={"number": mobile, "queue": "network"})
    answer = await desk.ask("POST", "/callbacks", "boss", json=wish)

    assert (answer.status_code, answer.json()["field"]) == (409, "number")
    assert "그 사용자에게 다른 번호로 콜백이 예약되어 있습니다." in (await show("/callbacks", **wish)).text
    assert [one["number"] for one in (await desk.get("/callbacks"))["items"]] == [mobile]


async def test_a_promise_for_later_is_planned_and_moved_into_proper_hours(desk: Desk) -> None:
    wish = {"number": HONG, "queue": "network", "not_before": "2026-09-25T21:00:00+09:00"}
    body = (await desk.ask("POST", "/callbacks", "boss", json=wish)).json()
    assert (body["state"], body["call"]) == ("planned", None)
    assert datetime.fromisoformat(body["due_at"]).astimezone(ZoneInfo("Asia/Seoul")).isoformat() == (
        "2026-09-26T09:00:00+09:00"
    )


async def test_agents_see_and_cancel_those_of_their_queues_and_supervisors_any(desk: Desk) -> None:
    at = desk.clock.time
    for name, number, queue in (("cb1", HONG, NETWORK), ("cb2", "01000000002", PC), ("cb3", "01000000003", NETWORK)):
        await desk.happen(CallbackAsked(CallbackId(name), number, queue, not_before=at + 3600))
    seen = {actor: {one["id"] for one in (await desk.get("/callbacks", actor))["items"]} for actor in ("alice", "boss")}
    assert seen == {"alice": {"cb1", "cb3"}, "boss": {"cb1", "cb2", "cb3"}}

    assert (await desk.ask("DELETE", "/callbacks/cb2", "alice")).status_code == 404
    assert (await desk.ask("DELETE", "/callbacks/cb1", "alice")).status_code == 204
    assert (await desk.ask("DELETE", "/callbacks/cb1", "alice")).status_code == 404
    assert (await desk.ask("DELETE", "/callbacks/cb2", "boss")).status_code == 204

    await desk.happen()
    closed = [entry.fact for entry in await desk.ledger.read() if isinstance(entry.fact, CallbackClosed)]
    assert [(fact.callback, fact.by) for fact in closed] == [("cb1", "alice"), ("cb2", "boss")]
    (settled,) = (await desk.get("/callbacks?settled=true", "alice"))["items"]
    assert (settled["id"], settled["state"], settled["ended_by"]) == ("cb1", "cancelled", "alice")
    assert [one["id"] for one in (await desk.get("/callbacks?settled=false"))["items"]] == ["cb3"]


async def test_an_attempt_in_vain_is_counted_with_its_cause(desk: Desk) -> None:
    await desk.happen(PhoneReachable(ALICE), AgentReady(ALICE), CallbackAsked(CallbackId("cb1"), HONG, NETWORK))
    (line,) = (await desk.get("/callbacks"))["items"]
    assert (line["state"], line["call"]) == ("ringing", "cb1-1")
    offer = desk.engine.agents[ALICE].offer
    assert offer is not None
    await desk.happen(AgentAnswered(ALICE, CallId("cb1-1"), offer))
    assert (await desk.get("/callbacks"))["items"][0]["state"] == "dialling"
    await desk.happen(DialFailed(CallId("cb1-1"), "busy"))

    (line,) = (await desk.get("/callbacks"))["items"]
    assert (line["state"], line["attempts"], line["cause"], line["call"]) == ("planned", 1, "busy", None)


async def test_whoever_was_promised_a_call_before_the_holidays_is_still_there(desk: Desk) -> None:
    ahead = desk.clock.time + 29 * DAY
    await desk.happen(CallbackAsked(CallbackId("cb1"), HONG, NETWORK, not_before=ahead))
    for _ in range(3):
        desk.clock.time += 10 * DAY
        (line,) = (await desk.get("/callbacks"))["items"]
    await desk.due()
    await desk.ask("DELETE", "/callbacks/cb1")
    await desk.happen()
    (line,) = (await desk.get("/callbacks?settled=true&days=1"))["items"]
    assert datetime.fromisoformat(line["booked_at"]).timestamp() == ahead - 29 * DAY
    desk.clock.time += 2 * DAY
    assert (await desk.get("/callbacks?settled=true&days=1"))["items"] == []
    assert len((await desk.get("/callbacks?settled=true&days=7"))["items"]) == 1


async def test_the_history_is_found_by_its_index(database: Database) -> None:
    async with database.transaction() as session:
        rows = await session.execute(
            text(
                "EXPLAIN QUERY PLAN SELECT * FROM ledger WHERE kind IN ('CallbackAttempted', 'CallbackBooked', "
                "'CallbackClosed', 'DesktopStateChanged', 'FloorTakenUp', 'PhoneStateChanged') AND kind = :kind "
                "AND agent IS NULL AND seq >= :seq"
            ),
            {"kind": "CallbackBooked", "seq": 7},
        )
        assert "ix_ledger_outliving" in str(rows.all())


async def test_the_page_shows_the_worklist_and_sorts_it(desk: Desk, show: Show) -> None:
    at = desk.clock.time
    await desk.happen(CallbackAsked(CallbackId("cb1"), HONG, NETWORK, not_before=at + 7200))
    await desk.happen(CallbackAsked(CallbackId("cb2"), "01000000002", PC, not_before=at + 3600))

    page = (await show("/callbacks")).text
    for told in ("콜백", HONG, "홍길동", "총무과", "네트워크", "예정", "직접 예약"):
        assert told in page, told
    assert page.index("01000000002") < page.index(HONG)  # due first
    page = (await show("/callbacks?sort=number&down=true")).text
    assert page.index("01000000002") > page.index(HONG)
    assert 'aria-sort="descending"' in page
    assert "01000000002" not in (await show("/callbacks", "alice")).text
    assert "Not before" in (await show("/callbacks", lang="en")).text


async def test_a_promise_is_made_and_cancelled_on_the_page(desk: Desk, show: Show) -> None:
    wish = {"number": "010-1234-5678", "queue": "network"}
    answer = await show("/callbacks", "alice", **wish, not_before="2026-09-30T15:30")
    assert (answer.status_code, answer.headers["location"]) == (303, "/callbacks?done=booked")
    ((name, view),) = desk.engine.callbacks.items()
    assert datetime.fromtimestamp(view.due_at, ZoneInfo("Asia/Seoul")).isoformat() == "2026-09-30T15:30:00+09:00"

    answer = await show("/callbacks", "alice", **wish)
    assert answer.status_code == 409
    assert "이미 콜백이 예약된 번호입니다." in answer.text
    assert 'value="010-1234-5678"' in answer.text
    assert (await show("/callbacks", "alice", number=" ", queue="network")).status_code == 422
    assert (await show("/callbacks", "alice", **wish, not_before="tomorrow")).status_code == 422

    answer = await show(f"/callbacks/{name}/cancel", "alice")
    assert answer.headers["location"] == "/callbacks?done=cancelled"
    assert (await show(f"/callbacks/{name}/cancel", "alice")).status_code == 404
    await desk.happen()
    assert "콜백을 취소했습니다." in (await show("/callbacks?done=cancelled")).text
    assert "alice" in (await show("/callbacks?settled=true")).text


async def test_a_kept_promise_is_settled(desk: Desk, show: Show) -> None:
    await desk.happen(PhoneReachable(ALICE), AgentReady(ALICE), CallbackAsked(CallbackId("cb1"), HONG, NETWORK))
    offer = desk.engine.agents[AgentId("alice")].offer
    assert offer is not None
    call = CallId("cb1-1")
    await desk.happen(AgentAnswered(ALICE, call, offer), PersonReached(call))
    await desk.happen(PartiesConnected(ALICE, call, offer))
    (line,) = (await desk.get("/callbacks?settled=true"))["items"]
    assert line["state"] == "kept"
    assert "통화함" in (await show("/callbacks?settled=true")).text


async def test_who_is_spoken_to_in_a_call_back_can_be_booked_again(desk: Desk) -> None:
    await desk.happen(PhoneReachable(ALICE), AgentReady(ALICE), CallbackAsked(CallbackId("cb1"), HONG, NETWORK))
    offer = desk.engine.agents[ALICE].offer
    assert offer is not None
    call, wish = CallId("cb1-1"), {"number": "010-1234-5678", "queue": "network"}
    await desk.happen(AgentAnswered(ALICE, call, offer))
    assert (await desk.ask("POST", "/callbacks", "alice", json=wish)).status_code == 409
    await desk.happen(PersonReached(call), PartiesConnected(ALICE, call, offer))

    answer = await desk.ask("POST", "/callbacks", "alice", json=wish)
    assert (answer.status_code, answer.json()["state"], answer.json()["asked_from"]) == (201, "planned", call)
    assert (await desk.ask("POST", "/callbacks", "alice", json=wish)).status_code == 409
    await desk.ask("DELETE", f"/callbacks/{answer.json()['id']}", "alice")
    by_hand = await desk.ask("POST", "/callbacks", "boss", json=wish)
    assert (by_hand.status_code, by_hand.json()["asked_from"]) == (201, None), "not promised in that call"

"""The PBX's own account of a call: read, kept, and held against the ledger."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from alembic import command
from alembic.config import Config
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection

from changgu.acd.call_record import CallRecord
from changgu.acd.facts import Direction, Ender, Outcome
from changgu.acd.identity import CallId
from changgu.app import schema
from changgu.app.rendering import SitePages
from changgu.asterisk_conf.plan import PbxFloor
from changgu.asterisk_conf.render import render
from changgu.ground.access import Actor, Role
from changgu.ground.database import Database
from changgu.ground.trouble import Trouble
from changgu.telephony import cel_writer
from changgu.telephony.ami.client import Ami, AmiAddress
from changgu.telephony.api import Tracing, build_router
from changgu.telephony.cel import KINDS, CelEvent, parse_cel
from changgu.telephony.cel_account import Heard, by_call, headers_of
from changgu.telephony.cel_audit import Difference, Milestone, cel_check
from changgu.telephony.cel_writer import KEPT, CelWriter
from changgu.telephony.pages import build_pages
from changgu.telephony.store import CelRow, CelStore
from tests.asterisk_conf.test_render import PLAN
from tests.support.fake_ami import FakeAmi
from tests.support.waiting import eventually

T0 = datetime(2026, 11, 21, 10, 42, 57, tzinfo=UTC)
NOWHERE = AmiAddress("127.0.0.1", 9, "changgu", "secret")
CALL = "desk1-1795257777.0"
LEG = f"offer-1-{CALL}"
BRIDGE = f"call-{CALL}"


def headers(kind: str, after: float = 0.0, unique_id: str = CALL, *, zone: int = 0, **more: str) -> dict[str, str]:
    """What Asterisk sends; `zone` is the PBX's, in minutes east of UTC."""
    at = T0 + timedelta(seconds=after)
    said = {
        "Event": "CEL", "Privilege": "call,all", "Timestamp": f"{at.timestamp():.6f}", "EventName": kind,
        "CallerIDnum": "01012345678", "CallerIDname": "김민수", "Exten": "1001", "Context": "from-callers",
        "Channel": "PJSIP/anonymous-00000000" if unique_id == CALL else "PJSIP/agent-alice-00000001",
        "Application": "Stasis", "AppData": "changgu,inbound,1001", "UniqueID": unique_id, "LinkedID": CALL, "Peer": "",
        "EventTime": (at + timedelta(minutes=zone)).strftime("%Y-%m-%d %H:%M:%S"),
    }  # fmt: skip
    if kind.startswith("BRIDGE"):
        said["Extra"] = f'{{"bridge_id":"{BRIDGE}","bridge_technology":"simple_bridge"}}'
    if kind == "HANGUP":
        said["Extra"] = '{"hangupcause":16,"hangupsource":"PJSIP/anonymous-00000000","dialstatus":""}'
    return said | more


def event(kind: str, after: float = 0.0, unique_id: str = CALL, *, zone: int = 0, **more: str) -> CelEvent:
    found = parse_cel(headers(kind, after, unique_id, zone=zone, **more), T0)
    assert found is not None
    return found


ANSWERED_CALL = [
    headers("CHAN_START", 0.0),
    headers("ANSWER", 0.01),
    headers("CHAN_START", 55.0, LEG),
    headers("ANSWER", 60.0, LEG),
    headers("BRIDGE_ENTER", 60.01),
    headers("BRIDGE_ENTER", 60.02, LEG),
    headers("BRIDGE_EXIT", 180.0),
    headers("HANGUP", 180.0),
    headers("CHAN_END", 180.0),
    headers("BRIDGE_EXIT", 180.01, LEG),
    headers("HANGUP", 180.02, LEG),
    headers("CHAN_END", 180.02, LEG),
    headers("LINKEDID_END", 180.02, LEG),
]
"""Arrives, waits a minute, talks for two, and hangs up."""


def answered_call() -> list[CelEvent]:
    return [found for said in ANSWERED_CALL if (found := parse_cel(said, T0)) is not None]


def block(said: dict[str, str]) -> bytes:
    """An event as it comes over the line."""
    return "\r\n".join(f"{name}: {value}" for name, value in said.items()).encode("utf-8", "replace")


def heard(*told: dict[str, str]) -> list[Heard]:
    """What comes over the line, each as soon as it was sent."""
    return [(block(said), datetime.fromtimestamp(float(said["Timestamp"]), UTC)) for said in told]


def row(**changes: object) -> CallRecord:
    start = T0.timestamp()
    record = CallRecord(
        CallId(CALL), Direction.INBOUND, "01012345678", "1001", start + 0.1, answered_at=start + 60.1,
        ended_at=start + 180.1, ended_by=Ender.CALLER,
    )  # fmt: skip
    return structs.replace(record, **changes)


# ---- reading -------------------------------------------------------------------------------------------------------


def test_an_event_says_what_happened_to_which_channel_of_which_call() -> None:
    entered = event("BRIDGE_ENTER", 0.25, LEG, Peer="PJSIP/anonymous-00000000")

    assert entered.at == T0 + timedelta(seconds=0.25)
    assert (entered.kind, entered.unique_id, entered.linked_id) == ("BRIDGE_ENTER", LEG, CALL)
    assert (entered.caller, entered.extension, entered.context) == ("01012345678", "1001", "from-callers")
    assert (entered.application, entered.application_data) == ("Stasis", "changgu,inbound,1001")
    assert (entered.bridge, entered.peer) == (BRIDGE, "PJSIP/anonymous-00000000")
    assert entered.details["bridge_technology"] == "simple_bridge"


def test_every_kind_that_is_asked_for_has_a_word_in_both_languages() -> None:
    line = next(line for line in render(PLAN, PbxFloor())["cel.conf"].splitlines() if line.startswith("events = "))
    assert set(line.removeprefix("events = ").split(",")) == KINDS - {"CHAN_END"}, "HANGUP says it already"
    for language, messages in SitePages().catalogue.messages.items():
        assert not [kind for kind in KINDS if f"trace.kind_{kind}" not in messages], language


@pytest.mark.parametrize("minutes", [0, 540, -300, 345, 840, -720, 330])
def test_the_pbx_may_live_in_any_zone(minutes: int) -> None:
    assert event("ANSWER", 0.5, zone=minutes).at == T0 + timedelta(seconds=0.5)


def test_an_event_that_was_sent_late_stays_in_its_own_second() -> None:
    late = headers("ANSWER", 0.0) | {"Timestamp": f"{T0.timestamp() + 7:.6f}"}
    found = parse_cel(late, T0)
    assert found is not None
    assert T0 <= found.at < T0 + timedelta(seconds=1)


def test_without_a_stamp_the_second_is_known_all_the_same() -> None:
    said = headers("ANSWER", 0.0, zone=540)
    del said["Timestamp"]
    found = parse_cel(said, T0 + timedelta(seconds=0.2))
    assert found is not None
    assert found.at == T0 + timedelta(seconds=0.2)


@pytest.mark.parametrize("time", ["", "never", "2026-13-45 99:99:99", "1970-01-01 00:00:00"])
def test_a_time_that_cannot_be_is_replaced_by_that_of_sending(time: str) -> None:
    assert event("ANSWER", 0.75, EventTime=time).at == T0 + timedelta(seconds=0.75)


def test_a_kind_that_nobody_knows_is_kept_as_it_is() -> None:
    assert event("STREAM_BEGIN").kind == "STREAM_BEGIN"
    assert event("USER_DEFINED", UserDefType="VIP").label == "VIP"


@pytest.mark.parametrize("extra", ["", "{", "[1]", "null", "1e999999", '{"bridge_id":7}', "[" * 5000])
def test_an_extra_that_cannot_be_read_is_kept_and_says_nothing(extra: str) -> None:
    found = event("ANSWER", Extra=extra)
    assert (found.extra, found.bridge) == (extra, None)


@pytest.mark.parametrize("missing", ["EventName", "UniqueID"])
def test_what_says_nothing_is_nothing(missing: str) -> None:
    said = headers("ANSWER")
    del said[missing]
    assert parse_cel(said, T0) is None


@given(st.dictionaries(st.sampled_from([*headers("HANGUP"), "UserDefType"]), st.text()))
def test_nothing_that_the_pbx_may_say_stops_us(said: dict[str, str]) -> None:
    found = parse_cel(headers("HANGUP") | said, T0)
    if found is not None:
        assert found.at.utcoffset() == timedelta(0)
        found.extra.encode()


# ---- holding it against the ledger ---------------------------------------------------------------------------------


def test_a_call_that_both_tell_alike_has_no_differences() -> None:
    assert cel_check(answered_call(), row()) == []


def test_the_order_in_which_channels_tell_does_not_matter() -> None:
    assert cel_check(reversed(answered_call()), row()) == []


def test_a_moment_that_is_off_by_more_than_a_second_is_named() -> None:
    start = T0.timestamp()
    found = cel_check(answered_call(), row(answered_at=start + 57.0))
    assert found == [Difference(Milestone.ANSWERED, start + 57.0, start + 60.02)]
    assert found[0].seconds == 3.02


def test_an_answer_of_which_the_pbx_knows_nothing() -> None:
    rang_only = [one for one in answered_call() if not one.kind.startswith("BRIDGE")]
    (found,) = cel_check(rang_only, row())
    assert (found.milestone, found.pbx, found.seconds) == (Milestone.ANSWERED, None, None)


def test_a_conversation_of_which_the_ledger_knows_nothing() -> None:
    (found,) = cel_check(answered_call(), row(answered_at=None))
    assert (found.milestone, found.ledger) == (Milestone.ANSWERED, None)


def test_a_caller_who_hangs_up_while_being_connected_was_not_answered() -> None:
    short = [replace(one, at=T0 + timedelta(seconds=60.1)) if one.at > T0 + timedelta(seconds=61) else one
             for one in answered_call()]  # fmt: skip
    assert cel_check(short, row(answered_at=None, ended_at=T0.timestamp() + 60.1)) == []


def test_waiting_together_with_music_is_no_conversation() -> None:
    holding = '{"bridge_id":"music","bridge_technology":"holding_bridge"}'
    told = [
        event("CHAN_START"),
        event("BRIDGE_ENTER", 1, Extra=holding),
        event("BRIDGE_ENTER", 1, "another", Extra=holding),
        event("BRIDGE_EXIT", 20, Extra=holding),
        event("HANGUP", 20),
    ]
    assert cel_check(told, row(answered_at=None, ended_at=T0.timestamp() + 20)) == []


def test_a_call_that_the_pbx_has_not_seen_end() -> None:
    (found,) = cel_check(answered_call()[:6], row())
    assert (found.milestone, found.pbx) == (Milestone.ENDED, None)


def test_a_call_that_the_ledger_has_not_seen_end() -> None:
    (found,) = cel_check(answered_call(), row(ended_at=None, ended_by=None))
    assert (found.milestone, found.ledger) == (Milestone.ENDED, None)


def test_a_call_that_goes_on_agrees_so_far() -> None:
    assert cel_check(answered_call()[:6], row(ended_at=None, ended_by=None)) == []


def test_a_caller_may_hear_the_farewell_to_its_end() -> None:
    told = [event("CHAN_START"), event("HANGUP", 8)]
    refused = row(answered_at=None, ended_at=T0.timestamp() + 0.2)
    assert cel_check(told, structs.replace(refused, ended_by=Ender.DESK)) == []
    assert [one.milestone for one in cel_check(told, refused)] == [Milestone.ENDED]


def test_a_caller_may_be_asked_the_survey_where_callers_are() -> None:
    stayed = [event("HANGUP", 230.0) if one.kind == "HANGUP" and one.unique_id == CALL else one
              for one in answered_call() if one.kind != "CHAN_END"]  # fmt: skip
    by_agent, by_caller = row(ended_by=Ender.AGENT), row()

    assert cel_check(stayed, by_agent, asks=True) == []
    assert [one.milestone for one in cel_check(stayed, by_agent)] == [Milestone.ENDED]
    assert [one.milestone for one in cel_check(stayed, by_caller, asks=True)] == [Milestone.ENDED]


def test_a_caller_sent_on_to_an_outside_number_talks_there_and_not_here() -> None:
    sent = row(answered_at=None, ended_at=T0.timestamp() + 59, ended_by=Ender.DESK, outcome=Outcome.REDIRECTED)
    assert cel_check(answered_call(), sent) == []
    hung_up_before = structs.replace(sent, ended_at=T0.timestamp() + 200)
    assert [one.milestone for one in cel_check(answered_call(), hung_up_before)] == [Milestone.ENDED]


def test_an_attempt_to_call_back_waits_for_an_agent_before_anybody_is_dialled() -> None:
    """The attempt begins a minute before the person's channel does; what both know is the conversation."""
    attempt = row(direction=Direction.OUTBOUND, arrived_at=T0.timestamp() - 60)
    assert cel_check(answered_call(), attempt) == []
    assert [one.milestone for one in cel_check(answered_call(), structs.replace(attempt, answered_at=None))] == [
        Milestone.ANSWERED
    ]
    put_off = structs.replace(attempt, answered_at=None, ended_at=T0.timestamp())
    assert cel_check([], put_off) == []


def test_an_account_that_begins_late_is_judged_by_what_it_has() -> None:
    assert cel_check(answered_call()[1:], row()) == [], "ANSWER stands in for the beginning"
    (found,) = cel_check(answered_call()[2:], row())
    assert (found.milestone, found.pbx) == (Milestone.ARRIVED, None)


# ---- keeping it ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.db'}")
    await schema.upgrade(database)
    yield database
    await database.close()


async def test_what_is_kept_is_what_was_told(database: Database) -> None:
    store = CelStore(database)
    assert await store.add(heard(*ANSWERED_CALL)) == 0
    assert await store.of_call(CALL) == answered_call()
    assert await store.of_call(LEG) == [], "a leg belongs to its call"


async def test_an_account_is_kept_word_for_word(database: Database) -> None:
    told = block(headers("ANSWER", CallerIDname="김민수 \0", Peer="x" * 5000, Extra="{"))
    store = CelStore(database)
    assert await store.add([(told, T0), (b"Event: CEL\r\nEventName: X", T0)]) == 1, "of no channel"
    async with database.transaction() as session:
        (body,) = (await session.execute(text("SELECT body FROM cel_accounts"))).scalars()
    assert body == b"%d\r\n%b" % (T0.timestamp() * 1e6, told)
    (kept,) = await store.of_call(CALL)
    assert (len(kept.peer), kept.extra) == (5000, "{")


async def test_what_a_call_is_told_at_once_is_one_row(database: Database) -> None:
    store = CelStore(database)
    other = [headers("CHAN_START", 1.0, "c2", LinkedID="c2")]
    await store.add(heard(*ANSWERED_CALL[:6], *other, *ANSWERED_CALL[6:9]))
    await store.add(heard(*ANSWERED_CALL[9:]))
    async with database.transaction() as session:
        rows = (await session.execute(text("SELECT linked_id FROM cel_accounts ORDER BY id"))).scalars()
        assert list(rows) == [CALL, "c2", CALL]
    assert await store.of_call(CALL) == answered_call()
    assert [one.unique_id for one in await store.of_call("c2")] == ["c2"]


async def test_an_event_heard_twice_is_one(database: Database) -> None:
    store = CelStore(database)
    await store.add(heard(*ANSWERED_CALL, *ANSWERED_CALL))
    await store.add(heard(*ANSWERED_CALL))
    assert await store.of_call(CALL) == answered_call()


async def test_the_same_happening_twice_is_two(database: Database) -> None:
    store = CelStore(database)
    await store.add(heard(headers("BRIDGE_ENTER", 1.0), headers("BRIDGE_EXIT", 1.1), headers("BRIDGE_ENTER", 1.2)))
    assert len(await store.of_call(CALL)) == 3


async def test_events_stand_in_the_order_in_which_they_happened(database: Database) -> None:
    store = CelStore(database)
    await store.add(heard(*reversed(ANSWERED_CALL[:6])))
    assert await store.of_call(CALL) == answered_call()[:6]


async def test_of_a_call_without_end_the_beginning_is_shown(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("changgu.telephony.store.LARGEST_TRACE", 5)
    store = CelStore(database)
    await store.add(heard(*ANSWERED_CALL[:3], *ANSWERED_CALL[:3]))
    await store.add(heard(*ANSWERED_CALL[3:]))
    assert await store.of_call(CALL) == answered_call()[:5]


@pytest.mark.parametrize("words", [
    {"UniqueID": "Uniqueid", "LinkedID": "Linkedid"},
    {"EventName": "eventname"},
    {"LinkedID": "Nothing"},
])  # fmt: skip
async def test_another_pbx_may_write_its_words_another_way(database: Database, words: dict[str, str]) -> None:
    told = {words.get(name, name): value for name, value in headers("ANSWER").items()}
    store = CelStore(database)
    assert await store.add(heard(told)) == 0
    assert [one.kind for one in await store.of_call(CALL)] == ["ANSWER"]


@pytest.mark.parametrize("missing", ["EventName", "UniqueID"])
@pytest.mark.parametrize("blank", ["", " ", "\0", "\u00a0"])
async def test_what_says_nothing_is_not_kept_but_counted(database: Database, missing: str, blank: str) -> None:
    store = CelStore(database)
    assert await store.add(heard(headers("ANSWER") | {missing: blank}, headers("HANGUP"))) == 1
    assert [one.kind for one in await store.of_call(CALL)] == ["HANGUP"]


WORDS = st.text(st.characters(exclude_characters="\r\n"))


@given(st.dictionaries(st.sampled_from(["EventName", "UniqueID", "LinkedID", "CallerIDname", "Extra"]), WORDS))
def test_a_call_is_found_by_what_its_events_say_once_read(said: dict[str, str]) -> None:
    told = block(headers("HANGUP") | said)
    event = parse_cel(headers_of(told), T0)
    calls, unread = by_call([(told, T0)])
    assert list(calls) == ([] if event is None else [event.linked_id])
    assert unread == (event is None)


async def test_only_what_is_old_is_taken_out(database: Database) -> None:
    writer = CelWriter(Ami(NOWHERE), database, now=lambda: T0 + KEPT + timedelta(seconds=60.015))
    for told in heard(*ANSWERED_CALL):
        await writer.store.add([told])
    await writer.purge()
    assert await writer.store.of_call(CALL) == answered_call()[5:]


# ---- accounts that were kept before, event by event ----------------------------------------------------------------


async def _kept_as_before(database: Database, *told: dict[str, str]) -> None:
    rows = [asdict(found) for said in told if (found := parse_cel(said, T0)) is not None]
    async with database.transaction() as session:
        await session.execute(insert(CelRow), rows)


@pytest.fixture
async def grown(tmp_path: Path) -> AsyncIterator[Database]:
    """A desk's database that was begun before accounts were kept word for word, with one of each and one of both."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'grown.db'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(_to_the_shape_before)
    await _kept_as_before(database, *ANSWERED_CALL[:8], headers("CHAN_START", 0, "c2", LinkedID="c2"))
    await schema.upgrade(database)
    yield database
    await database.close()


def _to_the_shape_before(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "0008i")


async def test_accounts_that_were_kept_before_are_shown_as_ever(grown: Database) -> None:
    store = CelStore(grown)
    assert await schema.differences(grown) == []
    assert await store.of_call(CALL) == answered_call()[:8]
    assert [one.unique_id for one in await store.of_call("c2")] == ["c2"]


async def test_a_call_that_went_on_through_the_change_has_one_account(grown: Database) -> None:
    store = CelStore(grown)
    await store.add(heard(*ANSWERED_CALL[6:]))
    assert await store.of_call(CALL) == answered_call()


async def test_accounts_that_were_kept_before_grow_old_as_well(grown: Database) -> None:
    writer = CelWriter(Ami(NOWHERE), grown, now=lambda: T0 + KEPT + timedelta(seconds=60.015))
    await writer.store.add(heard(ANSWERED_CALL[0], ANSWERED_CALL[12]))
    await writer.purge()
    assert await writer.store.of_call(CALL) == answered_call()[5:8]


# ---- hearing it ----------------------------------------------------------------------------------------------------


async def test_what_ami_tells_is_written(database: Database) -> None:
    async with FakeAmi() as pbx:
        ami = Ami(pbx.address)
        writer = CelWriter(ami, database)
        tasks = [asyncio.create_task(part.run()) for part in (ami, writer)]
        await ami.wait_connected()
        await pbx.tell(**_told(headers("CHAN_START")))
        await pbx.tell("CEL", EventName="ANSWER")  # of no channel
        await pbx.tell(**_told(headers("LINKEDID_END", 5.0)))

        async def written() -> list[CelEvent]:
            found = await writer.store.of_call(CALL)
            return found if len(found) == 2 else []

        assert [one.kind for one in await eventually(written, within=5)] == ["CHAN_START", "LINKEDID_END"]
        assert await eventually(lambda: _is(writer.dropped == 1), within=5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _is(true: bool) -> bool:
    return true


def _told(said: dict[str, str]) -> dict[str, str]:
    said = dict(said)
    return {"event": said.pop("Event"), **said}


async def test_the_last_words_are_written_when_the_service_ends(database: Database) -> None:
    writer = CelWriter(Ami(NOWHERE), database)
    task = asyncio.create_task(writer.run())
    await asyncio.sleep(0)
    writer.hear(block(headers("HANGUP")))
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert [one.kind for one in await writer.store.of_call(CALL)] == ["HANGUP"]


async def test_while_the_database_is_away_events_wait_and_those_beyond_the_limit_are_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cel_writer, "EVENTS_WAITING", 3)
    monkeypatch.setattr(cel_writer, "RETRY", 0.05)
    monkeypatch.setattr(cel_writer, "LINGER", 0.01)
    writer = CelWriter(Ami(NOWHERE), database)
    await _rename(database, "cel_accounts", "elsewhere")
    task = asyncio.create_task(writer.run())
    for after in range(5):
        writer.hear(block(headers("ANSWER", float(after))))
    with pytest.raises(SQLAlchemyError):
        await writer.flush()
    await _rename(database, "elsewhere", "cel_accounts")

    async def written() -> bool:
        return len(await writer.store.of_call(CALL)) == 3

    assert await eventually(written, within=5)
    assert writer.dropped == 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _rename(database: Database, before: str, after: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))


# ---- showing it ----------------------------------------------------------------------------------------------------

BOSS = Actor("boss", "이팀장", Role.SUPERVISOR)


class OpenGate:
    def require(self, role: Role) -> Callable[..., Awaitable[Actor]]:
        async def actor() -> Actor:
            assert BOSS.may(role)
            return BOSS

        return actor

    async def admit(self, websocket: HTTPConnection, role: Role) -> Actor | None:
        raise NotImplementedError


class Calls:
    def __init__(self, *records: CallRecord) -> None:
        self._records = {record.id: record for record in records}

    async def get(self, call: CallId) -> CallRecord | None:
        return self._records.get(call)


async def ask(
    database: Database, path: str, *records: CallRecord, told: list[dict[str, str]] | None = None
) -> httpx.Response:
    store = CelStore(database)

    async def written() -> None:
        await store.add(heard(*told or []))

    tracing = Tracing(Calls(*records), store, written)
    app = FastAPI()
    app.include_router(build_router(OpenGate(), tracing))
    app.include_router(build_pages(OpenGate(), SitePages(), tracing))

    @app.exception_handler(Trouble)
    async def trouble(request: Request, error: Trouble) -> JSONResponse:
        return JSONResponse({"ko": error.ko}, error.status)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as web:
        return await web.get(path)


async def test_a_program_gets_both_accounts_side_by_side(database: Database) -> None:
    late = row(ended_at=T0.timestamp() + 183)
    answer = (await ask(database, f"/api/v1/calls/{CALL}/trace", late, told=ANSWERED_CALL)).json()

    assert (answer["call"], answer["agrees"], answer["closed"]) == (CALL, False, True)
    assert [(one["milestone"], one["seconds"]) for one in answer["differences"]] == [("ended", -3.0)]
    assert len(answer["events"]) == 13
    assert answer["events"][0]["at"] == "2026-11-21T10:42:57Z"
    hung_up = next(one for one in answer["events"] if one["kind"] == "HANGUP")
    assert hung_up["extra"]["hangupcause"] == 16


async def test_a_call_of_which_only_the_pbx_knows_is_not_judged(database: Database) -> None:
    answer = (await ask(database, f"/api/v1/calls/{CALL}/trace", told=ANSWERED_CALL)).json()
    assert (answer["agrees"], answer["differences"], len(answer["events"])) == (None, [], 13)


async def test_a_call_of_which_nobody_knows(database: Database) -> None:
    for path in (f"/api/v1/calls/{CALL}/trace", f"/calls/{CALL}/trace"):
        assert (await ask(database, path)).status_code == 404


async def test_the_page_says_whether_the_two_agree(database: Database) -> None:
    path = f"/calls/{CALL}/trace"
    nothing = (await ask(database, path, row())).text
    agrees = (await ask(database, path, row(), told=ANSWERED_CALL)).text
    differs = (await ask(database, path, row(answered_at=None))).text

    assert "이 통화의 PBX 기록이 없음" in nothing
    assert "PBX 기록과 일치" in agrees
    assert "기록 13건 보기" in agrees
    assert "19:43:57.020" in agrees, "the site's clock, to the millisecond"
    assert "PBX 기록과 다름" in differs
    assert "요원과 처음 연결" in differs
    assert "기록 없음" in differs


async def test_what_a_channel_is_called_cannot_become_markup(database: Database) -> None:
    told = [headers("CHAN_START", Channel="<script>alert(1)</script>")]
    page = (await ask(database, f"/calls/{CALL}/trace", told=told)).text
    assert "<script>" not in page

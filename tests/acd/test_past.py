"""Any moment of the past is found in the ledger, and the day goes on from there as it went."""

from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command

from changgu.acd.agent_state import AgentState
from changgu.acd.engine import Engine
from changgu.acd.event_json import FloorOpened
from changgu.acd.facts import AgentStateChanged, WaitAnnounced
from changgu.acd.floor_json import floor_digest
from changgu.acd.ledger.past.store import Past
from changgu.acd.ledger.service import Spool
from changgu.acd.ledger.store import Ledger
from changgu.acd.queues import Announcements
from changgu.acd.records import AgentView
from changgu.acd.replay import Replayer
from changgu.app import schema
from changgu.ground.database import Database
from tests.acd.recorded_day import FLOOR, RecordedDay

UNFORESEEING = replace(
    FLOOR, queues=tuple(replace(queue, overflows=(), announcements=Announcements()) for queue in FLOOR.queues)
)
"""A floor on which nothing depends on what has been learnt."""


async def written(database: Database, tmp_path: Path, day: RecordedDay) -> Past:
    """The day in a ledger, as a service would have written it."""
    past = Past(database)
    for floor in day.floors.values():
        await past.keep_floor(floor)
    ledger = Ledger(database, tmp_path / "spool.jsonl", batch=50)
    for entry in day.recorded:
        ledger.hear(entry)
    assert await ledger.flush()
    return past


def seen(engine: Engine) -> dict[str, object]:
    """Everything that means anything: a place among the idle, only while idle."""
    picture = dict(engine.picture())
    views = picture["agents"]
    assert isinstance(views, dict)
    picture["agents"] = {login: _meant(view) for login, view in views.items()}
    return {name: part for name, part in picture.items() if name not in ("ended", "abandoned", "spoken_to")}


def _meant(view: AgentView) -> AgentView:
    return view if view.state is AgentState.READY else replace(view, idle_since=0.0)


@pytest.mark.parametrize("seed", range(6))
async def test_the_present_is_rebuilt_from_a_few_facts(database: Database, tmp_path: Path, seed: int) -> None:
    day = RecordedDay(seed)
    day.go_on(500)
    await written(database, tmp_path, day)

    tail = await Past(database, recalled=50).now()

    rebuilt = Engine.restore(FLOOR, tail, first_offer=day.engine.next_offer)
    assert seen(rebuilt) == seen(day.engine)
    assert len(tail) < len(day.recorded)
    assert rebuilt.picture()["abandoned"] == day.engine.picture()["abandoned"]


@pytest.mark.parametrize("seed", range(6))
async def test_the_day_goes_on_from_any_moment_as_it_went(database: Database, tmp_path: Path, seed: int) -> None:
    day = RecordedDay(seed, UNFORESEEING)
    day.go_on(500)
    past = await written(database, tmp_path, day)
    begins = [entry.seq for entry in day.recorded if entry.because is not None]
    for begin in begins[1 :: len(begins) // 5]:
        moment = await Past(database, recalled=40).before(begin)
        assert moment.floor == UNFORESEEING
        assert len({entry.seq for entry in moment.facts}) == len(moment.facts)

        lived = Engine.restore(UNFORESEEING, day.recorded[: begin - 1])
        rebuilt = Engine.restore(UNFORESEEING, moment.facts, first_offer=moment.next_offer)
        assert seen(rebuilt) == seen(lived)

        replayer = Replayer(rebuilt, day.floors.get)
        replayer.feed(await past.facts(begin, len(day.recorded)))
        assert replayer.finish() is None


@pytest.mark.parametrize("seed", range(3))
async def test_a_replay_over_restarts_begins_each_time_with_what_the_program_knew(
    database: Database, tmp_path: Path, seed: int
) -> None:
    """What a program has learnt about handling times decides what it promises; a restart knows less."""
    day = RecordedDay(seed)
    past, written = Past(database, recalled=60), 0
    await past.keep_floor(FLOOR)
    ledger = Ledger(database, tmp_path / "spool.jsonl")
    openings: dict[int, Engine] = {}
    for _ in range(4):
        day.go_on(150)
        for entry in day.recorded[written:]:
            ledger.hear(entry)
        assert await ledger.flush()
        written = len(day.recorded)
        moment = await past.before(written + 1)
        assert moment.facts == await past.now()
        day.restart(moment.facts, moment.next_offer)
    for entry in day.recorded[written:]:
        ledger.hear(entry)
    assert await ledger.flush()

    begun = [entry.seq for entry in day.recorded if isinstance(entry.because, FloorOpened)]
    assert len(begun) == 5
    assert await past.opened_before(begun[2] + 10) == begun[2]
    for seq in begun[1:]:
        moment = await past.before(seq)
        openings[seq] = Engine.restore(FLOOR, moment.facts, first_offer=moment.next_offer)
    replayer = Replayer(Engine(FLOOR), day.floors.get, openings.get)
    replayer.feed(await past.facts(1, len(day.recorded)))
    assert replayer.finish() is None
    assert replayer.facts == len(day.recorded)
    assert sum(isinstance(entry.fact, WaitAnnounced) and entry.fact.promise is not None for entry in day.recorded) > 0


async def test_each_moment_has_the_floor_that_was_in_force(database: Database, tmp_path: Path) -> None:
    day = RecordedDay(5)
    day.go_on(50)
    changed = replace(FLOOR, queues=FLOOR.queues[:2])
    day.reload(changed)
    taken_up = next(entry.seq for entry in day.recorded[1:] if entry.because is not None and entry.at == day.now)
    day.go_on(50)
    past = await written(database, tmp_path, day)

    assert await past.floor_before(1) is None
    assert await past.floor_before(taken_up) == FLOOR
    assert await past.floor_before(len(day.recorded)) == changed
    assert await past.floor(floor_digest(changed)) == changed
    assert await past.floor("nowhere") is None


async def test_a_stretch_of_time_is_found(database: Database, tmp_path: Path) -> None:
    day = RecordedDay(5)
    day.go_on(50)
    past = await written(database, tmp_path, day)
    begins = [entry for entry in day.recorded if entry.because is not None]

    assert await past.between(begins[3].at, begins[9].at) == (begins[3].seq, begins[9].seq - 1)
    assert await past.between(day.now + 1, day.now + 2) is None
    assert await past.first_with_event() == 1


async def test_the_events_survive_a_database_that_is_away(tmp_path: Path) -> None:
    day = RecordedDay(3)
    day.go_on(60)
    spool = Spool(tmp_path / "spool.jsonl", 1 << 20)
    spool.append(day.recorded[:50])
    spool.append(day.recorded[50:])

    read, offset = spool.read(0, 1 << 20)
    assert read == day.recorded
    assert offset == spool.path.stat().st_size


async def test_a_set_up_is_kept_once(database: Database) -> None:
    past = Past(database)
    assert await past.keep_floor(FLOOR) == await past.keep_floor(FLOOR) == floor_digest(FLOOR)
    assert await past.floor(floor_digest(FLOOR)) == FLOOR


async def test_a_ledger_of_the_version_before_is_read_after_the_upgrade(tmp_path: Path) -> None:
    """Facts without events, bodies as Python's json wrote them, no marks of desktops and sign-outs."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'old.db'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(schema._config(sync), "0003"))
        await connection.exec_driver_sql(
            "INSERT INTO ledger (seq, at, kind, call, agent, body) VALUES (1, '2026-09-21 14:00:00.000000',"
            """ 'AgentStateChanged', NULL, 'alice', '{"agent": "alice", "before": "logged_out", "after": "ready","""
            """ "reason": null, "call": null}')"""
        )
        await connection.exec_driver_sql(
            "INSERT INTO agent_marks (agent, settled_seq, phone_seq) VALUES ('alice', 0, 0)"
        )
    await schema.upgrade(database)

    (entry,) = await Past(database).now()
    assert isinstance(entry.fact, AgentStateChanged)
    assert (entry.fact.after, entry.because) == (AgentState.READY, None)
    (older,) = await Past(database, recalled=0).now()
    assert older == entry
    assert await Past(database).first_with_event() is None
    await database.close()

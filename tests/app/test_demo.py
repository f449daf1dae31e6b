"""The example desk: as large as it says, the same every time, and filled once."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from argon2 import PasswordHasher

from changgu.acd.queues import TicketPolicy
from changgu.acd.store import FloorStore
from changgu.app import schema
from changgu.app.accounts import Accounts
from changgu.app.demo import desk
from changgu.app.demo.desk import DemoDesk
from changgu.app.demo.organisation import organisation
from changgu.app.settings import Settings, load
from changgu.directory.numbers import Numbering
from changgu.directory.service import Directory
from changgu.ground.database import Database
from changgu.ticketing.entries import TicketFilter
from changgu.ticketing.service import Tickets

PEOPLE, AGENTS, TICKETS = 40, 6, 50


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(None, {"data": tmp_path, "demo.enabled": True})


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.sqlite'}")
    await schema.upgrade(database)
    await FloorStore(database).seed()
    yield database
    await database.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        desk, "organisation", lambda random: organisation(random, people=PEOPLE, agents=AGENTS, tickets=TICKETS)
    )


async def sizes(database: Database, settings: Settings) -> tuple[int, int, int, int]:
    floor = await FloorStore(database).load_floor()
    people = await Directory(database, Numbering(settings.desk.region, settings.desk.extensions)).count()
    return len(floor.queues), len(floor.agents), people, sum((await Tickets(database).count_by_state()).values())


def test_the_organisation_is_as_large_as_promised_and_the_same_every_time() -> None:
    example = organisation(Random(1))

    assert example == organisation(Random(1))
    tables = (example.queues_csv, example.agents_csv, example.people_csv)
    assert [len(table.splitlines()) - 1 for table in tables] == [5, 30, 2_000]
    assert len(example.tickets) == 3_000
    assert len(set(example.callers)) == len(set(example.employee_numbers)) == 2_000
    assert all(line.count(b";") >= 2 for line in example.people_csv.splitlines()[1:]), "several numbers each"


@pytest.mark.usefixtures("small")
async def test_an_example_desk_is_filled_once(database: Database, settings: Settings) -> None:
    said: list[str] = []
    await DemoDesk(settings, database).fill(said.append)
    await DemoDesk(settings, database).fill(said.append)

    assert await sizes(database, settings) == (5, AGENTS, PEOPLE, TICKETS)
    assert len(said) == 2, "the second time there is nothing to say"
    note = settings.data / "demo-agents.txt"
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    floor = await FloorStore(database).load_floor()
    assert all(queue.ticket is TicketPolicy.AUTOMATIC and queue.record for queue in floor.queues)


@pytest.mark.usefixtures("small")
async def test_every_past_ticket_of_the_example_desk_has_a_priority(database: Database, settings: Settings) -> None:
    await DemoDesk(settings, database).fill(lambda _: None)
    past = (await Tickets(database).page(TicketFilter(), TICKETS, None)).items
    assert len(past) == TICKETS
    assert [ticket.number for ticket in past if ticket.priority is None] == []
    assert len({ticket.priority for ticket in past}) > 2


@pytest.mark.usefixtures("small")
async def test_a_filling_that_was_cut_short_is_made_complete(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut_short(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(desk, "enter_past_tickets", cut_short)
        with pytest.raises(KeyboardInterrupt):
            await DemoDesk(settings, database).fill(lambda _: None)
    await DemoDesk(settings, database).fill(lambda _: None)

    assert await sizes(database, settings) == (5, AGENTS, PEOPLE, TICKETS)
    password = (settings.data / "demo-agents.txt").read_text().split()[-1]
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    account = await Accounts(database, hasher=hasher).check_password("agent01", password, "127.0.0.1")
    assert account.login == "agent01"

"""What a caller's number gives them, and which numbers are called back, as the rooms of the desk tell it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changgu.acd.api import PersonRef
from changgu.acd.call_record import CallRecord
from changgu.acd.facts import Direction
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queues import Floor, Queue
from changgu.acd.store import CallStore
from changgu.app.joins import REPEATED_WITHIN, CallerStandings, KnownPeople
from changgu.app.page_joins import CallbackNumbers
from changgu.app.schema import METADATA
from changgu.directory.numbers import Numbering
from changgu.directory.person import NumberWritten, PersonCard, PersonWritten
from changgu.directory.service import Directory
from changgu.ground.access import Actor, Role
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput
from changgu.telephony.dial_plan import DialPlan
from changgu.telephony.handset import Standing
from changgu.ticketing.entries import NewTicket
from changgu.ticketing.service import Tickets
from changgu.ticketing.ticket import Kind

HONG = "01012345678"
KIM = Actor("kim", "김상담", Role.AGENT)
NETWORK = QueueName("network")


class Calls(CallStore):
    """The calls of one number, newest first."""

    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    async def of_callers(self, numbers: object, limit: int = 20) -> list[CallRecord]:
        assert numbers == [HONG]
        return self.records[:limit]


class Rooms:
    """The rooms that know callers, and a clock wound by hand."""

    def __init__(self, database: Database) -> None:
        self.at = datetime(2026, 11, 20, 3, tzinfo=UTC)
        self.directory = Directory(database, Numbering("KR", r"[3-9]\d{3}"))
        self.tickets = Tickets(database, now=lambda: self.at)
        self.calls = Calls()
        self.strategy = "longest_idle"
        self.standings = CallerStandings(
            self.directory, self.tickets, self.calls,
            lambda: Floor((Queue(NETWORK, "네트워크", strategy=self.strategy),)), lambda: self.at,
        )  # fmt: skip

    async def person(self, *, vip: bool = False, number: str = "010-1234-5678") -> PersonCard:
        written = PersonWritten({"name": "홍길동", "department": "총무과"}, [NumberWritten(number)], vip=vip)
        return await self.directory.create(written, "kim")


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'changgu.sqlite'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    yield Rooms(database)
    await database.close()


async def test_a_number_that_nobody_has_gives_nothing(rooms: Rooms) -> None:
    await rooms.person()
    assert await rooms.standings.of_caller("01099999999") == Standing()
    assert await rooms.standings.of_caller(HONG) == Standing()


async def test_a_vip_goes_first(rooms: Rooms) -> None:
    await rooms.person(vip=True)
    assert await rooms.standings.of_caller(HONG) == Standing(2, frozenset({"vip"}))


async def test_a_number_of_several_people_is_nobodys_privilege(rooms: Rooms) -> None:
    await rooms.person(vip=True)
    await rooms.person()
    assert await rooms.standings.of_caller(HONG) == Standing()


@pytest.mark.parametrize(("kind", "counts"), [(Kind.INCIDENT, True), (Kind.SERVICE_REQUEST, False)])
async def test_whoever_calls_again_about_an_open_incident_goes_first(
    rooms: Rooms, kind: Kind, counts: bool
) -> None:
    person = await rooms.person()
    await rooms.tickets.open(NewTicket("VPN이 끊김", kind, grade="3", person=person.id), KIM)
    known = Standing(1, frozenset({"repeated_incident"}))
    assert await rooms.standings.of_caller(HONG) == (known if counts else Standing())
    rooms.at += REPEATED_WITHIN + timedelta(seconds=1)
    assert await rooms.standings.of_caller(HONG) == Standing()


async def test_the_last_agent_is_looked_up_only_where_a_queue_asks_for_them(rooms: Rooms) -> None:
    missed = CallRecord(CallId("c2"), Direction.INBOUND, HONG, "1000", 6.0, NETWORK)
    spoken = CallRecord(CallId("c1"), Direction.INBOUND, HONG, "1000", 5.0, NETWORK, agent=AgentId("alice"))
    rooms.calls.records = [missed, spoken]
    assert (await rooms.standings.of_caller(HONG)).last_agent is None
    rooms.strategy = "last_agent"
    assert (await rooms.standings.of_caller(HONG)).last_agent == "alice"


async def test_a_number_to_call_back_is_written_as_it_is_dialled(rooms: Rooms) -> None:
    person = await rooms.person()
    plan = DialPlan(trunk="PJSIP/{number}@trunk-carrier", own=frozenset({"1000"}))
    numbers = CallbackNumbers(lambda: plan, rooms.directory)
    assert numbers.dialable("+82 10-1234-5678") == HONG
    assert await numbers.people_at([HONG, "01099999999"]) == {HONG: PersonRef(person.id, "홍길동", "총무과")}
    for written in ("1000", "060-700-1234", "+1 202 555 0100", "112", "call me", ""):
        with pytest.raises(BadInput) as refused:
            numbers.dialable(written)
        assert refused.value.field == "number"


def test_without_a_line_outside_nobody_is_promised_a_call(rooms: Rooms) -> None:
    with pytest.raises(BadInput, match="no line outside"):
        CallbackNumbers(DialPlan, rooms.directory).dialable(HONG)


async def test_of_a_number_that_no_one_person_has_nothing_is_known_at_once(rooms: Rooms) -> None:
    person = await rooms.person(vip=True)
    assert rooms.standings.at_once("01099999999") is None, "the memory has yet to be filled"
    await rooms.directory.known.refresh()
    assert rooms.standings.at_once("01099999999") == Standing()
    assert rooms.standings.at_once("withheld") == Standing()
    assert rooms.standings.at_once(HONG) is None, "their tickets have to be asked"

    rooms.strategy = "last_agent"
    assert rooms.standings.at_once("01099999999") is None, "their calls have to be asked"
    rooms.strategy = "longest_idle"

    await rooms.person()
    assert rooms.standings.at_once(HONG) is None, "the directory has changed since"
    await rooms.directory.known.refresh()
    assert rooms.standings.at_once(HONG) == Standing(), f"shared by {person.name} and another"


async def test_whose_number_it_certainly_is_is_told_from_memory_alone(rooms: Rooms) -> None:
    people = KnownPeople(rooms.directory)
    person = await rooms.person()
    numbers = [NumberWritten(number) for number in ("010-1234-5678", "5010", "5011")]
    await rooms.directory.update(person.id, PersonWritten({}, numbers), "kim")
    await rooms.person(number="5011")
    assert people.whose(HONG) == "", "the memory has yet to be filled"
    await rooms.directory.known.refresh()

    whose = {number: people.whose(number) for number in (HONG, "+82 10-1234-5678", "5010", "5011", "5012", "anonymous")}
    mine = str(person.id)
    assert whose == {HONG: mine, "+82 10-1234-5678": mine, "5010": mine, "5011": "", "5012": "", "anonymous": ""}

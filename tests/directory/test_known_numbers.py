"""A caller is known without waiting for the database, and never by what is no longer so (INC-02, P14)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from changgu.directory import store
from changgu.directory.known_numbers.service import KnownNumbers
from changgu.directory.numbers import Numbering
from changgu.directory.person import NumberWritten, PersonWritten
from changgu.directory.service import Directory
from changgu.ground.database import Base, Database, Statements
from changgu.ground.trouble import BadInput, NotFound

KIM, PARK = "010-1234-5678", "02-2100-3399"


def written(name: str, *numbers: str, vip: bool = False) -> PersonWritten:
    return PersonWritten({"name": name}, tuple(NumberWritten(number) for number in numbers), None, vip)


async def names(directory: Directory, number: str) -> list[str]:
    return [owner.name for owner in (await directory.owners([number])).get(number, [])]


@pytest.fixture
def questions(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the database is asked."""
    asked: list[str] = []
    read = database.read

    async def counted(work: Callable[[Statements], Any]) -> Any:
        asked.append(work.func.__name__ if isinstance(work, partial) else work.__name__)
        return await read(work)

    monkeypatch.setattr(database, "read", counted)
    return asked


async def test_a_caller_is_known_without_a_question_to_the_database(
    directory: Directory, questions: list[str]
) -> None:
    await directory.create(written("김민수", KIM), "lee")
    await directory.known.refresh()
    questions.clear()
    assert await names(directory, KIM) == ["김민수"]
    assert await names(directory, "+82 10 1234 5678") == ["김민수"]
    assert await names(directory, PARK) == []
    assert await directory.find_by_number(PARK) == []
    assert questions == []


async def test_until_the_numbers_are_in_memory_the_database_tells(directory: Directory, questions: list[str]) -> None:
    await directory.create(written("김민수", KIM), "lee")
    questions.clear()
    assert await names(directory, KIM) == ["김민수"]
    assert await directory.find_by_number(PARK) == []
    assert questions == ["owners", "with_number"]


async def test_whoever_asks_right_after_a_change_hears_of_it(directory: Directory) -> None:
    kim = await directory.create(written("김민수", KIM), "lee")
    await directory.known.refresh()
    await directory.update(kim.id, written("김민수", PARK, vip=True), "lee")
    assert await names(directory, KIM) == []
    await directory.known.refresh()
    assert await names(directory, KIM) == []
    [owner] = (await directory.owners([PARK]))[PARK]
    assert owner.vip


async def test_a_record_that_was_merged_away_answers_for_nobody(directory: Directory) -> None:
    kept, gone = await directory.create(written("김민수", KIM), "lee"), await directory.create(
        written("김민수 과장", PARK), "lee"
    )
    await directory.known.refresh()
    await directory.merge(kept.id, gone.id, "lee")
    await directory.known.refresh()
    [owner] = (await directory.owners([PARK]))[PARK]
    assert owner.id == kept.id


async def test_a_change_that_came_to_nothing_leaves_the_numbers_in_memory(
    directory: Directory, questions: list[str]
) -> None:
    await directory.create(written("김민수", KIM), "lee")
    await directory.known.refresh()
    with suppress(NotFound):
        await directory.update(99, written("이영희", PARK), "lee")
    questions.clear()
    await directory.known.refresh()
    assert await names(directory, KIM) == ["김민수"]
    assert questions == ["version"]


async def test_what_the_desk_itself_imports_is_told_at_once(directory: Directory) -> None:
    await directory.create(written("김민수", KIM), "lee")
    await directory.known.refresh()
    content = "사번,이름,전화번호\n2024001,박서준,02-2100-3399\n".encode()
    await directory.import_people("people.csv", content, "lee")
    assert await names(directory, PARK) == ["박서준"]


@asynccontextmanager
async def another_process(database: Database, numbering: Numbering) -> AsyncIterator[Directory]:
    theirs = Database(database.engine.url.render_as_string(hide_password=False))
    try:
        yield Directory(theirs, numbering)
    finally:
        await theirs.close()


@pytest.mark.parametrize("how", ["new", "renamed", "confirmed", "merged", "imported"])
async def test_what_another_process_changes_is_seen_at_the_next_look(
    how: str, directory: Directory, database: Database, numbering: Numbering
) -> None:
    """`changgu import-people` runs beside the desk."""
    kim = await directory.create(written("김민수", KIM), "lee")
    old = await directory.create(written("옛 기록", "1234"), "lee")
    await directory.known.refresh()
    async with another_process(database, numbering) as theirs:
        match how:
            case "new":
                await theirs.create(written("박서준", PARK), "import")
            case "renamed":
                await theirs.update(kim.id, PersonWritten({"name": "박서준"}), "import")
            case "confirmed":
                await theirs.confirm_number(kim.id, PARK, "import")
            case "merged":
                await theirs.merge(kim.id, old.id, "import")
            case "imported":
                content = "사번,이름,전화번호\n2024001,박서준,02-2100-3399\n".encode()
                await theirs.import_people("people.csv", content, "import")
    await directory.known.refresh()
    told = [await names(directory, number) for number in (KIM, PARK, "1234")]
    assert told == {
        "new": [["김민수"], ["박서준"], ["옛 기록"]],
        "renamed": [["박서준"], [], ["옛 기록"]],
        "confirmed": [["김민수"], ["김민수"], ["옛 기록"]],
        "merged": [["김민수"], [], ["김민수"]],
        "imported": [["김민수"], ["박서준"], ["옛 기록"]],
    }[how]


@pytest.mark.parametrize("question", ["version", "all_owners"])
async def test_what_was_read_while_somebody_changed_it_is_not_believed(
    question: str, directory: Directory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    kim = await directory.create(written("김민수", KIM), "lee")
    if question == "version":  # all else is known already
        await directory.known.refresh()
    read = database.read

    async def slow(work: Callable[[Statements], Any]) -> Any:
        found = await read(work)
        if (work.func if isinstance(work, partial) else work) is getattr(store, question):
            await directory.update(kim.id, written("김민수", PARK), "lee")
        return found

    monkeypatch.setattr(database, "read", slow)
    await directory.known.refresh()
    monkeypatch.undo()
    assert await names(directory, KIM) == []
    assert await names(directory, PARK) == ["김민수"]
    await directory.known.refresh()
    assert await names(directory, KIM) == []


async def test_a_directory_that_is_too_large_for_memory_is_asked_and_read_once(
    database: Database, directory: Directory, questions: list[str]
) -> None:
    await directory.create(written("김민수", KIM, PARK), "lee")
    known = KnownNumbers(database, most=1)
    questions.clear()
    await known.refresh()
    await known.refresh()
    assert known.owners(["+821012345678"]) is None
    assert questions == ["version", "all_owners", "version"]


@pytest.mark.parametrize(
    "trouble", [OperationalError("", None, Exception("database is locked")), OSError("too many open files")]
)
async def test_a_database_that_is_away_for_a_while_does_not_make_callers_strangers(
    trouble: Exception, directory: Directory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await directory.create(written("김민수", KIM), "lee")
    known = KnownNumbers(database, look_again=0.001)
    tries = asyncio.Event()
    read = database.read
    running = asyncio.create_task(known.run())
    try:
        async with asyncio.timeout(10):
            while known.owners([]) is None:
                await asyncio.sleep(0.001)

        async def away(_work: Callable[[Statements], Any]) -> Any:
            tries.set()
            raise trouble

        monkeypatch.setattr(database, "read", away)
        async with asyncio.timeout(10):
            await tries.wait()
        found = known.owners(["+821012345678"])
        assert found is not None
        assert [owner.name for owner in found["+821012345678"]] == ["김민수"]
        monkeypatch.setattr(database, "read", read)
        await directory.create(written("박서준", PARK), "lee")
        async with asyncio.timeout(10):
            while "+82221003399" not in (known.owners(["+82221003399"]) or {}):
                await asyncio.sleep(0.001)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


NUMBERS = (KIM, PARK, "1234", "5678")
CHANGES = st.lists(
    st.tuples(st.sampled_from(["create", "update", "confirm", "merge", "look"]), st.integers(1, 4),
              st.integers(1, 4), st.sets(st.sampled_from(NUMBERS), max_size=2), st.booleans()),
    max_size=12,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(CHANGES)
def test_memory_and_database_tell_the_same(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int, int, set[str], bool]]
) -> None:
    asyncio.run(_live(tmp_path_factory.mktemp("people"), changes))


async def _live(folder: Path, changes: list[tuple[str, int, int, set[str], bool]]) -> None:
    database = Database(f"sqlite+aiosqlite:///{folder / 'changgu.db'}")
    try:
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        numbering = Numbering("KR", r"[1-9]\d{3}")
        remembering, asking = Directory(database, numbering), Directory(database, numbering)
        for what, one, other, numbers, vip in changes:
            with suppress(NotFound, BadInput):
                match what:
                    case "create":
                        await remembering.create(written(f"사람 {one}", *sorted(numbers), vip=vip), "lee")
                    case "update":
                        await remembering.update(one, written(f"사람 {other}", *sorted(numbers), vip=vip), "lee")
                    case "confirm":
                        await remembering.confirm_number(one, NUMBERS[other - 1], "lee")
                    case "merge" if one != other:
                        with suppress(Exception):
                            await remembering.merge(one, other, "lee")
                    case _:
                        await remembering.known.refresh()
            assert await remembering.owners(NUMBERS) == await asking.owners(NUMBERS)
        await remembering.known.refresh()
        assert remembering.known.owners([]) is not None
        assert await remembering.owners(NUMBERS) == await asking.owners(NUMBERS)
    finally:
        await database.close()

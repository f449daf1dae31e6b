"""Reading the plain queues' log once, across restarts, rotations and a ledger that is away."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from changgu.acd.facts import CallServedElsewhere, Outcome
from changgu.acd.identity import CallId, QueueName
from changgu.telephony.shadow_reader import ShadowReader
from tests.support.waiting import eventually


def visit(call: str, at: int = 100) -> str:
    return (
        f"{at}|{call}|network|NONE|DID|1002\n{at}|{call}|network|NONE|ENTERQUEUE||0101|1\n"
        f"{at + 5}|{call}|network|NONE|ABANDON|1|1|5\n{at + 5}|{call}|NONE|NONE|GONE|\n"
    )


class Book:
    """Stands for the ledger: what it was told, and whether it is safe."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "queue_log"
        self.kept = folder / "queue_log.read"
        self.told: list[CallServedElsewhere] = []
        self.safe = True
        self.away = False
        self.hears = asyncio.Event()
        self.hears.set()

    def reader(
        self, waited: Callable[[CallId], tuple[QueueName, float] | None] = lambda call: None
    ) -> ShadowReader:
        return ShadowReader(
            self.log, self.kept, known=self._known, tell=self._tell, settled=self._settled, look_every=0.01,
            waited=waited,
        )  # fmt: skip

    async def _tell(self, fact: CallServedElsewhere) -> None:
        await self.hears.wait()
        self.told.append(fact)

    async def _known(self, call: CallId) -> bool:
        if self.away:
            raise OSError("the database is away")
        return any(fact.call == call for fact in self.told)

    async def _settled(self) -> bool:
        return self.safe

    def write(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(text)

    @property
    def calls(self) -> list[str]:
        return [str(fact.call) for fact in self.told]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


async def test_no_log_is_no_trouble(book: Book) -> None:
    await book.reader().look()
    assert book.told == []


async def test_a_kill_before_the_ledger_has_heard_of_a_call_loses_nothing(book: Book) -> None:
    """It takes its turn in the inbox: the place in the log is not remembered as long as it waits there."""
    book.hears.clear()
    book.write(visit("c.1"))
    looking = asyncio.create_task(book.reader().look())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(looking), 0.3)
    assert not book.kept.exists()
    looking.cancel()
    book.hears.set()
    await book.reader().look()
    assert book.calls == ["c.1"]
    assert book.kept.exists()


async def test_each_call_is_told_once_over_restarts(book: Book) -> None:
    book.write(visit("c.1") + visit("c.2"))
    await book.reader().look()
    book.write(visit("c.3"))
    await book.reader().look()
    await book.reader().look()
    assert book.calls == ["c.1", "c.2", "c.3"]


async def test_killed_before_the_place_was_remembered_tells_nothing_twice(book: Book) -> None:
    book.write(visit("c.1"))
    book.safe = False
    await book.reader().look()
    assert not book.kept.exists(), "what is not safe in the ledger must be read again"
    book.safe = True
    await book.reader().look()
    assert book.calls == ["c.1"]
    assert book.kept.exists()


async def test_a_call_that_goes_on_is_read_again_from_its_beginning(book: Book) -> None:
    whole = visit("c.1").splitlines(keepends=True)
    book.write(visit("c.0") + "".join(whole[:2]))
    await book.reader().look()
    book.write("".join(whole[2:]))
    await book.reader().look()
    assert [(fact.call, fact.arrived_at, fact.outcome) for fact in book.told[1:]] == [
        (CallId("c.1"), 100.0, Outcome.ABANDONED_IN_QUEUE)
    ]


async def test_whoever_hung_up_alone_is_told_once_and_with_the_queue_in_which_the_pbx_knew_them(book: Book) -> None:
    book.write("130|d-100.1|NONE|NONE|HUNGUP|1000|0101\n131|d-100.2|NONE|NONE|HUNGUP|1000|0102\n")
    waits = {CallId("d-100.2"): (QueueName("network"), 110.0)}
    for _ in range(2):
        book.kept.unlink(missing_ok=True)
        await book.reader(waits.get).look()

    first, second = book.told
    assert (first.outcome, first.queue, first.queued_at) == (Outcome.ABANDONED_IN_MENU, None, None)
    assert (second.outcome, second.queue, second.queued_at) == (Outcome.ABANDONED_IN_QUEUE, "network", 110.0)


async def test_half_a_line_is_left_for_the_next_look(book: Book) -> None:
    text = visit("c.1")
    reader = book.reader()
    book.write(text[:-9])
    await reader.look()
    assert book.told == []
    book.write(text[-9:])
    await reader.look()
    assert book.calls == ["c.1"]


async def test_a_log_that_was_rotated_is_read_to_its_end_first(book: Book) -> None:
    book.write(visit("c.1"))
    await book.reader().look()
    book.write(visit("c.2"))
    book.log.rename(book.log.with_name("queue_log.0"))
    book.write(visit("c.3"))
    await book.reader().look()
    assert book.calls == ["c.1", "c.2", "c.3"]


async def test_a_log_that_was_emptied_is_read_from_its_beginning(book: Book) -> None:
    book.write(visit("c.1") + visit("c.2"))
    await book.reader().look()
    book.log.write_text(visit("c.3"))
    await book.reader().look()
    assert book.calls == ["c.1", "c.2", "c.3"]


async def test_a_spoilt_memory_means_reading_all_again_and_telling_nothing_twice(book: Book) -> None:
    book.write(visit("c.1"))
    await book.reader().look()
    book.kept.write_text("{nonsense")
    await book.reader().look()
    assert book.calls == ["c.1"]


async def test_while_the_ledger_is_away_nothing_is_forgotten(book: Book) -> None:
    reader = book.reader()
    running = asyncio.create_task(reader.run())
    book.write(visit("c.1"))
    book.away = True
    reader.ask()
    await asyncio.sleep(0)
    book.away = False

    async def told() -> bool:
        return book.calls == ["c.1"]

    await eventually(told, within=5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_conversations_that_go_on_are_followed_without_being_asked(book: Book) -> None:
    whole = visit("c.1").splitlines(keepends=True)
    book.write("".join(whole[:2]))
    reader = book.reader()
    running = asyncio.create_task(reader.run())
    reader.ask()
    book.write("".join(whole[2:]))

    async def told() -> bool:
        return book.calls == ["c.1"]

    await eventually(told, within=5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

"""The line to the PBX drops in mid-row: its queue_log has every row once, for it is asked what it has written."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from changgu.acd.facts import CallQueued, Recorded
from changgu.acd.identity import CallId, QueueName
from changgu.acd.queue_log import QueueLogRow
from changgu.telephony.ami.client import Ami
from changgu.telephony.ami.queue_log_writer import QueueLogWriter
from tests.support.fake_ami import FakeAmi, Headers, running
from tests.support.waiting import eventually

Rows = Callable[[Recorded], Sequence[QueueLogRow]]


class Asterisk:
    """Writes rows into its file as `ast_queue_log` does, and tells of it when it is let."""

    def __init__(self, log: Path, pbx: FakeAmi) -> None:
        self.log, self.pbx = log, pbx
        self.writes, self.answers = 1000, 1000
        """So many rows more it writes; of so many more it tells."""
        pbx.answers["QueueLog"] = self._take

    def _take(self, action: Headers) -> list[Headers]:
        if self.writes > 0:
            self.writes -= 1
            call, agent = action.get("Uniqueid") or "NONE", action.get("Interface") or "NONE"
            with self.log.open("a") as file:
                file.write(f"1790000000|{call}|{action['Queue']}|{agent}|{action['Event']}|{action['Message']}\n")
        if self.answers <= 0:
            return []
        self.answers -= 1
        return [{"Response": "Success"}]

    def written(self) -> list[str]:
        """The calls of the rows, in the order of the files."""
        rotated = sorted(self.log.parent.glob("queue_log.*"), reverse=True)
        lines = [line for file in (*rotated, self.log) if file.exists() for line in file.read_text().splitlines()]
        return [line.split("|")[1] for line in lines]


@pytest.fixture
async def pbx() -> AsyncIterator[FakeAmi]:
    async with FakeAmi() as pbx:
        yield pbx


@pytest.fixture
def asterisk(pbx: FakeAmi, tmp_path: Path) -> Asterisk:
    return Asterisk(tmp_path / "queue_log", pbx)


def fact(number: int) -> Recorded:
    return Recorded(number, 0.0, CallQueued(CallId(f"c{number}"), QueueName("pc"), 0))


def rows(recorded: Recorded) -> list[QueueLogRow]:
    return [QueueLogRow("pc", "ENTERQUEUE", f"c{recorded.seq}", "NONE", "|010|1")]


def like_rows(recorded: Recorded) -> list[QueueLogRow]:
    """Nothing tells one of these from the next."""
    return [QueueLogRow("pc", "RINGNOANSWER", "c1", "alice", "20000")]


def a_writer(pbx: FakeAmi, asterisk: Asterisk, rows_of: Rows = rows) -> tuple[Ami, QueueLogWriter]:
    ami = Ami(pbx.address)
    return ami, QueueLogWriter(ami, rows_of, without_pauses=True, log=asterisk.log, settle=0.05)


async def until_written(asterisk: Asterisk, writer: QueueLogWriter, calls: list[str]) -> None:
    """Wait until nothing is left to write, and look."""

    async def over() -> bool:
        return not writer._rows and len(asterisk.written()) >= len(calls)

    await eventually(over, within=5, every=0.01)
    assert asterisk.written() == calls


@pytest.mark.parametrize(("written", "answered"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (4, 4)])
async def test_no_row_is_doubled_and_none_is_lost_however_far_the_pbx_had_come(
    pbx: FakeAmi, asterisk: Asterisk, written: int, answered: int
) -> None:
    ami, writer = a_writer(pbx, asterisk)
    for number in range(1, 5):
        writer.hear(fact(number))
    asterisk.writes, asterisk.answers = written, answered
    async with running(ami, writer):
        await pbx.until_asked("QueueLog", 4)
        asterisk.writes = asterisk.answers = 1000
        await pbx.drop()
        writer.hear(fact(5))
        await until_written(asterisk, writer, ["c1", "c2", "c3", "c4", "c5"])
    assert writer.dropped == 0


@pytest.mark.parametrize("written", [0, 1, 2, 3])
async def test_rows_that_read_the_same_are_told_apart_by_their_number(
    pbx: FakeAmi, asterisk: Asterisk, written: int
) -> None:
    """An agent's phone rang in vain three times: three rows, of which one was answered at most."""
    ami, writer = a_writer(pbx, asterisk, like_rows)
    for number in range(1, 4):
        writer.hear(fact(number))
    asterisk.writes, asterisk.answers = written, min(written, 1)
    async with running(ami, writer):
        await pbx.until_asked("QueueLog", 3)
        asterisk.writes = asterisk.answers = 1000
        await pbx.drop()
        await until_written(asterisk, writer, ["c1"] * 3)


async def test_rows_of_before_are_not_taken_for_those_in_doubt(pbx: FakeAmi, asterisk: Asterisk) -> None:
    ami, writer = a_writer(pbx, asterisk, like_rows)
    async with running(ami, writer):
        writer.hear(fact(1))
        await until_written(asterisk, writer, ["c1"])
        asterisk.writes = asterisk.answers = 0
        writer.hear(fact(2))
        await pbx.until_asked("QueueLog", 2)
        asterisk.writes = asterisk.answers = 1000
        await pbx.drop()
        await until_written(asterisk, writer, ["c1", "c1"])


async def test_a_log_that_was_rotated_while_the_line_was_down_is_read_to_its_end(
    pbx: FakeAmi, asterisk: Asterisk
) -> None:
    asterisk.log.write_text("1790000000|c0|pc|NONE|ENTERQUEUE||010|1\n")
    ami, writer = a_writer(pbx, asterisk)
    for number in range(1, 5):
        writer.hear(fact(number))
    asterisk.writes, asterisk.answers = 2, 0
    async with running(ami, writer):
        await pbx.until_asked("QueueLog", 4)
        asterisk.log.rename(asterisk.log.with_name("queue_log.0"))
        asterisk.log.touch()  # as Asterisk does at once
        asterisk.writes = asterisk.answers = 1000
        await pbx.drop()
        await until_written(asterisk, writer, ["c0", "c1", "c2", "c3", "c4"])


async def test_a_line_that_drops_again_before_anybody_has_looked_leaves_the_rows_in_doubt(
    pbx: FakeAmi, asterisk: Asterisk
) -> None:
    ami, writer = a_writer(pbx, asterisk)
    for number in range(1, 5):
        writer.hear(fact(number))
    asterisk.writes, asterisk.answers = 1, 0
    async with running(ami, writer):
        await pbx.until_asked("QueueLog", 4)
        asterisk.writes, asterisk.answers = 2, 1  # of the three that are left it writes two, and tells of one
        await pbx.drop()
        await pbx.until_asked("QueueLog", 7)
        asterisk.writes = asterisk.answers = 1000
        await pbx.drop()
        await until_written(asterisk, writer, ["c1", "c2", "c3", "c4"])

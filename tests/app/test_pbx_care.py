"""What becomes of the PBX when the desk does not open, closes, or breaks down."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from changgu.app.pbx_care import HUNG_AFTER, Care, end_when_hung, looked_after

FILES = {"pjsip.conf": ""}


class SmallPbx:
    """Says what was done with it."""

    def __init__(self, *, adopted: bool = False, start: Callable[[], None] = lambda: None) -> None:
        self.adopted = adopted
        self._start = start
        self.did: list[str] = []
        self.failures = 0
        self.supervised = asyncio.Event()

    async def start(self, files: Mapping[str, str]) -> None:
        self.did.append("start")
        self._start()

    async def supervise(self, back: Callable[[], None] = lambda: None) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no more processes")
        self.supervised.set()
        back()
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self.did.append("stop")


def fail() -> None:
    raise RuntimeError("does not answer")


async def test_a_pbx_that_does_not_come_up_is_not_left_behind() -> None:
    pbx = SmallPbx(start=fail)
    with pytest.raises(RuntimeError):
        async with looked_after(pbx, FILES, Care()):
            pytest.fail("the desk opened")
    assert pbx.did == ["start", "stop"]


async def test_a_desk_that_cannot_open_ends_the_pbx_it_has_started() -> None:
    pbx = SmallPbx()
    with pytest.raises(RuntimeError):
        async with looked_after(pbx, FILES, Care()):
            fail()
    assert pbx.did == ["start", "stop"]


async def test_a_desk_that_cannot_open_leaves_the_calls_of_a_pbx_that_ran_before() -> None:
    pbx = SmallPbx(adopted=True)
    with pytest.raises(RuntimeError):
        async with looked_after(pbx, FILES, Care()):
            fail()
    assert pbx.did == ["start"]


async def test_a_start_that_is_broken_off_ends_the_pbx() -> None:
    pbx = SmallPbx()
    inside = asyncio.Event()

    async def opening() -> None:
        async with looked_after(pbx, FILES, Care()):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(opening())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pbx.did == ["start", "stop"]


@pytest.mark.parametrize(("ends", "did"), [(True, ["start", "stop"]), (False, ["start"])])
async def test_a_desk_that_closes_ends_the_pbx_if_it_is_set_to(ends: bool, did: list[str]) -> None:
    pbx, care = SmallPbx(), Care()
    async with looked_after(pbx, FILES, care):
        care.opened, care.ends_with_desk = True, ends
    assert pbx.did == did


async def test_a_desk_that_breaks_down_leaves_conversations_to_the_pbx(caplog: pytest.LogCaptureFixture) -> None:
    pbx, care = SmallPbx(), Care()
    care.opened = True
    with pytest.raises(RuntimeError):
        async with looked_after(pbx, FILES, care):
            fail()
    assert pbx.did == ["start"]
    assert "its calls go on" in caplog.text


async def test_whoever_waits_for_the_pbx_is_told_when_it_is_back() -> None:
    pbx, told = SmallPbx(), asyncio.Event()
    async with looked_after(pbx, FILES, Care(), told.set):
        await asyncio.wait_for(told.wait(), 5)


async def test_looking_after_the_pbx_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("changgu.app.pbx_care.LOOK_AGAIN", 0.0)
    pbx = SmallPbx()
    pbx.failures = 2
    async with looked_after(pbx, FILES, Care()):
        await asyncio.wait_for(pbx.supervised.wait(), 5)


class Pulse:
    """A PBX whose answers are written down before; each `kill` brings up another process."""

    def __init__(self, answers: str) -> None:
        self._answers = list(answers)
        self.pid: int | None = 1
        self.answered: int | None = None
        self.killed: list[int] = []
        self.asked = asyncio.Event()

    async def answers(self, limit: float) -> bool:
        if not self._answers:
            self.asked.set()
            await asyncio.Event().wait()
        answer = self._answers.pop(0)
        if answer in "ru":  # it was restarted, and still loads, or is up: whoever started it has had its answer
            assert self.pid is not None
            self.pid += 1
        if answer in "yu":
            self.answered = self.pid
        return answer == "y"

    def kill(self) -> None:
        assert self.pid is not None
        self.killed.append(self.pid)
        self.pid += 1


@pytest.mark.parametrize(
    ("answers", "killed"),
    [
        ("yyyy", []),
        ("y" + "n" * (HUNG_AFTER - 1) + "y" + "n" * (HUNG_AFTER - 1), []),
        ("y" + "n" * HUNG_AFTER, [1]),
        ("n" * 3 * HUNG_AFTER, []),
        ("ynr" + "n" * 3 * HUNG_AFTER, []),
        ("yu" + "n" * HUNG_AFTER, [2]),
        ("y" + "n" * HUNG_AFTER + "nnnny" + "n" * HUNG_AFTER, [1, 2]),
    ],
    ids=["well", "slow-twice", "hung", "still-loading", "restarted-by-itself", "hung-once-up", "hung-twice"],
)
async def test_a_pbx_that_lives_and_does_not_answer_is_ended(answers: str, killed: list[int]) -> None:
    pbx = Pulse(answers)
    watching = asyncio.create_task(end_when_hung(pbx, every=0))
    await asyncio.wait_for(pbx.asked.wait(), 5)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert pbx.killed == killed

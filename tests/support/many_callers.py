"""Many callers at once with real sound and keys, each doing as they like: one program, a telephone for everybody."""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from bench.rtp_lines import CallerLine, RtpLines
from bench.sip_phones import Leg, SipPhones
from tests.support.service import Changgu

Row = dict[str, Any]
"""Of the list of calls."""
BETWEEN_KEYS = 0.25
"""Seconds from one key to the next: each is held for 100 ms, and its end told for 60 more."""


class OneCaller:
    """A caller, on the line from the beginning."""

    def __init__(self, phones: SipPhones, leg: Leg, line: CallerLine) -> None:
        self._phones = phones
        self._leg = leg
        self.line = line
        self.number = leg.who

    @property
    def is_on_the_line(self) -> bool:
        """Answered, and nobody has hung up."""
        return self._leg.up and not self._leg.over

    async def answered(self, within: float = 15) -> None:
        """Wait for it."""
        async with asyncio.timeout(within):
            while not self._leg.up:
                assert not self._leg.over, f"{self.number} was refused: {self._leg.refused}"
                self._leg.changed.clear()
                await self._leg.changed.wait()

    async def press(self, keys: str) -> None:
        """One key after the other, as fast as a quick finger."""
        for key in keys:
            self.line.press(key)
            await asyncio.sleep(BETWEEN_KEYS)

    def hang_up(self) -> None:
        """Say no more and leave."""
        self.line.close()
        self._phones.hang_up(self._leg)


class ManyCallers:
    """Telephones for as many callers as will call; used as a context."""

    def __init__(self, house: Changgu, callers: int) -> None:
        self._house = house
        self._sound = RtpLines.open(callers)
        self._free: Sequence[CallerLine] = self._sound.callers
        self._phones: SipPhones | None = None

    async def __aenter__(self) -> "ManyCallers":
        self._phones = await SipPhones.open(("127.0.0.1", self._house.sip))
        self._sound.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, trouble: BaseException | None, where: TracebackType | None
    ) -> None:
        self._sound.__exit__()
        if self._phones is not None:
            self._phones.close()
        if trouble is None:
            self._sound.heard()  # raises what stopped the sound

    def heard(self, caller: OneCaller) -> set[int]:
        """What a caller has heard so far, each packet as `bench.rtp_lines.digests` has it."""
        assert caller.line.to is not None
        packets = self._sound.heard()
        return set(packets["digest"][packets["port"] == caller.line.to[1]].tolist())

    def dial(self, number: str, extension: str = "1000") -> OneCaller:
        """Somebody calls, from a number of their own."""
        assert self._phones is not None
        line, *self._free = self._free
        return OneCaller(self._phones, self._phones.dial(number, extension, audio=line), line)


def path_of(row: Row) -> list[str]:
    """The nodes of the menu that a call came through."""
    return [step["node"] for step in row["menu_path"]]


class CallBook:
    """What the desk has written of many callers' calls, read again and again; used as a context."""

    def __init__(self, house: Changgu) -> None:
        self._house = house
        self._rows: dict[str, list[Row]] = {}
        self._read = asyncio.Condition()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "CallBook":
        self._reading = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._reading is not None
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            rows: dict[str, list[Row]] = {}
            for row in (await self._house.get("/calls", limit=200))["items"]:
                rows.setdefault(row["caller"], []).append(row)
            async with self._read:
                self._rows = rows
                self._read.notify_all()
            await asyncio.sleep(0.1)

    async def row_of(self, caller: OneCaller, is_so: Callable[[Row], bool], within: float = 60) -> Row:
        """Wait until there is one call of a caller and its row is as wanted."""
        found: list[Row] = []
        try:
            async with asyncio.timeout(within), self._read:
                while True:
                    found = self._rows.get(caller.number, [])
                    if len(found) == 1 and is_so(found[0]):
                        return found[0]
                    await self._read.wait()
        except TimeoutError:
            seen = [(row["outcome"], row["queue"], path_of(row)) for row in found]
            raise AssertionError(f"{caller.number}: {seen} after {within} s") from None

    async def rows_of(
        self, callers: Sequence[OneCaller], is_so: Callable[[Row], bool], within: float = 60
    ) -> list[Row]:
        """The same for all."""
        return await asyncio.gather(*(self.row_of(one, is_so, within) for one in callers))

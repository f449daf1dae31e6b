"""A desk with a real PBX and real phones, shared by the real-call tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from changgu.telephony.soft_phone import SoftPhones
from tests.support.desk import Desk
from tests.support.service import Changgu
from tests.support.tones import write_tone


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What callers (440 Hz) and agents (800 Hz) say."""
    folder = tmp_path_factory.mktemp("tones")
    return {"caller": write_tone(folder / "440.wav", 440), "agent": write_tone(folder / "800.wav", 800)}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Changgu]:
    """One running service with the test desk's queues, agents and people."""
    changgu = Changgu(tmp_path_factory.mktemp("desk"), rtp=(21000, 21199))
    try:
        await changgu.up()
        await Desk.furnish(changgu)
        yield changgu
        assert await changgu.down() == 0
    finally:
        await changgu.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(service: Changgu, tones: dict[str, Path], tmp_path: Path) -> AsyncIterator[Desk]:
    """The desk with everybody signed out before and nothing left in the PBX afterwards."""
    async with SoftPhones() as phones, SoftPhones() as callers:
        desk = Desk(service, phones, callers, tones, tmp_path)
        await desk.clear()
        yield desk
        await desk.sign_everybody_out()
    await desk.nothing_is_left()

"""A desk with a real PBX and real phones, shared by the real-call tests."""

from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from changgu.telephony.soft_phone import SoftPhones
from tests.support.desk import Desk
from tests.support.service import Changgu
from tests.support.tones import AGENT_HERTZ, CALLER_HERTZ, write_tone

_running: list[Changgu] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """What the service said belongs to the report of a test that failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for service in _running:
            report.sections.append(("the service's last lines", "\n".join(service.said[-80:])))


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What callers and agents say."""
    folder = tmp_path_factory.mktemp("tones")
    said = {"caller": CALLER_HERTZ, "agent": AGENT_HERTZ}
    return {who: write_tone(folder / f"{who}.wav", hertz) for who, hertz in said.items()}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Changgu]:
    """One running service with the test desk's queues, agents and people."""
    changgu = Changgu(tmp_path_factory.mktemp("desk"), rtp=(21000, 21199))
    try:
        Desk.short_sentences(changgu)
        await changgu.up()
        _running.append(changgu)
        await Desk.furnish(changgu)
        yield changgu
        assert await changgu.down() == 0
    finally:
        _running.clear()
        await changgu.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(service: Changgu, tones: dict[str, Path], tmp_path: Path) -> AsyncIterator[Desk]:
    """The desk with everybody signed out before and nothing left in the PBX afterwards."""
    if not service.running:  # the test before failed while it was away
        await service.up()
    async with SoftPhones() as phones, SoftPhones() as callers:
        desk = Desk(service, phones, callers, tones, tmp_path)
        await desk.clear()
        service.test_begins()
        yield desk
        await desk.sign_everybody_out()
    await desk.nothing_is_left()

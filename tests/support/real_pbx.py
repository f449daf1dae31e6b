"""One real Asterisk for the tests of a module, and for each of them a room and telephones of its own on it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from changgu.asterisk_conf.plan import PbxPlan
from changgu.telephony.pbx import PrivatePbx
from changgu.telephony.soft_phone import SoftPhones
from tests.support.private_pbx import plan_of, running
from tests.support.room_phones import Phones
from tests.support.telephone_room import PBX_FLOOR, Room


def real_pbx(name: str, rtp_first: int) -> tuple[Any, Any, Any, Any]:
    """For a module whose tests run on the module's loop: `plan, pbx, room, phones = real_pbx("name", rtp_first=22000)`.

    `phones` are the telephones of one test; pytest makes them only for a test that names them.
    """

    @pytest.fixture(scope="module")
    def plan(tmp_path_factory: pytest.TempPathFactory) -> PbxPlan:
        return plan_of(tmp_path_factory.mktemp("pbx"), name, rtp_first)

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def pbx(plan: PbxPlan) -> AsyncIterator[PrivatePbx]:
        async with running(plan, PBX_FLOOR) as pbx:
            yield pbx

    @pytest_asyncio.fixture(loop_scope="module")
    async def room(pbx: PrivatePbx, plan: PbxPlan, tmp_path: Path) -> AsyncIterator[Room]:
        async with Room(plan, tmp_path) as room:
            yield room
            await room.nothing_is_left()

    @pytest_asyncio.fixture(loop_scope="module")
    async def phones(plan: PbxPlan, tmp_path: Path) -> AsyncIterator[Phones]:
        async with SoftPhones() as soft:
            yield Phones(soft, plan, tmp_path)

    return plan, pbx, room, phones

"""A private Asterisk of a test's own, for real: what it is told to be, and its life."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from changgu.asterisk_conf.plan import PbxFloor, PbxPlan
from changgu.asterisk_conf.render import render
from changgu.telephony.pbx import PrivatePbx, host_addresses, pbx_folders
from changgu.telephony.pbx_packages import install
from tests.support.ports import free_ports, in_this_lane

SECRET = "only-for-this-test"


def plan_of(folder: Path, name: str, rtp_first: int, **more: Any) -> PbxPlan:
    """On free ports of loopback, with two hundred for sound; `more` is whatever else a `PbxPlan` can be told."""
    sip, ari, ami = free_ports(3)
    rtp_first = in_this_lane(rtp_first)
    return PbxPlan(
        folders=pbx_folders(folder / "pbx", install(print)), system_name=name,
        entity_id=f"02:00:00:00:{sip >> 8:02x}:{sip & 255:02x}", ari_password=SECRET, ami_password=SECRET, sip_port=sip,
        ari_port=ari, ami_port=ami, rtp_first=rtp_first, rtp_last=rtp_first + 199, host_addresses=host_addresses(),
        **more,
    )  # fmt: skip


@asynccontextmanager
async def running(plan: PbxPlan, floor: PbxFloor) -> AsyncIterator[PrivatePbx]:
    """It runs for as long as the context."""
    pbx = PrivatePbx(install(print), plan, say=print)
    await pbx.start(render(plan, floor))
    try:
        yield pbx
    finally:
        await pbx.stop()

"""A fax machine calls the fax number, or the menu: over T.38 and G.711 the pages come out as they went in."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from changgu.acd.events import Event, MenuEnded
from changgu.acd.identity import CallId
from changgu.acd.records import CallView
from changgu.asterisk_conf.plan import PbxFloor, Trunk
from changgu.asterisk_conf.render import render
from changgu.ivr_flows.loader import load
from changgu.ivr_flows.nodes import Prompt
from changgu.telephony.ari.stream import AriAddress
from changgu.telephony.fax import Fax, FaxFolder
from changgu.telephony.inbound import Desk
from changgu.telephony.numbers import NumberPlan
from changgu.telephony.pbx import PrivatePbx
from changgu.telephony.pbx_packages import install
from changgu.telephony.service import Telephony
from tests.support.fax_pages import black_bars, write_fax
from tests.support.ports import free_ports
from tests.support.private_pbx import SECRET, plan_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAX_NUMBER, MENU_NUMBER, SENDER = "1009", "1000", "0215771000"
PAGES = 2
LONGEST_FAX = 150.0
BOTH_WAYS = {"t38": "SUCCESS T38", "audio": "SUCCESS audio"}
"""Trunk → what the machine that sends says in the end."""

MACHINE = """
[machine]
exten => send,1,SendFAX({folder}/sent.tif,f)
 same => n,Hangup()
exten => h,1,Set(FILE({folder}/${{CHANNEL(endpoint)}}.mode,,,,u)=${{FAXSTATUS}} ${{FAXMODE}})
"""
"""The machine at the other end is the same Asterisk, which calls itself over SIP."""
WITHOUT_T38 = "\n[trunk-audio](+)\nt38_udptl = no\n"


@dataclass
class Cabinet:
    """Keeps faxes."""

    kept: list[Fax] = field(default_factory=list)

    async def keep(self, fax: Fax) -> None:
        self.kept.append(fax)


class Line:
    """A private PBX with a fax number, and two trunks that lead back to it: one with T.38, one without."""

    def __init__(self, folder: Path) -> None:
        (sip,) = free_ports(1)
        self.folder, self.faxes = folder, folder / "fax"
        self.faxes.mkdir()
        contact = f"sip:127.0.0.1:{sip}"
        self.plan = replace(
            plan_of(folder, "faxes", rtp_first=23400), sip_port=sip, fax_folder=str(self.faxes), fax_number=FAX_NUMBER,
            desk_numbers=(MENU_NUMBER,),
            trunks=(Trunk("t38", ("127.0.0.1",), contact), Trunk("audio", ("127.0.0.9",), contact)),
        )  # fmt: skip
        self.pbx = PrivatePbx(install(print), self.plan, say=print)
        write_fax(folder / "sent.tif", PAGES, lines=700)

    async def start(self) -> None:
        files = render(self.plan, PbxFloor())
        files["dialplan.conf"] += MACHINE.format(folder=self.folder)
        files["pjsip_phones.conf"] += WITHOUT_T38
        await self.pbx.start(files)

    async def send(self, number: str = FAX_NUMBER) -> dict[str, str]:
        """Send over both trunks at once; trunk → what the machine says of it when both are over."""
        said = {trunk.name: self.folder / f"trunk-{trunk.name}.mode" for trunk in self.plan.trunks}
        async with httpx.AsyncClient(auth=(self.plan.ari_user, SECRET)) as ari:
            for trunk, file in said.items():
                file.unlink(missing_ok=True)
                answer = await ari.post(
                    f"http://127.0.0.1:{self.plan.ari_port}/ari/channels",
                    params={
                        "endpoint": f"PJSIP/{number}@trunk-{trunk}", "context": "machine", "extension": "send",
                        "priority": "1", "callerId": SENDER,
                    },
                )  # fmt: skip
                assert answer.status_code == 200, answer.text

        async def over() -> bool:
            told = all(file.exists() and file.read_text() for file in said.values())
            return told and len(list(self.faxes.glob("*.fax"))) == len(said)

        await eventually(over, within=LONGEST_FAX, every=0.2)
        return {trunk: file.read_text().strip() for trunk, file in said.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    line = Line(tmp_path_factory.mktemp("faxes"))
    await line.start()
    yield line
    await line.pbx.stop()


async def test_faxes_over_t38_and_over_plain_sound_come_out_as_they_went_in(line: Line) -> None:
    assert await line.send() == BOTH_WAYS

    tiffs = list(line.faxes.glob("*.tif"))
    assert len(tiffs) == len(BOTH_WAYS)
    for tiff in tiffs:
        with Image.open(tiff) as fax:
            bars = []
            for page in range(PAGES):
                fax.seek(page)
                bars.append(black_bars(fax))
        assert bars == [1, 2]
    cabinet = Cabinet()
    assert await FaxFolder(line.faxes, cabinet).look() == len(BOTH_WAYS)
    for kept in cabinet.kept:
        assert (kept.pages, kept.complete, kept.caller) == (PAGES, True, SENDER)
        assert kept.pdf.startswith(b"%PDF-")
    assert len(cabinet.kept) == len(BOTH_WAYS)
    assert list(line.faxes.iterdir()) == []


MENU = """
flow: f
start: fax
person: operator
nodes:
  operator: {kind: to_queue, queue: pc}
  fax: {kind: receive_fax, queue: network}
"""


class Silence:
    """A desk that says nothing."""

    async def playlist(self, prompts: Sequence[Prompt], language: str) -> list[str]:
        return []


class Nothing:
    """Knows no ticket."""

    async def look_up(self, kind: str, argument: str, asker: str, call: CallId) -> Mapping[str, str] | None:
        return None


class NoCalls:
    """Nobody was here before."""

    def __init__(self) -> None:
        self.calls: dict[CallId, CallView] = {}

    def recently_ended(self, call: CallId) -> bool:
        return False


@pytest_asyncio.fixture(loop_scope="module")
async def posted(line: Line) -> AsyncIterator[list[Event]]:
    """A desk whose menu takes faxes for `network`; what it tells the ACD."""
    told: list[Event] = []
    menu, numbers = load(MENU, "f.yaml", None, {}, None, None), NumberPlan(MENU_NUMBER, {})
    plan = line.plan
    telephony = Telephony(
        AriAddress("127.0.0.1", plan.ari_port, plan.ari_user, plan.ari_password, plan.application),
        desk=Desk(lambda: numbers, lambda dialled: menu, short_greeting=(), takes_faxes=True),
        voice=Silence(), look_ups=Nothing(), post=told.append, calls=NoCalls(),
    )  # fmt: skip
    running = asyncio.create_task(telephony.run())
    await telephony.ari.wait_connected(10)
    await asyncio.wait_for(telephony.reconciler.done.wait(), 10)
    yield told
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_faxes_that_the_menu_takes_are_for_whom_the_menu_says(line: Line, posted: list[Event]) -> None:
    """CTI-11: a `receive_fax` node on real calls."""
    assert await line.send(MENU_NUMBER) == BOTH_WAYS

    cabinet = Cabinet()
    assert await FaxFolder(line.faxes, cabinet).look() == len(BOTH_WAYS)
    for kept in cabinet.kept:
        assert (kept.queue, kept.pages, kept.complete, kept.caller) == ("network", PAGES, True, SENDER)

    async def ended() -> list[MenuEnded]:
        """The note is found before we are told that the machine has hung up."""
        ends = [event for event in posted if isinstance(event, MenuEnded)]
        return ends if len(ends) == len(BOTH_WAYS) else []

    ends = await eventually(ended)
    assert {end.call for end in ends} == {kept.call for kept in cabinet.kept}
    assert len(cabinet.kept) == len(BOTH_WAYS)
    assert all(end.served for end in ends), "self-service like any other"
    assert list(line.faxes.iterdir()) == []

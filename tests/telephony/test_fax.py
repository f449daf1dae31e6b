"""Faxes that the PBX wrote become PDFs, once, and nothing that came is lost."""

import asyncio
import io
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from changgu.acd.identity import QueueName
from changgu.ground.trouble import BadInput
from changgu.telephony import fax_pages
from changgu.telephony.fax import ABANDONED_AFTER, Fax, FaxFolder, FaxNote, read_note
from changgu.telephony.fax_pages import MOST_DOTS, Unreadable, to_pdf
from tests.support.fax_pages import ACROSS, black_bars, write_fax
from tests.support.waiting import eventually

NOW = 1_800_000_000.0


class Cabinet:
    """Keeps faxes, unless it is locked."""

    def __init__(self) -> None:
        self.kept: list[Fax] = []
        self.locked = False

    async def keep(self, fax: Fax) -> None:
        if self.locked:
            raise OSError("the database is away")
        self.kept.append(fax)


class FaxRoom:
    """A folder into which the PBX writes."""

    def __init__(self, path: Path) -> None:
        self.path, self.cabinet = path, Cabinet()
        self.folder = FaxFolder(path, self.cabinet, clock=lambda: NOW)

    def came(self, call: str, note: str | None = "SUCCESS|2|network|01012345678\n", *, ago: float = 60) -> Path:
        pages = write_fax(self.path / f"{call}.tif")
        os.utime(pages, (NOW - ago, NOW - ago))
        if note is not None:
            (self.path / f"{call}.fax").write_text(note)
            os.utime(self.path / f"{call}.fax", (NOW - ago, NOW - ago))
        return pages


@pytest.fixture
def room(tmp_path: Path) -> FaxRoom:
    return FaxRoom(tmp_path)


async def test_a_fax_is_kept_as_a_pdf_and_leaves_the_folder_empty(room: FaxRoom) -> None:
    room.came("side-1.7")

    assert await room.folder.look() == 1

    (fax,) = room.cabinet.kept
    assert (fax.call, fax.caller, fax.queue, fax.pages, fax.complete) == (
        "side-1.7", "01012345678", QueueName("network"), 2, True,
    )  # fmt: skip
    assert fax.pdf.startswith(b"%PDF-")
    assert list(room.path.iterdir()) == []
    assert await room.folder.look() == 0


async def test_pages_that_are_still_written_are_left_alone(room: FaxRoom) -> None:
    room.came("side-1.8", None, ago=60)

    assert await room.folder.look() == 0
    assert len(list(room.path.iterdir())) == 1


async def test_what_the_pbx_could_not_finish_is_kept_as_far_as_it_came(room: FaxRoom) -> None:
    room.came("side-1.9", None, ago=ABANDONED_AFTER.total_seconds() + 1)
    room.came("side-1.10", "FAILED|1||\n")

    assert await room.folder.look() == 2
    assert [(fax.call, fax.complete, fax.caller) for fax in room.cabinet.kept] == [
        ("side-1.9", False, None), ("side-1.10", False, None),
    ]  # fmt: skip


async def test_a_fax_that_cannot_be_kept_now_is_kept_later_and_holds_up_no_other(room: FaxRoom) -> None:
    room.came("side-1.1")
    room.cabinet.locked = True
    assert await room.folder.look() == 0
    room.cabinet.locked = False
    room.came("side-1.2")

    assert await room.folder.look() == 2


async def test_a_call_without_a_page_leaves_nothing(room: FaxRoom) -> None:
    (room.path / "side-1.3.fax").write_text("FAILED|0||01012345678")
    (room.path / "side-1.4.fax").write_text("FAILED|0||")
    (room.path / "side-1.4.tif").write_bytes(b"")

    assert await room.folder.look() == 0
    assert (room.folder.failed, list(room.path.iterdir())) == (2, [])


async def test_what_is_no_fax_is_put_aside(room: FaxRoom) -> None:
    (room.path / "side-1.5.tif").write_bytes(b"GIF89a" + bytes(100))
    (room.path / "side-1.5.fax").write_text("SUCCESS|1||")

    await room.folder.look()
    await room.folder.look()

    assert room.cabinet.kept == []
    assert [file.name for file in room.path.iterdir()] == ["side-1.5.unreadable"]
    assert room.folder.failed == 1


async def test_a_fax_that_is_refused_is_put_aside_and_not_sent_again_and_again(
    room: FaxRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.cabinet, "keep", _refused)
    room.came("side-1.6")

    assert await room.folder.look() == 0

    assert [file.name for file in room.path.iterdir()] == ["side-1.6.unreadable"]
    assert room.folder.failed == 1


async def _refused(fax: Fax) -> None:
    raise BadInput("너무 큰 파일입니다.", "too large", field="file")


async def test_a_folder_that_is_not_there_yet_is_no_trouble(tmp_path: Path) -> None:
    assert await FaxFolder(tmp_path / "fax", Cabinet()).look() == 0


async def test_a_folder_that_cannot_be_read_for_a_while_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "fax").write_text("somebody put a file there")
    room = FaxRoom(tmp_path / "fax")
    room.folder._every = 0.01
    looking = asyncio.create_task(room.folder.run())
    await asyncio.sleep(0.05)
    assert not looking.done()

    (tmp_path / "fax").unlink()
    (tmp_path / "fax").mkdir()
    room.came("side-1.11")
    await eventually(lambda: _true(bool(room.cabinet.kept)))
    looking.cancel()


async def _true(so: bool) -> bool:
    return so


@pytest.mark.parametrize(
    ("written", "note"),
    [
        ("SUCCESS|2|network|01012345678\n", FaxNote(True, QueueName("network"), "01012345678")),
        ("FAILED|1||+82215771000", FaxNote(False, None, "+82215771000")),
        ("SUCCESS|1|../x|anonymous|SUCCESS", FaxNote(True, None, None)),
        ("", FaxNote(False, None, None)),
        ("\x00\n\n", FaxNote(False, None, None)),
    ],
)
def test_what_stands_beside_the_pages_is_read_with_care(written: str, note: FaxNote) -> None:
    assert read_note(written) == note


def pages_of(pdf: bytes) -> int:
    """As its last word has it: every page that is added is a new word about all of them."""
    return int(re.findall(rb"/Count ([0-9]+)", pdf)[-1])


def test_pages_of_standard_resolution_are_not_squat(tmp_path: Path) -> None:
    pdf, count = to_pdf(write_fax(tmp_path / "standard.tif", 3, lines=1078, down=98))

    boxes = re.findall(rb"/MediaBox \[ 0 0 ([0-9.]+) ([0-9.]+) \]", pdf)
    assert (count, pages_of(pdf), len(set(boxes))) == (3, 3, 1)
    width, height = (float(side) / 72 for side in boxes[0])
    assert (round(width, 2), round(height, 1)) == (8.47, 10.6)  # inches: A4 is 8.27 by 11.69, with the margins cut


def test_pages_of_fine_resolution_stay_as_they_are(tmp_path: Path) -> None:
    pdf, _ = to_pdf(write_fax(tmp_path / "fine.tif", 1, lines=2156, down=196))

    ((width, height),) = re.findall(rb"/Width ([0-9]+)\s+/Height ([0-9]+)", pdf)
    assert (int(width), int(height)) == (ACROSS, 2156)


def test_a_torn_file_is_unreadable(tmp_path: Path) -> None:
    torn = tmp_path / "torn.tif"
    torn.write_bytes(write_fax(tmp_path / "whole.tif").read_bytes()[:200])

    with pytest.raises(Unreadable):
        to_pdf(torn)


def test_a_page_that_no_machine_sends_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        to_pdf(write_fax(tmp_path / "endless.tif", 1, lines=MOST_DOTS // ACROSS + 1))


def test_two_hundred_pages_take_the_memory_of_a_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packs: list[int] = []
    written = fax_pages._written

    def write(pack: list[Image.Image], out: io.BytesIO, before: int) -> int:
        packs.append(len(pack))
        return written(pack, out, before)

    monkeypatch.setattr(fax_pages, "_written", write)
    monkeypatch.setattr(fax_pages, "PACK", 3 * ACROSS * 1078)
    pdf, count = to_pdf(write_fax(tmp_path / "long.tif", 11, lines=1078, down=196))

    assert (count, pages_of(pdf), packs) == (11, 11, [3, 3, 3, 2])


def test_the_bars_of_a_page_can_be_counted(tmp_path: Path) -> None:
    with Image.open(io.BytesIO(write_fax(tmp_path / "bars.tif", 3).read_bytes())) as fax:
        fax.seek(2)
        assert black_bars(fax) == 3

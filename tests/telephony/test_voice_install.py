"""Fetching a voice: from a real web server on this computer, whole or not at all, with its licence shown first."""

import fcntl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from changgu.telephony.speech.neural import NeuralSynthesiser
from changgu.telephony.speech.voice_catalogue import (
    MARK,
    InstalledVoice,
    VoiceOffer,
    VoiceUnavailable,
    installed,
)
from changgu.telephony.speech.voice_install import NotAgreed, install, remove
from tests.support.file_server import FileServer, served
from tests.support.tiny_voice import write_tiny_voice

BIG = "onnx/unicode_indexer.json"


class Buyer:
    """Whoever installs: what they were shown, what they were told, how long they were made to wait."""

    def __init__(self, folder: Path, server: FileServer, offer: VoiceOffer) -> None:
        self.voices = folder / "voices"
        self.server = server
        self.offer = replace(offer, sources=(server.address,))
        self.agrees = True
        self.shown: list[str] = []
        self.asked_before_agreeing: list[str] = []
        self.waited: list[float] = []

    def agree(self, offer: VoiceOffer, text: str) -> bool:
        self.shown.append(text)
        self.asked_before_agreeing = [path for path, _ in self.server.asked]
        return self.agrees

    def install(self, source: str = "") -> InstalledVoice:
        return install(
            self.offer, self.voices, self.agree, lambda line: None, source=source, pause=self.waited.append
        )


@pytest.fixture
def buyer(tmp_path: Path) -> Iterator[Buyer]:
    offer = write_tiny_voice(tmp_path / "files")
    with served(tmp_path / "files") as server:
        yield Buyer(tmp_path, server, offer)


async def test_a_voice_is_fetched_checked_and_then_speaks(buyer: Buyer) -> None:
    assert installed(buyer.offer, buyer.voices) is None

    voice = buyer.install()

    assert installed(buyer.offer, buyer.voices) == voice
    assert {path for path, _ in buyer.server.asked} == {file.path for file in buyer.offer.files}
    assert not (buyer.voices / "partial" / "tiny").exists()
    speaks = NeuralSynthesiser(voice, "F1")
    assert (await speaks.speak("네", "ko")).startswith(b"RIFF")
    await speaks.close()


def test_the_licence_is_shown_before_anything_else_is_fetched(buyer: Buyer) -> None:
    buyer.agrees = False

    with pytest.raises(NotAgreed):
        buyer.install()

    assert buyer.shown == ["사용 조건 전문. The whole text of the licence.\n"]
    assert [path for path, _ in buyer.server.asked] == ["LICENSE"]
    assert installed(buyer.offer, buyer.voices) is None


def test_who_agreed_to_what_is_kept(buyer: Buyer) -> None:
    mark = (buyer.install().folder / MARK).read_text()

    assert mark.startswith(buyer.offer.fingerprint)
    assert "Example licence 1.0, agreed to on 20" in mark


def test_what_is_installed_is_not_fetched_again(buyer: Buyer) -> None:
    first = buyer.install()
    before = len(buyer.server.asked)

    assert buyer.install() == first
    assert len(buyer.server.asked) == before
    assert len(buyer.shown) == 1


def test_a_download_that_breaks_off_goes_on_where_it_was(buyer: Buyer) -> None:
    buyer.server.break_after[BIG] = [5000, 7000]

    buyer.install()

    ranges = [wanted for path, wanted in buyer.server.asked if path == BIG]
    assert ranges == ["", "bytes=5000-", "bytes=12000-"]
    assert buyer.waited == [0.0, 1.0]


def test_another_attempt_goes_on_where_the_last_one_gave_up(buyer: Buyer) -> None:
    buyer.server.break_after[BIG] = [1000] * 4
    with pytest.raises(VoiceUnavailable, match="go on where it broke off"):
        buyer.install()
    before = {path for path, _ in buyer.server.asked}
    buyer.server.asked.clear()

    buyer.install()

    assert (BIG, "bytes=4000-") in buyer.server.asked
    assert not {"LICENSE"} & {path for path, _ in buyer.server.asked} & before, "what is whole is not fetched again"


def test_a_server_that_knows_no_ranges_sends_it_all_again(buyer: Buyer) -> None:
    buyer.server.knows_ranges = False
    buyer.server.break_after[BIG] = [5000]

    assert installed(buyer.offer, buyer.voices) is None
    assert buyer.install() == installed(buyer.offer, buyer.voices)


def test_a_server_that_sends_another_part_is_not_believed(buyer: Buyer) -> None:
    buyer.server.lies_about_ranges = True
    buyer.server.break_after[BIG] = [5000]

    with pytest.raises(VoiceUnavailable, match="another part"):
        buyer.install()


@pytest.mark.parametrize("change", ["other", "longer"])
def test_a_file_that_is_not_the_right_one_is_never_installed(buyer: Buyer, change: str) -> None:
    file = buyer.server.folder / BIG
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"!" if change == "other" else content + b" ")

    with pytest.raises(VoiceUnavailable, match=r"SHA-256 is wrong|longer"):
        buyer.install()

    assert installed(buyer.offer, buyer.voices) is None
    file.write_bytes(content)
    assert buyer.install(), "and nothing of it is left in the way"


def test_the_second_address_is_tried_when_the_first_has_it_not(buyer: Buyer) -> None:
    buyer.offer = replace(buyer.offer, sources=(f"{buyer.server.address}/moved", buyer.server.address))

    assert buyer.install().folder.is_dir()
    assert buyer.waited == [], "what is not there is not asked for twice"


def test_a_server_in_trouble_is_asked_again(buyer: Buyer) -> None:
    buyer.server.status["LICENSE"] = 503

    with pytest.raises(VoiceUnavailable, match="503"):
        buyer.install()
    assert [path for path, _ in buyer.server.asked] == ["LICENSE"] * 4


def test_a_computer_without_internet_takes_the_files_from_a_folder(buyer: Buyer) -> None:
    voice = buyer.install(source=str(buyer.server.folder))

    assert buyer.server.asked == []
    assert installed(buyer.offer, buyer.voices) == voice
    with pytest.raises(VoiceUnavailable, match="LICENSE"):
        install(
            buyer.offer, buyer.voices / "other", buyer.agree, lambda line: None,
            source=str(buyer.voices / "empty"), pause=lambda seconds: None,
        )  # fmt: skip


def test_a_damaged_or_older_voice_is_fetched_anew(buyer: Buyer) -> None:
    voice = buyer.install()
    (voice.folder / BIG).write_text("[]")
    assert installed(buyer.offer, buyer.voices) is None

    assert buyer.install() == voice
    assert (voice.folder / BIG).read_bytes() == (buyer.server.folder / BIG).read_bytes()


def test_two_installations_do_not_work_in_one_folder(buyer: Buyer) -> None:
    buyer.voices.mkdir()
    with (buyer.voices / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(VoiceUnavailable, match="Another"):
            buyer.install()


def test_a_disk_that_is_too_full_is_said_before_the_download(buyer: Buyer) -> None:
    huge = replace(buyer.offer.files[0], size=10**18)
    buyer.offer = replace(buyer.offer, files=(huge, *buyer.offer.files[1:]))

    with pytest.raises(VoiceUnavailable, match="MB of free space"):
        buyer.install()
    assert buyer.server.asked == []


def test_a_voice_can_be_taken_away(buyer: Buyer) -> None:
    assert not remove(buyer.offer, buyer.voices)
    buyer.install()

    assert remove(buyer.offer, buyer.voices)
    assert installed(buyer.offer, buyer.voices) is None

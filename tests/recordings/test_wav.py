"""What a file says of itself, and what to do when it is wrong."""

import wave
from pathlib import Path

import pytest

from changgu.recordings.wav import HEADER_BYTES, NoWav, look, mended
from tests.recordings.conftest import write_tone


def test_a_closed_file_says_how_long_it_plays(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 0.5)
    content = (tmp_path / "a.wav").read_bytes()
    wav = look(content[:HEADER_BYTES], len(content))
    assert (wav.channels, wav.rate, wav.seconds, wav.closed) == (1, 8000, 0.5, True)


def test_a_file_that_was_never_closed_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_tone(path, 0.5)
    content = path.read_bytes()
    torn = content[:4] + bytes(4) + content[8:40] + bytes(4) + content[HEADER_BYTES:-2000]
    assert not look(torn[:HEADER_BYTES], len(torn)).closed
    path.write_bytes(mended(torn[:HEADER_BYTES], len(torn)) + torn[HEADER_BYTES:])
    with wave.open(str(path)) as file:
        assert file.getnframes() == 3000


@pytest.mark.parametrize("content", [b"", b"RIFF", b"ID3" + bytes(60), b"RIFF" + bytes(60)])
def test_what_is_no_wav_file_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(NoWav):
        look(content[:HEADER_BYTES], len(content))

"""Which words the recogniser can hear."""

import struct
from pathlib import Path

import pytest

from changgu.ivr_flows.heard import phrases
from changgu.ivr_flows.nodes import Choice, Grammar, GrammarKind
from changgu.telephony.speech.vocabulary import (
    FST_MAGIC,
    SYMBOLS_MAGIC,
    NoModel,
    Vocabularies,
    Vocabulary,
    grammar_pieces,
    model_folder,
    vocabulary,
)

KNOWN = Vocabulary(frozenset({"맞", "아요", "아", "요", "네", "네트", "워크", "상담원", "상담", "원"}))


def model(folder: Path, words: list[str]) -> Path:
    """A model's table of words, as OpenFst writes it."""

    def text(written: str) -> bytes:
        return struct.pack("<i", len(written.encode())) + written.encode()

    table = struct.pack("<i", SYMBOLS_MAGIC) + text("words") + struct.pack("<qq", len(words), len(words))
    table += b"".join(text(word) + struct.pack("<q", number) for number, word in enumerate(words))
    header = struct.pack("<i", FST_MAGIC) + text("ngram") + text("standard") + struct.pack("<ii", 4, 3)
    (folder / "graph").mkdir(parents=True)
    (folder / "graph" / "Gr.fst").write_bytes(header + struct.pack("<Qqqq", 0, 1, 2, 0) + table + b"the rest")
    return folder


def test_a_word_that_the_model_lacks_is_put_together_of_as_few_pieces_as_can_be() -> None:
    assert KNOWN.split("맞아요") == ("맞", "아요")
    assert KNOWN.split("네트워크") == ("네트", "워크")
    assert KNOWN.split("상담원 네") == ("상담원", "네")


def test_what_cannot_be_put_together_is_named() -> None:
    assert KNOWN.split("네트웍") is None
    assert KNOWN.unheard(["상담원", "네트웍", "맞아요", "VPN"]) == ("네트웍", "VPN")
    assert grammar_pieces(KNOWN, ["맞아요", "네트웍", "네"]) == ("맞 아요", "네")


def test_a_word_spelt_of_single_syllables_is_doubtful() -> None:
    assert KNOWN.doubtful(["상담원", "네트워크", "네요", "네 요"]) == ("네요",)


def test_the_words_are_read_from_the_models_own_file(tmp_path: Path) -> None:
    assert vocabulary(model(tmp_path, ["<eps>", "네", "상담원"])).split("네 상담원") == ("네", "상담원")


@pytest.mark.parametrize("content", [b"", b"something else altogether", None])
def test_a_damaged_model_is_said_to_be_damaged(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "graph").mkdir()
    whole = (model(tmp_path / "whole", ["네", "상담원"]) / "graph" / "Gr.fst").read_bytes()
    (tmp_path / "graph" / "Gr.fst").write_bytes(whole[:-20] if content is None else content)
    with pytest.raises(NoModel, match="damaged"):
        vocabulary(tmp_path)


def test_a_language_without_a_model_is_none_of_ours(tmp_path: Path) -> None:
    with pytest.raises(NoModel, match="'en'"):
        model_folder("en")
    with pytest.raises(NoModel, match="holds no speech model"):
        model_folder("ko", tmp_path)


def test_the_check_of_flows_asks_it_like_any_collection_of_words(tmp_path: Path) -> None:
    assert "맞아요" in KNOWN
    assert "네트웍" not in KNOWN
    assert len(KNOWN) == len(set(KNOWN)) == 10
    assert "상담원" in Vocabularies()["ko"]
    assert dict(Vocabularies(tmp_path)) == {}


def test_the_korean_model_can_hear_every_word_of_our_own() -> None:
    known = vocabulary(model_folder("ko"))
    menu = Grammar(GrammarKind.CHOICES, (Choice("network", ("네트워크", "프린터", "상담원"), "1"),))
    for grammar in (Grammar(GrammarKind.YES_NO), Grammar(GrammarKind.DIGITS), menu):
        assert known.unheard(phrases(grammar)) == ()
    assert known.unheard(["네트워크", "2번", "상담원 1"]) == ("2번", "상담원 1")

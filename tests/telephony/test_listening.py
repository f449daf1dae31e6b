"""One question, listened to: a hand-made recogniser, and sound made frame by frame."""

import math
from array import array

import pytest

from changgu.ivr_flows.nodes import Choice, Grammar, GrammarKind
from changgu.telephony.speech.listening import (
    FRAME_BYTES,
    Heard,
    Limits,
    Listening,
    NoInput,
    NoMatch,
    Outcome,
    SpeechBegan,
    Transcript,
    judged,
    level,
)

YES_NO = Grammar(GrammarKind.YES_NO)
PIN = Grammar(GrammarKind.DIGITS, least=4, most=4)
TICKET = Grammar(GrammarKind.DIGITS, least=7, most=12)
MENU = Grammar(GrammarKind.CHOICES, (Choice("person", ("상담원",), "0"), Choice("mail", ("메일",), "1")))


def tone(decibels: float) -> bytes:
    size = 32767 * 10 ** (decibels / 20) * math.sqrt(2)
    return array("h", (round(size * math.sin(n * 0.7)) for n in range(FRAME_BYTES // 2))).tobytes()


LOUD, ECHO, HISS = tone(-20), tone(-43), tone(-65)


class Script:
    """Hears what it was told that it would, one transcript after the other."""

    def __init__(self, *said: Transcript | None) -> None:
        self.said = list(said)
        self.frames = 0

    def hear(self, samples: bytes) -> None:
        self.frames += 1

    def transcript(self) -> Transcript:
        found = self.said.pop(0)
        assert found is not None
        return found


class Second(Script):
    def transcript(self) -> Transcript | None:  # type: ignore[override]
        return self.said[0]


def said(words: str, confidence: float = 0.95) -> Transcript:
    return Transcript(tuple(words.split()), (confidence,) * len(words.split()))


def listening(grammar: Grammar, *first: Transcript, second: Transcript | None = None) -> Listening:
    return Listening(grammar, Limits(), Script(*first), Second(second))


def play(to: Listening, frame: bytes, seconds: float) -> tuple[SpeechBegan | Outcome | None, float]:
    """The first news, and after how many seconds it came."""
    for n in range(round(seconds / 0.02)):
        if (news := to.hear(frame)) is not None:
            return news, (n + 1) * 0.02
    return None, seconds


def test_an_answer_that_is_complete_ends_with_a_short_pause() -> None:
    one = listening(YES_NO, said("네"), second=said("네"))
    one.asked()
    play(one, HISS, 1.0)
    began, after = play(one, LOUD, 1.0)
    assert began == SpeechBegan()
    assert after == pytest.approx(0.12)
    play(one, LOUD, 0.4)
    news, after = play(one, HISS, 2.0)
    assert news == Heard(("네",), 0.95, "yes")
    assert after == pytest.approx(0.3)


def test_silence_after_the_question_is_no_input_and_during_it_is_patience() -> None:
    one = listening(YES_NO)
    assert play(one, HISS, 20.0)[0] is None
    one.asked()
    news, after = play(one, HISS, 20.0)
    assert news == NoInput()
    assert after == pytest.approx(6.0)


def test_the_echo_of_our_own_prompt_is_no_speech() -> None:
    one = listening(YES_NO, said("네"), second=said("네"))
    assert play(one, ECHO, 3.0)[0] is None
    assert play(one, LOUD, 1.0)[0] == SpeechBegan()


def test_a_click_is_no_speech() -> None:
    one = listening(YES_NO)
    one.asked()
    play(one, HISS, 0.5)
    assert play(one, LOUD, 0.08)[0] is None
    assert play(one, HISS, 1.0)[0] is None


def test_a_number_read_off_in_groups_is_heard_to_its_end() -> None:
    one = listening(TICKET, said("일 공 공"), said("공 공 일 팔"), second=said("일 공 공 공 공 일 팔"))
    one.asked()
    assert play(one, LOUD, 1.0)[0] == SpeechBegan()
    assert play(one, HISS, 1.0)[0] is None
    play(one, LOUD, 1.0)
    news, after = play(one, HISS, 3.0)
    assert isinstance(news, Heard)
    assert news.value == "1000018"
    assert after == pytest.approx(1.2)


def test_a_number_that_can_grow_no_more_ends_at_once() -> None:
    one = listening(PIN, said("일 이 삼 사"), second=said("일 이 삼 사"))
    one.asked()
    play(one, LOUD, 1.0)
    news, after = play(one, HISS, 3.0)
    assert isinstance(news, Heard)
    assert after == pytest.approx(0.3)


def test_what_is_not_in_the_grammar_sounds_different_at_the_second_look() -> None:
    one = listening(MENU, said("상담원", 1.0), second=said("점심 먹으러 가자"))
    one.asked()
    play(one, LOUD, 1.0)
    news, after = play(one, HISS, 3.0)
    assert isinstance(news, NoMatch)
    assert news.second == "점심 먹으러 가자"
    assert after == pytest.approx(0.3)


def test_without_a_second_look_only_a_sure_answer_is_believed() -> None:
    assert isinstance(judged(MENU, said("상담원", 0.7), None, Limits()), NoMatch)
    sure = judged(MENU, said("상담원", 0.9), None, Limits())
    assert isinstance(sure, Heard)
    assert not sure.looked_twice


def test_confidence_is_the_weaker_of_both_looks() -> None:
    heard = judged(MENU, said("상담원", 0.9), said("상다 면", 0.4), Limits())
    assert isinstance(heard, Heard)
    assert 0.5 < heard.confidence < 0.9


def test_an_unsure_recogniser_is_not_believed_even_when_both_looks_agree() -> None:
    assert isinstance(judged(MENU, said("상담원", 0.4), said("상담원"), Limits()), NoMatch)


def test_whoever_talks_on_and_on_does_not_answer() -> None:
    one = listening(YES_NO, said("네"), second=said("네"))
    one.asked()
    play(one, LOUD, 1.0)
    news, after = play(one, LOUD, 20.0)
    assert isinstance(news, NoMatch)
    assert after == pytest.approx(12.0, abs=0.1)


def test_words_that_answer_nothing_are_given_the_long_pause() -> None:
    one = listening(MENU, Transcript(), second=Transcript())
    one.asked()
    play(one, LOUD, 1.0)
    news, after = play(one, HISS, 3.0)
    assert isinstance(news, NoMatch)
    assert after == pytest.approx(0.8)


def test_loudness_is_told_below_full_scale() -> None:
    assert level(LOUD) == pytest.approx(-20, abs=0.5)
    assert level(bytes(FRAME_BYTES)) == -96
    assert level(b"") == -96

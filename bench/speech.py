"""Speech recognition, measured: what it costs, how late it answers, and how often it believes what was never said.

The sound is the desk's own synthesised voice at 8 kHz through µ-law, in several of its timbres, because no recording
of Korean speakers with a licence for this use is to be had in a package. The model hardly understands that voice, so
the shares of right and wrong answers are a strain on the machinery, not a promise about people. Costs and latencies do
not depend on whether the words are understood, except that a decoder which understands nothing works harder.
"""

import asyncio
import contextlib
import os
import struct
import time
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import vosk

from bench.figures import percentile, table
from changgu.ivr_flows.heard import Question, phrases
from changgu.ivr_flows.nodes import Choice, Grammar, GrammarKind
from changgu.telephony.ari.client import Value
from changgu.telephony.speech.espeak import EspeakSynthesiser
from changgu.telephony.speech.listening import Heard, Limits, Listening, NoInput, NoMatch, SpeechBegan, Transcript
from changgu.telephony.speech.recogniser import Busy, Recognisers
from changgu.telephony.speech.telephone_audio import read_wav
from changgu.telephony.speech.vocabulary import grammar_pieces, model_folder, vocabulary

Say = Callable[[str], None]

RATE, FRAME = 8000, 320
TIMBRES = ("ko", "ko+f1", "ko+f3", "ko+m7", "ko+klatt4")
MENU = Question(
    Grammar(
        GrammarKind.CHOICES,
        tuple(
            Choice(word, (word,), str(key))
            for key, word in enumerate(
                ("상담원", "하드웨어", "프로그램", "키보드", "전화기", "서버", "이메일", "모니터")
            )
        ),
    )
)
YES_NO = Question(Grammar(GrammarKind.YES_NO))
PIN = Question(Grammar(GrammarKind.DIGITS, least=4, most=4))
INSIDE: Mapping[str, tuple[Question, Mapping[str, str]]] = {
    "menu": (MENU, {choice.words[0]: choice.value for choice in MENU.grammar.choices}),
    "yes or no": (YES_NO, {"네": "yes", "예": "yes", "아니요": "no", "아니오": "no"}),
    "four digits": (
        PIN, {"일 이 삼 사": "1234", "공 칠 팔 구": "0789", "하나 둘 삼 넷": "1234", "구 팔 오 육": "9856"},
    ),
}
OUTSIDE = (
    "오늘 날씨가 좋습니다", "커피 한 잔 주세요", "지하철역이 어디예요", "점심 먹으러 가자", "여보세요", "잠깐만요",
    "자동차가 고장 났어요", "아이고 깜짝이야", "내일 다시 걸게요", "엄마 이리 와 봐", "회의가 길어졌어요", "문 닫아",
)  # fmt: skip
"""Answers to no question of ours."""


@dataclass(slots=True)
class Loopback:
    """Grants what a tap asks of the PBX, and sends the sound of the channel's name itself, in real time."""

    sounds: dict[str, bytes] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    """When the last frame of speech was sent."""
    app: str = "changgu"
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def request(
        self, method: str, uri: str, *, body: Any = None, deadline: float = 5.0, **query: Value
    ) -> Any:
        """See `Requests`."""
        if uri == "channels/externalMedia" and method == "POST":
            channel = str(query["channelId"]).split("-", 2)[2]
            port = int(str(query["external_host"]).rpartition(":")[2])
            self._tasks.add(task := asyncio.create_task(self._send(channel, port)))
            task.add_done_callback(self._tasks.discard)
        return []

    async def _send(self, channel: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        line, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port))
        sound, begun = self.sounds[channel], time.monotonic()
        last = max((at for at in range(0, len(sound), FRAME) if any(sound[at : at + FRAME])), default=0)
        for number, at in enumerate(range(0, len(sound), FRAME)):
            samples = array("h", sound[at : at + FRAME])
            samples.byteswap()
            line.sendto(struct.pack(">BBHII", 0x80, 118, number & 0xFFFF, number * 160, 1) + samples.tobytes())
            if at == last:
                self.ended[channel] = time.monotonic() + 0.02
            await asyncio.sleep(max(0.0, begun + (number + 1) * 0.02 - time.monotonic()))
        line.close()


async def spoken(sentences: Iterable[str], timbres: Sequence[str]) -> dict[tuple[str, str], bytes]:
    """(sentence, timbre) → 16 bits at 8 kHz, as a telephone carries it, after half a second of silence."""
    said: dict[tuple[str, str], bytes] = {}
    for timbre in timbres:
        voice = EspeakSynthesiser({"ko": timbre})
        for sentence in sentences:
            samples, _ = read_wav(await voice.speak(sentence, "ko"))
            said[sentence, timbre] = bytes(RATE) + _mu_law(samples) + bytes(RATE * 3)
        await voice.close()
    return said


def _mu_law(samples: Sequence[float]) -> bytes:
    """What G.711 leaves of it."""
    sound = np.array(samples)
    small = np.round(np.sign(sound) * np.log1p(255 * np.abs(sound)) / np.log(256) * 128) / 128
    whole = np.sign(small) * (256 ** np.abs(small) - 1) / 255
    values: bytes = (whole * 32767).astype("<i2").tobytes()
    return values


def children(pid: int) -> list[int]:
    """The processes that a process has made, and theirs."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # threads come and go
                for child in (task / "children").read_text().split():
                    found += [int(child), *children(int(child))]
    return found


def memory(pid: int) -> dict[str, float]:
    """MB: `all` resident, `own` shared with nobody."""
    kb: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        kb[name] = int(rest.split()[0])
    return {"all": kb["Rss"] / 1024, "own": (kb["Private_Clean"] + kb["Private_Dirty"]) / 1024}


def any_words(model: vosk.Model, sound: bytes) -> Transcript:
    """What a recogniser of any word hears."""
    from changgu.telephony.speech.recogniser_worker import transcript_of

    recogniser = vosk.KaldiRecognizer(model, RATE)
    recogniser.SetWords(True)
    found = Transcript()
    for at in range(0, len(sound), FRAME):
        if recogniser.AcceptWaveform(sound[at : at + FRAME]):
            found = found.and_then(transcript_of(recogniser.Result()))
    return found.and_then(transcript_of(recogniser.FinalResult()))


class Prepared:
    """A second look that has been taken already; or none."""

    def __init__(self, heard: Transcript | None) -> None:
        self._heard = heard

    def hear(self, samples: bytes) -> None:
        """See `SecondLook.hear`."""

    def transcript(self) -> Transcript | None:
        """See `SecondLook.transcript`."""
        return self._heard


LOOKS: Mapping[str, Limits] = {
    "the grammar's word": Limits(least_confidence=0.0, alone_confidence=0.0, second_look=False),
    "only when sure (0.8)": Limits(second_look=False),
    "a second look": Limits(),
}
"""How much is believed, from credulous to what the desk does."""


def believed(sounds: Mapping[tuple[str, str], bytes], outside: Sequence[str], say: Say) -> dict[str, Any]:
    """Costs, and shares of right and wrong answers, faster than in real time; in this process."""
    from changgu.telephony.speech.recogniser_worker import VoskEar

    folder = model_folder("ko")
    begun = time.monotonic()
    vosk.SetLogLevel(-1)
    model = vosk.Model(str(folder))
    factors = {"load of the model, s (once)": time.monotonic() - begun}
    say("any word")
    begun = time.process_time()
    free = {key: any_words(model, sound) for key, sound in sounds.items()}
    seconds = sum(len(sound) for sound in sounds.values()) / RATE / 2
    factors["any word"] = (time.process_time() - begun) / seconds
    rows: list[list[str | float]] = []
    for name, (question, words) in INSIDE.items():
        say(name)
        pieces = grammar_pieces(vocabulary(folder), phrases(question.grammar))
        begun, heard = time.process_time(), 0.0
        for look, limits in LOOKS.items():
            right = wrong = accepted = inside = other = 0
            for (sentence, timbre), sound in sounds.items():
                if sentence not in words and sentence not in outside:
                    continue
                second = Prepared(free[sentence, timbre] if limits.second_look else None)
                outcome = heard_in(sound, Listening(question.grammar, limits, VoskEar(model, pieces), second))
                heard += len(sound) / RATE / 2
                value = outcome.value if isinstance(outcome, Heard) else None
                if sentence in outside:
                    other += 1
                    accepted += value is not None
                else:
                    inside += 1
                    right += value == words[sentence]
                    wrong += value is not None and value != words[sentence]
            rows.append([name, look, 100 * right / inside, 100 * wrong / inside, 100 * accepted / other])
        factors[f"grammar: {name}"] = (time.process_time() - begun) / heard
    return {"factors": factors, "believed": rows}


def heard_in(sound: bytes, listening: Listening) -> Heard | NoMatch | NoInput:
    """The outcome of one sound."""
    listening.asked()
    for at in range(0, len(sound) - FRAME + 1, FRAME):
        outcome = listening.hear(sound[at : at + FRAME])
        if outcome is not None and not isinstance(outcome, SpeechBegan):
            return outcome
    return NoInput()


async def in_real_time(sounds: Mapping[tuple[str, str], bytes], say: Say) -> dict[str, Any]:
    """Latency, memory, and what becomes of the one too many, with the processes as the desk runs them."""
    pbx = Loopback()
    desk = Recognisers(pbx, at_once=2)
    running = asyncio.create_task(desk.run())
    desk.wake()
    try:
        await asyncio.wait_for(desk.ready.wait(), 90)
        found: dict[str, Any] = {"late": []}
        for look, limits in LOOKS.items():
            say(f"in real time: {look}")
            late: list[float] = []
            twice: list[bool] = []
            for (word, timbre), sound in list(sounds.items())[:10]:
                question = next((of for of, words in (INSIDE["menu"], INSIDE["yes or no"]) if word in words), None)
                if question is not None:
                    late += await _asked(desk, pbx, question, sound, limits, f"{word}-{timbre}", twice)
            shares = [percentile(late, 0.5) * 1000, percentile(late, 0.95) * 1000, 100 * mean(twice)]
            found["late"].append([look, *shares])
        first, *workers = children(os.getpid())
        found["memory"] = {
            "first process, resident": memory(first)["all"],
            "one more, its own after some questions": mean(memory(pid)["own"] for pid in workers),
        }
        held = [asyncio.create_task(desk.listen("held", MENU, asked=asyncio.Event())) for _ in range(2)]
        pbx.sounds["held"] = b""
        await asyncio.sleep(0.2)
        begun = time.monotonic()
        refused = await asyncio.gather(*(desk.listen("held", MENU) for _ in range(100)))
        assert all(isinstance(one, Busy) for one in refused)
        found["busy"] = (time.monotonic() - begun) / 100 * 1000
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return found


async def _asked(
    desk: Recognisers, pbx: Loopback, question: Question, sound: bytes, limits: Limits, channel: str, twice: list[bool]
) -> list[float]:
    """Seconds from the end of speech to the outcome; none when it came earlier or nothing was heard."""
    pbx.sounds[channel] = sound
    pbx.ended.pop(channel, None)
    outcome = await desk.listen(channel, question, limits)
    assert not isinstance(outcome, Busy), outcome
    twice.append(not isinstance(outcome, NoInput) and outcome.looked_twice)
    ended = pbx.ended.get(channel)
    return [time.monotonic() - ended] if ended is not None and not isinstance(outcome, NoInput) else []


async def measure_all(*, quick: bool, rounds: int, say: Say) -> dict[str, Any]:
    """Everything; `rounds` is how many timbres of the voice speak."""
    timbres = TIMBRES[: 1 if quick else min(rounds, len(TIMBRES))]
    outside = OUTSIDE[:3] if quick else OUTSIDE
    say(f"speaking in {len(timbres)} timbre(s)")
    inside = dict.fromkeys(word for _, words in INSIDE.values() for word in words)
    sounds = await spoken([*inside, *outside], timbres)
    found = await asyncio.to_thread(believed, sounds, outside, say)
    return {**found, **await in_real_time(sounds, say), "timbres": len(timbres)}


def report(found: Mapping[str, Any]) -> str:
    """The tables."""
    return "\n".join(
        (
            "### Speech recognition",
            "",
            "On **synthesised** speech (espeak-ng, 8 kHz, µ-law): no recording of Korean speakers with a licence for",
            "this use is to be had in a package. The model hardly understands this voice: the shares of answers",
            "compare three ways to believe, they are no promise about people.",
            "",
            table(["processor seconds for a second of sound", ""], [[*one] for one in found["factors"].items()]),
            table(["memory, MB", ""], [[*one] for one in found["memory"].items()]),
            table(["end of speech to answer, ms (menu, yes or no)", "p50", "p95", "looked twice %"], found["late"]),
            table(["question", "believed is", "right %", "wrong %", "false accepts % (outside)"], found["believed"]),
            f"One too many is told so in {found['busy']:.3f} ms.\n",
        )
    )

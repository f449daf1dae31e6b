"""The processes in which speech is recognised; `python -m changgu.telephony.speech.recogniser_worker SOCKET MODEL`.

The first one loads the model, which takes seconds and half a gigabyte, says `ready` and listens at SOCKET. Whoever
connects there gets a process of its own, a copy that shares the model's memory: it costs milliseconds and a few
megabytes, serves one call at a time, and its death is nobody else's. All end when the program that started them does.

A line is one JSON object. Orders: `{"do": "listen", "question": number, "grammar": …, "pieces": …, "limits": …}`,
`{"do": "asked"}`, `{"do": "stop"}`, `{"do": "transcribe", "question": number, "file": …}`. News: `{"news": "here",
"pid": …}` at first; then, with the number, where the sound is to be sent `{"news": "port", "port": …}` (RTP, 16 bits,
8 kHz), `{"news": "began"}`, twice a second `{"news": "alive"}`, and the outcome
`{"news": "heard" | "no_match" | "no_input", …}`; of a file `{"news": "transcript", "words": …, "confidences": …}` or
`{"news": "unreadable"}`.
"""

import contextlib
import fcntl
import gc
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
import threading
import time
import wave
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import vosk

from changgu.ivr_flows.nodes import Choice, Grammar, GrammarKind
from changgu.telephony.speech.listening import (
    FRAME_BYTES,
    FRAME_SECONDS,
    RATE,
    Heard,
    Limits,
    Listening,
    NoInput,
    NoMatch,
    Outcome,
    SpeechBegan,
    Transcript,
)

NICENESS = 10
"""Calls go first."""

ALIVE_EVERY = 0.5
"""Seconds between two signs of life while a question is listened to."""

LATE = 0.2
"""Seconds without a packet after which silence is heard instead: a caller's telephone may send nothing. Less would put
holes into speech that is only delayed."""

SECOND_LOOK_LIMIT = 0.5
"""Seconds that the caller waits for the second look after the pause that ended their answer."""

GREETING = b"ready\n"

NEWS: dict[type[Outcome], str] = {Heard: "heard", NoMatch: "no_match", NoInput: "no_input"}


def grammar_from(plain: dict[str, Any]) -> Grammar:
    """A grammar as the order carries it."""
    choices = tuple(Choice(one["value"], tuple(one["words"]), one["key"]) for one in plain["choices"])
    return Grammar(GrammarKind(plain["kind"]), choices, plain["least"], plain["most"])


class VoskEar:
    """Hears the words of one grammar."""

    def __init__(self, model: vosk.Model, pieces: Sequence[str]) -> None:
        self._recogniser = vosk.KaldiRecognizer(model, RATE, json.dumps(list(pieces), ensure_ascii=False))
        self._recogniser.SetWords(True)
        self._pending = Transcript()

    def hear(self, samples: bytes) -> None:
        """See `Ear.hear`."""
        if self._recogniser.AcceptWaveform(samples):
            self._pending = self._pending.and_then(transcript_of(self._recogniser.Result()))

    def transcript(self) -> Transcript:
        """See `Ear.transcript`."""
        done, self._pending = self._pending.and_then(transcript_of(self._recogniser.FinalResult())), Transcript()
        return done


class VoskSecondLook:
    """Hears any word, in a thread of its own: twenty-five times the work, so only so many at once on the machine.

    A place is a locked file, which the system gives back should this process die.
    """

    def __init__(self, model: vosk.Model, places: Sequence[Path], limit: float = SECOND_LOOK_LIMIT) -> None:
        self._model = model
        self._places = places
        self._limit = limit
        self._sound: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._done = threading.Event()
        self._found = Transcript()
        self._given_up = False
        self._refused = False

    def hear(self, samples: bytes) -> None:
        """See `SecondLook.hear`."""
        if self._thread is None and not self._refused:
            place = self._place()
            self._refused = place is None
            if place is not None:
                self._thread = threading.Thread(target=self._work, args=(place,), daemon=True)
                self._thread.start()
        self._sound.put(samples)

    def transcript(self) -> Transcript | None:
        """See `SecondLook.transcript`."""
        self._sound.put(None)
        if self._thread is None or not self._done.wait(self._limit):
            self._given_up = True
            return None
        return self._found

    def _place(self) -> int | None:
        for path in self._places:
            try:
                place = os.open(path, os.O_RDWR)
            except FileNotFoundError:  # who made them has ended; so shall we, after this question
                return None
            try:
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(place)
            else:
                return place
        return None

    def _work(self, place: int) -> None:
        try:
            recogniser = vosk.KaldiRecognizer(self._model, RATE)
            recogniser.SetWords(True)
            while (samples := self._sound.get()) is not None and not self._given_up:
                if recogniser.AcceptWaveform(samples):
                    self._found = self._found.and_then(transcript_of(recogniser.Result()))
            if not self._given_up:
                self._found = self._found.and_then(transcript_of(recogniser.FinalResult()))
                self._done.set()
        finally:
            os.close(place)

    def give_up(self) -> None:
        """The call is over: nobody waits for it."""
        self._given_up = True
        self._sound.put(None)


def transcript_of(written: str) -> Transcript:
    """A result of Vosk's as a transcript."""
    words = json.loads(written).get("result", [])
    return Transcript(tuple(one["word"] for one in words), tuple(float(one["conf"]) for one in words))


def payload(packet: bytes) -> bytes:
    """The samples in an RTP packet (RFC 3550, section 5.1), little-endian; empty when it is none."""
    if len(packet) < 12 or packet[0] >> 6 != 2:
        return b""
    at = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10 and len(packet) >= at + 4:
        at += 4 + 4 * int.from_bytes(packet[at + 2 : at + 4], "big")
    end = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)
    samples = array("h", packet[at:end][: max(0, end - at) // 2 * 2])
    if sys.byteorder == "little":
        samples.byteswap()
    return samples.tobytes()


class OneQuestion:
    """The sound of one caller, from its arrival to the outcome."""

    def __init__(
        self, number: int, listening: Listening, second: VoskSecondLook, clock: Callable[[], float]
    ) -> None:
        self.number = number
        self.listening = listening
        self.second = second
        self._clock = clock
        self._rest = b""
        self._heard_until = clock()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)

    @property
    def port(self) -> int:
        """Where the sound is to be sent."""
        port: int = self.socket.getsockname()[1]
        return port

    def packets(self) -> list[SpeechBegan | Outcome]:
        """All that has come in."""
        news: list[SpeechBegan | Outcome] = []
        with contextlib.suppress(BlockingIOError):
            while not _over(news):
                samples = payload(self.socket.recv(4096))
                self._heard_until = self._clock()
                news += self._hear(samples)
        return news

    def silence(self) -> list[SpeechBegan | Outcome]:
        """Time goes on though nothing comes."""
        news: list[SpeechBegan | Outcome] = []
        while not _over(news) and self._clock() - self._heard_until > LATE:
            self._heard_until += FRAME_SECONDS
            news += self._hear(bytes(FRAME_BYTES))
        return news

    def _hear(self, samples: bytes) -> list[SpeechBegan | Outcome]:
        self._rest += samples
        news: list[SpeechBegan | Outcome] = []
        while len(self._rest) >= FRAME_BYTES and not _over(news):
            frame, self._rest = self._rest[:FRAME_BYTES], self._rest[FRAME_BYTES:]
            if (one := self.listening.hear(frame)) is not None:
                news.append(one)
        return news

    def close(self) -> None:
        """It is over."""
        self.second.give_up()
        self.socket.close()


def _over(news: Sequence[SpeechBegan | Outcome]) -> bool:
    return any(not isinstance(one, SpeechBegan) for one in news)


class Worker:
    """Serves one connection: one question after the other."""

    def __init__(self, line: socket.socket, model: vosk.Model, places: Sequence[Path]) -> None:
        self._line = line
        self._model = model
        self._places = places
        self._selector = selectors.DefaultSelector()
        self._selector.register(line, selectors.EVENT_READ)
        self._question: OneQuestion | None = None
        self._unread = b""

    def serve(self) -> None:
        """Until the other side is gone."""
        self._tell(news="here", pid=os.getpid())
        alive = 0.0
        while True:
            ready = {key.fileobj for key, _ in self._selector.select(FRAME_SECONDS if self._question else None)}
            if self._line in ready and not self._orders():
                return
            if (question := self._question) is not None:
                news = question.packets() if question.socket in ready else []
                for one in news or question.silence():
                    self._report(one, question.number)
                if self._question is question and time.monotonic() >= alive:
                    self._tell(news="alive", question=question.number)
                    alive = time.monotonic() + ALIVE_EVERY

    def _orders(self) -> bool:
        """Carry out what has been ordered; False when nobody is left to order anything."""
        came = self._line.recv(65536)
        *orders, self._unread = (self._unread + came).split(b"\n")
        for one in orders:
            self._obey(json.loads(one))
        return bool(came)

    def _obey(self, order: dict[str, Any]) -> None:
        if order["do"] == "asked":
            if self._question is not None:
                self._question.listening.asked()
            return
        self._end()
        if order["do"] == "transcribe":
            self._transcribe(order["question"], Path(order["file"]))
        if order["do"] == "listen":
            limits = Limits(**order["limits"])
            second = VoskSecondLook(self._model, self._places if limits.second_look else ())
            listening = Listening(
                grammar_from(order["grammar"]), limits, VoskEar(self._model, order["pieces"]), second
            )
            self._question = OneQuestion(order["question"], listening, second, time.monotonic)
            self._selector.register(self._question.socket, selectors.EVENT_READ)
            self._tell(news="port", question=self._question.number, port=self._question.port)

    def _transcribe(self, number: int, file: Path) -> None:
        """Hear any word in a file, in whatever time nobody else wants."""
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        recogniser = vosk.KaldiRecognizer(self._model, RATE)
        recogniser.SetWords(True)
        found, alive = Transcript(), 0.0
        try:
            with wave.open(str(file)) as sound:
                if (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) != (1, 2, RATE):
                    raise wave.Error("not as a telephone sounds")
                while samples := sound.readframes(RATE // 10):
                    if recogniser.AcceptWaveform(samples):
                        found = found.and_then(transcript_of(recogniser.Result()))
                    if time.monotonic() >= alive:
                        self._tell(news="alive", question=number)  # whoever has gone is noticed here
                        alive = time.monotonic() + ALIVE_EVERY
        except (wave.Error, EOFError, OSError) as trouble:
            if isinstance(trouble, ConnectionError):
                raise
            self._tell(news="unreadable", question=number)
            return
        found = found.and_then(transcript_of(recogniser.FinalResult()))
        self._tell(news="transcript", question=number, words=found.words, confidences=found.confidences)

    def _report(self, one: SpeechBegan | Outcome, question: int) -> None:
        if isinstance(one, SpeechBegan):
            self._tell(news="began", question=question)
        else:
            self._tell(news=NEWS[type(one)], question=question, **asdict(one))
            self._end()

    def _end(self) -> None:
        if self._question is not None:
            self._selector.unregister(self._question.socket)
            self._question.close()
            self._question = None

    def _tell(self, **news: Any) -> None:
        self._line.sendall(json.dumps(news, ensure_ascii=False).encode() + b"\n")


def serve_all(listener: socket.socket, model: vosk.Model, places: Sequence[Path], alive: int) -> None:
    """A copy of this process for everybody who connects, until `alive` (a file descriptor) is closed by its owner."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies
    gc.freeze()  # what is loaded by now stays shared
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(alive, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj == alive:
                return
            line, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                os.close(alive)
                os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whose end tells that the first process has ended
                with contextlib.suppress(ConnectionError):
                    Worker(line, model, places).serve()
                os._exit(0)
            line.close()


def main() -> None:
    """See the module."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which then closes our input
    os.nice(NICENESS)
    vosk.SetLogLevel(-1)
    path, folder = sys.argv[1:]
    model = vosk.Model(folder)
    with tempfile.TemporaryDirectory(prefix="changgu-speech-") as places, socket.socket(socket.AF_UNIX) as listener:
        slots = [Path(places) / str(number) for number in range(max(1, (os.cpu_count() or 2) - 1))]
        for slot in slots:
            slot.touch()
        listener.bind(path)
        listener.listen(64)
        sys.stdout.buffer.write(GREETING)
        sys.stdout.buffer.flush()
        serve_all(listener, model, slots, sys.stdin.fileno())


if __name__ == "__main__":
    main()

"""Listens to callers' answers, in processes of its own: a call never waits for one, and none can hold up another.

Every process serves one caller at a time. When all are busy, or none is there, or one does not do as it should, the
answer is `Busy` at once and the question is asked by keys. A process that is late is killed and another takes its
place within milliseconds.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from changgu.ivr_flows.heard import Question, phrases
from changgu.telephony.ari.errors import AriTrouble
from changgu.telephony.speech.listening import Heard, Limits, NoInput, NoMatch, Transcript
from changgu.telephony.speech.tap import Requests, Tap, close_tap, open_tap, sweep
from changgu.telephony.speech.vocabulary import NoModel, grammar_pieces, model_folder, vocabulary

logger = logging.getLogger(__name__)

WORKER = (sys.executable, "-m", "changgu.telephony.speech.recogniser_worker")

AT_ONCE = 8
"""Callers who are listened to at the same time, unless the settings say otherwise."""

READY_LIMIT = 60.0
"""Seconds for loading the model."""

PORT_LIMIT = 1.5
"""Seconds in which a process must say where it takes the sound; the question is being said meanwhile."""

ALIVE_LIMIT = 3.0
"""Seconds without a word from a process, which says that it lives twice a second, after which it counts as hung."""

START_LIMIT = 2.0
"""Seconds for one more process, and for the end of the first one."""

TRANSCRIPT_LIMIT = 1800.0
"""Seconds for a whole message, on a machine that has something better to do."""

FIRST_RETRY, LONGEST_RETRY = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class SpeechPlan:
    """What a desk allows for it; see the settings."""

    at_once: int = AT_ONCE
    model: Path | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """Nobody can listen now: ask by keys. `why` is for the log."""

    why: str


Answer = Heard | NoInput | NoMatch | Busy


class WorkerGone(Exception):
    """A process ended, or said what it should not."""


class Unreadable(Exception):
    """There is no sound in a file, or no telephone's."""


class GaveUp(Exception):
    """Whoever listened to a message did not get to its end."""


class Line:
    """The connection to one process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int) -> None:
        self._reader = reader
        self._writer = writer
        self.pid = pid

    @classmethod
    async def open(cls, path: Path) -> "Line":
        """A process of our own. Raises OSError or WorkerGone."""
        reader, writer = await asyncio.open_unix_connection(path)
        line = cls(reader, writer, 0)
        news = await line.news()
        if not isinstance(news.get("pid"), int):
            raise WorkerGone(f"it said {news} at first")
        line.pid = news["pid"]
        return line

    def order(self, **order: Any) -> None:
        """Say what is to be done."""
        self._writer.write(json.dumps(order, ensure_ascii=False).encode() + b"\n")

    async def news(self) -> dict[str, Any]:
        """The next news. Raises WorkerGone."""
        try:
            said = await self._reader.readline()
            news = json.loads(said)
        except (OSError, ValueError) as trouble:
            raise WorkerGone(str(trouble) or "it ended") from trouble
        if not isinstance(news, dict):
            raise WorkerGone(f"it said {said!r}")
        return news

    def close(self, *, kill: bool = False) -> None:
        """Let it end, or end it."""
        self._writer.close()
        if kill and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class Recognisers:
    """`run` must be running; then `listen`. Without a model for a language every question in it is `Busy`.

    Nothing is loaded before `wake`, or before the first question, whose caller is asked by keys.
    """

    def __init__(
        self, ari: Requests, *, at_once: int = AT_ONCE, model: Path | None = None, language: str = "ko",
        command: tuple[str, ...] = WORKER,
    ) -> None:  # fmt: skip
        """`model` is a folder of Vosk's; None takes the installed package for `language`."""
        self._ari = ari
        self._at_once = at_once
        self._model = model
        self._language = language
        self._command = command
        self._idle: deque[Line] = deque()
        self._open = 0
        """Processes there are, or are being made."""
        self._lacking = asyncio.Event()
        self._wanted = asyncio.Event()
        self._taps: set[Tap] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._asked_so_far = 0
        self._folder: Path | None = None
        self._path = Path()
        """Where processes are had, while they can be."""
        self._one_transcript = asyncio.Lock()
        self.ready = asyncio.Event()
        """Set while processes can be had."""
        self.killed = 0
        """Processes that were late or died."""
        self.refused = 0
        """Questions answered with `Busy`."""

    @property
    def free(self) -> int:
        """Callers who could be listened to now, beside those who are."""
        return len(self._idle)

    def wake(self) -> None:
        """There are questions to be spoken to: load the model."""
        self._wanted.set()

    async def run(self) -> None:
        """Keep the processes until cancelled. Without a model it says so once and has nothing to do."""
        await self._wanted.wait()
        try:
            self._folder = model_folder(self._language, self._model)
            await asyncio.to_thread(vocabulary, self._folder)
        except NoModel as trouble:
            logger.warning("음성 대신 번호 입력으로 묻습니다. Questions are asked by keys only: %s", trouble)
            await asyncio.Event().wait()
            return
        retry = FIRST_RETRY
        while True:
            begun = asyncio.get_running_loop().time()
            try:  # a disk that is full of something else is no reason to close the desk
                with tempfile.TemporaryDirectory(prefix="changgu-speech-") as folder:
                    await self._serve(Path(folder) / "line", self._folder)
            except (OSError, WorkerGone, TimeoutError) as trouble:
                logger.warning("speech recognition ended and is started again: %s", trouble or "too slow")
            finally:
                self._dismiss()
            lasted = asyncio.get_running_loop().time() - begun
            retry = FIRST_RETRY if lasted > LONGEST_RETRY else min(LONGEST_RETRY, retry * 2)
            await asyncio.sleep(retry)

    async def _serve(self, path: Path, folder: Path) -> None:
        first = await asyncio.create_subprocess_exec(
            *self._command, str(path), str(folder), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        ended = asyncio.create_task(first.wait())
        try:
            assert first.stdout is not None
            async with asyncio.timeout(READY_LIMIT):
                if not await first.stdout.readline():
                    raise WorkerGone("the model could not be loaded")
            while not ended.done():
                while self._open < self._at_once:
                    await self._add(path)
                self._path = path
                self.ready.set()
                self._lacking.clear()
                lacking = asyncio.create_task(self._lacking.wait())
                await asyncio.wait({lacking, ended}, return_when=asyncio.FIRST_COMPLETED)
                lacking.cancel()
            raise WorkerGone(f"its first process ended with {first.returncode}")
        finally:
            patience = START_LIMIT if self.ready.is_set() else 0.0  # one that still loads does not look at its input
            self.ready.clear()
            if first.stdin is not None:
                first.stdin.close()  # it ends with its input
            await asyncio.wait({ended}, timeout=patience)  # `asyncio.timeout` raises no TimeoutError here
            if not ended.done():
                first.kill()
                await ended

    async def _add(self, path: Path) -> None:
        self._open += 1
        try:
            async with asyncio.timeout(START_LIMIT):
                self._idle.append(await Line.open(path))
        except BaseException:
            self._open -= 1
            raise

    def _dismiss(self) -> None:
        while self._idle:
            self._idle.pop().close()
            self._open -= 1

    # ---- a message that was left -----------------------------------------------------------------------------------

    async def transcribe(self, file: Path) -> Transcript | None:
        """The words of a recording (WAV, 8 kHz, mono, 16 bit), and how sure each is; none for silence.

        One at a time, in a process of its own that takes only what is left of the processor: no question waits for it,
        and no place of theirs is taken. None when there is nobody to do it: again later. Raises `GaveUp` when
        they did not get to its end, and `Unreadable` for what is no such file.
        """
        self.wake()
        async with self._one_transcript:
            try:
                async with asyncio.timeout(READY_LIMIT):
                    await self.ready.wait()
                async with asyncio.timeout(START_LIMIT):
                    line = await Line.open(self._path)
            except (OSError, WorkerGone, TimeoutError) as trouble:
                logger.info("nobody can write down a message now: %s", trouble or "too slow")
                return None
            try:
                line.order(do="transcribe", question=0, file=str(file))
                async with asyncio.timeout(TRANSCRIPT_LIMIT):
                    while (news := await line.news()).get("news") == "alive":
                        pass
            except (WorkerGone, TimeoutError) as trouble:
                raise GaveUp(str(trouble) or "too slow") from trouble
            finally:
                line.close(kill=True)
        match news:
            case {"news": "transcript", "words": words, "confidences": sure}:
                return Transcript(tuple(words), tuple(float(one) for one in sure))
            case _:
                raise Unreadable(str(file))

    # ---- one question ----------------------------------------------------------------------------------------------

    async def listen(
        self, channel: str, question: Question, limits: Limits | None = None, *,
        asked: asyncio.Event | None = None, began: Callable[[], None] | None = None,
    ) -> Answer:  # fmt: skip
        """What the caller on `channel` answers.

        Call it when the prompt begins and set `asked` when it has been said (None: it has): silence counts from there.
        `began` is called when the caller speaks, so that the prompt can be stopped. Cancel it when a key is pressed.
        Never raises but CancelledError.
        """
        self.wake()
        if question.language != self._language or self._folder is None:
            return self._busy(f"no model for {question.language}")
        if not self._idle:
            return self._busy("all are busy")
        line = self._idle.popleft()
        self._asked_so_far += 1
        healthy = True
        try:
            return await self._asked_of(line, self._asked_so_far, channel, question, limits or Limits(), asked, began)
        except (WorkerGone, TimeoutError) as trouble:
            healthy = False
            return self._busy(f"a process did not do as it should: {trouble or 'too slow'}")
        except AriTrouble as trouble:
            return self._busy(f"no sound: {trouble}")
        finally:
            self._give_back(line, healthy=healthy)

    async def _asked_of(
        self, line: Line, number: int, channel: str, question: Question, limits: Limits,
        asked: asyncio.Event | None, began: Callable[[], None] | None,
    ) -> Answer:  # fmt: skip
        assert self._folder is not None
        pieces = grammar_pieces(vocabulary(self._folder), phrases(question.grammar))
        if not pieces:
            return self._busy("the model knows none of its words")
        tap = Tap(f"{number}-{channel}", channel)
        told: asyncio.Task[None] | None = None
        try:
            line.order(
                do="listen", question=number, grammar=msgspec.to_builtins(question.grammar),
                pieces=pieces, limits=asdict(limits),
            )
            async with asyncio.timeout(PORT_LIMIT):
                port = int((await self._news(line, number)).get("port", 0))
            if not port:
                raise WorkerGone("it did not say where it takes the sound")
            self._taps.add(tap)
            told = asyncio.create_task(self._tell_when_asked(line, asked))
            await open_tap(self._ari, tap, port)
            while (news := await self._news(line, number)).get("news") == "began":
                if began is not None:
                    began()
            return _answer(news)
        finally:
            line.order(do="stop")
            if told is not None:
                told.cancel()
                self._taps.discard(tap)
                self._closing.add(closing := asyncio.create_task(close_tap(self._ari, tap)))
                closing.add_done_callback(self._closing.discard)

    @staticmethod
    async def _news(line: Line, number: int) -> dict[str, Any]:
        """The next news of this question: signs of life and what is left of an earlier one are none."""
        while True:
            async with asyncio.timeout(ALIVE_LIMIT):
                news = await line.news()
            if news.get("question") == number and news.get("news") != "alive":
                return news

    @staticmethod
    async def _tell_when_asked(line: Line, asked: asyncio.Event | None) -> None:
        if asked is not None:
            await asked.wait()
        line.order(do="asked")

    def _busy(self, why: str) -> Busy:
        self.refused += 1
        logger.info("a question is asked by keys: %s", why)
        return Busy(why)

    def _give_back(self, line: Line, *, healthy: bool) -> None:
        if healthy:
            self._idle.append(line)
            return
        self.killed += 1
        line.close(kill=True)
        self._open -= 1
        self._lacking.set()

    async def line_is_up(self) -> None:
        """The line to the PBX is up: taps left by an end of ours that came without warning are taken away."""
        try:
            if left := await sweep(self._ari, self._taps):
                logger.info("%d pieces of earlier taps were taken away", left)
        except AriTrouble as trouble:
            logger.info("could not look for earlier taps: %s", trouble)


def _answer(news: Mapping[str, Any]) -> Heard | NoInput | NoMatch:
    match news:
        case {"news": "heard", "words": words, "confidence": sure, "value": value, "looked_twice": twice}:
            return Heard(tuple(words), float(sure), str(value), bool(twice))
        case {"news": "no_match", "words": words, "confidence": sure, "second": second, "looked_twice": twice}:
            return NoMatch(tuple(words), float(sure), str(second), bool(twice))
        case {"news": "no_input"}:
            return NoInput()
        case _:
            raise WorkerGone(f"it said {news}")

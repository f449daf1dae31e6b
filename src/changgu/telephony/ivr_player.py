"""Performs the menu on a caller's line: says prompts, stops when a key is pressed, gathers keys, looks things up.

Keys pressed while a prompt plays are kept and count: one that an announcement swallows has to be pressed twice.
Whoever has not been answered yet is, before anything is said to them, done for them or awaited of them.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, assert_never

from changgu.acd.events import Event as AcdEvent
from changgu.acd.events import MenuStepReached
from changgu.acd.identity import CallId
from changgu.ground.trouble import Trouble
from changgu.ivr_flows.heard import Question
from changgu.ivr_flows.limits import LOOK_UP_LIMIT, look_up_limit
from changgu.ivr_flows.nodes import Prompt
from changgu.ivr_flows.turns import (
    ClockRead,
    DigitsGathered,
    Done,
    Event,
    Failed,
    GiveAnswer,
    GreetingEnded,
    Heard,
    LookedUp,
    LookUpFailed,
    MarkNode,
    NothingPressed,
    NotUnderstood,
    Play,
    SpeechBusy,
    Step,
    Turn,
    Wait,
    WaitCallback,
    WaitClock,
    WaitDigits,
    WaitFax,
    WaitHttp,
    WaitLookUp,
    WaitMessage,
    WaitNumber,
    WaitRecording,
    WaitSpeech,
)
from changgu.telephony.answering import Answering
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriAway, AriLate, AriNotFound
from changgu.telephony.handset import Handset
from changgu.telephony.speech import listening
from changgu.telephony.speech.listening import Limits
from changgu.telephony.speech.recogniser import Answer, Busy

logger = logging.getLogger(__name__)

LONGEST_SOUND = 300.0
"""Seconds after which a playback whose end we did not hear of counts as heard."""

MESSAGE_LIMIT = 6.0
"""Seconds that a caller waits for a message to be kept and tried once (`ticketing.outbox.service.CALLER_WAITS`)."""


class Voice(Protocol):
    """Finds or makes the sound of prompts."""

    async def playlist(self, prompts: Sequence[Prompt], language: str) -> Sequence[str]:
        """Media URIs for ARI such as `sound:/folder/name`, in order; what cannot be said is left out."""
        ...


class LookUps(Protocol):
    """Asks other systems on behalf of a caller."""

    async def look_up(self, kind: str, argument: str, asker: str, call: CallId) -> Mapping[str, str] | None:
        """What is known, or None; any exception means that the system cannot be asked. `asker`: the caller's telephone,
        or their call where it is withheld; `call`: the one in which they ask."""
        ...


class WebLookUps(Protocol):
    """Asks web services on behalf of a caller."""

    async def get(self, url: str, query: Sequence[tuple[str, str]], limit: float) -> Mapping[str, str] | None:
        """The fields of the answer, or None for 404 and an empty one; any exception means no answer in `limit` s."""
        ...


class Recognisers(Protocol):
    """Listens to what callers say. Answered by `speech.recogniser.Recognisers`."""

    async def listen(
        self, channel: str, question: Question, limits: Limits | None = None, *,
        asked: asyncio.Event | None = None, began: Callable[[], None] | None = None,
    ) -> Answer:  # fmt: skip
        """What a caller answers; silence counts from `asked`, and `began` is called when they speak."""
        ...


class Messengers(Protocol):
    """Sends messages to callers."""

    async def send(self, kind: str, to: str, text: str, subject: str, call: str) -> None:
        """By `sms` or `mail`: sent, or kept to be sent. Any exception means neither."""
        ...


class Surveys(Protocol):
    """Keeps the answers to surveys."""

    async def answer(self, call: CallId, case: str, question: str, score: int | None) -> None:
        """One answer; None is none. Without a case it is about this call."""
        ...


class Deeds(Protocol):
    """What is done on a caller's line beside the menu."""

    async def do(self, wait: WaitRecording | WaitCallback | WaitNumber | WaitFax) -> Event:
        """To its end."""
        ...


@dataclass(frozen=True, slots=True)
class Helpers:
    """Parts of the house that a menu can ask; each may be missing, and then its nodes fail as the flow says."""

    web: WebLookUps | None = None
    recognisers: Recognisers | None = None
    messengers: Messengers | None = None
    surveys: Surveys | None = None
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


class IvrPlayer:
    """Turns the session's steps into ARI requests and the caller's keys into the session's events."""

    def __init__(
        self, ari: Ari, voice: Voice, look_ups: LookUps, post: Callable[[AcdEvent], None],
        helpers: Helpers | None = None,
    ) -> None:  # fmt: skip
        self.answering = Answering(ari)
        self._ari = ari
        self._voice = voice
        self._look_ups = look_ups
        self._post = post
        self._helpers = helpers or Helpers()

    async def perform(self, handset: Handset, turn: Turn, language: str, deeds: Deeds | None = None) -> Event | None:
        """Do the turn's steps and wait for what it asks; None when the turn has an outcome instead.

        `language` is what the caller hears where a step says nothing else; `deeds` does what needs their line.
        """
        asks = isinstance(turn.wait, WaitDigits) and turn.wait.barge_in
        steps, question = _with_question(turn)
        if turn.wait is not None or any(isinstance(step, Play) for step in steps):
            await self.answering.if_put_off(handset.call)
        for step in steps:
            match step:
                case MarkNode(node, key):
                    self._post(MenuStepReached(handset.call, node, key))
                case Play(prompts, interruptible, spoken):
                    if not (interruptible and asks and handset.pressed):
                        await self.say(handset, prompts, spoken or language, interruptible)
                case GreetingEnded():
                    logger.debug("the greeting was heard", extra={"call_id": handset.call})
                case GiveAnswer(case, of_survey, score):
                    await self._keep_answer(handset, case, of_survey, score)
                case _:
                    assert_never(step)
        if isinstance(turn.wait, WaitSpeech):
            return await self._listen(handset, turn.wait, language, question)
        return None if turn.wait is None else await self._answer_to(handset, turn.wait, language, deeds)

    async def say(self, handset: Handset, prompts: Sequence[Prompt], language: str, interruptible: bool) -> None:
        """Play prompts to their end, or until a key is pressed."""
        media = list(await self._voice.playlist(prompts, language)) if prompts else []
        if not media:
            return
        await self.answering.if_put_off(handset.call)
        for before in handset.sounds_from_before():
            await self._stop(handset, before)
        # When the line drops, the caller has heard nothing of it, or the beginning: again is better than silence.
        playback = await self._ari.insist(partial(self._play, handset, media))
        try:
            async with asyncio.timeout(LONGEST_SOUND):
                cut_short = await handset.until_heard(playback, interruptible)
        except TimeoutError:
            logger.warning("no end of a prompt after %.0f s", LONGEST_SOUND, extra={"call_id": handset.call})
            cut_short = True
        if cut_short:
            await self._stop(handset, playback)

    async def _play(self, handset: Handset, media: Sequence[str]) -> str:
        playback = handset.begin_playback()
        await self._ari.request(
            "POST", path("channels", handset.call, "play"), body={"media": media}, playbackId=playback
        )
        return playback

    async def ask(
        self, handset: Handset, prompts: Sequence[Prompt], language: str, wait: WaitDigits
    ) -> DigitsGathered | NothingPressed:
        """Put one question and gather the answer; a key pressed ahead answers it unsaid."""
        if not handset.pressed:
            await self.say(handset, prompts, language, interruptible=True)
        await self.answering.if_put_off(handset.call)
        return await self._gather(handset, wait)

    async def hush(self, handset: Handset) -> None:
        """End what is being said now, so that something else can be said."""
        if handset.playing is not None:
            await self._stop(handset, handset.playing)

    async def still_playing(self, handset: Handset) -> None:
        """After a gap in the news: if the caller's prompt ended meanwhile, go on."""
        playback = handset.playing
        if playback is None:
            return
        try:
            await self._ari.request("GET", path("playbacks", playback))
        except AriNotFound:
            handset.playback_finished(playback)

    async def _stop(self, handset: Handset, playback: str) -> None:
        try:
            await self._ari.request("DELETE", path("playbacks", playback))
        except AriNotFound:
            handset.playback_finished(playback)
        except (AriAway, AriLate):
            # At worst it plays on to its end; a caller who pressed a key must not lose their call over it.
            logger.info("a prompt could not be stopped", extra={"call_id": handset.call})
        handset.stopped(playback)

    async def _answer_to(self, handset: Handset, wait: Wait, language: str, deeds: Deeds | None) -> Event:
        match wait:
            case WaitDigits():
                return await self._gather(handset, wait)
            case WaitSpeech():
                return await self._listen(handset, wait, language, None)
            case WaitLookUp():
                return await self._look_up(handset, wait)
            case WaitHttp():
                return await self._ask_web(handset, wait)
            case WaitMessage():
                return await self._send(handset, wait)
            case WaitClock():
                return ClockRead(self._helpers.now())
            case WaitRecording() | WaitCallback() | WaitNumber() | WaitFax():
                return await deeds.do(wait) if deeds is not None else Failed("nobody does this here")
            case _:
                assert_never(wait)

    async def _listen(self, handset: Handset, wait: WaitSpeech, language: str, question: Play | None) -> Event:
        """Say the question, and hear what the caller says or the keys they press instead: whichever comes first.

        They may speak into the question, which then stops. With nobody to listen it is not even said, so that they
        hear the one about keys at once.
        """
        recognisers = self._helpers.recognisers
        if handset.pressed:
            return await self._gather(handset, wait.keys)
        if recognisers is None:
            return SpeechBusy()
        asked = asyncio.Event()
        limits = Limits(first_timeout=wait.keys.first_timeout)
        hearing = asyncio.ensure_future(
            recognisers.listen(
                handset.call, Question(wait.grammar, language), limits, asked=asked, began=handset.speaks
            )
        )
        pressing = asyncio.ensure_future(handset.until_pressed())
        try:
            await asyncio.sleep(0)  # in which it says whether anybody can listen
            nobody_is_free = hearing.done() and isinstance(hearing.result(), Busy)
            if question is not None and not nobody_is_free:
                await self.say(handset, question.prompts, question.language or language, question.interruptible)
            asked.set()
            await asyncio.wait((hearing, pressing), return_when=asyncio.FIRST_COMPLETED)
            if handset.pressed:
                return await self._gather(handset, wait.keys)
            return _heard(hearing.result())
        except Exception:  # the recogniser's edge: whatever fails there, the question is asked by keys
            logger.warning("nobody could listen to a caller", exc_info=True, extra={"call_id": handset.call})
            return SpeechBusy()
        finally:
            for one in (hearing, pressing):
                one.cancel()
            await asyncio.gather(hearing, pressing, return_exceptions=True)

    async def _keep_answer(self, handset: Handset, case: str, question: str, score: int | None) -> None:
        if self._helpers.surveys is None:
            logger.warning("nobody keeps answers to surveys", extra={"call_id": handset.call})
            return
        try:
            async with asyncio.timeout(LOOK_UP_LIMIT):
                await self._helpers.surveys.answer(handset.call, case, question, score)
        except Exception:  # the survey's edge: the caller goes on to the next question
            logger.warning("an answer to a survey was not kept", exc_info=True, extra={"call_id": handset.call})

    @staticmethod
    async def _gather(handset: Handset, wait: WaitDigits) -> DigitsGathered | NothingPressed:
        if not wait.barge_in:
            handset.forget_keys()
        digits = ""
        limit = wait.first_timeout
        while True:
            key = await handset.next_key(limit)
            if key is None:
                return DigitsGathered(digits) if digits else NothingPressed()
            if key == wait.terminator:
                return DigitsGathered(digits)
            digits += key
            if len(digits) == 1 and key in wait.ends_at_once:
                return DigitsGathered(digits)
            if len(digits) >= wait.max_digits:
                if wait.terminator is not None:
                    handset.swallow_next(wait.terminator)
                return DigitsGathered(digits)
            limit = wait.between_timeout

    async def _look_up(self, handset: Handset, wait: WaitLookUp) -> Event:
        try:
            async with asyncio.timeout(look_up_limit(wait.source)):
                asker = wait.caller or handset.call
                return LookedUp(await self._look_ups.look_up(wait.source, wait.key, asker, handset.call))
        except Exception:  # the other system's edge: whatever fails there, the caller reaches a person
            logger.warning("the look-up of a %s failed", wait.source, exc_info=True, extra={"call_id": handset.call})
            return LookUpFailed()

    async def _ask_web(self, handset: Handset, wait: WaitHttp) -> Event:
        if self._helpers.web is None:
            return LookUpFailed("no web service can be asked here")
        try:
            async with asyncio.timeout(wait.timeout):
                return LookedUp(await self._helpers.web.get(wait.url, wait.query, wait.timeout))
        except Exception as trouble:  # the other system's edge: the flow says where the caller goes now
            # Never its address: a query holds what the caller keyed.
            logger.warning("a web service did not answer: %s", type(trouble).__name__, extra={"call_id": handset.call})
            return LookUpFailed(type(trouble).__name__)

    async def _send(self, handset: Handset, wait: WaitMessage) -> Event:
        if self._helpers.messengers is None or not wait.to:
            logger.warning("an %s cannot be sent to a caller", wait.kind, extra={"call_id": handset.call})
            return Failed("nobody sends messages here" if wait.to else "no number or address")
        try:
            async with asyncio.timeout(MESSAGE_LIMIT):
                await self._helpers.messengers.send(wait.kind, wait.to, wait.text, wait.subject, handset.call)
        except Exception as trouble:  # the other system's edge: the flow says where the caller goes now
            why = f"{trouble.ko} {trouble.en}" if isinstance(trouble, Trouble) else type(trouble).__name__
            logger.warning("%s was not sent to a caller: %s", wait.kind, why, extra={"call_id": handset.call})
            return Failed(trouble.en if isinstance(trouble, Trouble) else why)
        return Done()


def _with_question(turn: Turn) -> tuple[Sequence[Step], Play | None]:
    """The steps, and apart from them the question during which the caller may already speak."""
    match turn.steps:
        case (*before, Play(interruptible=True) as question) if isinstance(turn.wait, WaitSpeech):
            return before, question
        case _:
            return turn.steps, None


def _heard(answer: Answer) -> Event:
    match answer:
        case listening.Heard(words, confidence, value):
            return Heard(value, " ".join(words), confidence)
        case listening.NoMatch(words):
            return NotUnderstood(" ".join(words))
        case listening.NoInput():
            return NothingPressed()
        case Busy():
            return SpeechBusy()
        case _:
            assert_never(answer)

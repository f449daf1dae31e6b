"""Performs the menu on a caller's line: says prompts, stops when a key is pressed, gathers keys, looks things up.

Keys pressed while a prompt plays are kept and count: one that an announcement swallows has to be pressed twice.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, assert_never

from changgu.acd.events import Event as AcdEvent
from changgu.acd.events import MenuStepReached
from changgu.ivr_flows.nodes import Prompt
from changgu.ivr_flows.session import (
    DigitsGathered,
    Event,
    GreetingEnded,
    LookedUp,
    LookUpFailed,
    MarkNode,
    NothingPressed,
    Play,
    Turn,
    Wait,
    WaitDigits,
    WaitLookUp,
)
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriAway, AriLate, AriNotFound
from changgu.telephony.handset import Handset

logger = logging.getLogger(__name__)

LONGEST_SOUND = 300.0
"""Seconds after which a playback whose end we did not hear of counts as heard."""

LOOK_UP_LIMIT = 5.0
"""Seconds that a caller waits in silence for another system."""

RECONNECT_LIMIT = 30.0


class Voice(Protocol):
    """Finds or makes the sound of prompts."""

    async def playlist(self, prompts: Sequence[Prompt], language: str) -> Sequence[str]:
        """Media URIs for ARI such as `sound:/folder/name`, in order; what cannot be said is left out."""
        ...


class LookUps(Protocol):
    """Asks other systems on behalf of a caller."""

    async def look_up(self, kind: str, argument: str) -> Mapping[str, str] | None:
        """What is known, or None; any exception means that the system cannot be asked."""
        ...


class IvrPlayer:
    """Turns the session's steps into ARI requests and the caller's keys into the session's events."""

    def __init__(self, ari: Ari, voice: Voice, look_ups: LookUps, post: Callable[[AcdEvent], None]) -> None:
        self._ari = ari
        self._voice = voice
        self._look_ups = look_ups
        self._post = post

    async def perform(self, handset: Handset, turn: Turn, language: str) -> Event | None:
        """Do the turn's steps and wait for what it asks; None when the turn has an outcome instead."""
        asks = isinstance(turn.wait, WaitDigits) and turn.wait.barge_in
        for step in turn.steps:
            match step:
                case MarkNode(node, key):
                    self._post(MenuStepReached(handset.call, node, key))
                case Play(prompts, interruptible):
                    if not (interruptible and asks and handset.pressed):
                        await self.say(handset, prompts, language, interruptible)
                case GreetingEnded():
                    logger.debug("the greeting was heard", extra={"call_id": handset.call})
                case _:
                    assert_never(step)
        return None if turn.wait is None else await self._answer_to(handset, turn.wait)

    async def say(self, handset: Handset, prompts: Sequence[Prompt], language: str, interruptible: bool) -> None:
        """Play prompts to their end, or until a key is pressed."""
        media = list(await self._voice.playlist(prompts, language)) if prompts else []
        if not media:
            return
        while True:
            playback = handset.begin_playback()
            try:
                await self._ari.request(
                    "POST", path("channels", handset.call, "play"), body={"media": media}, playbackId=playback
                )
                break
            except (AriAway, AriLate):
                # The caller heard nothing of it, or the beginning: saying it again is better than silence.
                await self._ari.wait_connected(RECONNECT_LIMIT)
        try:
            async with asyncio.timeout(LONGEST_SOUND):
                cut_short = await handset.until_heard(playback, interruptible)
        except TimeoutError:
            logger.warning("no end of a prompt after %.0f s", LONGEST_SOUND, extra={"call_id": handset.call})
            cut_short = True
        if cut_short:
            await self._stop(handset, playback)

    async def ask(
        self, handset: Handset, prompts: Sequence[Prompt], language: str, wait: WaitDigits
    ) -> DigitsGathered | NothingPressed:
        """Put one question and gather the answer; a key pressed ahead answers it unsaid."""
        if not handset.pressed:
            await self.say(handset, prompts, language, interruptible=True)
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
            logger.debug("the prompt had just ended", extra={"call_id": handset.call})
        except (AriAway, AriLate):
            # At worst it plays on to its end; a caller who pressed a key must not lose their call over it.
            logger.info("a prompt could not be stopped", extra={"call_id": handset.call})
        handset.playback_finished(playback)

    async def _answer_to(self, handset: Handset, wait: Wait) -> Event:
        match wait:
            case WaitDigits():
                return await self._gather(handset, wait)
            case WaitLookUp(kind, argument):
                return await self._look_up(handset, kind, argument)
            case _:
                assert_never(wait)

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

    async def _look_up(self, handset: Handset, kind: str, argument: str) -> Event:
        try:
            async with asyncio.timeout(LOOK_UP_LIMIT):
                return LookedUp(await self._look_ups.look_up(kind, argument))
        except Exception:  # the other system's edge: whatever fails there, the caller reaches a person
            logger.warning("the look-up of a %s failed", kind, exc_info=True, extra={"call_id": handset.call})
            return LookUpFailed()

"""What callers hear while they wait: music, and from time to time where they stand. An answer cuts everything short.

Nothing that plays is waited for: the requests that end it are sent ahead of those that join the two parties, so the
caller is connected one round trip after the agent's answer. A sentence that has no sound yet is made while the music
goes on, and left out when that takes too long.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from changgu.acd.commands import Announce
from changgu.acd.identity import CallId
from changgu.acd.queues import Floor
from changgu.ivr_flows.nodes import NamedPrompt, Prompt, TextPrompt
from changgu.ivr_flows.spoken import position_said, promise_said
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriAway, AriLate, AriNotFound, AriRefused
from changgu.telephony.ivr_player import Voice
from changgu.telephony.playback_names import PlaybackNames

logger = logging.getLogger(__name__)

BEGUN_AT_ONCE = 8
"""Callers to whom the PBX begins to play music at one time. It serves its line in order: when hundreds begin to wait at
once, whoever has picked up would wait for their caller until all of them hear it."""

MUSIC_AFTER = 0.3
"""Seconds of quiet before the music: whoever is connected sooner hears no scrap of it."""

TOO_LATE = 8.0
"""Seconds after which an announcement whose sound was not ready is out of date: others have been served meanwhile."""

NAMES = 2
"""That a caller's announcements take in turn. After a restart each of them is asked for, for everybody who waits."""

PROMPT_NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Of `prompts/*.toml`; no sentence looks like it."""

Request = tuple[str, str]
"""Method and resource path."""

Part = tuple[str, Sequence[Prompt]]
"""A language, and what is said in it."""

Later = Callable[[CallId, Callable[[], Coroutine[Any, Any, None]]], None]
"""Have something done for a call, in turn with its commands."""


def announced(command: Announce, language: str) -> tuple[Prompt, ...]:
    """What is said: a comfort message, the place, the estimated wait, whatever of them there is."""
    said: list[Prompt] = [_comfort(command.comfort)] if command.comfort else []
    if command.position is not None and command.position > 0:
        said.append(position_said(command.position, language))
    if command.promise is not None:
        said.append(promise_said(command.promise))
    return tuple(said)


def comfort_sentences(floor: Floor) -> tuple[str, ...]:
    """Every comfort message of the floor that is a sentence, for the synthesiser's warm-up."""
    texts = (text for queue in floor.queues for text in queue.announcements.comfort)
    return tuple(dict.fromkeys(text for text in texts if isinstance(_comfort(text), TextPrompt)))


def _comfort(text: str) -> Prompt:
    """The name of a prompt has a sentence for each language; any other sentence has the desk's own."""
    return NamedPrompt(text) if PROMPT_NAME.fullmatch(text) else TextPrompt(text)


@dataclass(slots=True, eq=False)
class _Stay:
    """One caller's wait, as it sounds. A new wait is a new one: what was prepared for the old is dropped."""

    timer: asyncio.TimerHandle | None = None
    """Until the music."""
    music: bool = False
    """They are among those who hear music, unless an announcement plays; somebody else's when they no longer wait."""
    plays: bool = False
    """The PBX has said that it plays."""
    may_play: bool = False
    """It may have been asked for before a restart."""
    playback: str | None = None
    """The announcement that plays now."""


class QueueExperience:
    """What every waiting caller hears. `later` does things in turn with the call's commands, `spawn` beside them."""

    def __init__(
        self, ari: Ari, later: Later, spawn: Callable[[Coroutine[Any, Any, None]], object], voice: Voice | None,
        language: str, too_late: float = TOO_LATE, language_of: Callable[[CallId], str | None] = lambda call: None,
        answer: Callable[[CallId], Awaitable[None]] | None = None, most_listeners: int | None = None,
    ) -> None:  # fmt: skip
        """`language` is the desk's; `language_of` the one that a caller chose, if they did. Whoever is to hear
        something is answered by `answer` first. So many hear music at one time, and whoever has waited longest is
        next; None: all."""
        self._answer = answer
        self._most_listeners = most_listeners
        self._listeners = 0
        self._without: dict[CallId, _Stay] = {}
        """Who would hear music, if so many did not; in their order."""
        self._begins: set[CallId] = set()
        """To whom the PBX is about to begin to play it."""
        self._language_of = language_of
        self._too_late = too_late
        self._ari = ari
        self._later = later
        self._spawn = spawn
        self._voice = voice
        self._language = language
        self._stays: dict[CallId, _Stay] = {}
        self._names: dict[CallId, PlaybackNames] = {}
        """Of callers on the line who were told something, or may have been before a restart."""

    # ---- what the ACD asks -----------------------------------------------------------------------------------------

    def music(self, call: CallId) -> None:
        """Music from a moment on; a caller who hears something already goes on hearing it."""
        stay = self._stays.setdefault(call, _Stay())
        if not stay.music and stay.timer is None and stay.playback is None:
            self._music_soon(call, stay)

    def announce(self, command: Announce) -> None:
        """Say where the caller stands, in their language, then music again.

        A comfort message that is a sentence is in the desk's own language, and is said in it to everybody; one that
        names a prompt is said in theirs, where it has been recorded or written in it.
        """
        theirs = self._language_of(command.call) or self._language
        comfort: tuple[Prompt, ...] = (_comfort(command.comfort),) if command.comfort else ()
        figures = announced(msgspec.structs.replace(command, comfort=""), theirs)
        written = theirs if comfort and isinstance(comfort[0], NamedPrompt) else self._language
        self._say(command.call, ((written, comfort), (theirs, figures)))

    def say(self, call: CallId, prompts: Sequence[Prompt]) -> None:
        """Say something to a caller who waits, in their language, then music (again)."""
        self._say(call, ((self._language_of(call) or self._language, prompts),))

    def _say(self, call: CallId, parts: Sequence[Part]) -> None:
        if any(prompts for _, prompts in parts) and self._voice is not None:
            stay = self._stays.setdefault(call, _Stay())
            self._spawn(self._prepare(self._voice, call, stay, parts))

    def say_once(self, call: CallId, prompt: NamedPrompt) -> None:
        """The same to somebody who begins to wait; not again to one who waits already."""
        if call not in self._stays:
            self._stays[call] = _Stay()
            self.say(call, (prompt,))

    def assume_music(self, call: CallId) -> None:
        """After a restart: music, or an announcement that nobody ends, may be playing to a caller who waits."""
        if call not in self._stays:
            self._names.setdefault(call, self._names_for(call, found_again=True))
            self._stays[call] = _Stay(may_play=True)

    def end(self, call: CallId) -> list[Request]:
        """The wait is over; what must be asked of the PBX, in this order, so that nothing plays on."""
        stay = self._stays.pop(call, None)
        if stay is None:
            return []
        self._cancel(stay)
        self._without.pop(call, None)
        ending: list[Request] = [("DELETE", path("playbacks", before)) for before in self._from_before(call)]
        if stay.playback is not None:
            ending.append(("DELETE", path("playbacks", stay.playback)))
        if stay.music:
            self._listeners -= 1
            self._next_listener()
        if stay.music or stay.may_play:
            # Entering a bridge does not stop music; the agent's voice would fight with it.
            ending.append(("DELETE", path("channels", call, "moh")))
        return ending

    def forget(self, call: CallId) -> None:
        """The caller is gone."""
        self.end(call)
        self._names.pop(call, None)

    def close(self) -> None:
        """No music starts any more; what plays goes on."""
        for stay in self._stays.values():
            self._cancel(stay)

    # ---- news from the PBX -----------------------------------------------------------------------------------------

    def finished(self, playback: str, channel: str) -> None:
        """A sound came to its end; if it was an announcement, the music goes on."""
        call = CallId(channel)
        self._no_longer_plays(call, playback)
        stay = self._stays.get(call)
        if stay is not None and stay.playback == playback:
            stay.playback = None
            self._later(call, partial(self._start_music, call, stay))

    def line_is_up(self) -> None:
        """The line was down: announcements may have ended unheard of, music asked for in vain. Nobody waits in silence.

        When it was down for longer than music is insisted on (`Ari.insist`), this alone remembers who is without.
        """
        for call, stay in self._stays.items():
            if stay.playback is not None:
                self._later(call, partial(self._look_after, call, stay, stay.playback))
            elif stay.music and not stay.plays:
                self._later(call, partial(self._start_music, call, stay))

    # ---- sound -----------------------------------------------------------------------------------------------------

    def _music_soon(self, call: CallId, stay: _Stay) -> None:
        later = asyncio.get_running_loop().call_later
        stay.timer = later(MUSIC_AFTER, self._later, call, partial(self._start_music, call, stay))

    @staticmethod
    def _cancel(stay: _Stay) -> None:
        if stay.timer is not None:
            stay.timer.cancel()
            stay.timer = None

    async def _start_music(self, call: CallId, stay: _Stay) -> None:
        if self._stays.get(call) is not stay or stay.playback is not None:
            self._has_begun(call)
            return  # connected meanwhile; or the announcement's end will start it
        self._cancel(stay)
        if stay.plays:
            return  # it was asked for as the line dropped, and again when it was up
        if not stay.music:
            if not self._has_room():
                self._without[call] = stay
                return
            self._gives_music(call, stay)
        try:
            await self._answered(call)
            await self._end_what_was_said_before(call)
            await self._ari.request("POST", path("channels", call, "moh"))
            stay.plays = True
        except AriNotFound:
            self.forget(call)  # they were gone before they began to wait, and nobody will say so again
        except AriRefused as trouble:
            logger.debug("no music: %s", trouble, extra={"call_id": call})
        finally:
            self._has_begun(call)

    def _has_begun(self, call: CallId) -> None:
        self._begins.discard(call)
        self._next_listener()

    def _next_listener(self) -> None:
        if self._without and self._has_room():
            call = next(iter(self._without))
            stay = self._without.pop(call)
            self._gives_music(call, stay)  # theirs from now on, whoever comes before their music does
            self._later(call, partial(self._start_music, call, stay))

    def _has_room(self) -> bool:
        return len(self._begins) < BEGUN_AT_ONCE and (
            self._most_listeners is None or self._listeners < self._most_listeners
        )

    def _gives_music(self, call: CallId, stay: _Stay) -> None:
        stay.music = True
        self._listeners += 1
        self._begins.add(call)

    @staticmethod
    def _names_for(call: CallId, *, found_again: bool = False) -> PlaybackNames:
        return PlaybackNames(f"{call}-wait", NAMES, found_again=found_again)

    def _from_before(self, call: CallId) -> list[str]:
        names = self._names.get(call)
        return names.from_before() if names is not None else []

    async def _end_what_was_said_before(self, call: CallId) -> None:
        """A desk that was killed leaves its announcement playing, and Asterisk plays the next thing only behind it."""
        await asyncio.gather(*(self._end_playback(call, before) for before in self._from_before(call)))

    async def _end_playback(self, call: CallId, playback: str) -> None:
        try:
            await self._ari.request("DELETE", path("playbacks", playback))
        except AriNotFound:
            self._no_longer_plays(call, playback)
        except AriRefused as trouble:
            logger.info("an announcement could not be ended: %s", trouble, extra={"call_id": call})

    def _no_longer_plays(self, call: CallId, playback: str) -> None:
        if names := self._names.get(call):
            names.ended(playback)

    async def _answered(self, call: CallId) -> None:
        if self._answer is not None:
            await self._answer(call)

    async def _prepare(self, voice: Voice, call: CallId, stay: _Stay, parts: Sequence[Part]) -> None:
        media: list[str] = []
        try:
            async with asyncio.timeout(self._too_late):
                for language, prompts in parts:
                    if prompts:
                        media += await voice.playlist(prompts, language)
        except TimeoutError:
            logger.warning("an announcement was not ready in time", extra={"call_id": call})
            media = []
        if self._stays.get(call) is not stay:
            return
        if media:
            self._later(call, partial(self._play, call, stay, media))
        elif not stay.music and stay.timer is None:
            self._music_soon(call, stay)

    async def _play(self, call: CallId, stay: _Stay, media: list[str]) -> None:
        await self._end_what_was_said_before(call)
        if self._stays.get(call) is not stay or stay.playback is not None:
            return  # connected meanwhile; or the one before is longer than the time between two
        names = self._names.setdefault(call, self._names_for(call))
        stay.playback = playback = names.next()
        played, stay.plays = stay.plays, False
        try:
            await self._answered(call)
            # This silences the music, which does not come back by itself (ARI: channels/{id}/moh).
            await self._ari.request(
                "POST", path("channels", call, "play"), body={"media": media}, playbackId=playback
            )
        except AriRefused as trouble:
            logger.info("an announcement could not be played: %s", trouble, extra={"call_id": call})
            names.ended(playback)
            stay.playback, stay.plays = None, played
            if not stay.plays and stay.timer is None:
                self._music_soon(call, stay)
        except (AriAway, AriLate):
            logger.info("an announcement may not have been played", extra={"call_id": call})
            self._later(call, partial(self._look_after, call, stay, playback))

    async def _look_after(self, call: CallId, stay: _Stay, playback: str) -> None:
        if self._stays.get(call) is not stay or stay.playback != playback:
            return
        try:
            await self._ari.request("GET", path("playbacks", playback))
        except AriNotFound:
            self._no_longer_plays(call, playback)
            stay.playback = None
            self._later(call, partial(self._start_music, call, stay))  # insisted on by itself: they may be in silence

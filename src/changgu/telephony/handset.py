"""A caller as the telephone sees them: the keys they press and the sound that plays to them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from changgu.acd.events import CallArrived, Event
from changgu.acd.identity import AgentId, CallId
from changgu.telephony.playback_names import PlaybackNames

KEYS_KEPT = 64
"""Keys that may wait to be read; whoever presses more is not answering our question."""

SOUNDS = 4
"""Names that a caller's prompts take in turn."""


class Handset:
    """Keys wait here until they are read; `news` wakes whoever waits for a key or for the end of a sound."""

    def __init__(self, call: CallId, *, found_again: bool = False) -> None:
        """`found_again`: they were on the line before the desk was started, and may hear what was said to them then."""
        self.call = call
        self._keys: deque[str] = deque()
        self._playing: str | None = None
        self._sounds = PlaybackNames(f"{call}-sound", SOUNDS, found_again=found_again)
        self._news = asyncio.Event()
        self._speaks = False
        self._swallow: str | None = None
        self._last_key: tuple[str, float] = ("", 0.0)

    @property
    def pressed(self) -> bool:
        """Whether a key waits to be read."""
        return bool(self._keys)

    @property
    def playing(self) -> str | None:
        """The id of the playback under way."""
        return self._playing

    def press(self, key: str, at: float, held: float) -> bool:
        """A key was let go at `at`, having been held for `held` seconds; whether it counts.

        The same key again, sooner than it could have been held, is the same press told twice: Asterisk does that
        when a prompt ends between two quick keys, and phones that send RFC 4733 and SIP INFO do it always.
        """
        last_key, last_at = self._last_key
        self._last_key = (key, at)
        if key == last_key and at - last_at < held:
            return False
        swallow, self._swallow = self._swallow, None
        if key == swallow or len(self._keys) >= KEYS_KEPT:
            return False
        self._keys.append(key)
        self._news.set()
        return True

    def forget_keys(self) -> None:
        """Keys pressed so far do not count."""
        self._keys.clear()

    def swallow_next(self, key: str) -> None:
        """If the next key is this one, it belongs to the question before: `#` after a number that was complete."""
        if self._keys and self._keys[0] == key:
            self._keys.popleft()
        elif not self._keys:
            self._swallow = key

    def begin_playback(self) -> str:
        """The id for a new playback."""
        self._speaks = False
        self._playing = self._sounds.next()
        return self._playing

    def sounds_from_before(self) -> list[str]:
        """Playbacks that may have been begun before the desk was started."""
        return self._sounds.from_before()

    def speaks(self) -> None:
        """The caller has begun to speak: what is being said to them is cut short, like by a key."""
        self._speaks = True
        self._news.set()

    def playback_finished(self, playback: str) -> None:
        """A sound came to its end; of an earlier one, its id is free again."""
        self._sounds.ended(playback)
        self.stopped(playback)

    def stopped(self, playback: str) -> None:
        """A sound is to end now: nobody waits for it any more."""
        if playback == self._playing:
            self._playing = None
            self._news.set()

    def hung_up(self) -> None:
        """The caller is gone: nobody needs to wait for the end of a sound."""
        self._playing = None
        self._news.set()

    async def until_heard(self, playback: str, interruptible: bool) -> bool:
        """Wait for the end of the sound; True when a key, or the caller's voice, cut it short."""
        while self._playing == playback:
            if interruptible and (self._keys or self._speaks):
                return True
            self._news.clear()
            await self._news.wait()
        return False

    async def until_pressed(self) -> None:
        """Wait until a key can be read."""
        while not self._keys:
            self._news.clear()
            await self._news.wait()

    async def next_key(self, limit: float) -> str | None:
        """The next key, or None when none is pressed within `limit` seconds."""
        try:
            async with asyncio.timeout(limit):
                while not self._keys:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None
        return self._keys.popleft()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a caller's number gives them when they come to a queue."""

    priority: int = 0
    grounds: frozenset[str] = frozenset()
    """`vip`, `repeated_incident`."""
    last_agent: AgentId | None = None


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """Who calls, as the network says."""

    number: str | None
    """As presented; None when withheld."""
    name: str
    dialled: str


@dataclass(slots=True, eq=False)
class Visitor:
    """One caller on the line, or one whom we called back."""

    identity: CallerIdentity
    handset: Handset
    task: asyncio.Task[None] | None = None
    """What is being done with them now: the menu, or another way out of a queue. None or done: they wait, or talk."""
    handed_over: bool = False
    """The PBX itself serves them from here on, such as a machine that sends a fax: their leg is not ours to end."""
    released: bool = False
    """The desk ends this call itself; the ACD need not be told that it has ended."""
    language: str | None = None
    """In which they went on in the menu; None: the desk's."""
    known_language: str = ""
    """The one that the ACD is told of whenever they come to a queue; empty as long as it is the desk's.
    Who is found again or was called back is spoken to in it from the start."""
    notices: dict[int, str] = field(default_factory=dict)
    """Notices that the menu was told of and has not read out yet: their sentences."""
    known: Standing | asyncio.Task[Standing] | None = None
    """What the house knows of them, or its being looked up while they are answered and hear the menu."""
    arrived: CallArrived | None = None
    """With what they came to a queue last, for the way back to it."""
    afterwards: Callable[[], Awaitable[Event | None]] | None = None
    """What is left to do should they hang up now, and what their visit has come to; None: they gave up."""

    def __post_init__(self) -> None:
        self.language = self.language or self.known_language or None

    @property
    def is_served(self) -> bool:
        """Whether a menu speaks to them, so that their keys are its business."""
        return self.task is not None and not self.task.done()

    def told_language(self, desks: str) -> str:
        """What the ACD is told of their language; empty while they have spoken the desk's own (`desks`) alone."""
        spoken = self.language or desks
        if self.known_language or spoken != desks:
            self.known_language = spoken
        return self.known_language

"""One inbox and one loop: hands news to the ACD engine, writes down what happened, passes on what is to be done.

Each event is decided to its end (facts to the ledger, commands to the switch) before the next is taken from the inbox
(`acd.inbox` says which), so nobody ever sees half of a decision. The other listeners, who only look on, hear the facts
in the same order as soon as no news waits: when twenty agents hang up at once, twenty phones ring before twenty rows
are drawn anew.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from changgu.acd.commands import Command, HangUpCaller
from changgu.acd.engine import Effect, HalfDecided, RequestRefused
from changgu.acd.event_json import Cause, FloorOpened
from changgu.acd.events import TOLD_LATE, CallbackAsked, CallerDialledIn, DeadlinePassed, Event, ToldLate
from changgu.acd.facts import CallServedElsewhere, Emergency, Fact, FloorTakenUp, Recorded
from changgu.acd.floor_json import floor_digest
from changgu.acd.identity import Instant
from changgu.acd.inbox import Inbox
from changgu.acd.queues import Floor

logger = logging.getLogger(__name__)

INBOX_LIMIT = 100_000
"""Events that may wait. The engine needs microseconds for one, so a full inbox means that the loop stands still."""

LISTENERS_WAIT = 0.05
"""Seconds that a fact may wait for a pause in the news before the listeners hear it all the same."""

LISTENERS_TURN = 0.0003
"""Seconds for which listeners may hear facts before the loop looks for news again; one fact is always heard whole."""

SHORTEST_TIMER = 0.001
"""Seconds; keeps a deadline that is due over and over from starving everything else."""


class InboxFull(RuntimeError):
    """The runner no longer takes news: it has been stopped, or has stood still for very long."""


class Clock(Protocol):
    """Tells the time; a test winds it by hand."""

    def now(self) -> Instant:
        """Seconds since the epoch."""
        ...


class Decider(Protocol):
    """What the runner needs of `acd.engine.Engine`."""

    def configure(
        self, floor: Floor, now: Instant, emergency: Emergency | None = None, by: str | None = None, why: str = ""
    ) -> list[Effect]:
        """Take over a changed floor."""
        ...

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """Decide what follows from an event."""
        ...

    def catch_up(self, event: ToldLate, now: Instant) -> tuple[Instant, list[Effect]]:
        """The same of an event that tells when it happened, before now; with the time for which it counts."""
        ...

    def next_deadline(self) -> Instant | None:
        """When `DeadlinePassed` is wanted next."""
        ...


class SteadyClock:
    """Wall time at the start plus elapsed time: a corrected system clock neither stretches nor shrinks a wait.

    `not_before` is the time of the ledger's last line: after a restart with the system clock set back by up to
    `LONGEST_BRIDGE` seconds, time goes on from there, so that no call ends before it began.
    """

    LONGEST_BRIDGE = 300.0

    def __init__(
        self,
        not_before: Instant = 0.0,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        start = wall()
        if start < not_before <= start + self.LONGEST_BRIDGE:
            start = not_before
        elif start < not_before:
            logger.warning(
                "the ledger's last line is %.0f s ahead of this machine's clock: waits across this restart are wrong",
                not_before - start,
            )
        self._steady = steady
        self._offset = start - steady()

    def now(self) -> Instant:
        """Seconds since the epoch; never goes back."""
        return self._offset + self._steady()


@dataclass(frozen=True, slots=True)
class _Reload:
    floor: Floor
    emergency: Emergency | None
    by: str | None
    why: str


@dataclass(frozen=True, slots=True)
class _Entry:
    news: Event | _Reload | CallServedElsewhere
    asker: asyncio.Future[RequestRefused | None] | None = None


class Runner:
    """Feeds the engine and obeys it.

    `do` takes a command without waiting (the switch owns a queue per call). `listeners` hear each fact once, in
    the order given, and return at once (whoever needs time owns a bounded queue); one that raises is logged and
    the others go on. Whoever asked is answered after all have heard. `ledger` hears first, and is the exception: a
    floor that cannot write down what it does must stop rather than forget, so its exception ends `run`. `advisers`
    hear before the switch acts, which asks them: like listeners, but with the ledger. `whose` tells at once, from
    memory, who certainly has a number (the id of a person; empty: not known), and never raises.
    `first_seq` is the number of the next fact: the ledger's last number plus one.
    """

    def __init__(
        self,
        engine: Decider,
        clock: Clock,
        do: Callable[[Command], None],
        listeners: Sequence[Callable[[Recorded], None]],
        first_seq: int,
        *,
        ledger: Callable[[Recorded], None] | None = None,
        advisers: Sequence[Callable[[Recorded], None]] = (),
        whose: Callable[[str], str] = lambda number: "",
    ) -> None:
        self.engine = engine
        self._clock = clock
        self._do = do
        self._ledger = ledger
        self._advisers = tuple(advisers)
        self._whose = whose
        self._listeners = tuple(listeners)
        self._next_seq = first_seq
        self._untold: deque[Recorded] = deque()
        """Facts that the listeners have yet to hear."""
        self._inbox: Inbox[_Entry] = Inbox()
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_for: Instant | None = None
        self._last: Instant = 0.0
        self._closed = False
        self._deadlines_held = False
        self._opened = False
        self.failed_events = 0
        """Events at which the engine itself failed; anything but 0 is a fault of ours that someone should see."""

    @property
    def next_seq(self) -> int:
        """The number that the next fact will bear."""
        return self._next_seq

    def now(self) -> Instant:
        """The time on the clock by which facts are stamped, to the microsecond that the ledger keeps."""
        return round(self._clock.now(), 6)

    def post(self, event: Event) -> None:
        """Put news into the inbox, from any task of the loop; raises `InboxFull`."""
        self._put(_Entry(event))

    def post_threadsafe(self, event: Event) -> None:
        """Put news into the inbox from another thread, once `run` has begun."""
        if self._loop is None:
            raise InboxFull("the runner has not begun")
        self._loop.call_soon_threadsafe(self.post, event)

    async def ask(self, event: Event) -> RequestRefused | None:
        """Post a person's wish; returns once it has been handled: None, or why it was refused."""
        return await self._in_its_turn(event)

    def configure(
        self, floor: Floor, emergency: Emergency | None = None, by: str | None = None, why: str = ""
    ) -> None:
        """Change queues and agents while calls go on; takes its turn in the inbox. See `Engine.configure`."""
        self._put(_Entry(_Reload(floor, emergency, by, why)))

    async def record(self, fact: CallServedElsewhere) -> None:
        """Write down a call that came and ended without us; takes its turn in the inbox, and decides nothing.

        Returns once the ledger has heard it.
        """
        await self._in_its_turn(fact)

    async def _in_its_turn(self, news: Event | CallServedElsewhere) -> RequestRefused | None:
        asker: asyncio.Future[RequestRefused | None] = asyncio.get_running_loop().create_future()
        self._put(_Entry(news, asker))
        return await asker

    def hold_deadlines(self) -> None:
        """Let no limit run out for now: after a restart an agent may have picked up in time, and we have yet to see."""
        self._deadlines_held = True

    def release_deadlines(self) -> None:
        """What happened while we were away is in the inbox: limits count again, those that have passed after it."""
        self._deadlines_held = False
        self._wind_timer()

    async def run(self) -> None:
        """Handle events until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._wind_timer()
        try:
            while True:
                if self._untold and not self._inbox:
                    self._tell_some()
                    await asyncio.sleep(0)  # news goes before the next
                    continue
                if not self._inbox:
                    self._news.clear()
                    await self._news.wait()
                self._handle(self._inbox.take())
                while self._untold and self._last - self._untold[0].at > LISTENERS_WAIT:
                    self._tell(self._untold.popleft(), self._listeners)
                await asyncio.sleep(0)  # the switch sends what it was given
        finally:
            self._closed = True
            self._tell_all()
            if self._timer is not None:
                self._timer.cancel()
            self._release_askers()

    def _put(self, entry: _Entry) -> None:
        if self._closed:
            raise InboxFull("the floor is closed")
        if len(self._inbox) >= INBOX_LIMIT:
            raise InboxFull(f"{INBOX_LIMIT} events wait; the loop stands still")
        self._inbox.put(entry, in_turn=isinstance(entry.news, _Reload))
        self._news.set()

    def _handle(self, entry: _Entry) -> None:
        now = self._last = max(self._last, self.now())
        news = entry.news
        try:
            news = self._with_person(news)
            if isinstance(news, _Reload):
                order = news
                effects = self.engine.configure(order.floor, now, order.emergency, order.by, order.why)
            elif isinstance(news, CallServedElsewhere):
                effects = [news]
            elif isinstance(news, TOLD_LATE) and news.at is not None:
                now, effects = self.engine.catch_up(news, now)
            else:
                effects = self.engine.handle(news, now)
        except Exception as trouble:  # the edge of one event: a fault in one call must not end all others
            self.failed_events += 1
            call = getattr(news, "call", None)
            logger.exception("the engine failed at %s", type(news).__name__, extra={"call_id": call})
            if isinstance(trouble, HalfDecided):  # what is true in memory must be true in the ledger
                self._carry_out(trouble.effects, now, news)
            if entry.asker is not None:
                self._tell_all()
                if not entry.asker.done():
                    entry.asker.set_exception(trouble)
            self._wind_timer()
            return
        refusal = self._carry_out(effects, now, news)
        if entry.asker is not None:
            self._tell_all()
            if not entry.asker.done():
                entry.asker.set_result(refusal)
        self._wind_timer()

    def _with_person(self, news: Event | _Reload | CallServedElsewhere) -> Event | _Reload | CallServedElsewhere:
        """With whose number it names: what the engine decides by must stand in the news."""
        match news:
            case CallerDialledIn(caller=str(number)) | CallbackAsked(number=number) if person := self._whose(number):
                return replace(news, person=person)
            case _:
                return news

    def _carry_out(
        self, effects: Sequence[Effect], now: Instant, news: Event | _Reload | CallServedElsewhere
    ) -> RequestRefused | None:
        refusal = None
        cause = self._cause(news) if effects else None
        commands: list[Command] = []
        for effect in effects:
            if isinstance(effect, Fact):
                recorded = Recorded(self._next_seq, now, effect, cause)
                self._next_seq += 1
                cause = None  # it is written down once, with the first of its facts
                if self._ledger is not None:
                    self._ledger(recorded)
                self._tell(recorded, self._advisers)
                self._untold.append(recorded)
            elif isinstance(effect, RequestRefused):
                refusal = effect
            else:
                commands.append(effect)
        if len(commands) > 1:
            commands.sort(key=_parts)  # the next caller goes before the end of the last: the line takes one at a time
        for command in commands:
            try:
                self._do(command)
            except Exception:  # one call's edge: its command queue is gone, the others' are not
                logger.warning("the switch did not take %s", type(command).__name__, exc_info=True,
                               extra={"call_id": command.call})
        return refusal

    def _cause(self, news: Event | _Reload | CallServedElsewhere) -> Cause:
        if not isinstance(news, _Reload):
            return news
        digest, began = floor_digest(news.floor), not self._opened
        self._opened = True
        if began:
            return FloorOpened(digest, news.emergency)
        return FloorTakenUp(digest, news.emergency, news.by, news.why)

    def _tell_some(self) -> None:
        """As many as there is time for, before the loop looks for news: looking costs as much as telling one."""
        enough = time.monotonic() + LISTENERS_TURN
        while self._untold and not self._inbox:
            self._tell(self._untold.popleft(), self._listeners)
            if time.monotonic() >= enough:
                return

    def _tell_all(self) -> None:
        while self._untold:
            self._tell(self._untold.popleft(), self._listeners)

    @staticmethod
    def _tell(recorded: Recorded, listeners: Sequence[Callable[[Recorded], None]]) -> None:
        for listener in listeners:
            try:
                listener(recorded)
            except Exception:  # a listener's edge: routing goes on without it
                logger.warning("a listener failed at fact %d (%s)", recorded.seq, type(recorded.fact).__name__,
                               exc_info=True, extra={"call_id": getattr(recorded.fact, "call", None)})

    def _wind_timer(self) -> None:
        if self._deadlines_held:
            return
        due = self.engine.next_deadline()
        if self._timer is not None:
            if due == self._timer_for:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None and self._loop is not None:
            self._timer_for = due
            self._timer = self._loop.call_later(max(SHORTEST_TIMER, due - self._clock.now()), self._ring_timer)

    def _ring_timer(self) -> None:
        self._timer = None
        self._put(_Entry(DeadlinePassed()))

    def _release_askers(self) -> None:
        while self._inbox:
            asker = self._inbox.take().asker
            if asker is not None and not asker.done():
                asker.set_exception(InboxFull("the floor is closing"))


def _parts(command: Command) -> bool:
    return isinstance(command, HangUpCaller)

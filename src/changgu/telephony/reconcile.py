"""Looks at the PBX whenever the line to it comes up, and sets right what we missed while it was down."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from changgu.acd.call_state import CallState
from changgu.acd.commands import PlayMusicOnHold
from changgu.acd.events import Event
from changgu.acd.identity import CallId
from changgu.acd.records import CallView
from changgu.telephony.ari import messages
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriAway, AriRefused, AriTrouble
from changgu.telephony.ari.messages import AriEvent, ChannelDestroyed, ChannelHangupRequest, StasisEnd
from changgu.telephony.comparison import NOBODY, Findings, Snapshot, compare, in_doubt
from changgu.telephony.inbound import Inbound
from changgu.telephony.legs import Caller, Returned
from changgu.telephony.own_ends import NO_ENDS, Ends, no_ends
from changgu.telephony.own_waits import Waits, no_waits
from changgu.telephony.switch import Switch

logger = logging.getLogger(__name__)

AGAIN_AFTER = 0.5
"""Seconds until calls that were busy, or a PBX that did not answer, are looked at again."""

MUSIC_IN_ONE_GO = 10
MUSIC_EVERY = 0.02
"""Callers who wait are given music so many at a time, so many seconds apart. Nearly all have it still, and Asterisk
takes one request after the other: in one go, the next agent would ring only behind hundreds of them."""

SWEEPS = (0.0, 3.0, 10.0, 30.0)
"""Seconds after the line came up at which callers are fetched from the shadow queues: some are still on their way."""

SWEEP_AGAIN = 1.0
"""Seconds until somebody is looked for again who could not be fetched because a phone rang for them."""


class OpenCalls(Protocol):
    """What the ACD knows; `acd.engine.Engine` is the one implementation."""

    @property
    def calls(self) -> Mapping[CallId, CallView]:
        """Every open call."""
        ...

    def recently_ended(self, call: CallId) -> bool:
        """Whether this call is known to be over."""
        ...


class ShadowQueues(Protocol):
    """The plain queues that served callers while we were away."""

    async def fetch_waiting(self) -> int:
        """Send everybody who waits in one back to us; how many had to be left there for now."""
        ...


class NoShadowQueues:
    """For a PBX without them."""

    async def fetch_waiting(self) -> int:
        """Nobody waits elsewhere."""
        return 0


class Reconciler:
    """`ask` makes it look; `run` must be running; `hear` is given every ARI event."""

    def __init__(
        self, ari: Ari, inbound: Inbound, switch: Switch, calls: OpenCalls, post: Callable[[Event], None],
        shadow: ShadowQueues, waits: Waits = no_waits, ends: Ends = no_ends,
    ) -> None:  # fmt: skip
        """`waits` tells who came to our queues, `ends` who hung up while we were away, by the PBX's own account."""
        self._ari = ari
        self._inbound = inbound
        self._switch = switch
        self._calls = calls
        self._post = post
        self._shadow = shadow
        self._waits = waits
        self._ends = ends
        self._wanted = asyncio.Event()
        self._music: set[asyncio.Task[None]] = set()
        self._gone_meanwhile: set[str] | None = None
        self.done = asyncio.Event()
        """Set when the present state of the line has been looked at."""

    def ask(self) -> None:
        """The line came up: look."""
        self.done.clear()
        self._wanted.set()

    def hear(self, event: AriEvent) -> None:
        """Channels that go while we look are not to be taken for present."""
        if self._gone_meanwhile is not None and isinstance(event, ChannelDestroyed | StasisEnd | ChannelHangupRequest):
            self._gone_meanwhile.add(event.channel_id)

    async def run(self) -> None:
        """Look whenever asked, until cancelled."""
        sweeper: asyncio.Task[None] | None = None
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                if await self._look_until_settled():
                    self.done.set()
                    if sweeper is not None:
                        sweeper.cancel()
                    sweeper = asyncio.create_task(self._sweep())
        finally:
            late = [*self._music, *([sweeper] if sweeper is not None else [])]
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _look_until_settled(self) -> bool:
        """Whether everything could be compared; False when the line dropped, and will ask again."""
        unsettled: set[CallId] | None = None
        while True:
            try:
                unsettled = await self._look(unsettled)
            except AriAway:
                logger.info("the line dropped while we looked at the PBX")
                return False
            except AriTrouble as trouble:
                logger.warning("the PBX could not be looked at: %s", trouble)
            if unsettled is not None and not unsettled:
                return True
            await asyncio.sleep(AGAIN_AFTER)
            if self._wanted.is_set():
                return False

    async def _look(self, only: set[CallId] | None) -> set[CallId]:
        """Compare all calls, or `only` these; returns those that moved meanwhile, which say nothing."""
        # Channels and bridges are told one after the other, while calls go on. A caller who arrives, or a leg that is
        # rung, after the channels were told would be taken for gone: only who stood still is compared.
        still = {call: view for call, view in self._calls.calls.items() if not self._switch.is_busy(call)}
        self._gone_meanwhile = set()
        try:
            snapshot = await self._snapshot(self._ari.request)
            doubtful = any(in_doubt(view, snapshot) for view in self._calls.calls.values())
            waits = await self._waits() if doubtful else NOBODY
            ends = await self._ends() if any(call not in snapshot.channels for call in self._calls.calls) else NO_ENDS
            snapshot = snapshot.without(self._gone_meanwhile)
        finally:
            self._gone_meanwhile = None

        # Calls from before the PBX was started need no second look: what is under way for them can only fail.
        lost = {
            call
            for call, view in self._calls.calls.items()
            if view.started_at < snapshot.booted_at and call not in snapshot.channels
        }
        moved = {
            call
            for call, view in self._calls.calls.items()
            if (only is None or call in only)
            and call not in lost
            and (self._switch.is_busy(call) or still.get(call) != view)
        }

        def skip(call: CallId) -> bool:
            if call in lost:
                return False
            return self._switch.is_busy(call) or call in moved or (only is not None and call not in only)

        findings = compare(
            list(self._calls.calls.values()), snapshot, ended=self._calls.recently_ended, busy=skip, waits=waits,
            ends=ends,
        )
        # No waiting from here to the last event, so that no news comes between what we saw and what we say.
        self._take_over(findings)
        await self._clear_away(findings)
        await self._inbound.after_gap()
        return moved

    async def audit(self) -> Findings | None:
        """What differs between the PBX and what is believed, while nothing is done about it.

        None when it could not be told: the line is down, or comes up just now. Asked over HTTP, so that no command
        waits behind it; raises `AriTrouble`.
        """
        if not self.done.is_set() or self._gone_meanwhile is not None:
            return None
        still = dict(self._calls.calls)
        snapshot = await self._snapshot(self._ari.blocking)
        now = self._calls.calls

        def moved(call: CallId) -> bool:
            return self._switch.is_busy(call) or still.get(call) != now.get(call)

        if not self.done.is_set():
            return None
        return compare(list(now.values()), snapshot, ended=self._calls.recently_ended, busy=moved)

    async def repair(self, findings: Findings) -> None:
        """Act on what was found more than once."""
        self._take_over(findings)
        await self._clear_away(findings)

    async def _clear_away(self, findings: Findings) -> None:
        for orphan in findings.orphans:
            await self._delete("channels", orphan)
        for bridge in findings.empty_bridges:
            await self._delete("bridges", bridge)

    def _take_over(self, findings: Findings) -> None:
        for call in findings.gone_callers:
            self._inbound.forget(call)
            self._switch.forget_caller(call)
        for leg_name in findings.gone_legs:
            self._switch.forget(leg_name)
        # For callers we knew all along, what was decided was carried out or is reported as failed.
        known = {view.call for _, view in findings.callers if self._inbound.knows(view.call)}
        commands = [command for command in findings.commands if command.call not in known]
        restart_menu = {view.call for _, view in findings.menu_again}
        for channel, view in findings.callers:
            if view.call in restart_menu:
                self._inbound.greet_again(channel, view.dialled)
            else:
                self._inbound.adopt(channel, view.dialled, view.language)
                if view.state is CallState.WAITING and channel.state == "Up":
                    self._switch.adopt_waiting(view.call)
        for found in findings.legs:
            self._switch.adopt(
                found.leg, answered=found.answered, bridge=found.bridge, joined=found.joined, is_here=found.is_here
            )
        for event in findings.events:
            self._post(event)
        music = [command for command in commands if isinstance(command, PlayMusicOnHold)]
        for command in commands:
            if not isinstance(command, PlayMusicOnHold):
                self._switch.do(command)
        if music:
            self._music.add(task := asyncio.create_task(self._give_music(music), name="music for those who wait"))
            task.add_done_callback(self._music.discard)
        for channel, what in findings.newcomers:
            match what:
                case Caller(dialled):
                    self._inbound.welcome(channel, dialled, channel.created_at or None)
                case Returned(queue):
                    self._inbound.take_back(channel, queue)
        if findings.events or findings.orphans or findings.newcomers or findings.empty_bridges:
            logger.warning(
                "looked at the PBX: %d calls adopted, %d pieces of news missed, %d new callers, %d orphan legs, "
                "%d orphan bridges",
                len(findings.callers), len(findings.events), len(findings.newcomers), len(findings.orphans),
                len(findings.empty_bridges),
            )

    async def _give_music(self, commands: Sequence[PlayMusicOnHold]) -> None:
        """To those who still wait; whoever does not is heard, or hears what was decided for them since."""
        for start in range(0, len(commands), MUSIC_IN_ONE_GO):
            await asyncio.sleep(MUSIC_EVERY)
            for command in commands[start : start + MUSIC_IN_ONE_GO]:
                view = self._calls.calls.get(command.call)
                if view is not None and view.state is CallState.WAITING and not self._switch.is_busy(command.call):
                    self._switch.do(command)

    async def _snapshot(self, ask: Callable[..., Awaitable[Any]]) -> Snapshot:
        info = await ask("GET", path("asterisk", "info"), only="status")
        channels = await ask("GET", path("channels"))
        bridges = await ask("GET", path("bridges"))
        return Snapshot(
            self._ari.app,
            datetime.fromisoformat(info["status"]["startup_time"]).timestamp(),
            {channel.id: channel for channel in map(messages.channel, channels)},
            {bridge["id"]: frozenset(bridge["channels"]) for bridge in bridges},
            {bridge["id"]: messages.moment(bridge["creationtime"]) for bridge in bridges if "creationtime" in bridge},
        )

    async def _delete(self, kind: str, name: str) -> None:
        try:
            await self._ari.request("DELETE", path(kind, name))
        except AriRefused as trouble:
            logger.debug("nothing left to delete: %s", trouble)

    async def _sweep(self) -> None:
        clock = asyncio.get_running_loop().time
        dues, left = deque(clock() + due for due in SWEEPS), 0
        while dues or left:
            due = clock() + SWEEP_AGAIN
            if dues and (dues[0] <= due or not left):
                due = dues.popleft()
            await asyncio.sleep(max(0.0, due - clock()))
            try:
                left = await self._shadow.fetch_waiting()
            except (OSError, TimeoutError) as trouble:
                logger.warning("callers in the shadow queues could not be fetched: %s", trouble)


"""Dials people who are to be called back, and tells whether they were reached. Never twice at once.

The channel's id is the call's, so everything that is done with a caller can be done with somebody whom we called.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from changgu.acd.commands import DialPerson
from changgu.acd.events import DialFailed, Event
from changgu.acd.identity import CallbackId, CallId
from changgu.telephony.ari import messages
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriAway, AriBroken, AriConflict, AriLate, AriNotFound, AriRefused, AriTrouble
from changgu.telephony.ari.messages import AriEvent, Channel, ChannelDestroyed, StasisStart
from changgu.telephony.dial_plan import DialPlan, Refusal
from changgu.telephony.hangup_cause import RingFailure, dial_failure
from changgu.telephony.legs import Person, purpose, purpose_of_app_data, stasis_args
from changgu.telephony.numbers import caller_id

logger = logging.getLogger(__name__)

RANG_OUT = 1.0
"""Seconds before the limit at which an end without an answer counts as the limit."""


def callback_id(call: CallId, number: str) -> CallbackId:
    """The name of a promise that was asked for from a call; asked for twice it is the same promise.

    Letters and digits only: it becomes part of the names of calls and channels.
    """
    return CallbackId("cb" + hashlib.sha256(f"{call}\0{number}".encode()).hexdigest()[:20])


@dataclass(slots=True)
class _Dial:
    """Somebody whose telephone rings, or will."""

    limit: float
    rings_since: float | None = None
    withdrawn: bool = False


class PersonCalls:
    """People whom we call. `shown` is the number that they see, the desk's; `reached` welcomes who picks up."""

    def __init__(
        self, ari: Ari, plan: Callable[[], DialPlan], shown: Callable[[], str], post: Callable[[Event], None],
        reached: Callable[[Channel, Person], None],
    ) -> None:  # fmt: skip
        self._ari = ari
        self._reached = reached
        self._plan = plan
        self._shown = shown
        self._post = post
        self._dials: dict[CallId, _Dial] = {}

    def expect(self, command: DialPerson) -> None:
        """The command was given; what withdraws it may come before its turn."""
        self._dials[command.call] = _Dial(command.ring_limit.total_seconds())

    def withdraw(self, call: CallId) -> None:
        """The call is to be ended: that nobody answers is no news any more."""
        if dial := self._dials.get(call):
            dial.withdrawn = True

    def forget(self, call: CallId) -> None:
        """The PBX has no such channel; whoever found out has reported it."""
        self._dials.pop(call, None)

    def is_dialled(self, call: CallId) -> bool:
        """Whether somebody is being dialled for this call, who has not answered yet."""
        return call in self._dials

    async def dial(self, command: DialPerson) -> None:
        """Carry it out; what comes of it is told as `PersonReached` or `DialFailed`."""
        call = command.call
        dial = self._dials.get(call)
        if dial is None or dial.withdrawn:
            self._dials.pop(call, None)
            return
        way = self._plan().way(command.number)
        if isinstance(way, Refusal):
            # A number can have been allowed when it was promised, and not be any more.
            logger.warning("a person is not called back: %s", way.value, extra={"call_id": call})
            self._failed(call, RingFailure.UNREACHABLE)
            return
        limit = max(1, round(dial.limit))
        dial.rings_since = asyncio.get_running_loop().time()
        try:
            await self._ari.request(
                "POST", path("channels"), endpoint=way.endpoint, app=self._ari.app,
                appArgs=stasis_args(Person(command.queue, way.number, command.language)), channelId=call,
                callerId=caller_id(self._shown()), timeout=limit,
            )  # fmt: skip
        except AriConflict:
            logger.info("this person is being dialled already", extra={"call_id": call})
        except AriLate:
            await self._cancel(call)
            self._failed(call, RingFailure.ERROR)
        except AriAway:
            # Whether it rings is unknown. It must not ring twice, so it is not asked again, and looked after later.
            await self._ari.insist(partial(self.look_after, call))
        except AriRefused as trouble:
            logger.info("a person could not be dialled: %s", trouble, extra={"call_id": call})
            self._failed(call, RingFailure.UNREACHABLE if isinstance(trouble, AriBroken) else RingFailure.ERROR)

    def failed(self, call: CallId, trouble: Exception) -> None:
        """Dialling ended with an error that nobody foresaw."""
        logger.warning("dialling a person failed: %r", trouble, extra={"call_id": call})
        self._failed(call, RingFailure.ERROR)

    async def look_after(self, call: CallId) -> None:
        """After a gap in the news: what has become of somebody who was being dialled."""
        if call not in self._dials:
            return
        try:
            channel = messages.channel(await self._ari.request("GET", path("channels", call)))
        except AriNotFound:
            self._failed(call, RingFailure.GONE)
            return
        person = purpose_of_app_data(self._ari.app, channel.app_data)
        if channel.app == "Stasis" and isinstance(person, Person):
            self._answered(channel, person)

    @property
    def dialled(self) -> list[CallId]:
        """Calls whose person is being dialled."""
        return list(self._dials)

    def hear(self, event: AriEvent) -> None:
        """Take note of one event; never waits."""
        match event:
            case StasisStart(channel, args) if isinstance(person := purpose(args), Person):
                self._answered(channel, person)
            case ChannelDestroyed(channel_id, cause, _, sip) if dial := self._dials.get(CallId(channel_id)):
                rang = 0.0 if dial.rings_since is None else asyncio.get_running_loop().time() - dial.rings_since
                rang_out = rang >= dial.limit - RANG_OUT
                self._failed(CallId(channel_id), dial_failure(cause, sip, rang_out=rang_out))
            case _:
                return

    def _answered(self, channel: Channel, person: Person) -> None:
        self._dials.pop(CallId(channel.id), None)
        self._reached(channel, person)

    def _failed(self, call: CallId, why: RingFailure) -> None:
        dial = self._dials.pop(call, None)
        if dial is not None and not dial.withdrawn:
            self._post(DialFailed(call, why.value))

    async def _cancel(self, call: CallId) -> None:
        try:
            await self._ari.request("DELETE", path("channels", call))
        except AriTrouble as trouble:
            logger.debug("nothing left to cancel: %s", trouble, extra={"call_id": call})

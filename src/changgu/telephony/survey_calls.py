"""Calls requesters for the survey, one after the other, while the site's hours allow it; no agent is needed."""

import asyncio
import itertools
import logging
from collections.abc import Callable
from time import time

from changgu.acd.identity import CallId
from changgu.ivr_flows.nodes import NamedPrompt
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriAway, AriNotFound, AriTrouble
from changgu.telephony.ari.messages import (
    AriEvent,
    ChannelDestroyed,
    ChannelDtmfReceived,
    PlaybackFinished,
    StasisEnd,
    StasisStart,
)
from changgu.telephony.dial_plan import DialPlan, Refusal
from changgu.telephony.handset import Handset
from changgu.telephony.legs import SurveyLeg, purpose, stasis_args
from changgu.telephony.numbers import caller_id
from changgu.telephony.survey import Invitation, Invitations, SurveyAsker

logger = logging.getLogger(__name__)

LOOK_EVERY = 30.0
"""Seconds between looks for somebody who is to be called."""
RING_LIMIT = 30
"""Seconds for which their telephone rings."""
SAFETY = 10.0
LONGEST_SURVEY = 180.0
"""Seconds from picking up to the end."""
LEG = "survey-"
"""Begins the ids of these channels."""


class SurveyCalls:
    """`run` must be running, `hear` is given every ARI event. Without `invitations` nobody is called."""

    def __init__(
        self, ari: Ari, asker: SurveyAsker, invitations: Invitations | None, plan: Callable[[], DialPlan],
        shown: Callable[[], str], *, every: float = LOOK_EVERY, clock: Callable[[], float] = time,
    ) -> None:  # fmt: skip
        """`shown` is the number that people see whom we call."""
        self._ari = ari
        self._asker = asker
        self._invitations = invitations
        self._plan = plan
        self._shown = shown
        self._every = every
        self._name = f"{LEG}{clock():.0f}"
        self._count = itertools.count(1)
        self._handset: Handset | None = None
        self._answered = asyncio.Event()
        self._gone = asyncio.Event()
        self._leftovers: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Call whoever is to be called, until cancelled."""
        if self._invitations is None:
            return
        while True:
            try:
                called = await self._call_next(self._invitations)
            except Exception:  # one person's edge: they are tried again, and the next one is called
                logger.exception("somebody could not be called for the survey")
                called = False
            if not called:
                await asyncio.sleep(self._every)

    def hear(self, event: AriEvent) -> None:
        """Take note of one event; never waits."""
        handset = self._handset
        if handset is None:
            return
        match event:
            case StasisStart(channel, args) if channel.id == handset.call and isinstance(purpose(args), SurveyLeg):
                self._answered.set()
            case StasisEnd(channel_id) | ChannelDestroyed(channel_id) if channel_id == handset.call:
                handset.hung_up()
                self._gone.set()
            case ChannelDtmfReceived(channel_id, digit, held, at) if channel_id == handset.call:
                handset.press(digit, at, held)
            case PlaybackFinished(playback_id, channel_id) if channel_id == handset.call:
                handset.playback_finished(playback_id)
            case _:
                return

    def line_is_up(self) -> None:
        """Whom somebody was asking when the service ended hears nothing more: their leg is ended."""
        if self._invitations is not None:
            self._leftovers = asyncio.create_task(self._end_leftovers(), name="survey calls from before")

    async def _end_leftovers(self) -> None:
        try:
            channels = await self._ari.request("GET", path("channels"))
            for name in [channel["id"] for channel in channels if channel["id"].startswith(LEG)]:
                if self._handset is None or name != self._handset.call:
                    await self._hang_up(name)
        except AriTrouble as trouble:
            logger.info("could not look for survey calls from before: %s", trouble)

    async def _call_next(self, invitations: Invitations) -> bool:
        """Whether there was somebody to be called."""
        invitation = await invitations.next()
        if invitation is None:
            return False
        way = self._plan().way(invitation.number)
        if isinstance(way, Refusal):
            logger.warning("ticket=%s nobody is called for the survey: %s", invitation.ticket, way.value)
            await invitations.called(invitation.ticket, reached=False)
            return True
        self._answered.clear()
        try:
            await self._ask(invitation, way.endpoint, invitations)
        finally:  # whatever went wrong, nobody is called over and over
            await invitations.called(invitation.ticket, reached=self._answered.is_set())
        return True

    async def _ask(self, invitation: Invitation, endpoint: str, invitations: Invitations) -> None:
        leg = f"{self._name}-{next(self._count)}"
        handset = self._handset = Handset(CallId(leg))
        self._gone.clear()
        try:
            await self._ari.request(
                "POST", path("channels"), endpoint=endpoint, app=self._ari.app, channelId=leg,
                appArgs=stasis_args(SurveyLeg(invitation.ticket)), callerId=caller_id(self._shown()),
                timeout=RING_LIMIT,
            )  # fmt: skip
            if await self._picked_up():
                await self._questions(handset, invitation, invitations)
        except AriTrouble as trouble:
            logger.info("ticket=%s the survey call ended: %s", invitation.ticket, trouble)
            if isinstance(trouble, AriAway):
                await self._ari.wait_connected(LONGEST_SURVEY)
        finally:
            await self._hang_up(leg)
            self._handset = None

    async def _picked_up(self) -> bool:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._answered, self._gone)]
        try:
            await asyncio.wait(waits, timeout=RING_LIMIT + SAFETY, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        return self._answered.is_set() and not self._gone.is_set()

    async def _questions(self, handset: Handset, invitation: Invitation, invitations: Invitations) -> None:
        hello = (NamedPrompt("survey_hello"),)
        asking = asyncio.ensure_future(self._asker.ask(handset, invitation.ticket, hello, invitations))
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({asking, gone}, timeout=LONGEST_SURVEY, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            asking.cancel()
            results = await asyncio.gather(asking, return_exceptions=True)
        trouble = results[0]
        if isinstance(trouble, Exception):
            raise trouble

    async def _hang_up(self, leg: str) -> None:
        try:
            await self._ari.request("DELETE", path("channels", leg))
        except AriNotFound:
            return
        except AriTrouble as trouble:
            logger.info("a survey call could not be ended: %s", trouble)

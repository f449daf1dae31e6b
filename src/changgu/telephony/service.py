"""The telephone side of the desk, put together: the line to Asterisk and all who listen to it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from changgu.acd.commands import Command
from changgu.acd.events import Event
from changgu.acd.identity import CallId
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriTrouble
from changgu.telephony.ari.messages import AriEvent
from changgu.telephony.ari.stream import AriAddress, AriStream
from changgu.telephony.call_control import CallControl
from changgu.telephony.callbacks import PersonCalls
from changgu.telephony.inbound import Desk, Inbound
from changgu.telephony.ivr_player import Helpers, IvrPlayer, LookUps, Voice
from changgu.telephony.own_ends import Ends, no_ends
from changgu.telephony.own_waits import Waits, no_waits
from changgu.telephony.reconcile import NoShadowQueues, OpenCalls, Reconciler, ShadowQueues
from changgu.telephony.speech.recogniser import Recognisers, SpeechPlan
from changgu.telephony.survey import SurveyAsker
from changgu.telephony.survey_calls import SurveyCalls
from changgu.telephony.switch import Switch

logger = logging.getLogger(__name__)


class Telephony:
    """Everything that needs the ARI line. `run` must be running; `do` is the ACD's switch.

    `post` takes events for the ACD (`Runner.post`); `calls` is what the ACD knows (`Engine`).
    """

    def __init__(
        self, address: AriAddress, *, desk: Desk, voice: Voice, look_ups: LookUps, post: Callable[[Event], None],
        calls: OpenCalls, shadow: ShadowQueues | None = None, number_of: Callable[[CallId], str | None] | None = None,
        helpers: Helpers | None = None, speech: SpeechPlan | None = None, legs_wait: bool = False,
        most_listeners: int | None = None, waits: Waits = no_waits, ends: Ends = no_ends,
    ) -> None:  # fmt: skip
        """`number_of` is the number of somebody who is to be called back; `calls` knows it unless it is given.

        `helpers` are the parts of the house that a menu can ask; `speech` None: every question is asked by keys.
        `legs_wait`: the PBX has our dialplan, in which agents who pick up while we are away wait for us.
        `most_listeners`: so many waiting callers hear music at one time; None: all.
        `waits` tells who came to our queues, `ends` who hung up while we were away, by the PBX's own account.
        """
        self.stream = AriStream(address, self._hear, on_connected=self._connected)
        self.ari = Ari(self.stream, address)
        self.recognisers = Recognisers(self.ari, at_once=speech.at_once, model=speech.model) if speech else None
        if self.recognisers is not None:
            helpers = replace(helpers or Helpers(), recognisers=self.recognisers)
        self.player = IvrPlayer(self.ari, voice, look_ups, post, helpers)
        self.inbound = Inbound(
            self.ari, self.player, post, desk, self._agent_is_on_the_line, lambda: self.switch.conversations
        )
        self.people = PersonCalls(self.ari, desk.dial_plan, desk.shown_number, post, self.inbound.reached)
        self.switch = Switch(
            self.ari, self.inbound, post, people=self.people, voice=voice, language=desk.language,
            number_of=number_of or (lambda call: view.caller if (view := calls.calls.get(call)) else None),
            parting=self.inbound.parting, language_of=self.inbound.language, legs_wait=legs_wait,
            most_listeners=most_listeners,
        )  # fmt: skip
        self.survey_calls = SurveyCalls(
            self.ari, SurveyAsker(self.player, desk.language), desk.survey_calls, desk.dial_plan, desk.shown_number
        )
        self.control = CallControl(self.ari, self.switch, post)
        self.reconciler = Reconciler(
            self.ari, self.inbound, self.switch, calls, post, shadow or NoShadowQueues(), waits, ends
        )
        self.version: str | None = None
        """Asterisk's version, once it has been connected."""

    @property
    def connected(self) -> bool:
        """Whether calls can be driven now."""
        return self.stream.connected

    def do(self, command: Command) -> None:
        """Carry out one command of the ACD, without waiting for it."""
        self.switch.do(command)

    async def run(self) -> None:
        """Serve until cancelled. Calls on the PBX go on when it ends, and are taken up by the next run."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for part in (self.inbound, self.switch, self.reconciler, self.stream, self.survey_calls):
                    tasks.create_task(part.run(), name=type(part).__name__)
                if self.recognisers is not None:
                    tasks.create_task(self.recognisers.run(), name="Recognisers")
        finally:
            await self.ari.close()

    def _agent_is_on_the_line(self, call: CallId) -> bool:
        return self.switch.conversation(call) is not None

    def _connected(self) -> None:
        self.reconciler.ask()
        self.switch.line_is_up()
        if self.recognisers is not None:
            asyncio.create_task(self.recognisers.line_is_up(), name="taps")  # noqa: RUF006 - it ends by itself at once
        self.survey_calls.line_is_up()
        if self.version is None:
            asyncio.create_task(self._ask_version(), name="ari-version")  # noqa: RUF006 - it ends by itself at once

    async def _ask_version(self) -> None:
        try:
            info = await self.ari.request("GET", path("asterisk", "info"), only="system")
            self.version = str(info["system"]["version"])
        except (AriTrouble, KeyError, TypeError) as trouble:
            logger.info("Asterisk did not tell its version: %s", trouble)

    def _hear(self, event: AriEvent) -> None:
        # The order matters: who looks for what has gone must know before the others forget it.
        self.reconciler.hear(event)
        self.control.hear(event)
        self.switch.hear(event)
        self.inbound.hear(event)
        self.survey_calls.hear(event)

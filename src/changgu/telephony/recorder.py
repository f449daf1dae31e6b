"""Records conversations on the PBX: MixMonitor on the caller's channel, one file per leg and one of both.

MixMonitor costs the PBX a third of what recording a bridge does, and leaves the bridge a simple one.
"""

import logging
import re
from pathlib import Path

from changgu.acd.identity import CallId
from changgu.telephony.ami.client import Ami, AmiRefused, AmiTrouble

logger = logging.getLogger(__name__)

_SAFE_FOLDER = re.compile(r"/[^\x00-\x1f(),|\"\\]+")
"""Anything else would end a parameter of MixMonitor."""

MIX, CALLER, AGENT = "mix.wav", "caller.wav", "agent.wav"


class RecordingFailed(Exception):
    """The PBX did not record; the message says why."""


class MixMonitorRecorder:
    """Implements what `recordings` asks of a recorder."""

    def __init__(self, ami: Ami) -> None:
        self._ami = ami
        self._monitors: dict[CallId, str] = {}

    async def start(self, call: CallId, folder: Path) -> None:
        """Record into `folder` (which exists, is absolute and writable by Asterisk): mix, caller's and agent's voice.

        Raises `RecordingFailed`.
        """
        place = str(folder)
        if _SAFE_FOLDER.fullmatch(place) is None:
            raise RecordingFailed(f"a recording cannot be kept in {place!r}")
        # r() is what the caller's channel receives (their voice), t() what is sent to it (the agent's).
        try:
            reply = await self._ami.action(
                "MixMonitor", Channel=call, File=f"{place}/{MIX}", Options=f"r({place}/{CALLER})t({place}/{AGENT})",
            )  # fmt: skip
        except AmiTrouble as trouble:
            raise RecordingFailed(str(trouble)) from trouble
        if monitor := reply.get("MixMonitorID"):
            self._monitors[call] = monitor

    async def stop(self, call: CallId) -> None:
        """End the recording; one that ended with its channel is fine. Raises `RecordingFailed` when the PBX is away."""
        monitor = self._monitors.pop(call, None)
        try:
            if monitor is None:
                await self._ami.action("StopMixMonitor", Channel=call)
            else:
                await self._ami.action("StopMixMonitor", Channel=call, MixMonitorID=monitor)
        except AmiRefused as trouble:
            logger.debug("the recording had ended: %s", trouble, extra={"call_id": call})
        except AmiTrouble as trouble:
            raise RecordingFailed(str(trouble)) from trouble

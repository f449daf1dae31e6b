"""What a menu does on a caller's line: takes down a message, promises a call, puts them through, takes a fax."""

from collections.abc import Mapping
from typing import assert_never

from changgu.acd.facts import Outcome
from changgu.acd.identity import QueueName
from changgu.ivr_flows.turns import (
    Done,
    Event,
    Failed,
    Left,
    Recorded,
    WaitCallback,
    WaitFax,
    WaitNumber,
    WaitRecording,
)
from changgu.telephony.diversions import Diversions
from changgu.telephony.handset import Visitor

OUTCOMES: Mapping[Left, Outcome] = {
    Left.RECORDING: Outcome.VOICEMAIL, Left.CALLBACK: Outcome.CALLBACK, Left.NUMBER: Outcome.REDIRECTED,
}  # fmt: skip
"""What a visit came to, by what the caller left the menu with; a fax is self-service like any other."""


class VisitDeeds:
    """For one caller. Answers `telephony.ivr_player.Deeds`."""

    def __init__(self, visitor: Visitor, diversions: Diversions, takes_faxes: bool) -> None:
        self._visitor = visitor
        self._diversions = diversions
        self._takes_faxes = takes_faxes

    async def do(self, wait: WaitRecording | WaitCallback | WaitNumber | WaitFax) -> Event:
        """To its end; what goes wrong on the line is `Failed`, and the flow says what then."""
        visitor, call = self._visitor, self._visitor.handset.call
        match wait:
            case WaitRecording(queue, longest):
                kept = await self._diversions.take_message(visitor, QueueName(queue), longest)
                return Recorded(call, 0.0) if kept else Failed("nothing was kept")
            case WaitCallback(queue, number, priority, skills):
                promised = self._diversions.promise(visitor, QueueName(queue), number, priority, skills)
                return Done() if promised else Failed("the number may not be dialled")
            case WaitNumber(number):
                return Done() if await self._diversions.put_through(visitor, number) else Failed("not reached")
            case WaitFax(queue):
                if self._takes_faxes and await self._diversions.hand_to_fax(visitor, QueueName(queue)):
                    return Done()
                return Failed("nobody takes faxes here")
            case _:
                assert_never(wait)

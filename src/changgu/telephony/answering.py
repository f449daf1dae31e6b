"""Callers are answered before they hear anything; whoever would only wait is answered with the music or the agent.

Until then the telephone network gives them the ringing tone. An idle agent's phone rings sooner for it, as Asterisk
serves one request after the other, and where music has its bounds, whoever is beyond them costs no sound at all.
"""

import logging
from functools import partial

from changgu.acd.identity import CallId
from changgu.telephony.ari.client import Ari, path
from changgu.telephony.ari.errors import AriRefused

logger = logging.getLogger(__name__)


class Answering:
    """Knows who has not been answered yet."""

    def __init__(self, ari: Ari) -> None:
        self._ari = ari
        self._put_off: set[CallId] = set()

    def put_off(self, call: CallId) -> None:
        """This caller is to be answered before anything is played to them, or anybody talks with them."""
        self._put_off.add(call)

    def is_put_off(self, call: CallId) -> bool:
        """Whether this caller still hears the ringing tone."""
        return call in self._put_off

    async def if_put_off(self, call: CallId) -> None:
        """Answer whoever has not been. A caller who cannot be is about to be gone, and is told of as such.

        Raises what `Ari.insist` does when the PBX is away for long.
        """
        if call in self._put_off:
            try:
                await self._ari.insist(partial(self._ari.request, "POST", path("channels", call, "answer")))
            except AriRefused as trouble:
                logger.info("a waiting caller could not be answered: %s", trouble, extra={"call_id": call})
            self._put_off.discard(call)

    def forget(self, call: CallId) -> None:
        """The caller is gone."""
        self._put_off.discard(call)

"""The part of a call's page on which its recording is played."""

from fastapi import APIRouter, Depends, Path, Request, Response

from changgu.acd.identity import CallId
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.recordings.api import Listening, audio_address

SLOT = "/calls/{id}/recordings"
"""The address of this part, for the page of a call."""
SLOT_ROLE = Role.AGENT
"""Who may see it, at least."""


def build_pages(gate: Gate, pages: Pages, listening: Listening) -> APIRouter:
    """`/calls/{id}/recordings`: a piece of HTML; 404 when there is nothing that this person may hear of."""
    router = APIRouter(include_in_schema=False)
    agent = Depends(gate.require(SLOT_ROLE))

    @router.get(SLOT)
    async def recordings_part(request: Request, id: str = Path(max_length=150), actor: Actor = agent) -> Response:
        call = CallId(id)
        recordings = await listening.of_call(actor, call)
        return pages.render(
            request, "recordings_call.html", actor,
            recordings=[(one, audio_address(one)) for one in recordings],
            plays=await listening.store.plays_of(call) if actor.may(Role.SUPERVISOR) else [],
        )  # fmt: skip

    return router

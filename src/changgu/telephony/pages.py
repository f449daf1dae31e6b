"""The part of a call's page that shows the PBX's own account of it, and whether the ledger agrees."""

from fastapi import APIRouter, Depends, Path, Request, Response

from changgu.acd.identity import CallId
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.database import moment
from changgu.ground.pages import Pages
from changgu.telephony.api import Tracing
from changgu.telephony.cel import KINDS

SLOT = "/calls/{id}/trace"
"""The address of this part, for the page of a call."""
SLOT_ROLE = Role.SUPERVISOR
"""Who may see it, at least."""


def build_pages(gate: Gate, pages: Pages, trace: Tracing) -> APIRouter:
    """`/calls/{id}/trace`: a piece of HTML; 404 for a call of which nobody knows."""
    router = APIRouter(include_in_schema=False)
    supervisor = Depends(gate.require(SLOT_ROLE))

    @router.get(SLOT)
    async def trace_part(request: Request, id: str = Path(max_length=150), actor: Actor = supervisor) -> Response:
        found = await trace.of_call(CallId(id))
        return pages.render(request, "telephony_trace.html", actor, trace=found, moment=moment, kinds=KINDS)

    return router

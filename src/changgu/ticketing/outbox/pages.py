"""The page of messages to callers: what waits, what was sent, what arrived, and what did not go out and why."""

from fastapi import APIRouter, Depends, Query, Request, Response

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.ticketing.api import read_cursor
from changgu.ticketing.outbox.outgoing import ARRIVAL_NAMES, PURPOSE_NAMES, STATE_NAMES, WAY_NAMES
from changgu.ticketing.outbox.service import Outbox

PAGE = 50


def build_pages(gate: Gate, pages: Pages, outbox: Outbox) -> APIRouter:
    """The route `/messages/outgoing`."""
    router = APIRouter(include_in_schema=False)
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    @router.get("/messages/outgoing")
    async def outgoing(
        request: Request,
        actor: Actor = supervisor,
        view: str = Query("all", pattern="^(all|failed)$"),
        cursor: str | None = None,
    ) -> Response:
        found, following = await outbox.page(failed=view == "failed", before=read_cursor(cursor), limit=PAGE)
        return pages.render(
            request, "ticketing_outgoing.html", actor, messages=found, next=following, view=view,
            unsent=await outbox.failed_lately(), can_send=outbox.can_send, states=STATE_NAMES, arrivals=ARRIVAL_NAMES,
            purposes=PURPOSE_NAMES, ways=WAY_NAMES,
        )  # fmt: skip

    return router

"""The page of messages to callers: what waits, what was sent, what arrived, and what did not go out and why."""

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.ground.trouble import Trouble
from changgu.ticketing.api import read_cursor
from changgu.ticketing.outbox.outgoing import ARRIVAL_NAMES, PURPOSE_NAMES, STATE_NAMES, WAY_NAMES
from changgu.ticketing.outbox.service import Outbox

PAGE = 50
VIEWS = "^(all|failed)$"


def build_pages(gate: Gate, pages: Pages, outbox: Outbox) -> APIRouter:
    """The route `/messages/outgoing` and its form."""
    router = APIRouter(include_in_schema=False)
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    async def show(
        request: Request, actor: Actor, view: str, cursor: str | None = None, trouble: Trouble | None = None
    ) -> Response:
        found, following = await outbox.page(failed=view == "failed", before=read_cursor(cursor), limit=PAGE)
        return pages.render(
            request, "ticketing_outgoing.html", actor, messages=found, next=following, view=view,
            unsent=await outbox.failed_lately(), can_send=outbox.can_send, states=STATE_NAMES, arrivals=ARRIVAL_NAMES,
            purposes=PURPOSE_NAMES, ways=WAY_NAMES, trouble=trouble, status_code=trouble.status if trouble else 200,
        )  # fmt: skip

    @router.get("/messages/outgoing")
    async def outgoing(
        request: Request,
        actor: Actor = supervisor,
        view: str = Query("all", pattern=VIEWS),
        cursor: str | None = None,
    ) -> Response:
        return await show(request, actor, view, cursor)

    @router.post("/messages/outgoing/{id}/again")
    async def send_again(
        request: Request,
        id: int = Path(ge=1, le=2**53),
        view: str = Form("all", pattern=VIEWS),
        actor: Actor = supervisor,
    ) -> Response:
        try:
            await outbox.send_again(id, actor)
        except Trouble as trouble:
            return await show(request, actor, view, trouble=trouble)
        return RedirectResponse("/messages/outgoing", 303)

    return router

"""The page of voice mail and fax: what came, who has it, and what nobody has replied to yet."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.ground.trouble import Trouble
from changgu.ticketing.api import read_cursor
from changgu.ticketing.intake.api import audio_address, document_address
from changgu.ticketing.intake.messages import ANSWER_NAMES, KIND_NAMES
from changgu.ticketing.intake.service import Intake
from changgu.ticketing.ticket import STATE_NAMES

PAGE = 50


def build_pages(gate: Gate, pages: Pages, intake: Intake, unsent: Callable[[], Awaitable[int]]) -> APIRouter:
    """The routes `/messages` and its form. `unsent` counts messages to callers that did not go out lately."""
    router = APIRouter(include_in_schema=False)
    agent = Depends(gate.require(Role.AGENT))

    async def show(
        request: Request, actor: Actor, view: str, cursor: str | None = None, trouble: Trouble | None = None
    ) -> Response:
        if view == "late":
            found, following = await intake.late(), None
        else:
            found, following = await intake.page(
                unanswered=view == "unanswered", before=read_cursor(cursor), limit=PAGE
            )
        return pages.render(
            request, "ticketing_messages.html", actor, messages=found, next=following, view=view, trouble=trouble,
            minutes=int(intake.waiting.limit.total_seconds() // 60), alert_at=intake.waiting.alert_at,
            audio=audio_address, document=document_address, kinds=KIND_NAMES, answers=ANSWER_NAMES,
            states=STATE_NAMES,
            unsent=await unsent() if _oversees(actor) else None, status_code=trouble.status if trouble else 200,
        )  # fmt: skip

    @router.get("/messages")
    async def list_messages(
        request: Request,
        actor: Actor = agent,
        view: str = Query("unanswered", pattern="^(unanswered|late|all)$"),
        cursor: str | None = None,
    ) -> Response:
        return await show(request, actor, view, cursor)

    @router.post("/messages/{id}/dismissal")
    async def dismiss(
        request: Request, id: int = Path(ge=1, le=2**53), why: str = Form("", max_length=400), actor: Actor = agent
    ) -> Response:
        try:
            await intake.dismiss(id, why, actor)
        except Trouble as trouble:
            return await show(request, actor, "unanswered", trouble=trouble)
        return RedirectResponse("/messages", 303)

    return router


def _oversees(actor: Actor) -> bool:
    return actor.role.rank >= Role.SUPERVISOR.rank

"""The page on which the desk gives a caller a new PIN."""

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import RedirectResponse

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.ground.trouble import NotFound, Trouble
from changgu.ticketing.self_service.resets.limits import SentTo
from changgu.ticketing.self_service.resets.service import PinResets
from changgu.ticketing.self_service.service import SelfService

PERSON = Path(ge=1, le=2**31 - 1)


def build_pages(gate: Gate, pages: Pages, service: SelfService, resets: PinResets) -> APIRouter:
    """The route `/people/{id}/pin` and its forms."""
    router = APIRouter(include_in_schema=False)
    agent = Depends(gate.require(Role.AGENT))

    async def show(
        request: Request, actor: Actor, person: int, issued: str | None = None, sent: SentTo | None = None,
        trouble: Trouble | None = None,
    ) -> Response:  # fmt: skip
        standing = await service.standing(person)
        answer = pages.render(
            request, "ticketing_pin.html", actor, standing=standing, person=person, issued=issued, sent=sent,
            trouble=trouble, last=await resets.last(person), can_send=resets.can_send,
        )  # fmt: skip
        answer.status_code = trouble.status if trouble else 200
        answer.headers["Cache-Control"] = "no-store"  # a PIN may stand on it
        return answer

    @router.get("/people/{person}/pin")
    async def show_pin(request: Request, person: int = PERSON, actor: Actor = agent) -> Response:
        return await show(request, actor, person)

    @router.post("/people/{person}/pin")
    async def issue(request: Request, person: int = PERSON, actor: Actor = agent) -> Response:
        return await show(request, actor, person, await service.issue_pin(person, actor))

    @router.post("/people/{person}/pin/send")
    async def send(request: Request, person: int = PERSON, actor: Actor = agent) -> Response:
        try:
            sent = await resets.send(person, actor)
        except NotFound:
            raise
        except Trouble as trouble:
            return await show(request, actor, person, trouble=trouble)
        return await show(request, actor, person, sent=sent)

    @router.post("/people/{person}/pin/remove")
    async def remove(person: int = PERSON, _: Actor = agent) -> Response:
        await service.remove_pin(person)
        return RedirectResponse(f"/people/{person}/pin", 303)

    return router

"""The page on which people who have no account here ask for a PIN and choose one of their own, if the site opens it."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from changgu.ground.pages import Pages
from changgu.ground.trouble import BadInput, NotFound
from changgu.ticketing.self_service.resets.limits import Asked
from changgu.ticketing.self_service.resets.service import PinResets
from changgu.ticketing.self_service.service import SelfService

Typed = Annotated[str, Form(max_length=64)]

ANSWERS = {
    Asked.ACCEPTED: ("own_asked", "good", 200),
    Asked.PAUSED: ("own_paused", "bad", 429),
    Asked.UNAVAILABLE: ("own_unavailable", "bad", 409),
}
"""Notice, tone and HTTP status; the same for everybody, known or not."""


def build_pages(pages: Pages, service: SelfService, resets: PinResets, is_open: bool) -> APIRouter:
    """The routes `/my-pin`, `/my-pin/ask` and `/my-pin/choose`. Guesses count for the address they come from."""
    router = APIRouter(include_in_schema=False)

    def show(request: Request, notice: str = "", tone: str = "good", status: int = 200) -> Response:
        if not is_open:
            raise NotFound("그런 페이지가 없습니다.", "There is no such page.")
        answer = pages.render(
            request, "ticketing_my_pin.html", None, notice=notice, tone=tone, can_send=resets.can_send
        )
        answer.status_code = status
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @router.get("/my-pin")
    async def my_pin(request: Request) -> Response:
        return show(request)

    @router.post("/my-pin/ask")
    async def ask(request: Request, employee: Typed, mobile: Typed) -> Response:
        if not is_open:
            return show(request)
        return show(request, *ANSWERS[await resets.ask(employee.strip(), mobile, _asker(request))])

    @router.post("/my-pin/choose")
    async def choose(request: Request, employee: Typed, pin: Typed, new: Typed, again: Typed) -> Response:
        if not is_open:
            return show(request)
        if new != again:
            return show(request, "own_differ", "bad", 422)
        try:
            chosen = await service.choose_by_telephone(employee.strip(), pin, new, _asker(request))
        except BadInput:
            return show(request, "own_easy", "bad", 422)
        return show(request, "own_chosen") if chosen else show(request, "own_not_chosen", "bad", 403)

    return router


def _asker(request: Request) -> str:
    return f"web {request.client.host}" if request.client else "web"

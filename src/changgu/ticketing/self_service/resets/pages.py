"""The page on which people who have no account here ask for a PIN and choose one of their own, if the site opens it."""

from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from changgu.ground.pages import Pages
from changgu.ground.trouble import BadInput, NotFound
from changgu.ticketing.self_service.pin import Chosen
from changgu.ticketing.self_service.resets.limits import Asked
from changgu.ticketing.self_service.resets.service import PinResets
from changgu.ticketing.self_service.service import SelfService
from changgu.ticketing.self_service.sources import web_source

Typed = Annotated[str, Form(max_length=64)]

SAID = {
    "asked": 200, "paused": 429, "unavailable": 409,
    "chosen": 200, "not_chosen": 403, "closed": 429, "busy": 429, "differ": 422, "easy": 422,
}  # fmt: skip
"""What a page may say of the last press, each with its HTTP status; the same for everybody, known or not."""
ASKED = {Asked.ACCEPTED: "asked", Asked.PAUSED: "paused", Asked.UNAVAILABLE: "unavailable"}
CHOSEN = {Chosen.DONE: "chosen", Chosen.WRONG: "not_chosen", Chosen.CLOSED: "closed", Chosen.BUSY: "busy"}

EMPLOYEE_COOKIE = "changgu_my_pin"
KEPT_FOR = 600
"""Seconds for which the browser keeps the employee number that was typed; it stands in no address and no log."""


def build_pages(pages: Pages, service: SelfService, resets: PinResets, is_open: bool) -> APIRouter:
    """The routes `/my-pin`, `/my-pin/ask` and `/my-pin/choose`. Guesses count for the address they come from."""

    def open_only() -> None:
        if not is_open:
            raise NotFound("그런 페이지가 없습니다.", "There is no such page.")

    router = APIRouter(include_in_schema=False, dependencies=[Depends(open_only)])

    @router.get("/my-pin")
    async def my_pin(request: Request, said: str = "") -> Response:
        said = said if said in SAID else ""
        status = SAID.get(said, 200)
        typed = unquote(request.cookies.get(EMPLOYEE_COOKIE, ""))[:64] if said else ""
        return pages.render(
            request, "ticketing_my_pin.html", None, status_code=status, said=said, is_good=status == 200,
            employee=typed, can_send=resets.can_send,
        )  # fmt: skip

    @router.post("/my-pin/ask")
    async def ask(request: Request, employee: Typed, mobile: Typed) -> Response:
        return _say(request, ASKED[await resets.ask(employee.strip(), mobile, _asker(request))], employee)

    @router.post("/my-pin/choose")
    async def choose(request: Request, employee: Typed, pin: Typed, new: Typed, again: Typed) -> Response:
        if new != again:
            return _say(request, "differ", employee)
        try:
            chosen = await service.choose_on_the_web(employee.strip(), pin, new, _asker(request))
        except BadInput:
            return _say(request, "easy", employee)
        return _say(request, CHOSEN[chosen], employee)

    return router


def _say(request: Request, said: str, employee: str) -> Response:
    """Lead to a page that may be read again, in another language too, and repeats nothing."""
    answer = RedirectResponse(f"/my-pin?said={said}", 303, headers={"Cache-Control": "no-store"})
    https = request.url.scheme == "https"
    if said == "chosen":
        answer.delete_cookie(EMPLOYEE_COOKIE, path="/my-pin", secure=https, httponly=True, samesite="strict")
    else:
        answer.set_cookie(
            EMPLOYEE_COOKIE, quote(employee.strip()), max_age=KEPT_FOR, path="/my-pin", secure=https, httponly=True,
            samesite="strict",
        )  # fmt: skip
    return answer


def _asker(request: Request) -> str:
    return web_source(request.client.host if request.client else "")

"""The agent's desktop `/desk` and the newcomer's phone `/phone`."""

import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from changgu.acd.agent_state import CHOSEN_REASONS, NotReadyReason
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.ground.trouble import Forbidden
from changgu.screenpop.api import SipAccount
from changgu.screenpop.visitor import VisitorPhone, may_visit

SHARED_WORDS = ("state", "reason", "outcome")
"""Tables of the frame's own catalogue whose words the desktop's script needs, too."""


def build_pages(
    gate: Gate,
    pages: Pages,
    *,
    visitor: VisitorPhone,
    visitor_account: Callable[[], Awaitable[SipAccount]],
    desk_number: str,
) -> APIRouter:
    """The routes `/desk`, `/phone` and `/phone/account`."""
    router = APIRouter(include_in_schema=False)
    an_agent = Depends(gate.require(Role.AGENT))
    words = _words()

    def admit_visitor(request: Request) -> None:
        address = request.client.host if request.client else None
        if not may_visit(visitor, address, request.headers):
            raise Forbidden(
                "이 페이지의 전화는 이 서버에서만 쓸 수 있습니다.", "The phone on this page works on this machine only."
            )

    @router.get("/desk")
    async def desk(request: Request, actor: Actor = an_agent) -> Response:
        return pages.render(
            request, "screenpop_desk.html", actor, words=words,
            reasons=[one.value for one in NotReadyReason if one in CHOSEN_REASONS],
        )

    @router.get("/phone")
    async def phone(request: Request) -> Response:
        admit_visitor(request)
        return pages.render(request, "screenpop_phone.html", None, words=words, desk_number=desk_number)

    @router.get("/phone/account")
    async def phone_account(request: Request) -> Response:
        admit_visitor(request)
        account = await visitor_account()
        return JSONResponse(
            {"user": account.user, "password": account.password, "websocket": "/sip/visitor", "number": desk_number},
            headers={"Cache-Control": "no-store"},
        )

    return router


def _words() -> list[str]:
    """The keys of all messages that the scripts of these pages say."""
    folders = Path(__file__).parent.parent
    own = _keys(tomllib.loads((folders / "screenpop/messages/ko.toml").read_text("utf-8")))
    frame = tomllib.loads((folders / "app/messages/ko.toml").read_text("utf-8"))
    return own + _keys({table: frame[table] for table in SHARED_WORDS})


def _keys(table: dict[str, Any], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, value in table.items():
        keys += _keys(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name}"]
    return keys

"""Gives a browser phone what it needs to register: each agent their own account, and only to their own page."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from changgu.acd.identity import AgentId
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.trouble import Forbidden, NotFound
from changgu.screenpop.service import ScreenPop


@dataclass(frozen=True, slots=True)
class SipAccount:
    """What a phone registers with."""

    user: str
    """Both the name of the endpoint and the one it authenticates with."""
    password: str


AccountOf = Callable[[AgentId], Awaitable[SipAccount | None]]


class PhoneCredentials(BaseModel):
    """An account at the PBX, and where the browser reaches it."""

    user: str
    password: str
    websocket: str
    """Path on this server."""


def build_router(gate: Gate, screen_pop: ScreenPop, account_of: AccountOf) -> APIRouter:
    """`GET /api/v1/phone/credentials`."""
    router = APIRouter(prefix="/api/v1", tags=["phone"])
    an_agent = Depends(gate.require(Role.AGENT))

    @router.get("/phone/credentials", summary="The signed-in agent's own SIP account")
    async def own_credentials(response: Response, actor: Actor = an_agent) -> PhoneCredentials:
        """The signed-in agent's own SIP account; for the page of a person, never for a token."""
        if actor.via != "session":
            raise Forbidden("전화 계정은 로그인한 화면에서만 받을 수 있습니다.", "Only a signed-in page gets these.")
        agent = AgentId(actor.login)
        seat = screen_pop.seat_of(agent)
        account = await account_of(agent) if seat is not None and seat.phone == "browser" else None
        if account is None:
            raise NotFound("브라우저 전화를 쓰는 자리가 아닙니다.", "This seat has no browser phone.")
        response.headers["Cache-Control"] = "no-store"
        return PhoneCredentials(user=account.user, password=account.password, websocket="/sip/ws")

    return router

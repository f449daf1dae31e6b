"""Messages to callers for programs: `GET /outgoing-messages`, what became of each, and `POST …/{id}/again`."""

from datetime import datetime

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from changgu.ground.access import Actor, Gate, Role
from changgu.ticketing.api import read_cursor
from changgu.ticketing.outbox.outgoing import Arrival, Outgoing, Purpose, State
from changgu.ticketing.outbox.service import Outbox

LARGEST_PAGE = 200


class OutgoingOut(BaseModel):
    """One message to a caller. Times are UTC. What stands in it is not told here."""

    id: int
    at: datetime = Field(description="When it was asked for")
    purpose: Purpose
    asked_by: str = Field(description="A login, or `caller`")
    call: str = Field(description="Empty when it belongs to none")
    person: int | None
    way: str = Field(description="`sms` or `mail`; empty until it is known")
    to: str = Field(description="Of a PIN, covered")
    state: State
    arrival: Arrival = Field(description="What the service that took it over says; `unknown` where none does")
    tries: int
    next_at: datetime | None = Field(description="When it is tried, or the service is asked, again")
    done_at: datetime | None
    why_ko: str
    why_en: str
    receipt: str = Field(description="Twilio's message SID, or a mail's Message-ID")
    can_go_again: bool = Field(description="Whether `POST …/{id}/again` sends it again")
    again: int | None = Field(description="The message by which somebody had it sent again")
    again_by: str = Field(description="Who did: a login; empty when nobody did")


class OutgoingsOut(BaseModel):
    """Messages to callers, newest first."""

    items: list[OutgoingOut]
    next: str | None = Field(description="Give it as `cursor` to get the next ones; null at the end")


def build_router(gate: Gate, outbox: Outbox) -> APIRouter:
    """The routes under /api/v1."""
    router = APIRouter(prefix="/api/v1", tags=["messages"])
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    @router.get("/outgoing-messages", summary="Messages to callers, and what became of them")
    async def list_outgoing(
        _: Actor = supervisor,
        failed: bool = Query(False, description="Only what did not go out or arrive, or may not have"),
        cursor: str | None = Query(None, description="`next` of the answer before"),
        limit: int = Query(50, ge=1, le=LARGEST_PAGE),
    ) -> OutgoingsOut:
        found, following = await outbox.page(failed=failed, before=read_cursor(cursor), limit=limit)
        return OutgoingsOut(items=[_out(one) for one in found], next=None if following is None else str(following))

    @router.post("/outgoing-messages/{id}/again", status_code=201, summary="Send a message that failed again")
    async def send_again(id: int = Path(ge=1, le=2**53), actor: Actor = supervisor) -> OutgoingOut:
        return _out(await outbox.send_again(id, actor))

    return router


def _out(one: Outgoing) -> OutgoingOut:
    return OutgoingOut(
        id=one.id, at=one.at, purpose=one.purpose, asked_by=one.asked_by, call=one.call, person=one.person, way=one.way,
        to=one.to, state=one.state, arrival=one.arrival, tries=one.tries, next_at=one.next_at, done_at=one.done_at,
        why_ko=one.why_ko, why_en=one.why_en, receipt=one.receipt,
        can_go_again=one.can_go_again, again=one.again, again_by=one.again_by,
    )  # fmt: skip

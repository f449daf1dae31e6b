"""Callers' PINs for programs (a portal resets them here), and being called back about a ticket."""

from datetime import datetime

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from changgu.ground.access import Actor, Gate, Role
from changgu.ticketing.self_service.pin import CheckResult, PinStanding
from changgu.ticketing.self_service.resets.service import PinResets
from changgu.ticketing.self_service.service import SelfService

PERSON = Path(ge=1, le=2**31 - 1)


class PinOut(BaseModel):
    """What may be seen of somebody's PIN; never the PIN."""

    is_set: bool
    set_at: datetime | None
    set_by: str | None
    wrong_in_a_row: int
    good_until: datetime | None = Field(description="Of one that was sent, and is good for one call")
    used_at: datetime | None = Field(description="When that call was")
    state: CheckResult | None = Field(description="paused or locked; null when a guess may be made")


class NewPinOut(BaseModel):
    """A PIN that a machine chose; it is told this once."""

    pin: str


class SentOut(BaseModel):
    """Where a new PIN went; it is not told here."""

    way: str = Field(description="sms or mail")
    to: str = Field(description="The middle of it is covered")


class PinIn(BaseModel):
    """The PIN that the person chose."""

    pin: str = Field(max_length=16)


class CallMeBackIn(BaseModel):
    """Where somebody wants to be called back about a ticket."""

    number: str = Field(max_length=64)


class PromiseOut(BaseModel):
    """The promise; it stands among `GET /callbacks`."""

    callback: str


def build_router(gate: Gate, service: SelfService, resets: PinResets) -> APIRouter:
    """The routes under /api/v1."""
    router = APIRouter(prefix="/api/v1", tags=["self-service"])
    agent = Depends(gate.require(Role.AGENT))

    @router.get("/people/{person}/pin", summary="Whether somebody has a PIN, and whether it can be used")
    async def standing(person: int = PERSON, _: Actor = agent) -> PinOut:
        return pin_out(await service.standing(person))

    @router.post("/people/{person}/pin", status_code=201, summary="Give out a new PIN")
    async def issue(person: int = PERSON, actor: Actor = agent) -> NewPinOut:
        return NewPinOut(pin=await service.issue_pin(person, actor))

    @router.post("/people/{person}/pin/send", status_code=201, summary="Send a new PIN to the person; nobody sees it")
    async def send(person: int = PERSON, actor: Actor = agent) -> SentOut:
        sent = await resets.send(person, actor)
        return SentOut(way=sent.way, to=sent.to)

    @router.put("/people/{person}/pin", summary="Set the PIN that the person chose, from a portal")
    async def choose(chosen: PinIn, person: int = PERSON, actor: Actor = agent) -> PinOut:
        await service.choose_pin(person, chosen.pin, actor)
        return pin_out(await service.standing(person))

    @router.delete("/people/{person}/pin", summary="Remove it")
    async def remove(person: int = PERSON, _: Actor = agent) -> PinOut:
        await service.remove_pin(person)
        return pin_out(await service.standing(person))

    @router.post("/tickets/{number}/call-me-back", status_code=201, summary="Call back about this ticket")
    async def call_me_back(number: str, wish: CallMeBackIn, _: Actor = agent) -> PromiseOut:
        return PromiseOut(callback=await service.call_me_back(number, wish.number))

    return router


def pin_out(standing: PinStanding) -> PinOut:
    """The standing as programs read it."""
    return PinOut(
        is_set=standing.is_set, set_at=standing.set_at, set_by=standing.set_by,
        wrong_in_a_row=standing.wrong_in_a_row, good_until=standing.good_until, used_at=standing.used_at,
        state=standing.state,
    )  # fmt: skip

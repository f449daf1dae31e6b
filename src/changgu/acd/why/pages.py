"""The part of a call's page that says why it was offered to whom it was offered, or to nobody."""

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter, Depends, Path, Request, Response

from changgu.acd.api import CallDesk
from changgu.acd.explain import Why
from changgu.acd.identity import CallId
from changgu.acd.why.api import AgentWhyOut, OfferWhyOut, why_of
from changgu.acd.why.service import Explainer
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.ground.trouble import NotFound

SLOT = "/calls/{id}/why"
"""The address of this part, for the page of a call."""
SLOT_ROLE = Role.AGENT
"""Who may see it, at least."""

SHOWN = 12
"""Agents named one by one; the others are counted by their reason."""


@dataclass(frozen=True, slots=True)
class Part:
    """One offer as the page shows it."""

    offer: OfferWhyOut
    near: list[AgentWhyOut]
    """Agents who might have been: the first of them by name."""
    far: list[tuple[AgentWhyOut, int]]
    """One of those who share a reason, and how many they are."""


def parts(offers: Iterable[OfferWhyOut]) -> list[Part]:
    """Who does not serve the queue at all is only counted; of the others, those are named first who came nearest."""
    return [_part(offer) for offer in offers]


def _part(offer: OfferWhyOut) -> Part:
    order = list(reversed(Why))
    serving = [one for one in offer.others if one.why is not Why.NOT_IN_QUEUE]
    serving.sort(key=lambda one: (one.why is Why.STATE, order.index(one.why)))
    counted: dict[str, list[AgentWhyOut]] = {}
    for one in [*serving[SHOWN:], *(one for one in offer.others if one.why is Why.NOT_IN_QUEUE)]:
        counted.setdefault(one.why, []).append(one)
    return Part(offer, serving[:SHOWN], [(same[0], len(same)) for same in counted.values()])


def build_pages(gate: Gate, pages: Pages, desk: CallDesk, explainer: Explainer) -> APIRouter:
    """`/calls/{id}/why`: a piece of HTML; 404 when the call never waited, or this person may not see it."""
    router = APIRouter(include_in_schema=False)
    agent = Depends(gate.require(SLOT_ROLE))

    @router.get(SLOT)
    async def why_part(request: Request, id: str = Path(max_length=150), actor: Actor = agent) -> Response:
        answer = await why_of(await desk.one(actor, CallId(id)), explainer)
        if not answer.items and answer.unserved is None:
            raise NotFound("이 통화는 어느 요원의 전화도 울리지 않았습니다.", "This call rang at nobody's phone.")
        return pages.render(request, "acd_why.html", actor, answer=answer, parts=parts(answer.items))

    return router

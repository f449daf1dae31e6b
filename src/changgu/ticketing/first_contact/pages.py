"""The page of first-contact resolution: who solves what at once, beside the level that is written down for them."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Depends, Query, Request, Response

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.ticketing.first_contact.service import FirstContacts

PERIODS = (7, 30, 90, 366)
"""Days to choose from."""


def build_pages(gate: Gate, pages: Pages, contacts: FirstContacts) -> APIRouter:
    """The route `/first-contact`, for supervisors."""
    router = APIRouter(include_in_schema=False)
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    @router.get("/first-contact")
    async def first_contact(
        request: Request, actor: Actor = supervisor, days: int = Query(30, ge=1, le=366)
    ) -> Response:
        now = datetime.now(UTC)
        report = await contacts.report(now - timedelta(days=days), now)
        return pages.render(
            request, "ticketing_first_contact.html", actor, report=report, days=days, periods=PERIODS
        )

    return router

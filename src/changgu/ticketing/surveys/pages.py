"""The page of the survey's results: how many answered, what they gave, and the cases behind it."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Depends, Query, Request, Response

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.ticketing.surveys.form import LOW, QUESTION_NAMES, QUESTION_TEXTS, Question
from changgu.ticketing.surveys.service import Surveys

PERIODS = (7, 30, 90, 366)
"""Days to choose from."""
SHOWN = 200
"""Responses that are listed, the newest; the figures count all of them."""


def build_pages(gate: Gate, pages: Pages, surveys: Surveys) -> APIRouter:
    """The route `/surveys`, for supervisors: an agent does not see who graded them (SAT-02)."""
    router = APIRouter(include_in_schema=False)
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    @router.get("/surveys")
    async def results(request: Request, actor: Actor = supervisor, days: int = Query(30, ge=1, le=366)) -> Response:
        until = datetime.now(UTC)
        since = until - timedelta(days=days)
        return pages.render(
            request, "ticketing_surveys.html", actor, days=days, periods=PERIODS, low=LOW, most=SHOWN,
            figures=await surveys.figures(since, until), responses=await surveys.responses(since, until, SHOWN),
            questions=[(one, QUESTION_NAMES[one], QUESTION_TEXTS[one]) for one in Question],
        )  # fmt: skip

    return router

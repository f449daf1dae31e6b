"""The wallboard on the wall, and the floor page on which supervisors see and move their agents."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from changgu.acd.agent_words import CHOSEN_REASONS, AgentState, NotReadyReason
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.wallboard.tiles import QUEUE_COLUMNS, SEATS, SMALL_TILES, TILES, described

STATES = tuple(state.value for state in AgentState)
REASONS = tuple(reason.value for reason in NotReadyReason)
CHOICES: tuple[tuple[str, str | None], ...] = (
    (AgentState.READY.value, None),
    *((AgentState.NOT_READY.value, reason.value) for reason in NotReadyReason if reason in CHOSEN_REASONS),
    (AgentState.LOGGED_OUT.value, None),
)
"""What a supervisor may ask of an agent: state and reason."""


def build_pages(gate: Gate, pages: Pages) -> APIRouter:
    """`/wallboard` for everybody of the desk, `/floor` for supervisors."""
    router = APIRouter(include_in_schema=False)
    agent = Depends(gate.require(Role.AGENT))
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    @router.get("/wallboard")
    async def wallboard_page(request: Request, actor: Actor = agent) -> Response:
        return pages.render(request, "wallboard_board.html", actor, **_vocabulary())

    @router.get("/floor")
    async def floor_page(request: Request, actor: Actor = supervisor) -> Response:
        return pages.render(request, "wallboard_floor.html", actor, choices=CHOICES, **_vocabulary())

    return router


def _vocabulary() -> Mapping[str, Any]:
    return {
        "described": described,
        "tiles": TILES,
        "small_tiles": SMALL_TILES,
        "queue_columns": QUEUE_COLUMNS,
        "seats": SEATS,
        "states": STATES,
        "reasons": REASONS,
    }

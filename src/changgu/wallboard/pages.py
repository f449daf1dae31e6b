"""The wallboard on the wall, and the floor page on which supervisors see and move their agents."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from changgu.acd.agent_words import CHOSEN_REASONS, AgentState, NotReadyReason
from changgu.acd.facts import Departure
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.wallboard.counts import UNSTATED
from changgu.wallboard.tiles import OTHER_WAYS, QUEUE_COLUMNS, SEATS, SMALL_TILES, TILES, described

STATES = tuple(state.value for state in AgentState)
REASONS = tuple(reason.value for reason in NotReadyReason)
DEPARTURES = (*(why.value for why in Departure), "no_such_queue", "desk_closed", "desk_full", "error", UNSTATED)
"""Why callers were led another way or refused; each has a word (`departure.…`)."""
REPAIRS = ("talking_without_a_leg", "connecting_too_long", "ready_without_a_phone")
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
        "other_ways": OTHER_WAYS,
        "departures": DEPARTURES,
        "repairs": REPAIRS,
        "seats": SEATS,
        "states": STATES,
        "reasons": REASONS,
    }

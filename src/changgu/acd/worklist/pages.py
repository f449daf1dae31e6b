"""The page 콜백: who is to be called back and who was, with a form to promise one more."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from changgu.acd.api import FloorPlan
from changgu.acd.identity import CallbackId
from changgu.acd.worklist.api import HISTORY_DAYS, LONGEST_HISTORY_DAYS, CallbackOut, CallbackWish, Standing, Worklist
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.ground.trouble import BadInput, Trouble

SHOWN = 500
PERIODS = (1, 7, 30, 90, LONGEST_HISTORY_DAYS)

TONES = {
    Standing.PLANNED: "quiet",
    Standing.QUEUED: "warn",
    Standing.RINGING: "info",
    Standing.DIALLING: "info",
    Standing.TALKING: "good",
    Standing.KEPT: "good",
    Standing.GIVEN_UP: "bad",
    Standing.CANCELLED: "quiet",
    Standing.CALLED_IN: "good",
}
"""The colour of a standing; its word stands beside it."""

CAUSES = frozenset({
    "no_answer", "busy", "declined", "unreachable", "congestion", "error", "gone", "agent_left", "hours", "called_in",
})  # fmt: skip
"""Why an attempt came to nothing; each has a word."""

ORDER = list(Standing)

SORTS: Mapping[str, Callable[[CallbackOut], Any]] = {
    "number": lambda one: one.number,
    "person": lambda one: one.person.name if one.person else "",
    "queue": lambda one: one.queue,
    "booked": lambda one: one.booked_at,
    "since": lambda one: one.waiting_since,
    "due": lambda one: one.due_at,
    "attempts": lambda one: one.attempts,
    "state": lambda one: ORDER.index(one.state),
}
"""By what the list can be sorted."""


def build_pages(gate: Gate, pages: Pages, worklist: Worklist, floor: FloorPlan, zone: ZoneInfo) -> APIRouter:
    """`/callbacks`. `zone` is the site's."""
    router = APIRouter(include_in_schema=False)
    agent = Depends(gate.require(Role.AGENT))

    async def show(
        request: Request, actor: Actor, *, settled: bool = False, sort: str = "", down: bool = False,
        days: int = HISTORY_DAYS, entered: Mapping[str, str] | None = None, trouble: Trouble | None = None,
        done: str = "",
    ) -> Response:  # fmt: skip
        lines = await worklist.lines(actor, settled=settled, days=days)
        if sort in SORTS:
            lines.sort(key=SORTS[sort], reverse=down)
        kept = {"settled": "true", "days": str(days)} if settled else {}
        plan = await floor.load_floor()
        return pages.render(
            request, "acd_callbacks.html", actor, status_code=trouble.status if trouble else 200,
            lines=lines[:SHOWN], left_out=max(0, len(lines) - SHOWN), settled=settled, days=days, periods=PERIODS,
            sort=sort, down=down, headers=[(name, _address(name, sort, down, kept)) for name in SORTS],
            queues=await worklist.queues(actor), titles={queue.name: queue.title for queue in plan.queues},
            entered=entered or {}, trouble=trouble, done=done, tones=TONES, causes=CAUSES,
        )  # fmt: skip

    @router.get("/callbacks")
    async def callbacks_page(
        request: Request,
        actor: Actor = agent,
        settled: bool = False,
        sort: str = Query("", max_length=20),
        down: bool = False,
        days: int = Query(HISTORY_DAYS, ge=1, le=LONGEST_HISTORY_DAYS),
        number: str = Query("", max_length=64),
        queue: str = Query("", max_length=64),
        done: str = Query("", pattern="^(booked|cancelled)?$"),
    ) -> Response:
        return await show(
            request, actor, settled=settled, sort=sort, down=down, days=days, done=done,
            entered={"number": number, "queue": queue},
        )  # fmt: skip

    @router.post("/callbacks")
    async def book(
        request: Request,
        actor: Actor = agent,
        number: str = Form("", max_length=64),
        queue: str = Form("", max_length=64),
        not_before: str = Form("", max_length=32),
    ) -> Response:
        entered = {"number": number, "queue": queue, "not_before": not_before}
        try:
            wish = _wish(number, queue, _moment(not_before, zone))
            await worklist.book(actor, wish)
        except Trouble as trouble:
            return await show(request, actor, entered=entered, trouble=trouble)
        return RedirectResponse("/callbacks?done=booked", 303)

    @router.post("/callbacks/{id}/cancel")
    async def cancel(request: Request, id: str = Path(max_length=64), actor: Actor = agent) -> Response:
        try:
            await worklist.cancel(actor, CallbackId(id))
        except Trouble as trouble:
            return await show(request, actor, trouble=trouble)
        return RedirectResponse("/callbacks?done=cancelled", 303)

    return router


def _address(name: str, sort: str, down: bool, kept: Mapping[str, str]) -> str:
    """Where a column's head leads: sorted by it, or, when it is already, the other way round."""
    words = {**kept, "sort": name, **({"down": "true"} if name == sort and not down else {})}
    return f"/callbacks?{urlencode(words)}"


def _wish(number: str, queue: str, not_before: datetime | None) -> CallbackWish:
    try:
        return CallbackWish(number=number.strip(), queue=queue, not_before=not_before)
    except ValidationError as wrong:
        raise BadInput("전화번호를 적어 주십시오.", "Give a number.", field="number") from wrong


def _moment(written: str, zone: ZoneInfo) -> datetime | None:
    """A moment on the site's clock as a form gives it, 2026-11-22T09:30; None when it was left empty."""
    if not written:
        return None
    try:
        return datetime.fromisoformat(written).replace(tzinfo=zone)
    except ValueError:
        ko, en = "날짜와 시각은 2026-11-22T09:30처럼 씁니다.", "Write a moment as 2026-11-22T09:30."
        raise BadInput(ko, en, field="not_before") from None

"""The pages on which past and present calls are looked up: the list, and one call told line by line."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from changgu.acd.api import CallDesk, FloorPlan
from changgu.acd.call_record import FORMULAS
from changgu.acd.fact_json import from_json
from changgu.acd.facts import Outcome, Recorded
from changgu.acd.identity import CallId
from changgu.acd.queues import Floor
from changgu.acd.store import CallFilter
from changgu.acd.timeline import NodeTitle, tell
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.database import moment
from changgu.ground.pages import Pages
from changgu.ground.trouble import BadInput

ROWS = 50

TONES = {
    None: "info",
    Outcome.ANSWERED: "good",
    Outcome.SELF_SERVED: "info",
    Outcome.ABANDONED_IN_MENU: "quiet",
    Outcome.ABANDONED_IN_QUEUE: "warn",
    Outcome.ABANDONED_RINGING: "warn",
    Outcome.REFUSED: "bad",
    Outcome.LOST: "bad",
    Outcome.VOICEMAIL: "info",
    Outcome.CALLBACK: "info",
    Outcome.REDIRECTED: "info",
    Outcome.NOT_REACHED: "quiet",
}
"""The colour of an outcome; its word stands beside it."""


NO_SLOTS: Mapping[str, Role] = MappingProxyType({})


def build_pages(
    gate: Gate, pages: Pages, desk: CallDesk, floor: FloorPlan, zone: ZoneInfo,
    slots: Mapping[str, Role] = NO_SLOTS, node_title: NodeTitle = lambda node: None,
) -> APIRouter:  # fmt: skip
    """`/calls` and `/calls/{id}`. `zone` is the site's.

    `slots` are addresses of parts that other rooms put on a call's page, with `{id}` for the call, such as
    `/calls/{id}/recordings`, and who may see them at least; each answers a piece of HTML, or 404 when it has nothing
    to show. `node_title` says what people call a node of the menu.
    """
    router = APIRouter(include_in_schema=False)
    agent = Depends(gate.require(Role.AGENT))

    @router.get("/calls")
    async def call_list(
        request: Request,
        actor: Actor = agent,
        queue: str = "",
        agent_login: str = Query("", alias="agent"),
        outcome: str = "",
        caller: str = Query("", max_length=64),
        since: str = "",
        until: str = "",
        cursor: str = "",
    ) -> Response:
        wanted = CallFilter(
            queue=queue or None,
            agent=agent_login or None,
            outcome=_outcome(outcome),
            caller=caller or None,
            since=_day(since, "since", zone),
            until=_day(until, "until", zone, days_after=1),
            open=True if outcome == "open" else None,
        )
        items, following = await desk.page(actor, wanted, cursor or None, ROWS)
        plan = await floor.load_floor()
        filled = {
            "queue": queue, "agent": agent_login, "outcome": outcome, "caller": caller, "since": since, "until": until,
        }  # fmt: skip
        kept = {name: value for name, value in filled.items() if value}
        return pages.render(
            request, "acd_calls.html", actor,
            items=items, filled=filled, filtered=bool(kept), cursor=cursor,
            next=following and f"/calls?{urlencode({**kept, 'cursor': following})}",
            first=f"/calls?{urlencode(kept)}" if cursor else None,
            queues=plan.queues, agents=plan.agents, outcomes=[*(outcome.value for outcome in Outcome), "open"],
            **_vocabulary(plan, node_title),
        )  # fmt: skip

    @router.get("/calls/{id}")
    async def call_page(request: Request, id: str = Path(max_length=150), actor: Actor = agent) -> Response:
        call = await desk.one(actor, CallId(id))
        plan = await floor.load_floor()
        facts = [Recorded(fact.seq, fact.at.timestamp(), from_json(fact.kind, fact.body)) for fact in call.facts]
        return pages.render(
            request, "acd_call.html", actor,
            call=call, lines=tell(facts, plan, node_title), moment=moment,
            slots=[
                slot.replace("{id}", quote(call.id, safe="")) for slot, least in slots.items() if actor.may(least)
            ],
            **_vocabulary(plan, node_title),
        )  # fmt: skip

    return router


def _vocabulary(plan: Floor, node_title: NodeTitle) -> dict[str, Any]:
    return {
        "node_name": node_title,
        "titles": {queue.name: queue.title for queue in plan.queues},
        "names": {agent.login: agent.name for agent in plan.agents},
        "tones": TONES,
        "formulas": {name: {"ko": ko, "en": en} for name, (ko, en) in FORMULAS.items()},
    }


def _outcome(text: str) -> Outcome | None:
    if text in ("", "open"):
        return None
    try:
        return Outcome(text)
    except ValueError:
        raise BadInput("그런 통화 결과는 없습니다.", "There is no such outcome.", field="outcome") from None


def _day(text: str, field: str, zone: ZoneInfo, days_after: int = 0) -> datetime | None:
    """The beginning of a day on the site's clock; a day is 2026-11-21."""
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone)
        return day + timedelta(days=days_after)
    except (ValueError, OverflowError):
        raise BadInput("날짜는 2026-11-21처럼 씁니다.", "Write a day as 2026-11-21.", field=field) from None

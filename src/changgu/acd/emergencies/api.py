"""Supervisors turn an emergency plan on and off; everybody of the desk sees which is on (WL-05)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from changgu.acd.emergency import EmergencyPlan, FloorPlans
from changgu.acd.facts import Emergency
from changgu.acd.floor_difference import differences
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.database import moment
from changgu.ground.moments import GivenMoment
from changgu.ground.text import clean_line

LONGEST_WHY = 200


class EmergencySwitch(Protocol):
    """Turns plans on and off; `app.emergencies.Emergencies`."""

    @property
    def plans(self) -> FloorPlans:
        """What there is."""
        ...

    @property
    def on(self) -> Emergency | None:
        """What is on."""
        ...

    async def turn_on(self, plan: str, why: str, until: datetime | None, actor: Actor) -> str | None:
        """True for everybody when it returns; what could not be done of it, such as its notice, as `ko · en`.

        Raises:
            NotFound: no such plan.
            BadInput: an end that is not in the future.
            Conflict: the floor could not be taken up; it is as it was.
        """
        ...

    async def turn_off(self, why: str, actor: Actor) -> None:
        """The ordinary floor holds again; raises `Conflict` when none is on, or it could not be taken up."""
        ...


class EmergencyOn(BaseModel):
    """The plan that is on."""

    plan: str
    title: str
    by: str = Field(description="Login of who turned it on")
    why: str
    since: datetime
    until: datetime | None = Field(description="When it ends by itself; null: when somebody turns it off")


class PreparedNoticeOut(BaseModel):
    """What callers hear while the plan is on."""

    sentences: Mapping[str, str]
    places: Sequence[str]


class EmergencyPlanOut(BaseModel):
    """A plan of the routing file."""

    name: str
    title: str
    instructions: str = Field(description="What people are to do; empty when nothing is written")
    lasts_seconds: float | None = Field(description="After so long it ends by itself, unless the wish says otherwise")
    helpers: Mapping[str, Sequence[str]] = Field(description="Agents who serve more queues, by login: those queues")
    changes: Sequence[str] = Field(description="All that is other than on the ordinary floor, in the file's words")
    notice: PreparedNoticeOut | None


class EmergenciesOut(BaseModel):
    """Plans, and the one that is on."""

    on: EmergencyOn | None
    plans: Sequence[EmergencyPlanOut]
    trouble: str | None = Field(None, description="What could not be done of the last wish, as `ko · en`")


class EmergencyWish(BaseModel):
    """The plan to be turned on."""

    plan: str = Field(max_length=64)
    why: str = Field("", max_length=LONGEST_WHY, description="In your own words; everybody reads it on the wallboard")
    until: GivenMoment | None = Field(
        None, description="When it ends by itself, within 31 days; else after the plan's own `lasts`"
    )


def build_router(gate: Gate, emergencies: EmergencySwitch) -> APIRouter:
    """`GET`, `PUT` and `DELETE /emergency`; changing it is for supervisors."""
    router = APIRouter(prefix="/api/v1", tags=["emergency"])
    agent = Depends(gate.require(Role.AGENT))
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    @router.get("/emergency", summary="Emergency plans, and the one that is on")
    async def get_emergency(actor: Actor = agent) -> EmergenciesOut:
        return shown(emergencies)

    @router.put("/emergency", summary="Turn an emergency plan on")
    async def turn_on(wish: EmergencyWish, actor: Actor = supervisor) -> EmergenciesOut:
        """Holds for everybody when this is answered; calls in hand and callers who wait are left alone. Another plan
        that is on gives way to it. The plan that is on already keeps its beginning and gets the new reason and end.
        """
        trouble = await emergencies.turn_on(wish.plan, clean_line(wish.why), wish.until, actor)
        return shown(emergencies, trouble)

    @router.delete("/emergency", summary="Turn the emergency plan off: exactly the ordinary floor again")
    async def turn_off(
        why: str = Query("", max_length=LONGEST_WHY, description="In your own words"), actor: Actor = supervisor
    ) -> EmergenciesOut:
        await emergencies.turn_off(clean_line(why), actor)
        return shown(emergencies)

    return router


def shown(emergencies: EmergencySwitch, trouble: str | None = None) -> EmergenciesOut:
    """Everything, as it stands."""
    plans, on = emergencies.plans, emergencies.on
    return EmergenciesOut(
        on=None if on is None else EmergencyOn(
            plan=on.plan, title=on.title, by=on.by, why=on.why, since=moment(on.since),
            until=None if on.until is None else moment(on.until),
        ),
        plans=[_plan_out(plan, plans) for plan in plans.emergencies.values()],
        trouble=trouble,
    )  # fmt: skip


def _plan_out(plan: EmergencyPlan, plans: FloorPlans) -> EmergencyPlanOut:
    before = {agent.login: agent.queues for agent in plans.ordinary.agents}
    more = {agent.login: agent.queues - before[agent.login] for agent in plan.floor.agents}
    return EmergencyPlanOut(
        name=plan.name,
        title=plan.title,
        instructions=plan.instructions,
        lasts_seconds=None if plan.lasts is None else plan.lasts.total_seconds(),
        helpers={login: sorted(queues) for login, queues in more.items() if queues},
        changes=differences(plans.ordinary, plan.floor),
        notice=None if plan.notice is None else PreparedNoticeOut(
            sentences=dict(plan.notice.sentences), places=list(plan.notice.places)
        ),
    )  # fmt: skip

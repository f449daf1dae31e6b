"""Supervisors put agents into a state at once, and move them between queues while calls go on."""

from collections.abc import Collection
from typing import Protocol

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from changgu.acd.agent_words import AgentState
from changgu.acd.api import AgentOut, Asks, FloorPlan, LiveFloor, StateWish, agents_now, carry_out, chosen_reason
from changgu.acd.events import AgentForced
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.skills import NoSuchLevel, levels
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.text import clean_line
from changgu.ground.trouble import BadInput

LONGEST_WHY = 200
MOST_SKILLS = 100


class FloorChanges(Protocol):
    """Changes the floor's set-up while calls go on; `app.floor_changes.FloorChanges`."""

    async def move_agent(
        self, login: AgentId, queues: Collection[QueueName] | None, skills: Collection[str] | None, by: str
    ) -> None:
        """Give an agent other queues or skills (None: as they are); true for everybody when it returns.

        Raises:
            NotFound: no such agent.
            BadInput: a queue that does not exist, or a set-up that the rules refuse; says why.
            Conflict: the floor as changed could not be taken up; it is as it was.
        """
        ...


class ForcedState(StateWish):
    """The state an agent is put into."""

    why: str = Field("", max_length=LONGEST_WHY, description="In your own words; the agent reads it")


class AgentChange(BaseModel):
    """What is to be changed of an agent; what is left out stays."""

    queues: list[str] | None = Field(None, description="All queues they serve from now on, by name")
    skills: list[str] | None = Field(
        None, max_length=MOST_SKILLS, description="All they can do, such as vpn or vpn:7 with a level from 1 to 10"
    )


def build_router(
    gate: Gate, floor: FloorPlan, live: LiveFloor, asks: Asks, changes: FloorChanges
) -> APIRouter:
    """`POST /agents/{login}/force` and `PATCH /agents/{login}`, both for supervisors."""
    router = APIRouter(prefix="/api/v1", tags=["agents"])
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    @router.post("/agents/{login}/force", summary="Put an agent into a state at once")
    async def force_state(
        wish: ForcedState, login: str = Path(max_length=64), actor: Actor = supervisor
    ) -> AgentOut:
        """A phone that rings stops and its caller goes to another agent; only a conversation stands in the way: then
        it is kept as `requested_next`. The agent sees who did it and why. 409 says why it cannot be.
        """
        event = AgentForced(
            AgentId(login), AgentState(wish.state), actor.login, chosen_reason(wish), clean_line(wish.why)
        )
        return await carry_out(event, floor, live, asks)

    @router.patch("/agents/{login}", summary="Give an agent other queues or skills")
    async def change_agent(
        change: AgentChange, login: str = Path(max_length=64), actor: Actor = supervisor
    ) -> AgentOut:
        """Holds from the next offer on; a call in hand and callers who wait are left alone (WL-02)."""
        queues = None if change.queues is None else [QueueName(name) for name in change.queues]
        await changes.move_agent(AgentId(login), queues, known_skills(change.skills), actor.login)
        agents = agents_now(await floor.load_floor(), live, asks.now())
        return next(agent for agent in agents if agent.login == login)

    return router


def known_skills(written: Collection[str] | None) -> list[str] | None:
    """The skills as they are kept; raises `BadInput` for one that cannot be read."""
    if written is None:
        return None
    skills = [clean_line(skill) for skill in written]
    try:
        levels(skills)
    except NoSuchLevel as wrong:
        raise BadInput(
            "기술은 vpn이나 vpn:7처럼 씁니다. 수준은 1에서 10까지입니다.", str(wrong), field="skills"
        ) from wrong
    return skills

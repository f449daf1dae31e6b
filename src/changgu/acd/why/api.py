"""`GET /calls/{id}/why`: for each offer of a call, why this agent and why not the others."""

from datetime import datetime

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from changgu.acd import why_words
from changgu.acd.api import CallDesk, CallOut
from changgu.acd.explain import Explanation, PassedOver, Reason, Unserved, Why
from changgu.acd.identity import AgentId, CallId
from changgu.acd.why.service import Explained, Explainer
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.database import moment


class SentenceOut(BaseModel):
    """One answer."""

    why: Why
    ko: str
    en: str


class AgentWhyOut(SentenceOut):
    """Why another agent was not offered the call."""

    agent: str
    name: str


class CallerWhyOut(SentenceOut):
    """Why a caller with a better place was not offered to this agent."""

    call: str
    queue: str


class OfferWhyOut(BaseModel):
    """One offer explained."""

    offer: int
    at: datetime
    agent: str
    name: str
    queue: str
    title: str
    strategy: str
    chosen: SentenceOut
    waited_seconds: float = Field(description="In this queue, up to the offer")
    place: int = Field(description="Among those who waited in the same queue; 1 is the first")
    waiting: int
    head_start_seconds: float = Field(description="What the priorities of the call and of its queue were worth")
    place_ko: str
    place_en: str
    skills: list[str] = Field(description="What was required of the agent at that moment")
    opened: list[str] = Field(description="Other queues whose agents might take the call, too")
    others: list[AgentWhyOut]
    passed_over: list[CallerWhyOut] = Field(description="Callers with better places, in the order of their places")
    explained: bool = Field(description="False when the rules do not explain the offer: a fault worth reporting")


class UnservedOut(BaseModel):
    """How a caller waited who was offered to nobody."""

    queue: str = Field(description="In which they waited last")
    title: str
    waited_seconds: float = Field(description="In this queue, up to now when `waits_still`")
    waits_still: bool
    wait_ko: str
    wait_en: str
    ko: str = Field(description="What the agents of the queue did at the end of the wait")
    en: str


class WhyOut(BaseModel):
    """Every offer of one call, in order."""

    items: list[OfferWhyOut]
    unserved: UnservedOut | None = Field(description="Of a call that waited and was offered to nobody; else null")
    floor_known: bool = Field(
        description="False when the set-up of those days was not kept, and today's had to do for the explanation"
    )
    left_out: int = Field(description="Further offers of a call that rang very often")


async def why_of(call: CallOut, explainer: Explainer) -> WhyOut:
    """The answer about one call, whether it was offered or not."""
    until = None if call.ended_at is None else call.ended_at.timestamp()
    waited = call.queued_at is not None
    return why_out(await explainer.of_visit(CallId(call.id), call.arrived_at.timestamp(), until, waited=waited))


def why_out(explained: Explained) -> WhyOut:
    """The answer in both languages."""
    return WhyOut(
        items=[_offer(one, explained.names) for one in explained.offers],
        unserved=None if explained.unserved is None else _unserved(explained.unserved, explained),
        floor_known=explained.floor_known,
        left_out=explained.left_out,
    )


def _offer(one: Explanation, names: why_words.Names) -> OfferWhyOut:
    place = why_words.place(one)
    return OfferWhyOut(
        offer=one.offer,
        at=moment(one.at),
        agent=one.agent,
        name=names.get(one.agent, one.agent),
        queue=one.queue,
        title=names.get(one.queue, one.queue),
        strategy=one.strategy,
        chosen=_sentence(one.chosen.why, why_words.chosen(one)),
        waited_seconds=round(one.waited, 3),
        place=one.place,
        waiting=one.waiting,
        head_start_seconds=one.head_start,
        place_ko=place.ko,
        place_en=place.en,
        skills=sorted(one.needs),
        opened=sorted(one.opened),
        others=[_agent(agent, reason, names) for agent, reason in one.others.items()],
        passed_over=[_caller(passed, names) for passed in one.passed_over],
        explained=one.holds,
    )


def _unserved(one: Unserved, explained: Explained) -> UnservedOut:
    said, title = why_words.nobody(one.agents), explained.names.get(one.queue, one.queue)
    wait = why_words.in_vain(title, one.waited, still=explained.waits_still)
    return UnservedOut(
        queue=one.queue,
        title=title,
        waited_seconds=round(one.waited, 3),
        waits_still=explained.waits_still,
        wait_ko=wait.ko,
        wait_en=wait.en,
        ko=said.ko,
        en=said.en,
    )


def _sentence(why: Why, said: why_words.Said) -> SentenceOut:
    return SentenceOut(why=why, ko=said.ko, en=said.en)


def _agent(agent: AgentId, reason: Reason, names: why_words.Names) -> AgentWhyOut:
    said = why_words.why_not(reason, names)
    return AgentWhyOut(agent=agent, name=names.get(agent, agent), why=reason.why, ko=said.ko, en=said.en)


def _caller(passed: PassedOver, names: why_words.Names) -> CallerWhyOut:
    said = why_words.why_not(passed.reason, names)
    return CallerWhyOut(call=passed.call, queue=passed.queue, why=passed.reason.why, ko=said.ko, en=said.en)


def build_router(gate: Gate, desk: CallDesk, explainer: Explainer) -> APIRouter:
    """The route; whoever may see a call may know why it went where it went."""
    router = APIRouter(prefix="/api/v1")
    agent = Depends(gate.require(Role.AGENT))

    @router.get("/calls/{id}/why", tags=["calls"], summary="Why a call was offered to whom it was offered")
    async def get_why(id: str = Path(max_length=150), actor: Actor = agent) -> WhyOut:
        """For each offer: why this agent, why not each other agent, and why no caller with a better place.

        Of a call that was offered to nobody: how long it waited, and what the agents of its queue did then.
        """
        return await why_of(await desk.one(actor, CallId(id)), explainer)

    return router

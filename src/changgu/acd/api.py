"""Calls, agents and queues for programs: `GET /calls`, `GET /agents`, `POST /agents/{login}/state`, `GET /queues`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, Protocol

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.agent_words import AGENT_STATE_KO, CHOSEN_REASONS
from changgu.acd.call_record import FORMULAS, CallRecord
from changgu.acd.call_state import CallState
from changgu.acd.engine import RequestRefused
from changgu.acd.events import AgentForced, AgentNotReady, AgentReady, AgentSignedOut, Event
from changgu.acd.fact_json import kind_of, to_json
from changgu.acd.facts import Departure, Direction, Outcome, Recorded
from changgu.acd.identity import AgentId, CallId, Instant, QueueName
from changgu.acd.queues import Agent, Floor, Queue, TicketPolicy
from changgu.acd.records import AgentView, CallView
from changgu.acd.store import CallFilter, CallPage, Sight
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.database import moment
from changgu.ground.moments import GivenMoment
from changgu.ground.trouble import BadInput, Conflict, Forbidden, NotFound

REASON_KO = {
    NotReadyReason.MAINTENANCE: "점검",
    NotReadyReason.BREAK: "휴식",
    NotReadyReason.MEAL: "식사",
    NotReadyReason.TRAINING: "교육",
    NotReadyReason.AWAY: "이석",
    NotReadyReason.SIGNED_IN: "착석",
    NotReadyReason.NO_ANSWER: "무응답",
    NotReadyReason.DESKTOP_GONE: "화면 닫힘",
}
WAITING = (CallState.WAITING, CallState.OFFERED, CallState.CONNECTING)
"""A caller waits until they hear an agent, also while a phone rings for them."""

PhoneKind = Literal["register", "browser", "sip"]
PHONE_KINDS: dict[str, PhoneKind] = {"register": "register", "browser": "browser"}

AgentWish = AgentReady | AgentNotReady | AgentSignedOut | AgentForced

LARGEST_PAGE = 200

SINCE = Query(None, description="Arrived at or after; ISO 8601 with a zone")
UNTIL = Query(None, description="Arrived before; ISO 8601 with a zone")


# ------------------------------------------------------------------------------------ what is needed of others


@dataclass(frozen=True, slots=True)
class PersonRef:
    """Who called, as far as the directory knows."""

    id: int
    name: str
    department: str = ""


class CallJoins(Protocol):
    """What other rooms know about calls."""

    async def people_of(self, calls: Sequence[CallRecord]) -> Mapping[CallId, PersonRef]:
        """Who called, for the calls whose number belongs to exactly one person."""
        ...

    async def tickets_of(self, calls: Sequence[CallId]) -> Mapping[CallId, Sequence[str]]:
        """Numbers of the tickets linked with each call."""
        ...


class Calls(Protocol):
    """Looks up calls; `acd.store.CallStore`."""

    async def get(self, call: CallId) -> CallRecord | None:
        """One call."""
        ...

    async def page(self, wanted: CallFilter, cursor: str | None = None, limit: int = 50) -> CallPage:
        """Some calls, newest first."""
        ...


class Facts(Protocol):
    """Reads what happened; `acd.store.Ledger`."""

    async def of_call(self, call: CallId) -> list[Recorded]:
        """Everything about one call, in order."""
        ...


class FloorPlan(Protocol):
    """Knows the floor as set up: `app.floor_keeper.FloorKeeper` as it holds now, `acd.store.FloorStore` as listed."""

    async def load_floor(self) -> Floor:
        """All queues and agents."""
        ...


class LiveFloor(Protocol):
    """The floor as it is now; `acd.engine.Engine`."""

    @property
    def agents(self) -> Mapping[AgentId, AgentView]:
        """Agents by login."""
        ...

    @property
    def calls(self) -> Mapping[CallId, CallView]:
        """Calls that have not ended."""
        ...


class Asks(Protocol):
    """Takes people's wishes; `acd.runner.Runner`."""

    async def ask(self, event: Event) -> RequestRefused | None:
        """Handles the wish; None, or why it was refused."""
        ...

    def now(self) -> Instant:
        """The time on the floor's clock."""
        ...


# -------------------------------------------------------------------------------------------------- answers


def _figure(name: str) -> str:
    ko, en = FORMULAS[name]
    return f"{en} / {ko}"


class PersonOut(BaseModel):
    """Who called."""

    id: int
    name: str
    department: str


class MenuStepOut(BaseModel):
    """A node of the menu, and the key that led there."""

    node: str
    key: str | None = Field(description="null for the first node, and where no key was pressed")


class DepartureOut(BaseModel):
    """A rule of a queue, or a key, sent the caller another way."""

    queue: str
    why: Departure
    to: str = Field(description="As configured, such as queue:helpdesk, open:pc or voicemail")
    at: datetime
    key: str | None


class CallOut(BaseModel):
    """One call. Times are UTC; figures come from the ledger, never from the PBX's CDR."""

    id: str = Field(description="The Uniqueid of the caller's channel")
    direction: Direction
    caller: str | None = Field(description="The number as the network presented it; null when withheld")
    person: PersonOut | None = Field(description="null when the number belongs to nobody, or to several people")
    dialled: str
    queue: str | None = Field(description="The queue it was in last")
    agent: str | None = Field(description="Login of the first agent whom the caller heard")
    outcome: Outcome | None = Field(description="How it ended; null while it goes on")
    reason: str = Field(description="Why it was refused, or was not reached; empty for the other outcomes")
    arrived_at: datetime
    queued_at: datetime | None
    answered_at: datetime | None = Field(description="When caller and agent first heard each other")
    ended_at: datetime | None
    wait_seconds: float | None = Field(description=_figure("wait_seconds"))
    time_to_first_answer_seconds: float | None = Field(description=_figure("time_to_first_answer_seconds"))
    talk_seconds: float | None = Field(description=_figure("talk_seconds"))
    wrap_up_seconds: float | None = Field(description=_figure("wrap_up_seconds"))
    promised_seconds: float | None = Field(description=_figure("promised_seconds"))
    promise_kept: bool | None = Field(description="Answered within that; null without a promise, or if nobody knows")
    departures: list[DepartureOut] = Field(description="Every way it was sent out of a queue, or opened to others")
    grounds: list[str] = Field(description="Why it had priority: vip, repeat_caller, repeated_incident")
    callback: str | None = Field(description="The promise that it keeps, or else the last made in it")
    menu_path: list[MenuStepOut]
    tickets: list[str] = Field(description="Numbers of the tickets linked with this call")


class CallsOut(BaseModel):
    """Calls, newest first."""

    items: list[CallOut]
    next: str | None = Field(description="Give it as `cursor` to get the next calls; null at the end")


class FactOut(BaseModel):
    """One line of the ledger about this call."""

    seq: int
    at: datetime
    kind: str = Field(description="Such as CallQueued")
    body: dict[str, Any]


class CallDetailOut(CallOut):
    """One call with everything that happened to it."""

    ended_by: str | None = Field(description="caller, agent or desk")
    hold_seconds: float = Field(description="Part of talk_seconds during which the caller was on hold")
    offers: int = Field(description="How many agents' phones rang for it, one after the other")
    facts: list[FactOut]


class WishOut(BaseModel):
    """What the agent wants to be when the present call and its wrap-up are over."""

    state: AgentState
    state_ko: str
    reason: NotReadyReason | None


class PhoneOut(BaseModel):
    """An agent's phone."""

    kind: PhoneKind
    reachable: bool


class AgentOut(BaseModel):
    """An agent now."""

    login: str
    name: str
    state: AgentState
    state_ko: str = Field(description="With state not_ready the reason's word, such as 식사")
    reason: NotReadyReason | None = Field(description="Only with state not_ready")
    reason_ko: str | None
    since: datetime | None = Field(description="When the present state began; null before the first sign-in")
    seconds: float = Field(description="How long the present state has lasted")
    call: str | None = Field(description="The call on their hands, or the one they are wrapping up")
    requested_next: WishOut | None
    wrap_up_until: datetime | None = Field(description="When the wrap-up ends, if the agent was given longer")
    phone: PhoneOut
    desktop: bool | None = Field(description="Whether their desktop is open; null when nothing was heard of it")
    queues: list[str]
    skills: list[str]


class AgentsOut(BaseModel):
    """All agents, by login."""

    items: list[AgentOut]


class StateWish(BaseModel):
    """The state an agent is to have."""

    state: Literal["ready", "not_ready", "logged_out"]
    reason: NotReadyReason | None = Field(
        None, description="With not_ready: maintenance 점검, break 휴식, meal 식사, training 교육 or away 이석"
    )


class QueueOut(BaseModel):
    """A queue as set up, and now."""

    name: str
    title: str
    number: str | None
    strategy: str
    ring_seconds: float = Field(description="How long one phone rings before the next agent is tried")
    wrap_up_seconds: float = Field(description="후처리 after each call, unless ended early")
    misses_before_not_ready: int = Field(description="Unanswered offers in a row after which an agent is not ready")
    ticket: TicketPolicy
    record: bool
    service_level_seconds: float
    short_abandon_seconds: float
    waiting: int = Field(description="Callers who do not hear an agent yet, those whose agent's phone rings included")
    longest_wait_seconds: float | None = Field(description="How long the first of them has waited; null when nobody")
    agents: dict[AgentState, int] = Field(description="Agents who serve this queue, per state")


class QueuesOut(BaseModel):
    """All queues, by name."""

    items: list[QueueOut]


# --------------------------------------------------------------------------------------------------- looking


class CallDesk:
    """What a person may see of calls: an agent their own and those of their queues, a supervisor all."""

    def __init__(
        self, calls: Calls, facts: Facts, floor: FloorPlan, joins: CallJoins, live: LiveFloor | None = None
    ) -> None:
        """`live` tells which calls are opened to other queues now; without it, none (MOD-03)."""
        self._calls = calls
        self._facts = facts
        self._floor = floor
        self._joins = joins
        self._live = live

    async def page(
        self, actor: Actor, wanted: CallFilter, cursor: str | None, limit: int
    ) -> tuple[list[CallOut], str | None]:
        """Calls that match and that this person may see, newest first, and where the next begin."""
        page = await self._calls.page(await self._limited(actor, wanted), cursor, limit)
        return await self._rows(page.records), page.next

    async def one(self, actor: Actor, call: CallId) -> CallDetailOut:
        """One call; for someone who may not see it there is none."""
        record = await self._calls.get(call)
        sight = (await self._limited(actor, CallFilter())).visible_to
        if record is None or (sight is not None and not sight.shows(record)):
            raise NotFound("통화를 찾을 수 없습니다.", "There is no such call.")
        (row,) = await self._rows([record])
        return CallDetailOut(
            **dict(row),
            ended_by=record.ended_by,
            hold_seconds=record.hold_seconds,
            offers=record.offers,
            facts=[
                FactOut(seq=entry.seq, at=moment(entry.at), kind=kind_of(entry.fact), body=to_json(entry.fact))
                for entry in await self._facts.of_call(call)
            ],
        )

    async def _limited(self, actor: Actor, wanted: CallFilter) -> CallFilter:
        if actor.may(Role.SUPERVISOR):
            return wanted
        login = AgentId(actor.login)
        agents = {agent.login: agent for agent in (await self._floor.load_floor()).agents}
        queues: frozenset[QueueName] = agents[login].queues if login in agents else frozenset()
        calls = self._live.calls.values() if self._live is not None else ()
        opened = frozenset(call.call for call in calls if call.opened & queues)
        return replace(wanted, visible_to=Sight(login, queues, opened))

    async def _rows(self, records: Sequence[CallRecord]) -> list[CallOut]:
        if not records:
            return []
        people = await self._joins.people_of(records)
        tickets = await self._joins.tickets_of([record.id for record in records])
        return [_call_out(record, people.get(record.id), tickets.get(record.id, ())) for record in records]


def _call_out(record: CallRecord, person: PersonRef | None, tickets: Iterable[str]) -> CallOut:
    return CallOut(
        id=record.id,
        direction=record.direction,
        caller=record.caller,
        person=None if person is None else PersonOut(**asdict(person)),
        dialled=record.dialled,
        queue=record.queue,
        agent=record.agent,
        outcome=record.outcome,
        arrived_at=moment(record.arrived_at),
        queued_at=_moment(record.queued_at),
        answered_at=_moment(record.answered_at),
        ended_at=_moment(record.ended_at),
        wait_seconds=_shown(record.wait_seconds),
        time_to_first_answer_seconds=_shown(record.time_to_first_answer_seconds),
        talk_seconds=_shown(record.talk_seconds),
        wrap_up_seconds=_shown(record.wrap_up_seconds),
        reason=record.reason,
        promised_seconds=_shown(record.promised_seconds),
        promise_kept=record.promise_kept,
        departures=[
            DepartureOut(queue=one.queue, why=one.why, to=one.to, at=moment(one.at), key=one.key)
            for one in record.departures
        ],
        grounds=sorted(record.grounds),
        callback=record.callback,
        menu_path=[MenuStepOut(node=step.node, key=step.key) for step in record.menu_path],
        tickets=list(tickets),
    )


def agents_now(floor: Floor, live: LiveFloor, now: Instant) -> list[AgentOut]:
    """Everybody on the floor as they are now."""
    return [_agent_out(agent, live.agents.get(agent.login), now) for agent in floor.agents]


def _agent_out(agent: Agent, view: AgentView | None, now: Instant) -> AgentOut:
    state = view.state if view else AgentState.LOGGED_OUT
    began = view.since if view and view.since else None
    wish = view.requested if view else None
    return AgentOut(
        login=agent.login,
        name=agent.name,
        state=state,
        state_ko=_state_ko(state, view.reason if view else None),
        reason=view.reason if view else None,
        reason_ko=REASON_KO[view.reason] if view and view.reason else None,
        since=_moment(began),
        seconds=0.0 if began is None else round(max(0.0, now - began), 3),
        call=view.call if view else None,
        requested_next=wish and WishOut(state=wish[0], state_ko=_state_ko(*wish), reason=wish[1]),
        wrap_up_until=_moment(view.wrap_up_until) if view else None,
        phone=PhoneOut(kind=PHONE_KINDS.get(agent.phone, "sip"), reachable=bool(view and view.phone_reachable)),
        desktop=view.desktop if view else None,
        queues=sorted(agent.queues),
        skills=sorted(agent.skills),
    )


def _state_ko(state: AgentState, reason: NotReadyReason | None) -> str:
    """The floor's word: somebody who is not ready is at 식사 or 교육; 이석 is only one of the reasons."""
    return REASON_KO[reason] if state is AgentState.NOT_READY and reason is not None else AGENT_STATE_KO[state]


def queues_now(floor: Floor, live: LiveFloor, now: Instant) -> list[QueueOut]:
    """All queues with who waits in them and who serves them now."""
    waiting: dict[QueueName, list[Instant]] = {}
    for call in live.calls.values():
        if call.queue is not None and call.queued_at is not None and call.state in WAITING:
            waiting.setdefault(call.queue, []).append(call.queued_at)
    states: dict[QueueName, Counter[AgentState]] = {queue.name: Counter() for queue in floor.queues}
    for agent in floor.agents:
        view = live.agents.get(agent.login)
        for name in agent.queues & states.keys():
            states[name][view.state if view else AgentState.LOGGED_OUT] += 1
    return [_queue_out(queue, waiting.get(queue.name, []), states[queue.name], now) for queue in floor.queues]


def _queue_out(queue: Queue, since: Sequence[Instant], states: Counter[AgentState], now: Instant) -> QueueOut:
    return QueueOut(
        name=queue.name,
        title=queue.title,
        number=queue.number,
        strategy=queue.strategy,
        ring_seconds=queue.ring_limit.total_seconds(),
        wrap_up_seconds=queue.wrap_up.total_seconds(),
        misses_before_not_ready=queue.misses_before_not_ready,
        ticket=queue.ticket,
        record=queue.record,
        service_level_seconds=queue.service_level.total_seconds(),
        short_abandon_seconds=queue.short_abandon.total_seconds(),
        waiting=len(since),
        longest_wait_seconds=round(max(0.0, now - min(since)), 3) if since else None,
        agents={state: states[state] for state in AgentState},
    )


# ---------------------------------------------------------------------------------------------------- asking


async def change_state(
    actor: Actor, login: AgentId, wish: StateWish, floor: FloorPlan, live: LiveFloor, asks: Asks
) -> AgentOut:
    """Carry out a wish about an agent's state: their own, or a supervisor's about anybody.

    Raises:
        Forbidden: an agent asked for somebody else.
        NotFound: no such agent.
        BadInput: not_ready without a reason that people choose.
        Conflict: the agent's present state does not allow it; says why.
    """
    if actor.login != login and not actor.may(Role.SUPERVISOR):
        raise Forbidden("다른 요원의 상태는 관리자만 바꿀 수 있습니다.", "Only a supervisor changes another's state.")
    return await carry_out(_wish_event(login, wish, None if actor.login == login else actor.login), floor, live, asks)


async def carry_out(event: AgentWish, floor: FloorPlan, live: LiveFloor, asks: Asks) -> AgentOut:
    """Ask the ACD for what concerns one agent; how they are afterwards. Raises `NotFound` and `Conflict`."""
    plan = await floor.load_floor()
    agent = next((agent for agent in plan.agents if agent.login == event.agent), None)
    if agent is None:
        raise NotFound("등록되지 않은 요원입니다.", "There is no such agent.")
    refused = await asks.ask(event)
    if refused is not None:
        raise Conflict(refused.why_ko, refused.why_en, field="state")
    return _agent_out(agent, live.agents.get(event.agent), asks.now())


def chosen_reason(wish: StateWish) -> NotReadyReason | None:
    """The reason given; raises `BadInput` for not_ready without a reason that people choose."""
    if wish.state != "not_ready":
        return None
    if wish.reason is None or wish.reason not in CHOSEN_REASONS:
        raise BadInput(
            "사유를 고르십시오: 점검, 휴식, 식사, 교육, 이석.",
            "Choose a reason: maintenance, break, meal, training or away.",
            field="reason",
        )
    return wish.reason


def _wish_event(login: AgentId, wish: StateWish, by: str | None) -> AgentWish:
    reason = chosen_reason(wish)
    if reason is not None:
        return AgentNotReady(login, reason, by)
    return AgentReady(login, by) if wish.state == "ready" else AgentSignedOut(login, by)


def build_router(
    gate: Gate, desk: CallDesk, floor: FloorPlan, live: LiveFloor, asks: Asks
) -> APIRouter:
    """The routes under /api/v1."""
    router = APIRouter(prefix="/api/v1")
    agent = Depends(gate.require(Role.AGENT))

    @router.get("/calls", tags=["calls"], summary="Calls, newest first")
    async def list_calls(
        actor: Actor = agent,
        queue: str | None = Query(None, description="Name of the queue it was in last"),
        agent_login: str | None = Query(None, alias="agent", description="Login of the agent who answered"),
        outcome: Outcome | None = None,
        caller: str | None = Query(None, max_length=64, description="Number, however it is written"),
        since: GivenMoment | None = SINCE,
        until: GivenMoment | None = UNTIL,
        open: bool | None = Query(None, description="true: calls that go on; false: calls that have ended"),
        cursor: str | None = Query(None, description="`next` of the answer before"),
        limit: int = Query(50, ge=1, le=LARGEST_PAGE),
    ) -> CallsOut:
        """Agents see the calls of their queues, those opened to their queues while they wait, and those they
        answered; supervisors see all.
        """
        wanted = CallFilter(queue, agent_login, outcome, caller, since, until, open)
        items, following = await desk.page(actor, wanted, cursor, limit)
        return CallsOut(items=items, next=following)

    @router.get("/calls/{id}", tags=["calls"], summary="One call and everything that happened to it")
    async def get_call(id: str = Path(max_length=150), actor: Actor = agent) -> CallDetailOut:
        return await desk.one(actor, CallId(id))

    @router.get("/agents", tags=["agents"], summary="All agents as they are now")
    async def list_agents(actor: Actor = agent) -> AgentsOut:
        return AgentsOut(items=agents_now(await floor.load_floor(), live, asks.now()))

    @router.post("/agents/{login}/state", tags=["agents"], summary="Change an agent's state")
    async def set_state(wish: StateWish, login: str = Path(max_length=64), actor: Actor = agent) -> AgentOut:
        """Agents change their own state, supervisors anybody's. During a call the wish is kept as `requested_next`
        and carried out after the wrap-up. 409 says why the present state does not allow it.
        """
        return await change_state(actor, AgentId(login), wish, floor, live, asks)

    @router.get("/queues", tags=["queues"], summary="All queues as set up and as they are now")
    async def list_queues(actor: Actor = agent) -> QueuesOut:
        return QueuesOut(items=queues_now(await floor.load_floor(), live, asks.now()))

    return router


def _shown(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _moment(instant: Instant | None) -> datetime | None:
    return None if instant is None else moment(instant)

"""Promises to call back: `GET`, `POST /callbacks` and `DELETE /callbacks/{id}`, and the worklist behind them."""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from changgu.acd.api import Asks, FloorPlan, PersonOut, PersonRef
from changgu.acd.call_state import CallState
from changgu.acd.callback_lines import CallbackLine, as_it_is
from changgu.acd.events import CallbackAsked, CallbackCancelled
from changgu.acd.facts import CallbackEnd
from changgu.acd.identity import CallbackId, CallId, Instant, QueueName
from changgu.acd.records import CallbackView, CallView
from changgu.acd.worklist.store import LONGEST_PROMISE
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.database import moment
from changgu.ground.moments import GivenMoment
from changgu.ground.trouble import BadInput, Conflict, Forbidden, NotFound

HISTORY_DAYS = 7
LONGEST_HISTORY_DAYS = 366
HIGHEST_PRIORITY = 10


class Standing(StrEnum):
    """Where a promise stands."""

    PLANNED = "planned"
    """Its time has not come."""
    QUEUED = "queued"
    """Its time has come; an agent is not free yet."""
    RINGING = "ringing"
    """An agent's phone rings for it."""
    DIALLING = "dialling"
    TALKING = "talking"
    KEPT = "kept"
    GIVEN_UP = "given_up"
    CANCELLED = "cancelled"
    CALLED_IN = "called_in"


UNDER_WAY = {
    CallState.WAITING: Standing.QUEUED,
    CallState.OFFERED: Standing.RINGING,
    CallState.CONNECTING: Standing.DIALLING,
    CallState.TALKING: Standing.TALKING,
    CallState.HELD: Standing.TALKING,
}
SETTLED = {
    CallbackEnd.KEPT: Standing.KEPT,
    CallbackEnd.GIVEN_UP: Standing.GIVEN_UP,
    CallbackEnd.CANCELLED: Standing.CANCELLED,
    CallbackEnd.CALLED_IN: Standing.CALLED_IN,
}


# ------------------------------------------------------------------------------------ what is needed of others


class LivePromises(Protocol):
    """What is open now; `acd.engine.Engine`."""

    @property
    def callbacks(self) -> Mapping[CallbackId, CallbackView]:
        """Open promises."""
        ...

    @property
    def calls(self) -> Mapping[CallId, CallView]:
        """Calls that have not ended."""
        ...


class History(Protocol):
    """What was promised; `acd.worklist.store.CallbackHistory`."""

    async def since(self, at: Instant) -> list[CallbackLine]:
        """Promises that were open at this time or later."""
        ...


class Numbers(Protocol):
    """What the desk may dial, and whose number it is; `app.joins.CallbackNumbers`."""

    def dialable(self, written: str) -> str:
        """The number as it will be dialled; raises `BadInput` with the reason for which it will not."""
        ...

    async def people_at(self, numbers: Collection[str]) -> Mapping[str, PersonRef]:
        """Who has these numbers, for those that belong to exactly one person."""
        ...


# -------------------------------------------------------------------------------------------------- answers


class CallbackOut(BaseModel):
    """A promise to call somebody back."""

    id: str
    number: str
    person: PersonOut | None = Field(description="null when the number belongs to nobody, or to several people")
    queue: str
    state: Standing
    booked_at: datetime
    waiting_since: datetime = Field(description="When they first tried to reach us; their place is counted from it")
    due_at: datetime = Field(description="When the next attempt may be made")
    attempts: int = Field(description="How often they were called in vain")
    cause: str = Field(description="Why the last attempt came to nothing; `hours`, `called_in`: put off")
    asked_from: str | None = Field(description="The call in which it was promised; null: by hand")
    call: str | None = Field(description="The attempt that is under way, or waits for an agent")
    ended_at: datetime | None
    ended_by: str | None = Field(description="Who cancelled it")


class CallbacksOut(BaseModel):
    """Promises, those due first at the top; settled ones behind them, the latest first."""

    items: list[CallbackOut]


class CallbackWish(BaseModel):
    """Somebody is to be called back."""

    number: str = Field(min_length=1, max_length=64, description="However it is written")
    queue: str = Field(max_length=64, description="Whose agents call")
    not_before: GivenMoment | None = Field(None, description="ISO 8601 with a zone; within 30 days")
    priority: int = Field(default=0, ge=0, le=HIGHEST_PRIORITY, description="Above 0 only by supervisors")


# ------------------------------------------------------------------------------------------------- the worklist


class Worklist:
    """Who is to be called back: agents see and book for their queues, supervisors for all."""

    def __init__(
        self, live: LivePromises, history: History, floor: FloorPlan, asks: Asks, numbers: Numbers
    ) -> None:
        self._live = live
        self._history = history
        self._floor = floor
        self._asks = asks
        self._numbers = numbers

    async def lines(self, actor: Actor, *, settled: bool | None, days: int = HISTORY_DAYS) -> list[CallbackOut]:
        """Open promises, and those that were settled within so many days; `settled` asks for one kind only."""
        served = await self._queues_of(actor)
        since = self._asks.now() - timedelta(days=days).total_seconds()
        found = {line.callback: line for line in await self._history.since(since)}
        views = self._live.callbacks
        lines: list[CallbackLine] = []
        if settled is not True:
            lines += sorted((as_it_is(found.get(name), view) for name, view in views.items()), key=_by_due)
        if settled is not False:
            closed = [line for line in found.values() if line.end is not None and line.callback not in views]
            lines += sorted(closed, key=lambda line: -(line.ended_at or 0.0))
        return await self._out([line for line in lines if served is None or line.queue in served])

    async def book(self, actor: Actor, wish: CallbackWish) -> CallbackOut:
        """Promise it.

        Raises:
            BadInput: a number that is not dialled, a queue that does not exist, a time too far ahead.
            Forbidden: an agent asked for a queue that is not theirs, or for priority.
            Conflict: this number, or its one person at another, is to be called back already.
        """
        queue = QueueName(wish.queue)
        if queue not in {one.name for one in (await self._floor.load_floor()).queues}:
            raise BadInput("없는 대기열입니다.", "There is no such queue.", field="queue")
        await self._must_serve(actor, queue)
        if wish.priority and not actor.may(Role.SUPERVISOR):
            ko, en = "우선순위는 관리자만 줄 수 있습니다.", "Only a supervisor gives priority."
            raise Forbidden(ko, en, field="priority")
        not_before = wish.not_before.timestamp() if wish.not_before else None
        if not_before is not None and not_before > self._asks.now() + LONGEST_PROMISE.total_seconds():
            ko = f"콜백은 {LONGEST_PROMISE.days}일 안으로만 예약할 수 있습니다."
            raise BadInput(ko, f"A call-back is promised for {LONGEST_PROMISE.days} days at most.", field="not_before")
        number = self._numbers.dialable(wish.number)
        taken = Conflict("이미 콜백이 예약된 번호입니다.", "This number is to be called back already.", field="number")
        if any(view.number == number for view in self._live.callbacks.values()):
            raise taken
        callback = CallbackId(f"cb{secrets.token_hex(10)}")
        asked = CallbackAsked(callback, number, queue, None, wish.priority, not_before=not_before, by=actor.login)
        await self._asks.ask(asked)
        view = self._live.callbacks.get(callback)
        if view is None:  # also because somebody was faster
            ko = "이미 콜백이 예약된 번호이거나, 그 사용자에게 다른 번호로 콜백이 예약되어 있습니다."
            raise Conflict(ko, "This person is to be called back already, perhaps at another number.", field="number")
        (line,) = await self._out([as_it_is(None, view)])
        return line

    async def cancel(self, actor: Actor, callback: CallbackId) -> None:
        """Nobody is to be called back after all; somebody whose telephone rings already is still served.

        Raises `NotFound` for one that is not open, and to whoever may not see it.
        """
        view = self._live.callbacks.get(callback)
        served = await self._queues_of(actor)
        if view is None or (served is not None and view.queue not in served):
            raise NotFound("그런 열린 콜백이 없습니다.", "There is no such call-back open.")
        await self._asks.ask(CallbackCancelled(callback, actor.login))

    async def queues(self, actor: Actor) -> list[tuple[QueueName, str]]:
        """Name and title of the queues for which this person may book."""
        served = await self._queues_of(actor)
        queues = (await self._floor.load_floor()).queues
        return [(queue.name, queue.title) for queue in queues if served is None or queue.name in served]

    async def _queues_of(self, actor: Actor) -> frozenset[QueueName] | None:
        """None: all of them."""
        if actor.may(Role.SUPERVISOR):
            return None
        agents = (await self._floor.load_floor()).agents
        return next((agent.queues for agent in agents if agent.login == actor.login), frozenset())

    async def _must_serve(self, actor: Actor, queue: QueueName) -> None:
        served = await self._queues_of(actor)
        if served is not None and queue not in served:
            ko, en = "맡은 대기열에만 예약할 수 있습니다.", "You can book for your own queues only."
            raise Forbidden(ko, en, field="queue")

    async def _out(self, lines: Collection[CallbackLine]) -> list[CallbackOut]:
        people = await self._numbers.people_at({line.number for line in lines})
        return [self._line(line, people.get(line.number)) for line in lines]

    def _line(self, line: CallbackLine, person: PersonRef | None) -> CallbackOut:
        view = self._live.callbacks.get(line.callback)
        call = self._live.calls.get(view.call) if view is not None and view.call is not None else None
        state = Standing.PLANNED if call is None else UNDER_WAY.get(call.state, Standing.QUEUED)
        return CallbackOut(
            id=line.callback,
            number=line.number,
            person=None if person is None else PersonOut(id=person.id, name=person.name, department=person.department),
            queue=line.queue,
            state=state if line.end is None else SETTLED[line.end],
            booked_at=moment(line.booked_at),
            waiting_since=moment(line.waiting_since),
            due_at=moment(line.due_at),
            attempts=line.attempts,
            cause=line.cause,
            asked_from=line.asked_from,
            call=call.call if call is not None else None,
            ended_at=None if line.ended_at is None else moment(line.ended_at),
            ended_by=line.ended_by,
        )


def _by_due(line: CallbackLine) -> float:
    return line.due_at


def build_router(gate: Gate, worklist: Worklist) -> APIRouter:
    """The routes under /api/v1."""
    router = APIRouter(prefix="/api/v1", tags=["callbacks"])
    agent = Depends(gate.require(Role.AGENT))

    @router.get("/callbacks", summary="Who is to be called back, and who was")
    async def list_callbacks(
        actor: Actor = agent,
        settled: bool | None = Query(None, description="true: those that are over; false: those that are open"),
        days: int = Query(HISTORY_DAYS, ge=1, le=LONGEST_HISTORY_DAYS, description="How far back those go"),
    ) -> CallbacksOut:
        """Agents see those of their queues; supervisors see all. Open ones stay until they are settled."""
        return CallbacksOut(items=await worklist.lines(actor, settled=settled, days=days))

    @router.post("/callbacks", status_code=201, summary="Promise to call somebody back")
    async def book_callback(wish: CallbackWish, actor: Actor = agent) -> CallbackOut:
        """Agents book for their queues. 422 names what is wrong with the number; 409: it is promised already."""
        return await worklist.book(actor, wish)

    @router.delete("/callbacks/{id}", status_code=204, summary="Nobody is to be called back after all")
    async def cancel_callback(id: str = Path(max_length=64), actor: Actor = agent) -> None:
        """Agents cancel those of their queues, supervisors any; who did it is kept."""
        await worklist.cancel(actor, CallbackId(id))

    return router

"""The agent's desktop connection: one ordered, numbered stream down, the agent's wishes up.

`WS /desk/ws`. The first message is `hello` with everything the page shows; after it each message replaces one part.

    {"type": "hello", "seq": 1, "at": 1763715600.5, "agent": {…}, "state": {…}, "call": {…}|null, "pop": {…}|null}
    {"type": "state"|"call"|"pop", "seq": 2, "at": …, "state"|"call"|"pop": {…}|null}
    {"type": "unanswered", …, "unanswered": {"count": 2, "since": …, "ticket": "…"}|null}     voice mail without a reply
    {"type": "done"|"error", "seq": …, "id": "…", "ko": "…", "en": "…"}      the answer to the wish with that id
    {"type": "beat", "seq": …, "at": …}                                      nothing new; the line is alive

`seq` runs without gaps; a page that sees one connects again and is told everything anew. `at` is the service's clock,
so that a page with a wrong clock still shows the right duration. A page that cannot keep up misses intermediate
pictures, never the newest. Closing the page changes nothing at the desk; only that it is gone is told to the ACD.

Wishes: `{"id": "7", "do": "ready"}`, and `sign_in`, `sign_out`, `not_ready` (`reason`), `more_wrap_up` (`seconds`),
`hold`, `resume`, `hang_up`, `confirm` (`call`, `person`, `remember`), `reject` (`call`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol

import orjson
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from changgu.acd.agent_state import CHOSEN_REASONS, AgentState, NotReadyReason
from changgu.acd.events import AgentNotReady, AgentReady, AgentSignedIn, AgentSignedOut, Event, MoreWrapUpWanted
from changgu.acd.identity import AgentId, CallId
from changgu.ground.access import Gate, Role
from changgu.ground.trouble import BadInput, Conflict, Trouble
from changgu.screenpop.presence import Presence
from changgu.screenpop.service import ScreenPop

logger = logging.getLogger(__name__)

BEAT = 15.0
"""Seconds of silence after which the page hears that the line is alive; it gives up after two of them."""
SEND_LIMIT = 20.0
"""Seconds after which a page that takes nothing is cut off; it connects again when it can."""
MOST_ANSWERS = 100
LONGEST_WISH = 3600
"""Seconds of wrap-up that can be asked for at once; how many are granted is for the ACD to decide."""


class Refused(Protocol):
    """Why the ACD will not do what was asked (`acd.engine.RequestRefused`)."""

    @property
    def why_ko(self) -> str:
        """In Korean."""
        ...

    @property
    def why_en(self) -> str:
        """In English."""
        ...


class CallControl(Protocol):
    """What an agent may do with the call in hand; raises a `Trouble` when the switch will not."""

    async def hold(self, agent: AgentId, call: CallId) -> None:
        """Let the caller hear music."""
        ...

    async def resume(self, agent: AgentId, call: CallId) -> None:
        """Take the caller back."""
        ...

    async def hang_up(self, agent: AgentId, call: CallId) -> None:
        """End the conversation."""
        ...


Ask = Callable[[Event], Awaitable[Refused | None]]
"""`acd.runner.Runner.ask`."""


class Desktop:
    """One open page: keeps the newest of each part until the page has taken it."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, object]] = {}
        self._answers: list[dict[str, object]] = []
        self._something = asyncio.Event()

    def show(self, part: str, body: object) -> None:
        """Replace a part of the page; the one shown last is sent last."""
        self._parts.pop(part, None)
        self._parts[part] = {"type": part, part: body}
        self._something.set()

    def answer(self, message: dict[str, object]) -> None:
        """Answer a wish; answers are never merged."""
        if len(self._answers) < MOST_ANSWERS:
            self._answers.append(message)
        self._something.set()

    async def take(self, patience: float) -> list[dict[str, object]]:
        """What has not been sent yet, at the latest after `patience` seconds; then perhaps nothing."""
        try:
            async with asyncio.timeout(patience):
                await self._something.wait()
        except TimeoutError:
            return []
        self._something.clear()
        messages = [*self._parts.values(), *self._answers]
        self._parts.clear()
        self._answers.clear()
        return messages


def build_desktop(
    gate: Gate, screen_pop: ScreenPop, ask: Ask, control: CallControl, presence: Presence | None = None
) -> APIRouter:
    """The route `/desk/ws`. `presence` is told which agents have a page open."""
    router = APIRouter()

    @router.websocket("/desk/ws")
    async def desk_stream(websocket: WebSocket) -> None:
        actor = await gate.admit(websocket, Role.AGENT)
        if actor is None:
            return
        await websocket.accept()
        agent = AgentId(actor.login)
        desktop = Desktop()
        screen_pop.attach(agent, desktop)
        if presence is not None and screen_pop.seat_of(agent) is not None:
            at_their_seat = presence
            at_their_seat.opened(agent)
        else:
            at_their_seat = None
        wishes = Wishes(agent, screen_pop, ask, control)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_tell(websocket, desktop, screen_pop, agent, actor.name))
                group.create_task(_listen(websocket, desktop, wishes))
        except* (WebSocketDisconnect, TimeoutError) as gone:
            logger.debug("a desktop of %s left: %r", agent, gone.exceptions[0])
        finally:
            screen_pop.detach(agent, desktop)
            if at_their_seat is not None:
                at_their_seat.closed(agent)

    return router


async def _tell(websocket: WebSocket, desktop: Desktop, screen_pop: ScreenPop, agent: AgentId, name: str) -> None:
    seat = screen_pop.seat_of(agent)
    message: dict[str, object] = {
        "type": "hello",
        "agent": {
            "login": agent,
            "name": seat.name if seat else name,
            "seat": seat is not None,
            "phone": seat.phone if seat else None,
            "queues": screen_pop.queue_titles(seat.queues) if seat else {},
        },
        "state": screen_pop.state_of(agent),
        "call": screen_pop.call_of(agent),
        "pop": screen_pop.pop_of(agent),
    }
    seq = 0
    waiting: list[dict[str, object]] = [message]
    while True:
        for one in waiting or [{"type": "beat"}]:
            seq += 1
            text = orjson.dumps(one | {"seq": seq, "at": screen_pop.now()}).decode()
            async with asyncio.timeout(SEND_LIMIT):
                await websocket.send_text(text)
        waiting = await desktop.take(BEAT)


async def _listen(websocket: WebSocket, desktop: Desktop, wishes: "Wishes") -> None:
    """One wish after the other: a hold and the hang-up after it keep their order."""
    while True:
        text = await websocket.receive_text()
        try:
            wish = orjson.loads(text)
        except orjson.JSONDecodeError:
            wish = None
        name = str(wish.get("id", "")) if isinstance(wish, dict) else ""
        try:
            if not isinstance(wish, dict):
                raise BadInput("알아들을 수 없는 요청입니다.", "That is not a wish.")
            refused = await wishes.carry_out(wish)
        except Trouble as trouble:
            desktop.answer({"type": "error", "id": name, "ko": trouble.ko, "en": trouble.en})
        except Exception:  # the edge of one wish: the agent is told, and the desktop lives on
            logger.exception("a wish of an agent failed")
            ko, en = "처리하지 못했습니다. 다시 시도하세요.", "That failed. Try again."
            desktop.answer({"type": "error", "id": name, "ko": ko, "en": en})
        else:
            if refused is None:
                desktop.answer({"type": "done", "id": name})
            else:
                desktop.answer({"type": "error", "id": name, "ko": refused.why_ko, "en": refused.why_en})


class Wishes:
    """What one agent asks of the desk, carried out for them and for nobody else."""

    def __init__(self, agent: AgentId, screen_pop: ScreenPop, ask: Ask, control: CallControl) -> None:
        self._agent = agent
        self._screen_pop = screen_pop
        self._ask = ask
        self._control = control

    async def carry_out(self, wish: dict[str, Any]) -> Refused | None:
        """Do it; None when it is done, or the ACD's refusal. Raises a `Trouble` for a wish that makes no sense."""
        agent = self._agent
        match wish.get("do"):
            case "sign_in":
                return await self._ask(AgentSignedIn(agent))
            case "sign_out":
                return await self._ask(AgentSignedOut(agent))
            case "ready":
                return await self._ask(AgentReady(agent))
            case "not_ready":
                return await self._not_ready(str(wish.get("reason")))
            case "more_wrap_up":
                return await self._ask(MoreWrapUpWanted(agent, _length(wish.get("seconds"))))
            case "hold":
                await self._control.hold(agent, self._call())
            case "resume":
                await self._control.resume(agent, self._call())
            case "hang_up":
                await self._control.hang_up(agent, self._call())
            case "confirm":
                await self._screen_pop.confirm(
                    agent, CallId(str(wish.get("call"))), str(wish.get("person")),
                    remember_number=wish.get("remember") is True,
                )
            case "reject":
                await self._screen_pop.reject(agent, CallId(str(wish.get("call"))))
            case other:
                raise BadInput(f"모르는 요청입니다: {other}", f"unknown wish: {other}", field="do")
        return None

    async def _not_ready(self, reason: str) -> Refused | None:
        if reason not in CHOSEN_REASONS:
            raise BadInput("사유를 고르세요.", "Choose a reason.", field="reason")
        if self._screen_pop.desk_of(self._agent).state is AgentState.LOGGED_OUT:
            refused = await self._ask(AgentSignedIn(self._agent))
            if refused is not None:
                return refused
        return await self._ask(AgentNotReady(self._agent, NotReadyReason(reason)))

    def _call(self) -> CallId:
        call = self._screen_pop.desk_of(self._agent).call
        if call is None or call.ended_at is not None:
            raise Conflict("진행 중인 통화가 없습니다.", "There is no call in hand.")
        return call.call


def _length(seconds: object) -> timedelta:
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds <= LONGEST_WISH:
        raise BadInput("늘릴 시간을 초로 적으십시오.", "Say how many seconds longer.", field="seconds")
    return timedelta(seconds=seconds)

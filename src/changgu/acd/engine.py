"""The ACD engine: who rings, who waits, who gives up.

`handle` decides: from the state, one event and the time it computes facts and commands. `apply` changes
the state, and nothing else does: every fact that `handle` returns has been applied already, and applying
the same facts to a fresh engine gives the same state (`restore`). There is no clock, no waiting and no
chance in here; the same events at the same times give the same effects, to the byte.

Nobody polls. Callers and agents meet when something changes for one of them: news is taken in first,
then free agents and waiting callers are joined, best placed caller first, and for each of them the agent
whose turn it is by the queue's strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from heapq import heapify, heappop, heappush

from changgu.acd import agent_state, call_state
from changgu.acd.agent_state import CHOSEN_REASONS, AgentState, Next, NotReadyReason
from changgu.acd.call_state import ABANDONED, SPOKEN, CallState
from changgu.acd.commands import (
    Command,
    ConnectCall,
    Farewell,
    HangUpAgent,
    HangUpCaller,
    PlayMusicOnHold,
    RingAgent,
    StopRinging,
)
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    AgentNotReady,
    AgentReady,
    AgentSignedIn,
    AgentSignedOut,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    CallHeld,
    CallLost,
    CallResumed,
    ConnectFailed,
    DeadlinePassed,
    DeskClosed,
    Event,
    MenuEnded,
    MenuStepReached,
    PartiesConnected,
    PhoneReachable,
    PhoneUnreachable,
    RingFailed,
)
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    Fact,
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    NewsIgnored,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
    Recorded,
)
from changgu.acd.floor_state import FloorState
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.lines import Line, Lines, Place
from changgu.acd.occasions import Offered, RingLimitPassed, WrapUpPassed
from changgu.acd.queues import Floor
from changgu.acd.records import AgentRecord, AgentView, CallRecord, CallView, Views

NO_SUCH_AGENT = ("등록되지 않은 요원입니다.", "There is no such agent.")
NOT_A_REASON = (
    "이 사유는 시스템만 기록합니다. 다른 사유를 고르십시오.",
    "Only the system records this reason. Choose another.",
)

READY, RESERVED, TALKING, HOLD, WRAP_UP, NOT_READY, UNREACHABLE, LOGGED_OUT = AgentState

AttemptNews = AgentAnswered | RingFailed | PartiesConnected | ConnectFailed | AgentHungUp


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A person asked for what the table refuses; nothing has changed."""

    event: str
    agent: AgentId
    why_ko: str
    why_en: str


Effect = Command | Fact | RequestRefused


class HalfDecided(Exception):
    """The engine failed in the middle of an event, a fault of ours; `effects` are those that are true already."""

    def __init__(self, effects: list[Effect]) -> None:
        super().__init__("the engine failed in the middle of a decision")
        self.effects = effects


class Engine:
    """Distributes callers to agents on one floor.

    After a restart: `engine = Engine.restore(floor, recorded)`, then carry out what `engine.configure(floor, now)`
    returns: it settles whatever the ledger's last lines left open, and signs out agents who are off the list.
    """

    def __init__(self, floor: Floor, *, first_offer: int = 1) -> None:
        self._state = state = FloorState(floor, first_offer)
        self._agents, self._calls = state.agents, state.calls
        self._effects: list[Effect] = []
        self.agents: Mapping[AgentId, AgentView] = Views(self._agents, AgentRecord.view)
        self.calls: Mapping[CallId, CallView] = Views(self._calls, CallRecord.view)
        self._deciders: dict[type, Callable[..., None]] = {
            CallerDialledIn: self._caller_dialled_in,
            MenuStepReached: self._menu_step,
            CallArrived: self._call_arrived,
            MenuEnded: self._menu_ended,
            CallerHungUp: self._caller_hung_up,
            CallLost: self._call_lost,
            DeskClosed: self._desk_closed,
            AgentAnswered: self._agent_answered,
            RingFailed: self._ring_failed,
            PartiesConnected: self._parties_connected,
            ConnectFailed: self._connect_failed,
            AgentHungUp: self._agent_hung_up,
            CallHeld: self._hold,
            CallResumed: self._hold,
            PhoneReachable: self._phone,
            PhoneUnreachable: self._phone,
            AgentSignedIn: self._wish,
            AgentSignedOut: self._wish,
            AgentReady: self._wish,
            AgentNotReady: self._wish,
            DeadlinePassed: self._deadline_passed,
        }

    # The outside

    @classmethod
    def restore(cls, floor: Floor, recorded: Iterable[Recorded], *, first_offer: int = 1) -> Engine:
        """The engine that lived through these facts, rebuilt from them."""
        engine = cls(floor, first_offer=first_offer)
        for record in recorded:
            engine.apply(record.fact, record.at)
        return engine

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """Takes in one event at one time; answers with what has happened and what is to be done.

        All returned facts have been applied. Facts of one event belong together: whoever writes them down
        writes all or none. Raises `HalfDecided` when it fails, so that even then memory and ledger stay the same.
        """
        effects: list[Effect] = []
        self._effects = effects
        try:
            self._deciders[type(event)](event, now)
            if self._state.fresh or self._state.returned:
                self._distribute(now)
        except Exception as fault:
            raise HalfDecided(effects) from fault
        return effects

    def configure(self, floor: Floor, now: Instant) -> list[Effect]:
        """Takes up a new floor while calls go on. Refuses as a whole, with `UnknownStrategy`, what it cannot run.

        - An agent taken off the list finishes the call on their hands and its wrap-up, and is then signed out.
        - A queue taken off the list accepts no new callers. Those who wait in it keep their places as long as any
          agent on the list still has the queue; when none has, nobody would ever come, so they are told that the
          queue does not exist and the call ends REFUSED: counted, never silently lost.
        - New limits hold for what is ringing and being wrapped up now, counted from when that began.
        """
        Lines({queue.name: queue for queue in floor.queues}, ())
        effects: list[Effect] = []
        self._effects = effects
        self._state.set_up(floor)
        for agent in [agent for agent in self._agents.values() if not agent.on_floor]:
            self._wish(AgentSignedOut(agent.login), now)
            if agent.state is LOGGED_OUT and agent.phone_reachable:
                self._note(PhoneStateChanged(agent.login, reachable=False), now)
        self._distribute(now)
        return effects

    def next_deadline(self) -> Instant | None:
        """When `DeadlinePassed` is wanted next; None while no limit runs."""
        return self._state.next_deadline()

    def apply(self, fact: Fact, at: Instant) -> None:
        """Makes a fact true; the state changes in no other way."""
        self._state.apply(fact, at)

    def picture(self) -> Mapping[str, object]:
        """All that can be seen of the state; two engines with equal pictures go on alike."""
        agents = self.agents.values()
        waiting = sorted((call for call in self._calls.values() if call.state is CallState.WAITING), key=_place)
        return {
            "agents": {view.login: replace(view, since=0.0) if view.state is LOGGED_OUT else view for view in agents},
            "calls": dict(self.calls),
            "waiting": [call.call for call in waiting],
            "ended": list(self._state.ended),
            "next_offer": self._state.next_offer,
            "next_deadline": self.next_deadline(),
        }

    def entries(self) -> int:
        """How many entries its lines and limits hold: bounded by who is here, not by who has ever been."""
        return self._state.entries()

    def waiting(self, queue: QueueName) -> list[CallView]:
        """Who waits in a queue, in order of their places. Callers whose offer is open are not among them."""
        calls = [call for call in self._calls.values() if call.queue == queue and call.state is CallState.WAITING]
        return [call.view() for call in sorted(calls, key=lambda call: call.place)]

    @property
    def next_offer(self) -> OfferId:
        """The id that the next offer will have."""
        return OfferId(self._state.next_offer)

    def recently_ended(self, call: CallId) -> bool:
        """Whether this call is known to be over."""
        return call in self._state.ended

    # Deciding: what the caller does

    def _caller_dialled_in(self, event: CallerDialledIn, now: Instant) -> None:
        if event.call in self._calls:
            self._ignore_for_call(event, now)
        elif event.call in self._state.ended:
            self._ignore(event, "the call is over", now, call=event.call)
        else:
            self._note(CallStarted(event.call, Direction.INBOUND, event.caller, event.dialled), now)

    def _menu_step(self, event: MenuStepReached, now: Instant) -> None:
        if self._call_may(event, now):
            self._note(MenuStepTaken(event.call, event.node, event.key), now)

    def _call_arrived(self, event: CallArrived, now: Instant) -> None:
        call = event.call
        if call not in self._calls and call not in self._state.ended:
            # Nobody told us of this caller, so nothing they could be told is ready either.
            self._note(CallStarted(call, Direction.INBOUND, None, ""), now)
            self._refuse_caller(call, Farewell.ERROR, now)
        elif self._call_may(event, now):
            if event.queue not in self._state.queues:
                self._refuse_caller(call, Farewell.NO_SUCH_QUEUE, now)
            else:
                self._note(CallQueued(call, event.queue, event.priority, event.skills), now)
                self._effects.append(PlayMusicOnHold(call, event.queue))

    def _menu_ended(self, event: MenuEnded, now: Instant) -> None:
        if self._call_may(event, now):
            outcome = Outcome.SELF_SERVED if event.served else Outcome.ABANDONED_IN_MENU
            self._note(CallEnded(event.call, outcome, Ender.DESK), now)
            self._effects.append(HangUpCaller(event.call, Farewell.NONE))

    def _caller_hung_up(self, event: CallerHungUp, now: Instant) -> None:
        if self._call_may(event, now):
            call = self._calls[event.call]
            self._end(event, call, ABANDONED[call.state], Ender.CALLER, now)

    def _call_lost(self, event: CallLost, now: Instant) -> None:
        if self._call_may(event, now):
            self._end(event, self._calls[event.call], Outcome.LOST, Ender.DESK, now)

    def _desk_closed(self, event: DeskClosed, now: Instant) -> None:
        if self._call_may(event, now):
            call = self._calls[event.call]
            spoken = call.state in SPOKEN
            outcome, farewell = (Outcome.ANSWERED, Farewell.NONE) if spoken else (Outcome.REFUSED, Farewell.DESK_CLOSED)
            self._end(event, call, outcome, Ender.DESK, now)
            self._effects.append(HangUpCaller(event.call, farewell))

    def _end(self, event: Event, call: CallRecord, outcome: Outcome, by: Ender, now: Instant) -> None:
        agent = self._agents.get(call.agent) if call.agent is not None else None
        offer, state = call.offer, call.state
        if agent is not None and offer is not None:
            if state is CallState.OFFERED:
                self._effects.append(StopRinging(agent.login, call.call, offer))
            else:
                self._effects.append(HangUpAgent(agent.login, call.call, offer))
            if state not in SPOKEN:
                self._note(OfferEnded(call.call, agent.login, offer, OfferEnd.CALLER_LEFT), now)
        self._note(CallEnded(call.call, outcome, by), now)
        if agent is not None:
            self._move(agent, type(event), now, call=call.call, spoken=state in SPOKEN)

    def _refuse_caller(self, call: CallId, farewell: Farewell, now: Instant) -> None:
        self._note(CallEnded(call, Outcome.REFUSED, Ender.DESK), now)
        self._effects.append(HangUpCaller(call, farewell))

    # Deciding: what becomes of an offer

    def _agent_answered(self, event: AgentAnswered, now: Instant) -> None:
        call = self._calls.get(event.call)
        if call is None or call.offer != event.offer or call.agent != event.agent:
            if not self._is_wrapping_up(event.agent, event.call):
                self._effects.append(HangUpAgent(event.agent, event.call, event.offer))
            self._ignore(event, "the offer has ended", now, call=event.call, agent=event.agent)
        elif self._call_may(event, now):
            queue = call.queue or QueueName("")
            self._note(CallAnswered(call.call, event.agent, event.offer, queue), now)
            self._move(self._agents[event.agent], AgentAnswered, now, call=call.call)
            self._effects.append(ConnectCall(event.agent, call.call, event.offer))

    def _ring_failed(self, event: RingFailed, now: Instant) -> None:
        if self._attempt_may(event, now):
            self._offer_came_to_nothing(event, OfferEnd.FAILED, now, cause=event.cause)

    def _parties_connected(self, event: PartiesConnected, now: Instant) -> None:
        if self._attempt_may(event, now):
            self._note(CallConnected(event.call, event.agent, event.offer), now)

    def _connect_failed(self, event: ConnectFailed, now: Instant) -> None:
        if self._attempt_may(event, now):
            self._effects.append(HangUpAgent(event.agent, event.call, event.offer))
            self._offer_came_to_nothing(event, OfferEnd.CONNECT_FAILED, now, cause=event.cause, music=True)

    def _agent_hung_up(self, event: AgentHungUp, now: Instant) -> None:
        if self._is_wrapping_up(event.agent, event.call):
            return
        if not self._attempt_may(event, now):
            return
        call = self._calls[event.call]
        if call.state in SPOKEN:
            self._note(CallEnded(event.call, Outcome.ANSWERED, Ender.AGENT), now)
            self._effects.append(HangUpCaller(event.call, Farewell.NONE))
            self._move(self._agents[event.agent], AgentHungUp, now, call=event.call, spoken=True)
        else:
            music = call.state is CallState.CONNECTING
            self._offer_came_to_nothing(event, OfferEnd.AGENT_LEFT, now, music=music)

    def _offer_came_to_nothing(
        self, event: RingFailed | ConnectFailed | AgentHungUp, why: OfferEnd, now: Instant,
        *, cause: str = "", music: bool = False,
    ) -> None:  # fmt: skip
        """The caller keeps their place, and hears music again if the attempt took it from them."""
        self._note(OfferEnded(event.call, event.agent, event.offer, why, cause), now)
        call = self._calls[event.call]
        if music and call.queue is not None:
            self._effects.append(PlayMusicOnHold(event.call, call.queue))
        self._move(self._agents[event.agent], type(event), now, call=event.call)

    def _hold(self, event: CallHeld | CallResumed, now: Instant) -> None:
        call = self._calls.get(event.call)
        if call is not None and call.agent != event.agent:
            self._ignore(event, "another agent has this call", now, call=event.call, agent=event.agent)
        elif self._call_may(event, now):
            noted = HoldStarted if isinstance(event, CallHeld) else HoldEnded
            self._note(noted(event.call, event.agent), now)
            self._move(self._agents[event.agent], type(event), now, call=event.call)

    # Deciding: agents and their phones

    def _wish(self, event: AgentSignedIn | AgentSignedOut | AgentReady | AgentNotReady, now: Instant) -> None:
        agent = self._agents.get(event.agent)
        kind = type(event)
        reason = event.reason if isinstance(event, AgentNotReady) else None
        if agent is None or not (agent.on_floor or kind is AgentSignedOut):
            self._effects.append(RequestRefused(kind.__name__, event.agent, *NO_SUCH_AGENT))
        elif reason is not None and reason not in CHOSEN_REASONS:
            self._effects.append(RequestRefused(kind.__name__, event.agent, *NOT_A_REASON))
        elif refused := agent_state.REFUSED.get((agent.state, kind)):
            self._effects.append(RequestRefused(kind.__name__, event.agent, *refused))
        elif stale := agent_state.STALE.get((agent.state, kind)):
            if agent.on_floor:
                self._ignore(event, stale, now, agent=event.agent)
        elif agent_state.MOVES[agent.state, kind] is Next.REQUESTED:
            wanted = {AgentSignedOut: LOGGED_OUT, AgentReady: READY, AgentNotReady: NOT_READY}[kind]
            if agent.requested != (wanted, reason):
                self._note(NextStateRequested(agent.login, wanted, reason), now)
        elif agent.state is NOT_READY and reason is agent.reason:
            self._ignore(event, "already away for this reason", now, agent=event.agent)
        else:
            reason = NotReadyReason.SIGNED_IN if kind is AgentSignedIn else reason
            self._move(agent, kind, now, call=agent.call, reason=reason)

    def _phone(self, event: PhoneReachable | PhoneUnreachable, now: Instant) -> None:
        agent = self._agents.get(event.agent)
        reachable = isinstance(event, PhoneReachable)
        if agent is None:
            self._ignore(event, "no such agent", now, agent=event.agent)
        elif agent.phone_reachable != reachable:
            self._note(PhoneStateChanged(agent.login, reachable), now)
            if agent.state is RESERVED and not reachable and agent.call is not None and agent.offer is not None:
                self._effects.append(StopRinging(agent.login, agent.call, agent.offer))
                self._ring_failed(RingFailed(agent.login, agent.call, agent.offer, "unreachable"), now)
            else:
                self._move(agent, type(event), now)

    def _deadline_passed(self, event: DeadlinePassed, now: Instant) -> None:
        while (due := self.next_deadline()) is not None and due <= now:
            agent = self._state.take_due()
            if agent.state is WRAP_UP:
                self._move(agent, WrapUpPassed, now, call=agent.call)
            elif agent.state is RESERVED:
                if agent.call is not None and agent.offer is not None:
                    self._effects.append(StopRinging(agent.login, agent.call, agent.offer))
                    self._note(OfferEnded(agent.call, agent.login, agent.offer, OfferEnd.NO_ANSWER), now)
                self._move(agent, RingLimitPassed, now, call=agent.call)

    def _move(
        self, agent: AgentRecord, occasion: type, now: Instant,
        *, call: CallId | None = None, reason: NotReadyReason | None = None, spoken: bool = False,
    ) -> None:  # fmt: skip
        """Carries out the agent's line of the table, if the pair has one."""
        after = agent_state.MOVES.get((agent.state, occasion), Next.SAME)
        if after is Next.AFTER_THE_CALL:
            if spoken:
                after = WRAP_UP if self._state.queue(agent.queue).wrap_up > timedelta(0) else Next.AS_WISHED
            else:
                after = Next.AFTER_A_MISS if occasion is AgentHungUp else Next.AS_WISHED
        if after is Next.AFTER_A_MISS and agent.requested is None:
            if agent.misses >= self._state.queue(agent.queue).misses_before_not_ready:
                after, reason = NOT_READY, NotReadyReason.NO_ANSWER
            else:
                after = Next.AVAILABLE
        if after is Next.AS_WISHED or after is Next.AFTER_A_MISS:
            after, reason = agent.requested or (READY, None)
        if after is Next.AVAILABLE or after is READY:
            after = READY if agent.phone_reachable else UNREACHABLE
        if isinstance(after, AgentState):
            self._note(AgentStateChanged(agent.login, agent.state, after, reason, call), now)
            if after is LOGGED_OUT and not agent.on_floor and agent.phone_reachable:
                self._note(PhoneStateChanged(agent.login, reachable=False), now)

    # Deciding: late and repeated news

    def _is_wrapping_up(self, login: AgentId, call: CallId) -> bool:
        agent = self._agents.get(login)
        return agent is not None and agent.state is WRAP_UP and agent.call == call

    def _call_may(self, event: Event, now: Instant) -> bool:
        """Whether the table lets this news move its call; if not, it is noted as ignored."""
        call = self._calls.get(event.call)  # type: ignore[union-attr]
        if call is not None and (call.state, type(event)) in call_state.MOVES:
            return True
        self._ignore_for_call(event, now)
        return False

    def _attempt_may(self, event: AttemptNews, now: Instant) -> bool:
        call = self._calls.get(event.call)
        if call is not None and (call.offer != event.offer or call.agent != event.agent):
            self._ignore(event, "the offer has ended", now, call=event.call, agent=event.agent)
            return False
        return self._call_may(event, now)

    def _ignore_for_call(self, event: Event, now: Instant) -> None:
        name: CallId = event.call  # type: ignore[union-attr]
        call = self._calls.get(name)
        if call is not None:
            why = call_state.STALE[call.state, type(event)]
        else:
            why = "the call is over" if name in self._state.ended else "no such call"
        self._ignore(event, why, now, call=name, agent=getattr(event, "agent", None))

    def _ignore(
        self, event: Event, why: str, now: Instant, *, call: CallId | None = None, agent: AgentId | None = None
    ) -> None:
        self._note(NewsIgnored(type(event).__name__, why, call, agent), now)

    # Distributing: agents and callers meet

    def _distribute(self, now: Instant) -> None:
        """Joins free agents and waiting callers until no two of them could be joined.

        The best placed caller who can be served goes first, to the agent whose turn it is in their queue.
        Only lines in which something has changed are looked at: in all others nobody was waiting or nobody free.
        """
        fresh, returned = self._state.fresh, self._state.returned
        self._state.fresh, self._state.returned = {}, {}
        for call in [call for call in returned.values() if call.queue not in self._state.queues]:
            if not self._state.lines.staffed(call.queue or QueueName("")):
                self._refuse_caller(call.call, Farewell.NO_SUCH_QUEUE, now)
        if len(returned) == 1 and not fresh:
            (call,) = returned.values()
            if call.state is CallState.WAITING and call.line is not None:
                chosen = call.line.first_idle()
                if chosen is not None:
                    self._offer(chosen, call, now)
            return
        if len(fresh) == 1 and not returned:
            (agent,) = fresh.values()
            best: Place | None = None
            for line in agent.lines:
                if (callers := line.callers) and (best is None or callers[0] < best):
                    best = callers[0]
            if best is None:
                self._wait_for_callers(agent)
            else:
                self._offer(agent, best[3], now)
            return
        for agent in fresh.values():
            self._wait_for_callers(agent)
        lines: dict[int, Line] = {line.number: line for agent in fresh.values() for line in agent.lines}
        lines.update((call.line.number, call.line) for call in returned.values() if call.line is not None)
        heads = [(*line.callers[0], line) for line in lines.values() if line.callers]
        heapify(heads)
        while heads:
            *_, call, line = heappop(heads)
            if (chosen := line.first_idle()) is not None:
                self._offer(chosen, call, now)
                if line.callers:
                    heappush(heads, (*line.callers[0], line))

    def _wait_for_callers(self, agent: AgentRecord) -> None:
        for line in agent.lines:
            line.add_idle(agent)

    def _offer(self, agent: AgentRecord, call: CallRecord, now: Instant) -> None:
        offer = OfferId(self._state.next_offer)
        name = call.queue or QueueName("")
        self._note(CallOffered(call.call, agent.login, offer, name), now)
        self._move(agent, Offered, now, call=call.call)
        self._effects.append(RingAgent(agent.login, call.call, offer, self._state.queue(name).ring_limit))

    def _note(self, fact: Fact, now: Instant) -> None:
        self._effects.append(fact)
        self._state.apply(fact, now)


def _place(call: CallRecord) -> tuple[int, Instant, int]:
    return call.place

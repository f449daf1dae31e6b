"""A floor to tell stories on: agents by name, calls by name, and a clock that is wound by hand."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import count

from msgspec import structs

from changgu.acd import invariants
from changgu.acd.agent_state import NotReadyReason
from changgu.acd.engine import Effect, Engine
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
    DeadlinePassed,
    Event,
    PartiesConnected,
    PhoneReachable,
    PhoneUnreachable,
    RingFailed,
)
from changgu.acd.facts import AgentStateChanged, Fact, FloorTakenUp, Recorded
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.queues import Agent, Queue, Rules
from changgu.acd.queues import Floor as FloorPlan
from changgu.acd.records import AgentView, CallView

HELPDESK = QueueName("helpdesk")
RULES = Rules()
OPENING = 1_000.0


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def a_queue(
    name: str = HELPDESK,
    *,
    ring_limit: float = 20,
    wrap_up: float = 30,
    misses: int = 3,
    strategy: str = "longest_idle",
) -> Queue:
    return Queue(
        QueueName(name), name, strategy=strategy, ring_limit=seconds(ring_limit), wrap_up=seconds(wrap_up),
        misses_before_not_ready=misses,
    )  # fmt: skip


def an_agent(login: str, *queues: str, skills: Iterable[str] = ()) -> Agent:
    names = queues or (HELPDESK,)
    return Agent(AgentId(login), login.title(), frozenset(QueueName(name) for name in names), frozenset(skills))


def without_totals(effect: Effect) -> Effect:
    """Stories are about states; how much somebody has talked since they signed in has its own."""
    return structs.replace(effect, handled=0, talked=0.0) if isinstance(effect, AgentStateChanged) else effect


class Floor:
    """Tells the engine what happens, one second never passing unless the story says so.

    Every step is followed by all invariants, and the history is kept for folding it again.
    """

    def __init__(
        self, *agents: str | Agent, queues: Iterable[Queue] = (), now: Instant = OPENING, rules: Rules = RULES
    ) -> None:
        plan = [an_agent(agent) if isinstance(agent, str) else agent for agent in agents]
        self.plan = FloorPlan(tuple(queues) or (a_queue(),), tuple(plan), rules)
        self.engine = Engine(self.plan)
        self.now = now
        self.history: list[Recorded] = []
        self.watch = invariants.Watch(self.engine, self.plan)
        self._seq = count(1)
        self._keep(self.engine.configure(self.plan, now), None)
        for agent in plan:
            self.tell(PhoneReachable(agent.login))

    def tell(self, event: Event) -> list[Effect]:
        """One event, now."""
        effects = self.engine.handle(event, self.now)
        self._keep(effects, event)
        return [without_totals(effect) for effect in effects]

    def configure(self, *agents: Agent, queues: Iterable[Queue] = ()) -> list[Effect]:
        """Another list of agents and queues, while the floor is open."""
        self.plan = FloorPlan(tuple(queues) or self.plan.queues, agents, self.plan.rules)
        effects = self.engine.configure(self.plan, self.now)
        self.watch.floor = self.plan
        self._keep(effects, None)
        return [without_totals(effect) for effect in effects if not isinstance(effect, FloorTakenUp)]

    def _keep(self, effects: list[Effect], event: Event | None) -> None:
        for effect in effects:
            if isinstance(effect, Fact):
                self.history.append(Recorded(next(self._seq), self.now, effect))
        self.watch.check(event, self.now, effects)

    # The clock

    def wait(self, length: float) -> list[Effect]:
        """Winds the clock on; whatever falls due on the way happens at its own time."""
        until, effects = self.now + length, []
        while (due := self.engine.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            effects += self.tell(DeadlinePassed())
        self.now = until
        return effects

    # Agents

    def sign_in(self, agent: str) -> list[Effect]:
        return self.tell(AgentSignedIn(AgentId(agent)))

    def sign_out(self, agent: str) -> list[Effect]:
        return self.tell(AgentSignedOut(AgentId(agent)))

    def ready(self, *agents: str) -> list[Effect]:
        return [effect for agent in agents for effect in self.tell(AgentReady(AgentId(agent)))]

    def not_ready(self, agent: str, reason: NotReadyReason = NotReadyReason.BREAK) -> list[Effect]:
        return self.tell(AgentNotReady(AgentId(agent), reason))

    def phone_gone(self, agent: str) -> list[Effect]:
        return self.tell(PhoneUnreachable(AgentId(agent)))

    def phone_back(self, agent: str) -> list[Effect]:
        return self.tell(PhoneReachable(AgentId(agent)))

    def answer(self, agent: str, offer: int | None = None, call: str | None = None) -> list[Effect]:
        """The agent picks up: by default what is ringing."""
        view = self.agent(agent)
        about = CallId(call) if call else _some(view.call)
        return self.tell(AgentAnswered(view.login, about, self._offer(view, offer)))

    def decline(self, agent: str, cause: str = "declined") -> list[Effect]:
        view = self.agent(agent)
        return self.tell(RingFailed(view.login, _some(view.call), self._offer(view, None), cause))

    def connected(self, agent: str) -> list[Effect]:
        view = self.agent(agent)
        return self.tell(PartiesConnected(view.login, _some(view.call), self._offer(view, None)))

    def talk(self, agent: str) -> list[Effect]:
        """Picks up and is joined with the caller."""
        return [*self.answer(agent), *self.connected(agent)]

    def agent_hangs_up(self, agent: str) -> list[Effect]:
        view = self.agent(agent)
        return self.tell(AgentHungUp(view.login, _some(view.call), self._offer(view, None)))

    # Callers

    def dial(self, call: str, caller: str | None = "01012345678") -> list[Effect]:
        """Reaches our number; the menu speaks."""
        return self.tell(CallerDialledIn(CallId(call), caller, "1000"))

    def queue(self, call: str, queue: str = HELPDESK, *, priority: int = 0, skills: Iterable[str] = ()) -> list[Effect]:
        """The menu hands over."""
        return self.tell(CallArrived(CallId(call), QueueName(queue), priority, frozenset(skills)))

    def call(self, call: str, queue: str = HELPDESK, *, priority: int = 0, skills: Iterable[str] = ()) -> list[Effect]:
        """Dials in and asks for a queue at once; returns what the second did."""
        self.dial(call)
        return self.queue(call, queue, priority=priority, skills=skills)

    def caller_hangs_up(self, call: str) -> list[Effect]:
        return self.tell(CallerHungUp(CallId(call)))

    # Looking

    def agent(self, login: str) -> AgentView:
        return self.engine.agents[AgentId(login)]

    def the_call(self, call: str) -> CallView:
        return self.engine.calls[CallId(call)]

    def waiting(self, queue: str = HELPDESK) -> list[str]:
        return [call.call for call in self.engine.waiting(QueueName(queue))]

    def restored(self) -> Engine:
        """A fresh engine that has read the history."""
        return Engine.restore(self.plan, self.history)

    def _offer(self, view: AgentView, offer: int | None) -> OfferId:
        if offer is not None:
            return OfferId(offer)
        assert view.offer is not None, f"nothing rings at {view.login}"
        return view.offer


def _some(call: CallId | None) -> CallId:
    assert call is not None, "no call is on this agent's hands"
    return call

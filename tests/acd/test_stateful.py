"""Any floor, any news in any order: the rules hold, and the slow oracle offers the same callers to the same agents."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from changgu.acd.agent_state import AgentState, NotReadyReason
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
from changgu.acd.facts import CallOffered
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.invariants import Watch
from changgu.acd.queues import Agent, Floor, Queue
from tests.acd.oracle import Oracle
from tests.support.floor import OPENING, a_queue

QUEUES = [QueueName(name) for name in ("helpdesk", "network", "pc")]
SKILLS = ["vpn", "english"]
LOGINS = [AgentId(login) for login in ("alice", "bob", "carol", "dave")]
LENGTHS = [0.0, 5.0, 10.0, 10.0]

ATTEMPT_NEWS = [AgentAnswered, PartiesConnected, AgentHungUp, CallHeld, CallResumed, RingFailed, ConnectFailed]
AGENT_NEWS = [AgentReady, AgentSignedIn, AgentSignedOut, PhoneReachable, PhoneUnreachable]

logins = st.sampled_from(LOGINS)
queues = st.sampled_from(QUEUES)
skill_sets = st.frozensets(st.sampled_from(SKILLS), max_size=2)
indexes = st.integers(min_value=0, max_value=30)


@st.composite
def a_plan(draw: st.DrawFn) -> Floor:
    """Most floors have all queues and agents; some lack one or the other."""
    closed = draw(st.sampled_from([None, None, None, *QUEUES]))
    absent = draw(st.sampled_from([None, None, None, *LOGINS]))
    plan: list[Queue] = []
    for name in QUEUES:
        ring_limit, wrap_up = draw(st.sampled_from([5, 10])), draw(st.sampled_from(LENGTHS))
        if name != closed:
            plan.append(a_queue(name, ring_limit=ring_limit, wrap_up=wrap_up, misses=draw(st.integers(1, 3))))
    few, many = st.frozensets(queues, min_size=1, max_size=2), st.just(frozenset(QUEUES))
    agents = [
        Agent(login, login, draw(few | many), draw(skill_sets | st.just(frozenset(SKILLS))))
        for login in LOGINS
        if login != absent
    ]
    return Floor(tuple(plan), tuple(agents))


class AnyFloor(RuleBasedStateMachine):
    """News is drawn from everything that has ever been on the floor, so most kinds of late and wrong news occur."""

    @initialize(plan=a_plan())
    def open(self, plan: Floor) -> None:
        self.now = OPENING
        self.engine = Engine(plan)
        self.watch = Watch(self.engine, plan)
        self.oracle = Oracle(plan)
        self.calls: list[CallId] = []
        self.attempts: list[CallOffered] = []
        for login in LOGINS:
            self.tell(PhoneReachable(login))
            self.tell(AgentReady(login))

    def tell(self, event: Event) -> None:
        self.settle(event, self.engine.handle(event, self.now), self.oracle.handle(event, self.now))

    def settle(self, event: Event | None, effects: list[Effect], expected: list[tuple[str, str]]) -> None:
        self.watch.check(event, self.now, effects)
        offers = [effect for effect in effects if isinstance(effect, CallOffered)]
        self.attempts += offers
        assert [(offer.call, offer.agent) for offer in offers] == expected

    def call(self, index: int) -> CallId:
        return self.calls[-1 - index % len(self.calls)] if self.calls else CallId("unheard-of")

    def attempt(self, index: int) -> tuple[AgentId, CallId, OfferId]:
        if not self.attempts:
            return LOGINS[0], CallId("unheard-of"), OfferId(99)
        offer = self.attempts[-1 - index % len(self.attempts)]
        return offer.agent, offer.call, offer.offer

    # Callers

    @rule(queue=queues, priority=st.sampled_from([0, 0, 1]), skills=skill_sets)
    def somebody_calls(self, queue: QueueName, priority: int, skills: frozenset[str]) -> None:
        call = CallId(f"c{len(self.calls)}")
        self.calls.append(call)
        self.tell(CallerDialledIn(call, None, "1000"))
        self.tell(CallArrived(call, queue, priority, skills))

    @rule()
    def somebody_dials(self) -> None:
        self.calls.append(CallId(f"c{len(self.calls)}"))
        self.tell(CallerDialledIn(self.calls[-1], None, "1000"))

    @rule(index=indexes, queue=queues, skills=skill_sets)
    def the_menu_hands_over(self, index: int, queue: QueueName, skills: frozenset[str]) -> None:
        self.tell(CallArrived(self.call(index), queue, 0, skills))

    @rule(index=indexes, kind=st.sampled_from(["again", "step", "served", "gave up", "hung up", "lost", "closed"]))
    def news_of_a_caller(self, index: int, kind: str) -> None:
        call = self.call(index)
        news: dict[str, Event] = {
            "again": CallerDialledIn(call, None, "1000"),
            "step": MenuStepReached(call, "network", "2"),
            "served": MenuEnded(call, served=True),
            "gave up": MenuEnded(call, served=False),
            "hung up": CallerHungUp(call),
            "lost": CallLost(call),
            "closed": DeskClosed(call),
        }
        self.tell(news[kind])

    @rule()
    def a_hang_up_overtakes_its_call(self) -> None:
        self.calls.append(CallId(f"c{len(self.calls)}"))
        self.tell(CallerHungUp(self.calls[-1]))

    @rule(queue=queues)
    def three_call_at_once(self, queue: QueueName) -> None:
        for priority in (0, 1, 0):
            self.somebody_calls(queue, priority, frozenset())

    # Offers

    def open_attempts(self, *states: AgentState) -> list[tuple[AgentId, CallId, OfferId]]:
        """The attempts that are not over, of agents in these states."""
        return [
            (agent.login, agent.call, agent.offer)
            for agent in self.engine.agents.values()
            if agent.state in states and agent.call is not None and agent.offer is not None
        ]

    @rule(index=indexes, joined=st.sampled_from([True, True, False]))
    def an_agent_takes_the_call(self, index: int, joined: bool) -> None:
        if ringing := self.open_attempts(AgentState.RESERVED):
            agent, call, offer = ringing[index % len(ringing)]
            self.tell(AgentAnswered(agent, call, offer))
            if joined:
                self.tell(PartiesConnected(agent, call, offer))

    @rule(held=st.booleans(), by_caller=st.booleans())
    def everybody_who_rings_is_served(self, held: bool, by_caller: bool) -> None:
        for agent, call, offer in self.open_attempts(AgentState.RESERVED):
            self.tell(AgentAnswered(agent, call, offer))
            self.tell(PartiesConnected(agent, call, offer))
            if held:
                self.tell(CallHeld(agent, call))
            self.tell(CallerHungUp(call) if by_caller else AgentHungUp(agent, call, offer))

    @rule(held=st.booleans())
    def everybody_who_rings_talks(self, held: bool) -> None:
        for agent, call, offer in self.open_attempts(AgentState.RESERVED):
            self.tell(AgentAnswered(agent, call, offer))
            self.tell(PartiesConnected(agent, call, offer))
            if held:
                self.tell(CallHeld(agent, call))

    @rule(index=indexes, by_caller=st.booleans())
    def a_conversation_ends(self, index: int, by_caller: bool) -> None:
        if talking := self.open_attempts(AgentState.TALKING, AgentState.HOLD):
            agent, call, offer = talking[index % len(talking)]
            self.tell(CallerHungUp(call) if by_caller else AgentHungUp(agent, call, offer))

    @rule(index=indexes, kind=st.sampled_from(ATTEMPT_NEWS))
    def something_becomes_of_an_open_attempt(self, index: int, kind: type) -> None:
        if attempts := self.open_attempts(AgentState.RESERVED, AgentState.TALKING, AgentState.HOLD):
            self.tell_of_attempt(kind, *attempts[index % len(attempts)])

    @rule(index=indexes, lost=st.booleans())
    def a_caller_of_an_open_attempt_is_gone(self, index: int, lost: bool) -> None:
        if attempts := self.open_attempts(AgentState.RESERVED, AgentState.TALKING, AgentState.HOLD):
            call = attempts[index % len(attempts)][1]
            self.tell(CallLost(call) if lost else CallerHungUp(call))

    @rule(index=indexes, kind=st.sampled_from(ATTEMPT_NEWS))
    def news_of_an_attempt(self, index: int, kind: type) -> None:
        self.tell_of_attempt(kind, *self.attempt(index))

    def tell_of_attempt(self, kind: type, agent: AgentId, call: CallId, offer: OfferId) -> None:
        if kind in (CallHeld, CallResumed):
            self.tell(kind(agent, call))
        elif kind in (RingFailed, ConnectFailed):
            self.tell(kind(agent, call, offer, "error"))
        else:
            self.tell(kind(agent, call, offer))

    # Agents

    @rule(login=logins, kind=st.sampled_from(AGENT_NEWS))
    def an_agent_or_their_phone(self, login: AgentId, kind: type) -> None:
        self.tell(kind(login))

    @rule()
    def everybody_is_willing(self) -> None:
        for login in LOGINS:
            self.tell(PhoneReachable(login))
            self.tell(AgentReady(login))

    @rule(login=logins, reason=st.sampled_from(NotReadyReason))
    def an_agent_goes_away(self, login: AgentId, reason: NotReadyReason) -> None:
        self.tell(AgentNotReady(login, reason))

    # Time

    @rule(length=st.sampled_from([0.0, 1.0, 5.0, 10.0, 30.0]))
    def time_passes(self, length: float) -> None:
        until = self.now + length
        while (due := self.engine.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.tell(DeadlinePassed())
        self.now = until

    @rule(length=st.sampled_from([1.0, 5.0, 10.0, 30.0]))
    def the_loop_was_busy(self, length: float) -> None:
        self.now += length
        self.tell(DeadlinePassed())

    # The service

    @rule(plan=a_plan(), now_and_then=st.integers(0, 3))
    def the_floor_is_set_up_anew(self, plan: Floor, now_and_then: int) -> None:
        if now_and_then:
            return
        effects = self.engine.configure(plan, self.now)
        self.watch.floor = plan
        self.settle(None, effects, self.oracle.configure(plan, self.now))

    @rule()
    def the_service_restarts(self) -> None:
        picture = self.engine.picture()
        self.engine = Engine.restore(self.watch.floor, self.watch.history)
        assert self.engine.picture() == picture
        assert self.engine.configure(self.watch.floor, self.now) == []
        self.watch.engine = self.engine

    # The comparison

    @precondition(lambda self: hasattr(self, "oracle"))
    @invariant()
    def the_oracle_sees_the_same_floor(self) -> None:
        people = {
            agent.login: (agent.state.value, agent.reason, agent.requested, agent.phone_reachable, agent.misses)
            for agent in self.engine.agents.values()
            if agent.state is not AgentState.LOGGED_OUT
        }
        assert people == {
            person.login: (person.state, person.why, person.wish, person.phone, person.misses)
            for person in self.oracle.people.values()
            if person.state != "logged_out"
        }
        visits = {call.call: (call.state.value, call.agent) for call in self.engine.calls.values()}
        assert visits == {visit.call: (visit.state, visit.agent) for visit in self.oracle.visits.values()}


AnyFloor.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
TestAnyFloor = AnyFloor.TestCase

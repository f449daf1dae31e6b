"""The rules that hold on the floor at every moment, each with its name.

`Watch` reads along: it is shown every event with the effects that the engine answered, keeps its own simple books
from the facts (`invariants_books`), and raises `Broken` as soon as books, engine and rules disagree. Tests, the
simulation and replays use it; the running service does not.

`RULES_OF_MESSAGES` are asked before each fact or command is entered in the books, `RULES` after each step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from changgu.acd.agent_state import RESTING, AgentState
from changgu.acd.call_state import IN_QUEUE, SPOKEN, CallState
from changgu.acd.commands import Announce, DialPerson, Divert, HangUpAgent, HangUpCaller, StopRinging
from changgu.acd.engine import Effect, Engine
from changgu.acd.events import Event
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallbackBooked,
    CallbackClosed,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallQueued,
    CallStarted,
    CallWidened,
    Choice,
    Departure,
    Ender,
    Fact,
    NewsIgnored,
    OfferEnded,
    Outcome,
    Recorded,
    WaitAnnounced,
    WrapUpExtended,
)  # fmt: skip
from changgu.acd.identity import Instant
from changgu.acd.invariants_books import (
    BUSY,
    DIVERSIONS,
    REASONS_OF_REFUSAL,
    TURN_BY_IDLENESS,
    AgentPage,
    Books,
    Broken,
    CallerPage,
    Step,
    differences,
    insist,
    way_of,
)  # fmt: skip
from changgu.acd.invariants_callbacks import (
    a_promise_is_one_persons,
    a_promise_is_settled_once,
    callbacks_are_bounded,
    insist_on_hours,
    nobody_is_dialled_twice,
)
from changgu.acd.invariants_ring_all import (
    every_step_has_its_deadline,
    everybody_rings_who_may,
    nobody_rings_beside_whom_they_come_after,
    who_rings_along_is_let_in,
)
from changgu.acd.queues import ON_ARRIVAL, Floor, Way

LOOKED_OVER_EVERY = 16
"""Steps of a brisk watch between two looks at everybody, where otherwise only those who were touched are looked at."""

__all__ = ["LOOKED_OVER_EVERY", "RULES", "RULES_OF_MESSAGES", "Broken", "Watch"]


class Watch:
    """Checks every rule after every step.

    With `refold`, a second engine is fed nothing but the facts and must look the same after every step. A `brisk` watch
    looks only at those whom the step touched, and at everybody every sixteenth time: for days of thousands of steps.
    """

    def __init__(self, engine: Engine, floor: Floor, *, refold: bool = True, brisk: bool = False) -> None:
        self.engine = engine
        self.books = Books(floor)
        self.history: list[Recorded] = []
        self.steps = 0
        self.brisk = brisk
        self._shadow = Engine(floor) if refold else None
        self._shadow_floor = floor

    @property
    def floor(self) -> Floor:
        """How the floor is set up."""
        return self.books.floor

    @floor.setter
    def floor(self, floor: Floor) -> None:
        self.books.set_up(floor)

    def check(self, event: Event | None, now: Instant, effects: Sequence[Effect]) -> None:
        """Shown one step; raises `Broken`."""
        believed = not any(type(effect) is NewsIgnored for effect in effects)
        self.books.hear(event, believed=believed)
        for effect in effects:
            for message_rule in RULES_OF_MESSAGES.get(type(effect), ()):
                message_rule(self, effect, now)
            self.books.read(effect, now)
            if isinstance(effect, Fact):
                self.history.append(Recorded(len(self.history) + 1, now, effect))
                if self._shadow is not None:
                    self._shadow.apply(effect, now)
        step = Step(event, now, effects, tuple(effect for effect in effects if type(effect) is CallOffered))
        self.steps += 1
        for rule in RULES:
            rule(self, step)

    @property
    def thorough(self) -> bool:
        """Whether everybody is looked at in this step."""
        return not self.brisk or self.steps % LOOKED_OVER_EVERY == 0

    def agents(self) -> Iterable[AgentPage]:
        """Whom to look at in this step."""
        books = self.books
        pages = books.agents.values() if self.thorough else map(books.agent, sorted(books.touched_agents))
        return [page for page in pages if page.login in self.engine.agents]

    def callers(self) -> Iterable[CallerPage]:
        """Live calls to look at in this step."""
        books = self.books
        if self.thorough:
            return list(books.calls.values())
        return [books.calls[call] for call in sorted(books.touched_calls) if call in books.calls]

    def shadow_picture(self) -> Mapping[str, object] | None:
        """The second engine's picture; None without `refold`."""
        if self._shadow is None:
            return None
        if self._shadow_floor is not self.floor:
            self._shadow_floor = self.floor
            self._shadow = Engine.restore(self.floor, self.history)
        return self._shadow.picture()


# Before a fact or command is entered in the books


def a_call_begins_once(watch: Watch, fact: CallStarted, now: Instant) -> None:
    """One beginning per call; a call-back's is the only attempt of its promise, and within the hours."""
    books = watch.books
    insist(fact.call not in books.calls and fact.call not in books.outcomes, "one beginning per call", fact)
    if fact.callback is None:
        return
    promise = books.promises.get(fact.callback)
    insist(promise is not None, "an attempt keeps an open promise", fact)
    assert promise is not None
    theirs = books.calls_of(promise)
    insist(not any(page.outbound for page in theirs), "never two dials at once", (fact, theirs))
    insist(not theirs, "nobody is dialled while they are on the line", (fact, theirs))
    insist(now >= promise.due_at, "nobody is called back before it is due", (fact, promise))
    insist_on_hours(watch, promise.queue, now, fact)


def a_place_is_fair(watch: Watch, fact: CallQueued, now: Instant) -> None:
    """Capacity is never exceeded, nobody queues from the future, and a call-back's head start is bounded."""
    books = watch.books
    page = books.calls.get(fact.call)
    insist(page is not None and page.state in (CallState.IN_MENU, CallState.WAITING), "one place per caller", fact)
    assert page is not None
    placed, entered = fact.placed_at or now, fact.entered_at or now
    insist(placed <= now and entered <= now, "nobody waits from the future", fact)
    if page.outbound:
        promise = books.promises.get(page.callback) if page.callback is not None else None
        insist(promise is not None, "an attempt keeps an open promise", fact)
        assert promise is not None
        earliest = promise.due_at - books.queue(fact.queue).callbacks.advantage.total_seconds()
        insist(placed >= earliest - 1e-6, "the advantage of a call-back is bounded", (fact, promise))
        return
    if page.diverted:
        insist(placed <= page.placed_at, "who comes back keeps their place", (fact, page))
        if page.queue == fact.queue:
            return
    if fact.entered_at is not None or fact.queue in page.been_in:  # they held a place, here or in the plain queues
        return
    for rule in books.queue(fact.queue).overflows:
        if rule.when is Departure.FULL and rule.to.way is not Way.OPEN:
            crowd = books.crowd(fact.queue, fact.call)
            insist(crowd < rule.limit, "capacity is never exceeded", (fact, crowd, rule))


def widening_only_widens(watch: Watch, fact: CallWidened, now: Instant) -> None:
    """Steps add up: nothing that was granted is taken back."""
    page = watch.books.calls.get(fact.call)
    unserved = page is not None and page.state in (*IN_QUEUE, CallState.CONNECTING)
    insist(unserved, "only who waits is widened", fact)
    assert page is not None
    grown = page.opened <= fact.opened and page.reach <= fact.reach
    insist(grown and len(fact.skills) <= len(page.needs), "steps add up", (page, fact))
    insist(fact.reach <= now - page.entered_at + 1e-6, "no step is taken early", (page, fact))


def a_departure_has_its_rule(watch: Watch, fact: CallOverflowed, now: Instant) -> None:
    """Who is sent another way waits or has just come, and the rule or key that is named is the queue's."""
    page = watch.books.calls.get(fact.call)
    led = (CallState.IN_MENU, CallState.WAITING, *((CallState.OFFERED,) if way_of(fact.to) is Way.OPEN else ()))
    insist(page is not None and page.state in led, "only who waits is led", fact)
    queue = watch.books.queue(fact.queue)
    if fact.why is Departure.KEY:
        insist(str(queue.keys.get(fact.key or "")) == fact.to, "a key leads where it says", fact)
    else:
        named = 0 <= fact.rule < len(queue.overflows) and queue.overflows[fact.rule]
        key = fact.why, fact.to, fact.limit
        insist(named and named.key == key, "a rule leads where it says", fact)
        again = page is not None and page.queue == fact.queue and key in page.followed
        insist(not again or fact.why in ON_ARRIVAL, "a rule is followed once in a stay", fact)
    insist(page is not None and not page.outbound, "nobody is led out of a call-back", fact)


def an_offer_is_fit(watch: Watch, fact: CallOffered, now: Instant) -> None:
    """One open offer per call (but ring all), of who waits, to who is ready and fit; wrap-up is honoured."""
    books = watch.books
    page = books.calls.get(fact.call)
    insist(page is not None, "only who waits is offered", fact)
    assert page is not None
    together = books.ring_together(page)
    insist(together or not page.offers, "one open offer per call", fact)
    waits = page.state is CallState.WAITING or (together and page.state is CallState.OFFERED)
    insist(waits, "only who waits is offered", fact)
    insist(fact.agent not in page.offers.values(), "one open offer per call and agent", fact)
    insist(fact.offer > books.last_offer, "no offer id is used twice", fact)
    insist(fact.agent in books.ready, "only 대기 is offered calls", fact)
    insist(books.can_serve(fact.agent, page), "queue and skills fit", (fact, page))
    agent = books.agent(fact.agent)
    if agent.wrap_up_from is not None:
        until = agent.wrap_up_until or agent.wrap_up_from + books.length_of_wrap_up(agent)
        insist(now >= until, "wrap-up is always honoured", fact)
    if fact.choice is Choice.NAMED:
        insist(page.wanted == fact.agent, "named is who was asked for", fact)
    if fact.choice is Choice.LAST_AGENT:
        insist(page.last_agent == fact.agent, "the last agent is the one they know", fact)


def only_an_open_offer_ends(watch: Watch, fact: OfferEnded, now: Instant) -> None:
    """An attempt has one end."""
    page = watch.books.calls.get(fact.call)
    is_open = page is not None and (
        page.offers.get(fact.offer) == fact.agent or page.winner == (fact.agent, fact.offer)
    )
    insist(is_open and page is not None and page.state not in SPOKEN, "only an open offer ends", fact)


def one_winner(watch: Watch, fact: CallAnswered, now: Instant) -> None:
    """Two who pick up do not both get the caller (row 6)."""
    page = watch.books.calls.get(fact.call)
    insist(page is not None and page.winner is None, "one winner per call", fact)
    assert page is not None
    insist(page.offers.get(fact.offer) == fact.agent, "one winner per call", fact)
    insist(fact.offer in watch.books.legs, "who picks up was rung", fact)


def connected_once(watch: Watch, fact: CallConnected, now: Instant) -> None:
    """The one who picked up speaks with the caller, who is there."""
    page = watch.books.calls.get(fact.call)
    insist(page is not None and page.winner == (fact.agent, fact.offer), "one winner per call", fact)
    assert page is not None
    insist(page.state is CallState.CONNECTING, "connected once", fact)
    insist(page.on_the_line, "nobody speaks with somebody who has not picked up", fact)


def one_true_outcome(watch: Watch, fact: CallEnded, now: Instant) -> None:
    """One outcome per call, and it is true; every refusal says why."""
    books = watch.books
    page = books.calls.get(fact.call)
    insist(page is not None and fact.call not in books.outcomes, "one outcome per ended call", fact)
    assert page is not None
    spoken = page.state in SPOKEN
    true = fact.outcome is Outcome.LOST or spoken == (fact.outcome is Outcome.ANSWERED)
    insist(true, "the outcome is true", fact)
    if fact.outcome is Outcome.REFUSED:
        known = fact.reason in REASONS_OF_REFUSAL or fact.reason in page.departures
        insist(known, "every refusal has its reason", (fact, page.departures))
    if fact.outcome is Outcome.NOT_REACHED:
        insist(page.outbound and not spoken, "only who was called is not reached", fact)


def states_follow_one_another(watch: Watch, fact: AgentStateChanged, now: Instant) -> None:
    """No gap in an agent's day; a reason goes with 이석 and with nothing else."""
    page = watch.books.agents.get(fact.agent)
    before = page.state if page is not None else AgentState.LOGGED_OUT
    insist(fact.before is before, "states follow one another without gap", fact)
    insist((fact.reason is not None) == (fact.after is AgentState.NOT_READY), "a reason goes with 이석", fact)
    busy = fact.before in BUSY or fact.after in BUSY
    insist(busy == (fact.call is not None), "a state that is about a call names it", fact)


def only_who_waits_is_told(watch: Watch, fact: WaitAnnounced, now: Instant) -> None:
    """No announcement to somebody who is connected, and none before its time."""
    page = watch.books.calls.get(fact.call)
    insist(page is not None and page.state is CallState.WAITING, "only who waits is told where they stand", fact)
    assert page is not None
    policy = watch.books.queue(page.queue).announcements
    insist(policy.first_after is not None and not page.outbound, "announced by policy", (fact, page))
    assert policy.first_after is not None
    if page.announced_at is None:
        early = now + 1e-6 < page.entered_at + policy.first_after.total_seconds()
    else:
        early = policy.every is None or now + 1e-6 < page.announced_at + policy.every.total_seconds()
    insist(not early, "announced at its time", (fact, page))


def a_leg_is_ended_by_its_name(watch: Watch, command: StopRinging | HangUpAgent, now: Instant) -> None:
    """Agent, call and offer of a command belong together."""
    leg = watch.books.legs.get(command.offer, command.agent)
    call = watch.books.call_of.get(command.offer, command.call)
    insist((leg, call) == (command.agent, command.call), "a leg is ended by its name", command)


def extensions_are_bounded(watch: Watch, fact: WrapUpExtended, now: Instant) -> None:
    """All extensions of one wrap-up together."""
    page = watch.books.agent(fact.agent)
    longest = watch.floor.rules.longest_extension.total_seconds()
    end = page.since + watch.books.length_of_wrap_up(page)
    insist(page.state is AgentState.WRAP_UP, "only a wrap-up is extended", fact)
    insist(fact.until <= end + longest + 1e-6, "bounded extension", fact)


# After a step


def no_agent_has_two_calls(watch: Watch, step: Step) -> None:
    """I1: at most one live offer or call per agent (ring all: many agents, one call), and both sides know the same."""
    books, engine = watch.books, watch.engine
    if watch.thorough or step.offers:
        insist(len(set(books.held.values())) == len(books.held), "no agent has two calls", books.held)
    for page in watch.agents():
        agent = engine.agents[page.login]
        insist(agent.offer == page.offer, "agent and call agree", (agent, page))
        if agent.offer is not None:
            insist(agent.state not in RESTING, "an agent with a call is not at rest", agent)
            insist(books.held.get(agent.offer) == agent.login, "an offer is about a live call", agent)
        if agent.state in (AgentState.RESERVED, AgentState.TALKING, AgentState.HOLD):
            insist(agent.offer is not None, "no agent is stuck in 호출 or 통화 without a call", agent)
    for caller in watch.callers():
        insist(not (caller.offers and caller.winner), "a winner silences the other phones", caller)
        ringing = caller.state is CallState.OFFERED
        insist(ringing == bool(caller.offers), "a call is offered while a phone rings", caller)
        for login in [*caller.offers.values(), *([caller.winner[0]] if caller.winner else [])]:
            insist(engine.agents[login].call == caller.call, "agent and call agree", (caller, login))


def every_caller_is_in_exactly_one_place(watch: Watch, step: Step) -> None:
    """I2: the engine knows the live calls of the books, each in the books' state."""
    calls = watch.engine.calls
    insist(len(calls) == len(watch.books.calls), "every caller is in exactly one place", step)
    for page in watch.callers():
        view = calls.get(page.call)
        insist(
            view is not None and view.state is page.state, "every caller is in exactly one place", (step, view, page)
        )
        insist(view is not None and view.queue == page.queue, "every caller is in one queue", (view, page))


def nobody_waits_beside_a_free_agent(watch: Watch, step: Step) -> None:
    """I3: no free agent and waiting caller who could be joined."""
    books = watch.books
    if books.ready and books.waiting:
        for call in books.waiting.values():
            for login in books.ready:
                insist(not books.can_serve(login, call), "no call is forgotten", (login, call))


def nobody_is_overtaken(watch: Watch, step: Step) -> None:
    """I4: who was offered had no better placed caller behind them; overtaking is bounded by priority times worth."""
    books = watch.books
    for offer in step.offers:
        call = books.calls.get(offer.call)
        insist(call is not None, "an offer outlives its own making", offer)
        assert call is not None
        if not books.waiting:
            continue
        ours = books.place(call)
        for other in books.waiting.values():
            if not books.can_serve(offer.agent, other):
                continue
            insist(ours <= books.place(other), "first come, first served within a priority", (offer, call, other))
            steps = call.priority + books.queue(call.queue).priority
            steps -= other.priority + books.queue(other.queue).priority
            late = call.placed_at - other.placed_at
            insist(late <= max(0, steps) * books.worth + 1e-6, "nobody starves", (offer, call, other))


def nobody_is_passed_over(watch: Watch, step: Step) -> None:
    """Who rings stands before everybody who was left in 대기: not missed yet, directly, by level, and by turn."""
    books, agents = watch.books, watch.engine.agents
    if not books.ready:
        return
    for offer in step.offers:
        call = books.calls[offer.call]
        if offer.choice in (Choice.NAMED, Choice.LAST_AGENT) or len(call.offers) > 1 or not call.offers:
            continue
        queue = books.queue(offer.queue)
        chosen = books.standing(offer.agent, call)
        for login in books.ready:
            if not books.can_serve(login, call):
                continue
            passed = books.standing(login, call)
            insist(chosen <= passed, "nobody is passed over", (offer, login, chosen, passed))
            if chosen == passed and queue.strategy in TURN_BY_IDLENESS:
                longest = agents[offer.agent].idle_since <= agents[login].idle_since
                insist(longest, "the longest idle rings", (offer, login))


def states_last_as_long_as_the_clock_says(watch: Watch, step: Step) -> None:
    """I8: the engine's state and its beginning are the books'; the times in each state sum to the logged-in time."""
    for page in watch.agents():
        agent = watch.engine.agents[page.login]
        insist(page.state is agent.state, "the engine and the facts name one state", (agent, page))
        if page.state is AgentState.LOGGED_OUT:
            continue
        insist(page.since == agent.since, "a state begins with its fact", (agent, page))
        insist(page.reason is agent.reason, "the engine and the facts give one reason", (agent, page))
        logged_in = page.since - page.signed_in_at
        insist(abs(sum(page.time_in.values()) - logged_in) < 1e-6, "durations sum to the logged-in time", page)
        if page.state is AgentState.READY:
            insist(page.reachable, "nobody is ready without a phone", page)


def the_facts_tell_everything(watch: Watch, step: Step) -> None:
    """I9: an engine that has only read the facts looks the same."""
    if watch.thorough and (rebuilt := watch.shadow_picture()) is not None:
        lived = watch.engine.picture()
        insist(rebuilt == lived, "state lived = state rebuilt", (differences(lived, rebuilt), step))


def every_limit_will_be_noticed(watch: Watch, step: Step) -> None:
    """Lesson 19: no ring, wrap-up, connection or promise without a deadline at or before its limit."""
    deadline = watch.engine.next_deadline()
    books, limits = watch.books, []
    for page in watch.agents():
        queue = books.queue(page.queue)
        if page.state is AgentState.RESERVED and page.offer not in books.unrung:
            limits.append((page.rang_at + queue.ring_limit.total_seconds(), page))
        elif page.state is AgentState.WRAP_UP:
            limits.append((page.wrap_up_until or page.since + books.length_of_wrap_up(page), page))
    due: list[tuple[Instant, object]] = [*limits]
    for promise in books.promises.values():
        if not books.calls_of(promise):
            due.append((promise.due_at, promise))
    for limit, about in due:
        insist(deadline is not None and deadline <= limit + 1e-6, "every limit has its deadline", (about, deadline))


def no_phone_rings_for_nothing(watch: Watch, step: Step) -> None:
    """Lesson 5: the legs we asked for and have not ended are exactly those of open offers and conversations."""
    books = watch.books
    wanted = books.held
    if books.unrung:
        wanted = {offer: login for offer, login in books.held.items() if offer not in books.unrung}
        waits_for_dial = {offer for page in books.outbound.values() if page.dialling for offer in page.offers}
        insist(books.unrung <= waits_for_dial, "who is reserved rings, or waits for a dial", books.unrung)
    insist(wanted == books.legs, "no leg without a call, no call without a leg", (wanted, books.legs))


def nobody_is_left_on_the_line(watch: Watch, step: Step) -> None:
    """A caller whom the desk or an agent is done with is hung up, once; a caller who goes on is not."""
    ended: Counter[object] = Counter()
    hung_up: Counter[object] = Counter()
    silent: set[object] = set()
    for effect in step.effects:
        if isinstance(effect, CallEnded):
            if effect.outcome is Outcome.NOT_REACHED:
                silent.add(effect.call)
            elif effect.by is not Ender.CALLER and effect.outcome is not Outcome.LOST:
                ended[effect.call] += 1
        elif isinstance(effect, HangUpCaller):
            hung_up[effect.call] += 1
    for call in silent & set(hung_up):
        insist(hung_up.pop(call) == 1, "who is done is hung up once", step)
    insist(ended == hung_up, "who is done is hung up", step)


def everybody_who_came_is_counted(watch: Watch, step: Step) -> None:
    """Offered = the sum of exclusive outcomes and those who are still here."""
    books = watch.books
    insist(books.offered == books.concluded.total() + len(books.entered), "offered = sum of outcomes", step)


def every_promise_is_written_down(watch: Watch, step: Step) -> None:
    """What callers are told is a fact with the same figures; whoever is diverted is diverted by a fact."""
    said = [(e.call, e.position, e.promise) for e in step.effects if isinstance(e, Announce)]
    noted = [(e.call, e.position, e.promise) for e in step.effects if isinstance(e, WaitAnnounced)]
    insist(said == noted, "every promise is written down", step)
    led = [(e.call, str(e.to)) for e in step.effects if isinstance(e, Divert)]
    facts = [(e.call, e.to) for e in step.effects if isinstance(e, CallOverflowed) and way_of(e.to) in DIVERSIONS]
    insist(led == facts, "a diversion is carried out once", step)


def what_is_ignored_says_why(watch: Watch, step: Step) -> None:
    """Late news is counted by its own name, call and agent."""
    for effect in step.effects:
        if isinstance(effect, NewsIgnored):
            about = (getattr(step.event, "call", effect.call), getattr(step.event, "agent", effect.agent))
            insist(effect.why and (effect.call, effect.agent) == about, "what is ignored says why", step)


def nothing_grows_for_ever(watch: Watch, step: Step) -> None:
    """I12: memory follows who is here, not who has ever been."""
    if not watch.thorough:
        return
    agents, calls, promises = len(watch.engine.agents), len(watch.engine.calls), len(watch.books.promises)
    lines = 1 + 65 * len(watch.floor.queues)
    bound = 64 + 4 * agents + lines * (2 * agents + 70) + 8 * (calls + promises)
    insist(watch.engine.entries() <= bound, "bounded", step)


Rule = Callable[[Watch, Step], None]

RULES_OF_MESSAGES: Mapping[type, Sequence[Callable[..., None]]] = {
    CallStarted: (a_call_begins_once,),
    CallQueued: (a_place_is_fair,),
    CallWidened: (widening_only_widens,),
    CallOverflowed: (a_departure_has_its_rule,),
    CallOffered: (an_offer_is_fit, nobody_rings_beside_whom_they_come_after),
    OfferEnded: (only_an_open_offer_ends,),
    CallAnswered: (one_winner,),
    CallConnected: (connected_once,),
    CallEnded: (one_true_outcome,),
    AgentStateChanged: (states_follow_one_another,),
    WaitAnnounced: (only_who_waits_is_told,),
    WrapUpExtended: (extensions_are_bounded,),
    CallbackBooked: (a_promise_is_one_persons,),
    CallbackClosed: (a_promise_is_settled_once,),
    DialPerson: (nobody_is_dialled_twice,),
    StopRinging: (a_leg_is_ended_by_its_name,),
    HangUpAgent: (a_leg_is_ended_by_its_name,),
}
"""Asked of each such fact or command before it is entered in the books."""

RULES: tuple[Rule, ...] = (
    no_agent_has_two_calls,
    every_caller_is_in_exactly_one_place,
    nobody_waits_beside_a_free_agent,
    nobody_is_overtaken,
    nobody_is_passed_over,
    everybody_rings_who_may,
    who_rings_along_is_let_in,
    states_last_as_long_as_the_clock_says,
    the_facts_tell_everything,
    every_limit_will_be_noticed,
    every_step_has_its_deadline,
    no_phone_rings_for_nothing,
    nobody_is_left_on_the_line,
    callbacks_are_bounded,
    everybody_who_came_is_counted,
    every_promise_is_written_down,
    what_is_ignored_says_why,
    nothing_grows_for_ever,
)
"""Checked in this order after every step."""

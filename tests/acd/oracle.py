"""The same floor in the plainest way: no heaps, no facts, no shared code. Slow, and easy to believe.

It knows which agents, callers and promises there are, looks at all of them after every event, and says who is offered
to whom and what becomes of everybody. Nothing of the engine, its tables or its records is used; only the vocabulary
and the floor's settings are. Where the engine has a choice of its own (chance, the forecast, the offer's number) the
oracle is shown what was done and only checks that it was among what is right.

`oracle_pages` keeps the pages, `oracle_match` says who may take whom and who goes first, `oracle_people` is about
agents, `oracle_callbacks` about promises; this file is about callers and about time.
"""

from collections.abc import Iterable
from math import inf

from changgu.acd import events as e
from changgu.acd import facts as f
from changgu.acd.facts import Departure
from changgu.acd.queues import ON_ARRIVAL, Destination, Floor, Overflow, Way
from tests.acd.oracle_callbacks import Callbacks
from tests.acd.oracle_pages import Person, Promise, Visit, person_of


class Oracle(Callbacks):
    def __init__(self, floor: Floor, now: float = 0.0) -> None:
        super().__init__(floor)
        self.now = now
        self.list_people()

    # The outside

    def handle(self, event: e.Event, now: float, given: Iterable[object] = ()) -> list[tuple[str, str]]:
        """Who is offered to whom because of this event; `said` holds the rest."""
        self.begin(now, given)
        self.take_in(event)
        self.match()
        return self.offers

    def configure(self, floor: Floor, now: float, given: Iterable[object] = ()) -> list[tuple[str, str]]:
        self.begin(now, given)
        self.floor = floor
        self.list_people()
        for visit in self.visits.values():
            if visit.state in ("waiting", "offered", "connecting"):
                self.loosen(visit)
        for person in list(self.people.values()):
            if not person.listed:
                if person.state in ("ready", "not_ready", "unreachable"):
                    self.rest(person, "logged_out")
                elif person.state != "logged_out":
                    self.wants(person, "logged_out")
                self.drop(person)
        self.match()
        return self.offers

    def begin(self, now: float, given: Iterable[object]) -> None:
        self.now, self.offers, self.said, self.wrong = now, [], [], []
        self.given = [fact for fact in given if isinstance(fact, f.Fact)]

    def list_people(self) -> None:
        logins = {agent.login for agent in self.floor.agents}
        for agent in self.floor.agents:
            if agent.login not in self.people:
                self.people[agent.login] = self.parted.pop(agent.login, Person(agent.login))
            self.people[agent.login].listed = True
        for person in self.people.values():
            person.listed = person.login in logins

    # Time

    def time_passes(self) -> None:
        """Everything that is due, in the order in which it fell due."""
        while (next_one := self.most_urgent())[0] <= self.now:
            _, what = next_one
            if isinstance(what, Person):
                self.limit_of_person(what)
            elif isinstance(what, Visit):
                self.limit_of_visit(what)
            else:
                assert what is not None
                self.promise_is_due(what)

    def most_urgent(self) -> tuple[float, Person | Visit | Promise | None]:
        everything: list[tuple[float, Person | Visit | Promise | None]] = [
            *((self.due_of_person(person), person) for person in self.people.values()),
            *((self.due_of_visit(visit), visit) for visit in self.visits.values()),
            *((self.due_of_promise(promise), promise) for promise in self.promises.values()),
        ]
        due = min((due for due, _ in everything), default=inf)
        return due, min((what for at, what in everything if at == due), key=self.told, default=None)

    def deadline(self) -> float:
        return self.most_urgent()[0]

    def told(self, what: Person | Visit | Promise | None) -> int:
        """Of those whose limits run out together, any may be first: as the engine has it."""
        for number, fact in enumerate(self.given):
            match fact, what:
                case f.CallOverflowed(call, why=Departure.WAITED | Departure.DESERTED), Visit() if call == what.call:
                    return number
                case (f.OfferEnded() | f.AgentStateChanged()), Person() if fact.agent == what.login:
                    return number
        return len(self.given)

    def due_of_visit(self, visit: Visit) -> float:
        if visit.dialled_at is not None and not visit.reached:
            limit = self.queue_settings(visit.queue).callbacks.ring_limit + self.floor.rules.connect_limit
            return visit.dialled_at + limit.total_seconds()
        if visit.state == "connecting":
            return visit.connecting_since + self.floor.rules.connect_limit.total_seconds()
        step = self.next_step(visit)
        if visit.state == "offered" and self.all_ring(visit):
            return inf if step is None else step
        if visit.state != "waiting":
            return inf
        return min([inf if step is None else step, *(due for due, _ in self.rules_to_come(visit))])

    def rules_to_come(self, visit: Visit) -> list[tuple[float, int]]:
        """The rules of waiting that will hold, each with its time, in list order."""
        coming = []
        for number, rule in enumerate(self.queue_settings(visit.queue).overflows):
            if visit.outbound or rule in visit.rules_used:
                continue
            if rule.when is Departure.WAITED:
                coming.append((visit.entered + rule.limit, number))
            elif rule.when is Departure.DESERTED and self.staff(visit.queue) == 0:
                coming.append((max(visit.entered, self.deserted_since(visit.queue)) + rule.limit, number))
        return coming

    def limit_of_visit(self, visit: Visit) -> None:
        if visit.dialling:
            self.say("repaired", "connecting_too_long", None)
            self.not_reached(visit)
            return
        if visit.state == "connecting":
            assert visit.agent is not None
            self.say("repaired", "connecting_too_long", visit.agent)
            self.cannot_be_joined(visit)
            return
        step = self.next_step(visit)
        due, number = min(self.rules_to_come(visit), default=(inf, -1))
        if step is not None and (step <= due or visit.state == "offered"):
            self.take_steps(visit, step)
        else:
            self.follow(visit, number)

    # News

    def take_in(self, event: e.Event) -> None:
        match event:
            case e.CallerDialledIn(call, number, turned_away=turned_away, person=whose):
                if call not in self.visits and call not in self.over:
                    self.visits[call] = Visit(call, number, whose=whose)
                    if turned_away:
                        self.end(self.visits[call], "refused", "desk", "desk_full")
                    else:
                        self.on_the_line_themselves(self.visits[call])
            case e.CallArrived():
                self.arrive(event)
            case e.MenuEnded():
                self.menu_ended(event)
            case e.CallerHungUp(call):
                if (visit := self.visits.get(call)) is not None:
                    self.caller_gone(visit, self.outcome_of_leaving(visit), "caller")
                self.over.add(call)
            case e.CallLost(call):
                if (visit := self.visits.get(call)) is not None:
                    self.caller_gone(visit, "lost", "desk")
            case e.DeskClosed(call):
                if (visit := self.visits.get(call)) is not None:
                    spoken = visit.state in ("talking", "held")
                    reason = "" if spoken else "desk_closed"
                    self.caller_gone(visit, "answered" if spoken else "refused", "desk", reason)
            case e.KeyPressed(call, key):
                self.key_pressed(call, key)
            case e.DeadlinePassed():
                self.time_passes()
            case e.CallHeld(agent, call) | e.CallResumed(agent, call):
                self.hold(agent, call, isinstance(event, e.CallHeld))
            case e.PersonReached(call):
                self.person_reached(call)
            case e.DialFailed(call):
                self.dial_failed(call)
            case e.CallbackAsked():
                self.asked_for_callback(event)
            case e.CallbackCancelled():
                self.callback_cancelled(event)
            case e.AgentSignedIn() | e.AgentSignedOut() | e.AgentReady() | e.AgentNotReady():
                self.wished(event)
            case e.AgentForced():
                self.forced(event)
            case e.MoreWrapUpWanted():
                self.more_wrap_up(event)
            case e.PhoneReachable(agent) | e.PhoneUnreachable(agent):
                if agent in self.people:
                    self.phone(self.people[agent], isinstance(event, e.PhoneReachable))
            case e.DesktopSeen(agent) | e.DesktopGone(agent):
                if agent in self.people:
                    self.desktop(self.people[agent], isinstance(event, e.DesktopSeen))
            case _:
                self.take_in_of_attempt(event)

    def take_in_of_attempt(self, event: e.Event) -> None:
        match event:
            case e.AgentAnswered(agent, call, offer):
                if self.rings(agent, call, offer) and not self.visits[call].dialling:
                    self.picked_up(self.visits[call], self.people[agent])
            case e.PartiesConnected(agent, call, offer):
                if self.has(agent, call, offer, "connecting") and not self.visits[call].nobody_on_the_line:
                    person = self.people[agent]
                    self.visits[call].state, person.misses = "talking", 0
                    person.served, person.talks_since = person.served + 1, self.now
                    self.kept(self.visits[call])
            case e.RingFailed(agent, call, offer):
                if self.rings(agent, call, offer) and not self.visits[call].dialling:
                    self.missed(self.people[agent], "failed")
            case e.ConnectFailed(agent, call, offer):
                if self.has(agent, call, offer, "connecting") and not self.visits[call].nobody_on_the_line:
                    self.cannot_be_joined(self.visits[call])
            case e.ConversationMissing(agent, call, offer):
                if self.has(agent, call, offer, "talking", "held"):
                    self.say("repaired", "talking_without_a_leg", agent)
                    self.agent_gone(agent, call, offer)
            case e.AgentHungUp(agent, call, offer):
                self.agent_gone(agent, call, offer)
            case _:
                pass

    def rings(self, agent: str, call: str, offer: int) -> bool:
        visit = self.visits.get(call)
        return visit is not None and visit.state == "offered" and visit.ringing.get(agent, -1) == offer

    def has(self, agent: str, call: str, offer: int, *states: str) -> bool:
        visit = self.visits.get(call)
        return visit is not None and (visit.agent, visit.offer) == (agent, offer) and visit.state in states

    # Callers come

    def arrive(self, event: e.CallArrived) -> None:
        if event.call in self.over:
            return
        visit = self.visits.get(event.call)
        if visit is None:
            self.over.add(event.call)
            self.say("ended", event.call, "refused", "desk", "error")
        elif visit.state == "in_menu":
            if not self.knows(event.queue):
                self.end(visit, "refused", "desk", "no_such_queue")
            else:
                self.queue_up(visit, event)

    def queue_up(self, visit: Visit, event: e.CallArrived) -> None:
        same = visit.diverted is not None and visit.queue == event.queue
        if visit.diverted is None:
            visit.placed = visit.entered = self.now if event.since is None else min(event.since, self.now)
        elif not same:
            visit.entered = self.now
        within = self.floor.rules.repeat_within.total_seconds()
        again = self.abandoned_at.get(person_of(visit.number) or "", -inf)
        repeat = within > 0 and self.now - again <= within
        priority = event.priority + (self.floor.rules.repeat_priority if repeat else 0)
        visit.brought = (priority, event.skills, event.agent, event.last_agent)
        if same and not (event.priority or event.skills or event.agent):
            visit.brought = (visit.priority, visit.asked, visit.wanted, visit.last_agent)
        visit.diverted = None
        visit.promises, visit.came_to = self.promises_to(visit), event.queue
        if same:
            self.settle(visit, ())
        else:
            self.enter(visit, event.queue, rules=event.since is None)
        visit.promises = []

    def enter(self, visit: Visit, queue: str, *, rules: bool = True) -> None:
        """The rules of arrival (not for those who have waited elsewhere), then a place in the queue."""
        if visit.queue:
            visit.been_in.add(visit.queue)
        rules = rules and queue not in visit.been_in
        visit.queue, visit.rules_used, visit.opened, visit.state = queue, [], frozenset(), "in_menu"
        opens: list[tuple[int, Overflow]] = []
        for number, rule in enumerate(self.queue_settings(queue).overflows):
            if rules and rule.when in ON_ARRIVAL and self.holds(rule, number, visit):
                if rule.to.way is not Way.OPEN:
                    visit.priority, visit.asked, visit.wanted, visit.last_agent = visit.brought
                    visit.priority = max([visit.priority, *(promise.priority for promise in visit.promises)])
                    self.overflowed(visit, rule.when, rule.to, None, number)
                    return
                opens.append((number, rule))
        self.settle(visit, opens)

    def holds(self, rule: Overflow, number: int, visit: Visit) -> bool:
        queue = visit.queue
        here = sum(
            other.queue == queue and other.state in ("waiting", "offered") and not other.outbound
            for other in self.visits.values()
        )
        staff = self.staff(queue)
        if rule.when is Departure.FULL:
            return here >= rule.limit
        if rule.when is Departure.UNSTAFFED:
            return staff == 0
        if rule.when is Departure.RATIO:
            return staff == 0 or (here + 1) / staff > rule.limit
        return any(
            isinstance(fact, f.CallOverflowed) and (fact.call, fact.queue, fact.rule) == (visit.call, queue, number)
            for fact in self.given
        )

    def settle(self, visit: Visit, opens: Iterable[tuple[int, Overflow]]) -> None:
        """They wait; what is due at once is done at once."""
        self.queued += 1
        visit.state, visit.seq, visit.taken, visit.lapsed = "waiting", self.queued, -1.0, False
        visit.priority, visit.asked, visit.wanted, visit.last_agent = visit.brought
        for promise in visit.promises:
            self.take_the_promised_place(visit, promise)
        visit.needs = visit.asked
        self.say("queued", visit.call, visit.queue, visit.priority, round(visit.placed, 6), round(visit.entered, 6))
        for number, rule in opens:
            self.say("overflowed", visit.call, visit.queue, rule.when.value, str(rule.to), None, number)
            visit.opened |= {rule.to.name}
            visit.rules_used.append(rule)
        visit.only = self.wish_on_entry(visit)
        self.take_steps(visit, self.now)
        self.open_to_others(visit, list(opens))
        for promise in visit.promises:
            self.close(promise, "called_in", None)

    def open_to_others(self, newcomer: Visit, rules: list[tuple[int, Overflow]]) -> None:
        """Nobody is overtaken by who came later only because the queue was opened at the later one's arrival."""
        if not rules:
            return
        for visit in self.visits.values():
            if visit is newcomer or visit.queue != newcomer.queue or visit.outbound:
                continue
            if visit.state in ("waiting", "offered"):
                for number, rule in rules:
                    if rule not in visit.rules_used:
                        self.say("overflowed", visit.call, visit.queue, rule.when.value, str(rule.to), None, number)
                        visit.rules_used.append(rule)
                self.take_steps(visit, self.now, frozenset(rule.to.name for _, rule in rules))

    # Callers leave

    def overflowed(self, visit: Visit, why: Departure, to: Destination, key: str | None, number: int) -> None:
        self.say("overflowed", visit.call, visit.queue, why.value, str(to), key, number)
        if number >= 0:
            visit.rules_used.append(self.queue_settings(visit.queue).overflows[number])
        if to.way is Way.OPEN:
            self.take_steps(visit, self.now, frozenset({to.name}))
        elif to.way is Way.REFUSE:
            self.end(visit, "refused", "desk", why.value)
        elif to.way is Way.QUEUE and not self.knows(to.name):
            self.end(visit, "refused", "desk", "no_such_queue")
        elif to.way is Way.QUEUE:
            visit.entered = self.now
            self.enter(visit, to.name)
        else:
            visit.state, visit.diverted = "in_menu", why.value
            self.say("divert", visit.call, str(to))

    def follow(self, visit: Visit, number: int) -> None:
        rule = self.queue_settings(visit.queue).overflows[number]
        self.overflowed(visit, rule.when, rule.to, None, number)

    def key_pressed(self, call: str, key: str) -> None:
        visit = self.visits.get(call)
        if visit is None or visit.outbound or visit.state not in ("waiting", "offered"):
            return
        to = self.queue_settings(visit.queue).keys.get(key)
        if to is not None:
            if to.way is not Way.OPEN:  # more may take it; whose phone rings already may, too
                self.stop_ringing(visit, "caller_left")
                visit.state = "waiting"
            self.overflowed(visit, Departure.KEY, to, key, -1)

    def stop_ringing(self, visit: Visit, why: str, but: str | None = None) -> None:
        for login in [login for login in visit.ringing if login != but]:
            person = self.people[login]
            turn = person.idle_since
            self.say("offer ended", visit.call, login, why)
            del visit.ringing[login]
            self.as_wished(person, turn=turn)

    def menu_ended(self, event: e.MenuEnded) -> None:
        visit = self.visits.get(event.call)
        if visit is None or visit.state != "in_menu":
            return
        if event.outcome is not None:
            self.end(visit, event.outcome.value, "desk")
        elif event.served:
            self.end(visit, "self_served", "desk")
        elif visit.diverted is not None:
            self.end(visit, "refused", "desk", visit.diverted)
        else:
            self.end(visit, "abandoned_in_menu", "desk")

    def outcome_of_leaving(self, visit: Visit) -> str:
        if visit.outbound and visit.state not in ("talking", "held"):
            return "not_reached"
        if visit.state == "in_menu":
            return "abandoned_in_menu" if visit.diverted is None else "abandoned_in_queue"
        if visit.state == "waiting":
            return "abandoned_in_queue"
        return "abandoned_ringing" if visit.state in ("offered", "connecting") else "answered"

    def caller_gone(self, visit: Visit, outcome: str, by: str, reason: str = "") -> None:
        state, person = visit.state, self.people.get(visit.agent or "")
        self.stop_ringing(visit, "caller_left")
        if person is not None and state == "connecting":
            self.say("offer ended", visit.call, person.login, "caller_left")
        self.end(visit, outcome, by, reason)
        if person is not None and state in ("talking", "held"):
            self.conversation_over(person)
        elif person is not None:
            self.as_wished(person, turn=person.idle_since)

    def end(self, visit: Visit, outcome: str, by: str, reason: str = "") -> None:
        self.visits.pop(visit.call, None)
        self.over.add(visit.call)
        if visit.state in ("talking", "held"):
            self.heard_out(visit)
        self.say("ended", visit.call, outcome, by, reason)
        if outcome in ("abandoned_in_queue", "abandoned_ringing") and visit.number is not None:
            self.abandoned_at[person_of(visit.number) or ""] = self.now
        if visit.outbound:
            self.attempt_over(visit, reason)

    # Callers and agents

    def picked_up(self, visit: Visit, person: Person) -> None:
        if visit.nobody_on_the_line and self.hours(visit.queue, self.now) > self.now:
            self.offer_ends(person, "connect_failed")
            self.as_wished(person)
            self.end(visit, "not_reached", "desk", "hours")
            return
        offer = visit.ringing.pop(person.login)
        self.stop_ringing(visit, "answered_elsewhere")
        visit.state, visit.agent, visit.offer, visit.connecting_since = "connecting", person.login, offer, self.now
        person.state, person.rings_since = "talking", None
        if visit.nobody_on_the_line:
            visit.dialled_at = self.now
            self.say("dial", visit.call, visit.number)
        else:
            self.say("connect", visit.call)

    def cannot_be_joined(self, visit: Visit) -> None:
        person = self.people[visit.agent or ""]
        self.offer_ends(person, "connect_failed")
        self.as_wished(person)

    def agent_gone(self, agent: str, call: str, offer: int) -> None:
        if self.rings(agent, call, offer):
            if self.visits[call].dialling:
                self.dial_cancelled(self.visits[call], self.people[agent], "agent_left")
            else:
                self.missed(self.people[agent], "agent_left")
        elif self.has(agent, call, offer, "connecting"):
            visit = self.visits[call]
            if visit.nobody_on_the_line:
                self.dial_cancelled(visit, self.people[agent], "agent_left")
            else:
                self.missed(self.people[agent], "agent_left")
        elif self.has(agent, call, offer, "talking", "held"):
            self.end(self.visits[call], "answered", "agent")
            self.conversation_over(self.people[agent])

    def hold(self, agent: str, call: str, hold: bool) -> None:
        visit = self.visits.get(call)
        before, after = ("talking", "held") if hold else ("held", "talking")
        if visit is not None and visit.agent == agent and visit.state == before:
            visit.state = after
            self.people[agent].state = "hold" if hold else "talking"

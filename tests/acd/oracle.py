"""The same floor in the plainest way: no heaps, no facts, no shared code. Slow, and easy to believe.

It knows which agents and callers there are, looks at all of them after every event, and says who is offered to whom.
Nothing of the engine, its tables or its records is used; only the vocabulary and the floor's settings are.
"""

from dataclasses import dataclass
from math import inf

from changgu.acd import events as e
from changgu.acd.queues import Agent, Floor, Queue


@dataclass
class Person:
    login: str
    listed: bool = True
    state: str = "logged_out"
    why: str | None = None
    wish: tuple[str, str | None] | None = None
    phone: bool = False
    idle_since: float = 0.0
    misses: int = 0
    call: str | None = None
    offer: int | None = None
    queue: str = ""
    began: float = 0.0


@dataclass
class Visit:
    call: str
    state: str = "in_menu"
    queue: str = ""
    place: tuple[int, float, int] = (0, 0.0, 0)
    skills: frozenset[str] = frozenset()
    agent: str | None = None
    offer: int | None = None


class Oracle:
    def __init__(self, floor: Floor) -> None:
        self.people: dict[str, Person] = {}
        self.visits: dict[str, Visit] = {}
        self.over: set[str] = set()
        self.offers: list[tuple[str, str]] = []
        self.number = 0
        self.queued = 0
        self.now = 0.0
        self.floor = floor
        self._list()

    # Settings

    def _list(self) -> None:
        logins = {agent.login for agent in self.floor.agents}
        for login in logins:
            self.people.setdefault(login, Person(login)).listed = True
        for person in self.people.values():
            person.listed = person.login in logins

    def _agent(self, login: str) -> Agent | None:
        return next((agent for agent in self.floor.agents if agent.login == login), None)

    def _queue(self, name: str) -> Queue:
        return next((queue for queue in self.floor.queues if queue.name == name), Queue(name, ""))  # type: ignore[arg-type]

    def configure(self, floor: Floor, now: float) -> list[tuple[str, str]]:
        self.floor, self.now, self.offers = floor, now, []
        self._list()
        for person in list(self.people.values()):
            if not person.listed:
                if person.state in ("ready", "not_ready", "unreachable"):
                    self._rest(person, "logged_out")
                elif person.state != "logged_out":
                    person.wish = ("logged_out", None)
                self._drop(person)
        self._match()
        return self.offers

    def _drop(self, person: Person) -> None:
        if not person.listed and person.state == "logged_out":
            self.people.pop(person.login, None)

    # Events

    def deadline(self) -> float:
        return min((self._due(person) for person in self.people.values()), default=inf)

    def _due(self, person: Person) -> float:
        if person.state == "reserved":
            return person.began + self._queue(person.queue).ring_limit.total_seconds()
        if person.state == "wrap_up":
            return person.began + self._queue(person.queue).wrap_up.total_seconds()
        return inf

    def handle(self, event: e.Event, now: float) -> list[tuple[str, str]]:
        """Who is offered to whom, in order, because of this event."""
        self.now, self.offers = now, []
        self._take_in(event)
        self._match()
        return self.offers

    def _take_in(self, event: e.Event) -> None:
        match event:
            case e.CallerDialledIn(call):
                if call not in self.visits and call not in self.over:
                    self.visits[call] = Visit(call)
            case e.MenuStepReached():
                pass
            case e.CallArrived(call, queue, priority, skills):
                self._arrive(call, queue, priority, skills)
            case e.MenuEnded(call):
                if call in self.visits and self.visits[call].state == "in_menu":
                    self._over(call)
            case e.CallerHungUp(call):
                self.over.add(call)
                self._caller_gone(call)
            case e.CallLost(call) | e.DeskClosed(call):
                self._caller_gone(call)
            case e.DeadlinePassed():
                while self.deadline() <= self.now:
                    self._end_of_limit(min(self.people.values(), key=self._due))
            case e.CallHeld(agent, call) | e.CallResumed(agent, call):
                self._hold(agent, call, isinstance(event, e.CallHeld))
            case e.AgentAnswered(agent, call, offer):
                if self._is(agent, call, offer, "offered"):
                    self.visits[call].state, self.people[agent].state = "connecting", "talking"
            case e.PartiesConnected(agent, call, offer):
                if self._is(agent, call, offer, "connecting"):
                    self.visits[call].state, self.people[agent].misses = "talking", 0
            case e.RingFailed(agent, call, offer):
                if self._is(agent, call, offer, "offered"):
                    self._missed(self.people[agent])
            case e.ConnectFailed(agent, call, offer):
                if self._is(agent, call, offer, "connecting"):
                    self._back(self.visits[call])
                    self._as_wished(self.people[agent])
            case e.AgentHungUp(agent, call, offer):
                if self._is(agent, call, offer, "offered", "connecting"):
                    self._missed(self.people[agent])
                elif self._is(agent, call, offer, "talking", "held"):
                    self._over(call)
                    self._wrap_up(self.people[agent])
            case e.PhoneReachable(agent) | e.PhoneUnreachable(agent):
                if agent in self.people:
                    self._phone(self.people[agent], isinstance(event, e.PhoneReachable))
            case e.AgentSignedIn() | e.AgentSignedOut() | e.AgentReady() | e.AgentNotReady():
                self._wish(event)

    # Callers

    def _arrive(self, call: str, queue: str, priority: int, skills: frozenset[str]) -> None:
        if call in self.over:
            return
        visit = self.visits.get(call)
        if visit is not None and visit.state != "in_menu":
            return
        if visit is None or queue not in [known.name for known in self.floor.queues]:
            self._over(call)
            return
        self.queued += 1
        visit.state, visit.queue, visit.skills = "waiting", queue, skills
        visit.place = (-priority, self.now, self.queued)

    def _over(self, call: str) -> None:
        self.visits.pop(call, None)
        self.over.add(call)

    def _caller_gone(self, call: str) -> None:
        visit = self.visits.get(call)
        if visit is None:
            return
        self._over(call)
        person = self.people.get(visit.agent or "")
        if person is None:
            return
        if visit.state in ("talking", "held"):
            self._wrap_up(person)
        else:
            turn = person.idle_since
            self._as_wished(person)
            person.idle_since = turn

    def _back(self, visit: Visit) -> None:
        visit.state, visit.agent, visit.offer = "waiting", None, None

    def _hold(self, agent: str, call: str, hold: bool) -> None:
        visit = self.visits.get(call)
        before, after = ("talking", "held") if hold else ("held", "talking")
        if visit is not None and visit.agent == agent and visit.state == before:
            visit.state = after
            self.people[agent].state = "hold" if hold else "talking"

    def _is(self, agent: str, call: str, offer: int, *states: str) -> bool:
        visit = self.visits.get(call)
        return visit is not None and (visit.agent, visit.offer) == (agent, offer) and visit.state in states

    # Agents

    def _rest(self, person: Person, state: str, why: str | None = None) -> None:
        if state == "ready" and not person.phone:
            state = "unreachable"
        if state == "ready":
            person.idle_since = self.now
            if person.state in ("logged_out", "not_ready", "unreachable"):
                person.misses = 0
        if state == "logged_out":
            person.misses = 0
        person.state, person.why, person.wish, person.call, person.offer = state, why, None, None, None
        self._drop(person)

    def _as_wished(self, person: Person) -> None:
        self._rest(person, *(person.wish or ("ready", None)))

    def _missed(self, person: Person) -> None:
        if person.call is not None:
            self._back(self.visits[person.call])
        person.misses += 1
        if person.wish is None and person.misses >= self._queue(person.queue).misses_before_not_ready:
            self._rest(person, "not_ready", "no_answer")
        else:
            self._as_wished(person)

    def _wrap_up(self, person: Person) -> None:
        if self._queue(person.queue).wrap_up.total_seconds() > 0:
            person.state, person.began, person.offer = "wrap_up", self.now, None
        else:
            self._as_wished(person)

    def _end_of_limit(self, person: Person) -> None:
        if person.state == "reserved":
            self._missed(person)
        else:
            self._as_wished(person)

    def _phone(self, person: Person, up: bool) -> None:
        changed = person.phone != up
        person.phone = up
        if changed and not up and person.state == "reserved":
            self._missed(person)
        elif changed and not up and person.state == "ready":
            self._rest(person, "unreachable")
        elif changed and up and person.state == "unreachable":
            self._rest(person, "ready")

    def _wish(self, event: e.AgentSignedIn | e.AgentSignedOut | e.AgentReady | e.AgentNotReady) -> None:
        person = self.people.get(event.agent)
        if person is None or not (person.listed or isinstance(event, e.AgentSignedOut)):
            return
        busy = person.state in ("reserved", "talking", "hold", "wrap_up")
        match event:
            case e.AgentSignedIn() if person.state == "logged_out":
                self._rest(person, "not_ready", "signed_in")
            case e.AgentReady() if person.state == "wrap_up":
                self._rest(person, "ready")
            case e.AgentReady() if busy:
                person.wish = ("ready", None)
            case e.AgentReady() if person.state in ("logged_out", "not_ready"):
                self._rest(person, "ready")
            case e.AgentNotReady(_, reason) if reason not in ("signed_in", "no_answer") and busy:
                person.wish = ("not_ready", reason.value)
            case e.AgentNotReady(_, reason) if reason not in ("signed_in", "no_answer"):
                if person.state != "logged_out":
                    self._rest(person, "not_ready", reason.value)
            case e.AgentSignedOut() if busy:
                person.wish = ("logged_out", None)
            case e.AgentSignedOut() if person.state != "logged_out":
                self._rest(person, "logged_out")
            case _:
                pass

    # Who is offered to whom

    def _can_serve(self, person: Person, visit: Visit) -> bool:
        agent = self._agent(person.login)
        return agent is not None and visit.queue in agent.queues and visit.skills <= agent.skills

    def _match(self) -> None:
        known = {queue.name for queue in self.floor.queues} | {name for a in self.floor.agents for name in a.queues}
        for visit in list(self.visits.values()):
            if visit.state == "waiting" and visit.queue not in known:
                self._over(visit.call)
        while self._match_one():
            pass

    def _match_one(self) -> bool:
        waiting = sorted((v for v in self.visits.values() if v.state == "waiting"), key=lambda v: v.place)
        for visit in waiting:
            free = [p for p in self.people.values() if p.state == "ready" and self._can_serve(p, visit)]
            if free:
                person = min(free, key=lambda p: (p.idle_since, p.misses, p.login))
                self.number += 1
                visit.state, visit.agent, visit.offer = "offered", person.login, self.number
                person.state, person.call, person.offer = "reserved", visit.call, self.number
                person.queue, person.began = visit.queue, self.now
                self.offers.append((visit.call, person.login))
                return True
        return False

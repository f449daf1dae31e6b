"""Who may take whom, and who goes first, in the oracle: everybody is looked at, every time."""

from datetime import timedelta

from changgu.acd import facts as f
from changgu.acd.queues import Agent, Floor, Queue, Relaxation
from changgu.acd.skills import levels
from tests.acd.oracle_pages import Person, Promise, Visit, how_skilled, is_able, still_needed

Saying = tuple[object, ...]

READY_FOR_WORK = ("ready", "reserved", "talking", "hold", "wrap_up")
AT_RANDOM = ("random", "weighted_random")


class Matching:
    """What the other halves of the oracle keep, and the matching on it."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.people: dict[str, Person] = {}
        self.parted: dict[str, Person] = {}
        """Signed out and off the list."""
        self.visits: dict[str, Visit] = {}
        self.promises: dict[str, Promise] = {}
        self.over: set[str] = set()
        self.now = 0.0
        self.queued = 0
        self.said: list[Saying] = []
        self.given: list[f.Fact] = []
        """What the engine did in this step: only for the choices that are its own (chance, the forecast, offer ids)."""
        self.offers: list[tuple[str, str]] = []
        self.turn: dict[str, str] = {}
        """By queue: the agent who was offered a call of it last."""
        self.abandoned_at: dict[str, float] = {}
        self.let_go: list[tuple[Visit, float]] = []
        """Conversations that are over, with when they ended."""
        self.wrong: list[str] = []

    def say(self, *words: object) -> None:
        self.said.append(words)

    # Settings

    def agent_settings(self, login: str) -> Agent | None:
        return next((agent for agent in self.floor.agents if agent.login == login), None)

    def queue_settings(self, name: str) -> Queue:
        return next((queue for queue in self.floor.queues if queue.name == name), Queue(name, ""))  # type: ignore[arg-type]

    def knows(self, queue: str) -> bool:
        return any(known.name == queue for known in self.floor.queues)

    def staff(self, queue: str) -> int:
        return sum(
            self.people[agent.login].state in READY_FOR_WORK for agent in self.floor.agents if queue in agent.queues
        )

    def deserted_since(self, queue: str) -> float:
        """When the last of its agents left."""
        left = [self.people[agent.login].left_at for agent in self.floor.agents if queue in agent.queues]
        return max(left, default=0.0)

    # Places and steps

    def place(self, visit: Visit) -> tuple[float, int]:
        priority = visit.priority + self.queue_settings(visit.queue).priority
        return visit.placed - priority * self.floor.rules.priority_worth.total_seconds(), visit.seq

    def wish(self, visit: Visit) -> tuple[str, float] | None:
        """The one agent whom the call waits for since it entered the queue, and how long."""
        if visit.only is None:
            return None
        wait = self.queue_settings(visit.queue).last_agent_wait
        if visit.wanted is not None:
            wait = self.floor.rules.named_agent_wait
        return visit.only, wait.total_seconds()

    def wish_on_entry(self, visit: Visit) -> str | None:
        """Nobody in particular when that agent is not here, or could not serve them anyway."""
        queue, login = self.queue_settings(visit.queue), visit.wanted
        if login is None and queue.strategy == "last_agent" and queue.last_agent_wait > timedelta(0):
            login = visit.last_agent
        agent = None if login is None else self.agent_settings(login)
        if agent is None or self.people[agent.login].state == "logged_out":
            return None
        return login if queue.name in agent.queues and is_able(agent.skills, visit.asked) else None

    def waits_in_vain(self, visit: Visit) -> bool:
        """For one agent, who has left, or may take them no more: not with any delay of a seat that is still to come."""
        if visit.only is None or visit.lapsed:
            return False
        agent = self.agent_settings(visit.only)
        if agent is None or self.people[visit.only].state == "logged_out":
            return True
        serves = visit.queue in agent.queues or self.takes_opened(agent, visit)
        return not (serves and is_able(agent.skills, visit.needs))

    def steps(self, visit: Visit) -> list[float]:
        queue = self.queue_settings(visit.queue)
        times = {relaxation.after.total_seconds() for relaxation in queue.relaxations}
        for agent in self.floor.agents:
            if queue.name in agent.queues and (delay := agent.seat(queue.name).delay.total_seconds()) > 0:
                times.add(delay)
        return sorted(times)

    def next_step(self, visit: Visit) -> float | None:
        """When more agents may take them next; in the past after the wait for one agent was made shorter."""
        times = [time for time in self.steps(visit) if time > visit.taken]
        if not visit.lapsed and (wish := self.wish(visit)):
            times.append(wish[1])
        return visit.entered + min(times) if times else None

    def take_steps(self, visit: Visit, until: float, opened: frozenset[str] = frozenset()) -> None:
        """Takes every step that is due by then, and opens the call to further queues."""
        before = visit.taken, visit.lapsed
        visit.lapsed = visit.lapsed or self.waits_in_vain(visit)
        for time in self.steps(visit):
            if visit.taken < time and visit.entered + time <= until:
                visit.taken = time
        wish = self.wish(visit)
        if not visit.lapsed and wish and visit.entered + wish[1] <= until:
            visit.taken, visit.lapsed = max(visit.taken, wish[1]), True
        if before != (visit.taken, visit.lapsed) or not opened <= visit.opened:
            self.loosen(visit, opened)

    def loosen(self, visit: Visit, opened: frozenset[str] = frozenset()) -> None:
        """By all steps of today up to the one that was taken last; what was granted before stays, whatever they are."""
        taken: list[Relaxation] = [
            relaxation
            for relaxation in self.queue_settings(visit.queue).relaxations
            if relaxation.after.total_seconds() <= visit.taken
        ]
        today, before = levels(still_needed(visit.asked, taken)), levels(visit.needs)
        lower = {name: min(today[name], before[name]) for name in today if name in before}
        visit.needs = frozenset(name if level == 1 else f"{name}:{level}" for name, level in lower.items())
        visit.opened = visit.opened.union(opened, *(relaxation.open for relaxation in taken))

    # Who may take whom

    def takes_directly(self, agent: Agent, visit: Visit) -> bool:
        if visit.queue not in agent.queues:
            return False
        return agent.seat(visit.queue).delay.total_seconds() <= max(0.0, visit.taken)  # type: ignore[arg-type]

    def takes_opened(self, agent: Agent, visit: Visit) -> bool:
        return bool(visit.opened & agent.queues)

    def may_take(self, person: Person, visit: Visit) -> bool:
        agent = self.agent_settings(person.login)
        if agent is None or not (self.takes_directly(agent, visit) or self.takes_opened(agent, visit)):
            return False
        if not is_able(agent.skills, visit.needs):
            return False
        wish = None if visit.lapsed else self.wish(visit)
        return wish is None or wish[0] == person.login

    # Who goes first

    def rank(self, person: Person, visit: Visit) -> tuple[object, ...]:
        agent = self.agent_settings(person.login)
        assert agent is not None
        strategy = self.queue_settings(visit.queue).strategy
        logins = [listed.login for listed in self.floor.agents]
        position = logins.index(agent.login)
        idle = (person.idle_since, person.misses)
        direct = self.takes_directly(agent, visit)
        if direct:
            level = agent.seat(visit.queue).level  # type: ignore[arg-type]
        else:
            level = min(agent.seat(queue).level for queue in visit.opened & agent.queues)  # type: ignore[arg-type]
        by: tuple[object, ...]
        if strategy == "fewest_calls":
            by = (person.served, person.idle_since)
        elif strategy == "least_talk_time":
            by = (round(person.talked, 6), person.idle_since)
        elif strategy == "most_skilled":
            by = (-how_skilled(agent.skills, visit.needs), person.idle_since)
        elif strategy == "linear":
            by = (position,)
        elif strategy == "round_robin":
            last = self.turn.get(visit.queue)
            start = logins.index(last) + 1 if last in logins else 0  # type: ignore[arg-type]
            by = ((position - start) % len(logins),)
        else:
            by = idle
        if strategy == "last_agent" and person.login == visit.last_agent and person.login not in visit.missed_by:
            return (False, False, 0, -1.0)
        return (person.login in visit.missed_by, not direct, level, *by, person.login)

    def first_group(self, free: list[Person], visit: Visit) -> list[Person]:
        best = min(self.rank(person, visit)[:3] for person in free)
        return [person for person in free if self.rank(person, visit)[:3] == best]

    def choose(self, free: list[Person], visit: Visit) -> Person:
        if self.queue_settings(visit.queue).strategy in AT_RANDOM:
            group = self.first_group(free, visit)
            before = sum(call == visit.call for call, _ in self.offers)
            theirs = [fact.agent for fact in self.given if isinstance(fact, f.CallOffered) and fact.call == visit.call]
            chosen = next((person for person in group if person.login in theirs[before : before + 1]), None)
            return chosen or group[0]
        return min(free, key=lambda person: self.rank(person, visit))

    def match(self) -> None:
        for visit in self.visits.values():
            if visit.state in ("waiting", "offered", "connecting") and self.waits_in_vain(visit):
                self.take_steps(visit, self.now)
        for visit in list(self.visits.values()):
            nobody = not any(visit.queue in agent.queues for agent in self.floor.agents)
            if visit.state == "waiting" and nobody and not self.knows(visit.queue):
                self.end(visit, "refused", "desk", "no_such_queue")
        for visit in list(self.visits.values()):
            if self.is_too_late(visit) and any(
                isinstance(fact, f.CallEnded) and (fact.call, fact.reason) == (visit.call, "hours")
                for fact in self.given
            ):
                self.end(visit, "not_reached", "desk", "hours")
        while self.match_one():
            pass
        for visit in sorted((one for one in self.visits.values() if one.state == "offered"), key=self.place):
            ready = [person for person in self.people.values() if person.state == "ready"]
            for person in sorted(ready, key=lambda person: self.rank_if_able(person, visit)):
                if self.may_join(person, visit):
                    self.offer(visit, person)

    def rank_if_able(self, person: Person, visit: Visit) -> tuple[object, ...]:
        return (0, *self.rank(person, visit)) if self.may_take(person, visit) else (1,)

    def is_too_late(self, visit: Visit) -> bool:
        """A call-back that nobody is offered any more today; noticed at the next look at the queue, or by the clock."""
        raise NotImplementedError

    def match_one(self) -> bool:
        waiting = [visit for visit in self.visits.values() if visit.state == "waiting" and not self.is_too_late(visit)]
        for visit in sorted(waiting, key=self.place):
            free = [p for p in self.people.values() if p.state == "ready" and self.may_take(p, visit)]
            if not free:
                continue
            if self.queue_settings(visit.queue).strategy == "ring_all":
                group = sorted(self.first_group(free, visit), key=lambda p: (p.idle_since, p.misses, p.login))
                for person in group[:1] if visit.nobody_on_the_line else group:
                    self.offer(visit, person)
            else:
                self.offer(visit, self.choose(free, visit))
            return True
        return False

    def all_ring(self, visit: Visit) -> bool:
        return not visit.nobody_on_the_line and self.queue_settings(visit.queue).strategy == "ring_all"

    def may_join(self, person: Person, visit: Visit) -> bool:
        return (
            visit.state == "offered"
            and self.all_ring(visit)
            and person.login not in visit.missed_by
            and self.may_take(person, visit)
            and self.nobody_better_rings(person, visit)
        )

    def nobody_better_rings(self, person: Person, visit: Visit) -> bool:
        """Who serves the queue only since it was opened, or at a higher level, waits for what becomes of the others."""
        serving = [
            self.people[login]
            for login in visit.ringing
            if (agent := self.agent_settings(login)) is not None
            and (self.takes_directly(agent, visit) or self.takes_opened(agent, visit))
        ]
        return all(self.rank(person, visit)[:3] <= self.rank(other, visit)[:3] for other in serving)

    def offer(self, visit: Visit, person: Person) -> None:
        before = self.offers.count((visit.call, person.login))
        ids = [
            fact.offer
            for fact in self.given
            if isinstance(fact, f.CallOffered) and (fact.call, fact.agent) == (visit.call, person.login)
        ]
        offer = ids[before] if before < len(ids) else None
        self.offers.append((visit.call, person.login))
        self.turn[visit.queue] = person.login
        visit.state = "offered"
        visit.ringing[person.login] = offer
        person.state, person.why, person.began, person.queue = "reserved", None, self.now, visit.queue
        person.call, person.offer, person.rings_since = visit.call, offer, self.now
        first = self.queue_settings(visit.queue).callbacks.first
        if visit.nobody_on_the_line and first == "caller":
            person.rings_since, visit.dialled_at = None, self.now
            self.say("dial", visit.call, visit.number)
        else:
            self.say("ring", person.login, visit.call, visit.outbound)

    def end(self, visit: Visit, outcome: str, by: str, reason: str = "") -> None:
        raise NotImplementedError

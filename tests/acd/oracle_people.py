"""What agents do and what becomes of them, in the oracle."""

from math import inf

from changgu.acd import events as e
from tests.acd.oracle_match import READY_FOR_WORK, Matching
from tests.acd.oracle_pages import Person, Visit

CHOSEN = ("maintenance", "break", "meal", "training", "away")
BUSY = ("reserved", "talking", "hold", "wrap_up")


class People(Matching):
    # Limits

    def due_of_person(self, person: Person) -> float:
        rules, due = self.floor.rules, inf
        if person.state == "reserved" and person.rings_since is not None:
            due = person.rings_since + self.queue_settings(person.queue).ring_limit.total_seconds()
        elif person.state == "wrap_up":
            due = self.end_of_wrap_up(person)
        elif person.state == "not_ready" and not person.alerted and (person.why or "") in rules.reason_limits:
            due = person.began + rules.reason_limits[person.why or ""].total_seconds()
        elif person.state == "ready" and person.desktop is False:
            due = person.desktop_gone_at + rules.desktop_grace.total_seconds()
        return due

    def limit_of_person(self, person: Person) -> None:
        if person.state == "reserved":
            self.missed(person, "no_answer")
        elif person.state == "wrap_up":
            self.as_wished(person)
        elif person.state == "not_ready":
            person.alerted = True
            self.say("alert", person.login, person.why)
        else:
            self.rest(person, "not_ready", "desktop_gone")

    def length_of_wrap_up(self, person: Person) -> float:
        agent = self.agent_settings(person.login)
        own = agent.wrap_up if agent is not None else None
        return (own if own is not None else self.queue_settings(person.queue).wrap_up).total_seconds()

    def end_of_wrap_up(self, person: Person) -> float:
        if person.wrap_up_until is not None:
            return person.wrap_up_until
        return person.began + self.length_of_wrap_up(person)

    # States

    def rest(self, person: Person, state: str, why: str | None = None, *, turn: float | None = None) -> None:
        """Out of any call; `turn` is the place among the idle that they keep."""
        grace = self.floor.rules.desktop_grace.total_seconds()
        if state == "ready" and not person.phone:
            state = "unreachable"
        elif state == "ready" and person.desktop is False and self.now >= person.desktop_gone_at + grace:
            state, why = "not_ready", "desktop_gone"
        if state == "ready":
            person.idle_since = self.now if turn is None else turn
            if person.state in ("logged_out", "not_ready", "unreachable"):
                person.misses = 0
        if state == "logged_out":
            person.misses = 0
            person.desktop = person.desktop or None
        if person.state == "logged_out" and state != "logged_out":
            person.served, person.talked = 0, 0.0
        if person.state in READY_FOR_WORK and state not in READY_FOR_WORK:
            person.left_at = self.now
        person.state, person.why, person.wish, person.call, person.offer = state, why, None, None, None
        person.began, person.alerted, person.rings_since, person.wished_by = self.now, False, None, None
        self.drop(person)

    def drop(self, person: Person) -> None:
        if not person.listed and person.state == "logged_out":
            self.parted[person.login] = self.people.pop(person.login, person)
            person.phone = False
            if person.desktop:
                self.desktop(person, present=False)

    def as_wished(self, person: Person, *, turn: float | None = None) -> None:
        state, why = person.wish or ("ready", None)
        self.rest(person, state, why, turn=turn)

    def offer_ends(self, person: Person, why: str) -> Visit | None:
        """This agent's attempt is over; the call waits again when it was the last."""
        visit = self.visits.get(person.call or "")
        if visit is None:
            return None
        self.say("offer ended", visit.call, person.login, why)
        visit.ringing.pop(person.login, None)
        if visit.agent == person.login:
            visit.agent = visit.offer = None
        if not visit.ringing:
            visit.state = "waiting"
        return visit

    def missed(self, person: Person, why: str) -> None:
        visit = self.offer_ends(person, why)
        if visit is not None:
            visit.missed_by.add(person.login)
        person.misses += 1
        if person.wish is None and person.misses >= self.queue_settings(person.queue).misses_before_not_ready:
            self.rest(person, "not_ready", "no_answer")
        else:
            self.as_wished(person)

    def conversation_over(self, person: Person) -> None:
        if person.talks_since is not None:
            person.talked += self.now - person.talks_since
            person.talks_since = None
        if self.length_of_wrap_up(person) > 0:
            person.state, person.began, person.offer = "wrap_up", self.now, None
            person.wrap_up_until = None
        else:
            self.as_wished(person)

    # News and wishes

    def phone(self, person: Person, up: bool) -> None:
        if person.phone == up:
            return
        person.phone = up
        if not up and person.state == "reserved":
            visit = self.visits.get(person.call or "")
            if visit is not None and visit.dialled_at is not None and not visit.reached:
                self.dial_cancelled(visit, person, "failed")
            else:
                self.missed(person, "failed")
        elif not up and person.state == "ready":
            self.rest(person, "unreachable")
        elif up and person.state == "unreachable":
            self.rest(person, "ready")

    def wished(self, event: e.AgentSignedIn | e.AgentSignedOut | e.AgentReady | e.AgentNotReady) -> None:
        person = self.people.get(event.agent)
        kind = type(event).__name__
        if person is None or not (person.listed or isinstance(event, e.AgentSignedOut)):
            self.say("refused", kind, event.agent)
            return
        busy = person.state in BUSY
        match event:
            case e.AgentSignedIn() if person.state == "logged_out":
                self.rest(person, "not_ready", "signed_in")
            case e.AgentReady() if person.state == "wrap_up":
                self.rest(person, "ready")
            case e.AgentReady() if busy:
                self.wants(person, "ready")
            case e.AgentReady() if person.state in ("logged_out", "not_ready"):
                self.rest(person, "ready")
            case e.AgentReady() if person.state == "unreachable":
                self.say("refused", kind, event.agent)
            case e.AgentNotReady(_, reason) if reason.value not in CHOSEN:
                self.say("refused", kind, event.agent)
            case e.AgentNotReady(_, reason) if busy:
                self.wants(person, "not_ready", reason.value)
            case e.AgentNotReady(_, reason) if person.state == "logged_out":
                self.say("refused", kind, event.agent)
            case e.AgentNotReady(_, reason) if (person.state, person.why) != ("not_ready", reason.value):
                self.rest(person, "not_ready", reason.value)
            case e.AgentSignedOut() if busy:
                self.wants(person, "logged_out")
            case e.AgentSignedOut() if person.state != "logged_out":
                self.rest(person, "logged_out")
            case _:
                pass

    def wants(self, person: Person, state: str, why: str | None = None, by: str | None = None) -> None:
        if person.wish != (state, why) or by not in (None, person.wished_by):
            self.say("wish", person.login, state, why, by)
            person.wished_by = by
        person.wish = (state, why)

    def forced(self, event: e.AgentForced) -> None:
        person = self.people.get(event.agent)
        state, why = event.state.value, event.reason.value if event.reason is not None else None
        possible = state in ("ready", "not_ready", "logged_out") and (state == "not_ready") == (why in CHOSEN)
        if person is None or not possible or not person.listed:
            self.say("refused", "AgentForced", event.agent)
        elif person.state in ("talking", "hold"):
            self.wants(person, state, why, event.by)
        elif person.state == "reserved":
            visit = self.visits.get(person.call or "")
            person.wish = (state, why)
            if visit is not None and visit.dialled_at is not None and not visit.reached:
                self.dial_cancelled(visit, person, "withdrawn")
            else:
                self.offer_ends(person, "withdrawn")
                self.as_wished(person)
        elif (person.state, person.why) != (state, why) and (person.state, state) != ("unreachable", "ready"):
            self.rest(person, state, why)

    def more_wrap_up(self, event: e.MoreWrapUpWanted) -> None:
        person = self.people.get(event.agent)
        length = event.length.total_seconds()
        longest = self.floor.rules.longest_extension.total_seconds()
        working = person is not None and person.listed and person.state == "wrap_up"
        if person is None or not working or length <= 0:
            self.say("refused", "MoreWrapUpWanted", event.agent)
            return
        until = self.end_of_wrap_up(person) + length
        if until > person.began + self.length_of_wrap_up(person) + longest:
            self.say("refused", "MoreWrapUpWanted", event.agent)
            return
        person.wrap_up_until = until
        self.say("extended", person.login, round(person.wrap_up_until, 6))

    def desktop(self, person: Person, present: bool) -> None:
        if person.desktop is present or (person.desktop is None and not present):
            return
        person.desktop = present
        if not present:
            person.desktop_gone_at = self.now
        self.say("desktop", person.login, present)

    def dial_cancelled(self, visit: Visit, person: Person, why: str) -> None:
        """The agent went away while the person was being dialled: the attempt is over, and nobody is dialled twice."""
        raise NotImplementedError

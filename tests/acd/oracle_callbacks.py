"""Promises to call back, in the oracle: when they fall due, what becomes of an attempt, and how they end."""

from dataclasses import replace
from math import inf

from changgu.acd import events as e
from tests.acd.oracle_pages import Person, Promise, Visit, are_one, end_of_hours, into_hours
from tests.acd.oracle_people import People


class Callbacks(People):
    def hours(self, queue: str, at: float) -> float:
        rules = self.queue_settings(queue).callbacks
        site = self.floor.rules
        return into_hours(at, rules.opens, rules.closes, site.zone, frozenset() if rules.on_holidays else site.holidays)

    def is_too_late(self, visit: Visit) -> bool:
        waits = visit.state == "waiting" and visit.nobody_on_the_line
        return waits and self.hours(visit.queue, self.now) > self.now

    def promises_to(self, whom: Visit | Promise) -> list[Promise]:
        return [promise for promise in self.promises.values() if are_one(promise, whom)]

    def asked_for_callback(self, event: e.CallbackAsked) -> None:
        wish = Promise(event.callback, event.number, event.queue, 0.0, 0.0, 0, frozenset(), whose=event.person)
        if self.promises_to(wish) or event.callback in self.promises or not self.knows(event.queue):
            return
        theirs = [visit for visit in self.visits.values() if are_one(visit, wish)]
        heard = [visit.call for visit in theirs if visit.state in ("talking", "held")]
        dialled = any(visit.outbound and visit.call not in heard for visit in theirs)
        if dialled or any(visit.callback == event.callback for visit in self.visits.values()):
            return
        asked_from: str | None = event.call
        if asked_from is None and event.by in self.people:
            asked_from = next((call for call in heard if self.visits[call].agent == event.by), None)
        visit = self.visits.get(event.call or "")
        priority, skills = event.priority, event.skills
        placed = self.now if event.since is None else min(self.now, event.since)
        if visit is not None and visit.queue and visit.state not in ("talking", "held"):
            placed = min(placed, visit.placed)
            priority, skills = priority or visit.priority, skills or visit.asked
        let_be = max((over_at + 120 for visit, over_at in self.let_go if are_one(visit, wish)), default=0.0)
        due = self.hours(event.queue, max(self.now, event.not_before or 0.0, let_be))
        promise = replace(wish, due=due, placed=placed, priority=priority, skills=skills, asked_from=asked_from)
        self.promises[event.callback] = promise
        place = (round(placed, 6), priority, skills)
        self.say("booked", event.callback, event.number, event.queue, round(due, 6), *place, asked_from)
        if self.due_of_promise(promise) <= self.now:
            self.attempt(promise)

    def callback_cancelled(self, event: e.CallbackCancelled) -> None:
        promise = self.promises.get(event.callback)
        if promise is not None:
            self.close(promise, "cancelled", event.by)

    def take_the_promised_place(self, visit: Visit, promise: Promise) -> None:
        """They called again themselves: the better of both places, bounded by the advantage of the queue wanted."""
        advantage = self.queue_settings(visit.came_to).callbacks.advantage.total_seconds()
        visit.placed = min(visit.placed, max(promise.placed, self.now - advantage))
        visit.priority = max(visit.priority, promise.priority)
        visit.brought = (visit.priority, *visit.brought[1:])

    def on_the_line_themselves(self, caller: Visit) -> None:
        """Nobody is dialled any more for a promise to them: it is as due as it was, once they have left."""
        for promise in self.promises_to(caller):
            visit = self.visits.get(promise.call or "")
            if visit is not None and visit.dialled_at is None:
                promise.call = None
                self.withdraw(visit)
                self.put_off(promise, promise.due)

    def close(self, promise: Promise, how: str, by: str | None) -> None:
        del self.promises[promise.callback]
        self.say("closed", promise.callback, how, by)
        visit = self.visits.get(promise.call or "")
        if visit is not None and visit.dialled_at is None:
            self.withdraw(visit)

    def withdraw(self, visit: Visit) -> None:
        """An attempt in which nobody has been dialled yet."""
        for login in list(visit.ringing) + ([visit.agent] if visit.agent else []):
            person = self.people[login]
            turn = person.idle_since
            self.offer_ends(person, "caller_left")
            self.as_wished(person, turn=turn)
        self.end(visit, "not_reached", "desk")

    # When something is due

    def concerns(self, promise: Promise, visit: Visit) -> bool:
        """Whether they are on the line in this visit, or asked for the promise in it."""
        return are_one(visit, promise) or visit.call == promise.asked_from

    def heard_out(self, visit: Visit) -> None:
        """They have been spoken to: nobody is dialled within two minutes of that, whenever it was promised."""
        self.let_go.append((visit, self.now))
        for promise in self.promises.values():
            if promise.call is None and self.concerns(promise, visit):
                promise.due = max(promise.due, self.now + 120)

    def due_of_promise(self, promise: Promise) -> float:
        visit = self.visits.get(promise.call or "")
        if visit is None:
            return inf if any(self.concerns(promise, other) for other in self.visits.values()) else promise.due
        rules = self.queue_settings(promise.queue).callbacks
        if visit.state == "waiting" and not visit.reached:
            return end_of_hours(visit.entered, rules.closes, self.floor.rules.zone)
        return inf

    def promise_is_due(self, promise: Promise) -> None:
        visit = self.visits.get(promise.call or "")
        if visit is None and not self.knows(promise.queue):
            self.give_up(promise, "no_such_queue")
        elif visit is None:
            due = self.hours(promise.queue, self.now)
            if due > self.now:
                self.put_off(promise, due)
            else:
                self.attempt(promise)
        else:
            self.end(visit, "not_reached", "desk", "hours")

    def give_up(self, promise: Promise, by: str | None) -> None:
        del self.promises[promise.callback]
        self.say("closed", promise.callback, "given_up", by)

    def put_off(self, promise: Promise, due: float) -> None:
        promise.due = due
        self.say("attempted", promise.callback, promise.attempts, round(due, 6))

    def attempt(self, promise: Promise) -> None:
        promise.started += 1
        while (call := f"{promise.callback}-{promise.started}") in self.over:
            promise.started += 1
        advantage = self.queue_settings(promise.queue).callbacks.advantage.total_seconds()
        self.queued += 1
        visit = Visit(call, promise.number, promise.callback, "waiting", promise.whose)
        visit.queue, visit.priority, visit.seq = promise.queue, promise.priority, self.queued
        visit.placed, visit.entered = max(promise.placed, promise.due - advantage), self.now
        visit.asked = visit.needs = promise.skills
        promise.call = visit.call
        self.visits[visit.call] = visit
        self.say("queued", visit.call, visit.queue, visit.priority, round(visit.placed, 6), round(visit.entered, 6))
        self.take_steps(visit, self.now)

    # What becomes of it

    def person_reached(self, call: str) -> None:
        visit = self.visits.get(call)
        if visit is None or visit.dialled_at is None or visit.reached:
            return
        visit.reached = True
        if visit.state == "offered":
            for login in visit.ringing:
                self.people[login].rings_since = self.now
                self.say("ring", login, call, True)
        elif visit.state == "connecting":
            visit.connecting_since = self.now
            self.say("connect", call)

    def dial_failed(self, call: str) -> None:
        visit = self.visits.get(call)
        if visit is not None and visit.dialling:
            self.not_reached(visit)

    def not_reached(self, visit: Visit) -> None:
        for login in list(visit.ringing):
            person = self.people[login]
            turn = person.idle_since
            self.offer_ends(person, "not_reached")
            self.as_wished(person, turn=turn)
        if visit.agent is not None:
            person = self.people[visit.agent]
            self.offer_ends(person, "connect_failed")
            self.as_wished(person)
        self.end(visit, "not_reached", "caller")

    def dial_cancelled(self, visit: Visit, person: Person, why: str) -> None:
        self.offer_ends(person, why)
        if why == "withdrawn":
            self.as_wished(person)
        else:
            person.misses += 1
            if person.wish is None and person.misses >= self.queue_settings(person.queue).misses_before_not_ready:
                self.rest(person, "not_ready", "no_answer")
            else:
                self.as_wished(person)
        self.end(visit, "not_reached", "desk")

    def kept(self, visit: Visit) -> None:
        """They speak with each other."""
        promise = self.promises.pop(visit.callback or "", None)
        if promise is not None:
            self.say("closed", promise.callback, "kept", None)

    def attempt_over(self, visit: Visit, reason: str) -> None:
        """The next attempt, or given up; an attempt in which nobody was dialled does not count."""
        promise = self.promises.get(visit.callback or "")
        if promise is None or promise.call != visit.call:
            return
        promise.call = None
        if reason == "no_such_queue":
            self.give_up(promise, "no_such_queue")
            return
        rules = self.queue_settings(promise.queue).callbacks
        promise.attempts += visit.dialled_at is not None
        wait = 0.0 if reason == "hours" else rules.retry_after.total_seconds()
        if promise.attempts >= rules.attempts:
            self.give_up(promise, None)
        else:
            self.put_off(promise, self.hours(promise.queue, self.now + wait))

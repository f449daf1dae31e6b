"""Promises to call back, in the oracle: when they fall due, what becomes of an attempt, and how they end."""

from math import inf

from changgu.acd import events as e
from tests.acd.oracle_pages import Person, Promise, Visit, end_of_hours, into_hours
from tests.acd.oracle_people import People


class Callbacks(People):
    def hours(self, queue: str, at: float) -> float:
        rules = self.queue_settings(queue).callbacks
        return into_hours(at, rules.opens, rules.closes, self.floor.rules.zone)

    def promise_to(self, number: str | None) -> Promise | None:
        return next((promise for promise in self.promises.values() if promise.number == number), None)

    def asked_for_callback(self, event: e.CallbackAsked) -> None:
        if self.promise_to(event.number) or event.callback in self.promises or not self.knows(event.queue):
            return
        if any(visit.outbound and visit.number == event.number for visit in self.visits.values()):
            return
        placed = self.now if event.since is None else min(self.now, event.since)
        visit = self.visits.get(event.call or "")
        if visit is not None and visit.queue:
            placed = min(placed, visit.placed)
        due = self.hours(event.queue, max(self.now, event.not_before or 0.0))
        promise = Promise(event.callback, event.number, event.queue, due, placed, event.priority, event.skills)
        self.promises[event.callback] = promise
        self.say("booked", event.callback, event.number, event.queue, round(due, 6), round(placed, 6))
        if due <= self.now:
            self.attempt(promise)

    def callback_cancelled(self, event: e.CallbackCancelled) -> None:
        promise = self.promises.get(event.callback)
        if promise is not None:
            self.close(promise, "cancelled", event.by)

    def called_in(self, visit: Visit) -> None:
        """They called again themselves: the better of both places."""
        promise = self.promise_to(visit.number) if visit.number is not None else None
        if promise is not None:
            visit.placed = min(visit.placed, promise.placed)
            visit.priority = max(visit.priority, promise.priority)
            self.close(promise, "called_in", None)

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

    def due_of_promise(self, promise: Promise) -> float:
        visit = self.visits.get(promise.call or "")
        if visit is None:
            return promise.due
        rules = self.queue_settings(promise.queue).callbacks
        if visit.state == "waiting" and not visit.reached:
            return end_of_hours(visit.entered, rules.closes, self.floor.rules.zone)
        return inf

    def promise_is_due(self, promise: Promise) -> None:
        visit = self.visits.get(promise.call or "")
        if visit is None:
            due = self.hours(promise.queue, self.now)
            if due > self.now:
                self.put_off(promise, due)
            else:
                self.attempt(promise)
        else:
            promise.call = None
            self.end(visit, "not_reached", "desk")
            self.put_off(promise, self.hours(promise.queue, self.now))

    def put_off(self, promise: Promise, due: float) -> None:
        promise.due = due
        self.say("attempted", promise.callback, promise.attempts, round(due, 6))

    def attempt(self, promise: Promise) -> None:
        promise.started += 1
        advantage = self.queue_settings(promise.queue).callbacks.advantage.total_seconds()
        self.queued += 1
        visit = Visit(f"{promise.callback}-{promise.started}", promise.number, promise.callback, "waiting")
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
                self.say("ring", login, call, False)
        elif visit.state == "connecting":
            visit.connecting_since = self.now
            self.say("connect", call)

    def dial_failed(self, call: str) -> None:
        visit = self.visits.get(call)
        if visit is not None and visit.dialled_at is not None and not visit.reached:
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

    def attempt_over(self, visit: Visit) -> None:
        """The next attempt, or given up; an attempt in which nobody was dialled does not count."""
        promise = self.promises.get(visit.callback or "")
        if promise is None or promise.call != visit.call:
            return
        promise.call = None
        rules = self.queue_settings(promise.queue).callbacks
        if visit.dialled_at is None:
            self.put_off(promise, self.hours(promise.queue, self.now + rules.retry_after.total_seconds()))
            return
        promise.attempts += 1
        if promise.attempts >= rules.attempts:
            del self.promises[promise.callback]
            self.say("closed", promise.callback, "given_up", None)
        else:
            self.put_off(promise, self.hours(promise.queue, self.now + rules.retry_after.total_seconds()))

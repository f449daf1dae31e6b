"""The rules about promises to call people back, each with its name; `invariants` asks them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from changgu.acd.call_state import SPOKEN
from changgu.acd.callbacks import AFTER_TALK, known_by
from changgu.acd.commands import DialPerson
from changgu.acd.facts import CallbackBooked, CallbackClosed, CallbackEnd
from changgu.acd.identity import Instant, QueueName
from changgu.acd.invariants_books import Step, insist

if TYPE_CHECKING:
    from changgu.acd.invariants import Watch

AFTER = AFTER_TALK.total_seconds()


def insist_on_hours(watch: Watch, queue: QueueName | None, now: Instant, about: object) -> None:
    """Nobody is dialled too early or too late in the day."""
    rules = watch.books.queue(queue).callbacks
    there = datetime.fromtimestamp(now, ZoneInfo(watch.floor.rules.zone))
    insist(rules.opens <= there.time() < rules.closes, "nobody is called back outside the hours", (about, there))
    quiet = there.date() in watch.floor.rules.holidays and not rules.on_holidays
    insist(not quiet, "nobody is called back on a holiday", (about, there))


def a_promise_is_one_persons(watch: Watch, fact: CallbackBooked, now: Instant) -> None:
    """One open promise per person, or number of whom nobody knows; due within the hours."""
    books = watch.books
    them = known_by(fact.number, fact.person)
    taken = any(not promise.whose.isdisjoint(them) for promise in books.promises.values())
    insist(not taken and fact.callback not in books.promises, "one open promise per person", fact)
    insist(fact.placed_at <= now <= fact.due_at, "a promise is for later", fact)


def a_promise_is_settled_once(watch: Watch, fact: CallbackClosed, now: Instant) -> None:
    """One end per promise, and KEPT only when they have spoken."""
    books = watch.books
    insist(fact.callback in books.promises, "one end per promise", fact)
    if fact.end is CallbackEnd.KEPT:
        spoke = any(page.callback == fact.callback and page.state in SPOKEN for page in books.calls.values())
        insist(spoke, "kept is spoken", fact)
    if fact.end is CallbackEnd.CALLED_IN:
        them = books.promises[fact.callback].whose
        came = any(not page.outbound and page.whose & them for page in books.waiting.values())
        insist(came, "called in is come to wait", fact)
    if fact.end is CallbackEnd.GIVEN_UP and fact.by == "no_such_queue":
        insist(books.promises[fact.callback].queue not in books.queues, "given up with its queue", fact)
    elif fact.end is CallbackEnd.GIVEN_UP:
        promise = books.promises[fact.callback]
        allowed = books.queue(promise.queue).callbacks.attempts
        insist(promise.attempts + 1 >= allowed, "not given up too early", (fact, promise))


def nobody_is_dialled_twice(watch: Watch, command: DialPerson, now: Instant) -> None:
    """Row 25: an attempt dials once, for an agent who is held for it."""
    page = watch.books.calls.get(command.call)
    insist(page is not None and page.outbound and page.dials == 0, "never two dials at once", command)
    assert page is not None
    insist(page.offers or page.winner, "a dial has its agent", (command, page))
    others = [one for one in watch.books.calls.values() if one is not page and one.whose & page.whose]
    insist(not others, "nobody is dialled while they are on the line", (command, others))
    let_go = max((at for key in page.whose if (at := watch.books.spoken_to.get(key)) is not None), default=None)
    insist(let_go is None or now >= let_go + AFTER, "nobody is dialled so soon after a conversation", (command, let_go))
    insist_on_hours(watch, page.queue, now, command)


def callbacks_are_bounded(watch: Watch, step: Step) -> None:
    """Rows 25 and 26: never more dials in flight than agents held for them, and one call at a time for each person."""
    books = watch.books
    if not books.outbound:
        return
    keys = Counter(key for page in books.outbound.values() if page.state not in SPOKEN for key in page.whose)
    insist(max(keys.values(), default=0) <= 1, "one attempt at a time for each person", keys)
    for page in books.outbound.values():
        if page.dialling:
            insist(page.offers or page.winner, "no dial without an agent", page)

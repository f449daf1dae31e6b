"""The rules about phones that ring together, each with its name; `invariants` asks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from changgu.acd.facts import CallOffered
from changgu.acd.identity import AgentId, CallId, Instant
from changgu.acd.invariants_books import Books, CallerPage, Step, insist

if TYPE_CHECKING:
    from changgu.acd.invariants import Watch


def nobody_rings_beside_whom_they_come_after(watch: Watch, fact: CallOffered, now: Instant) -> None:
    """Whoever rings along stands no lower than anybody who rings: not missed yet, directly, by level."""
    books = watch.books
    page = books.calls.get(fact.call)
    if page is None or not page.offers or not books.ring_together(page):
        return
    theirs = books.standing(fact.agent, page)
    for login in page.offers.values():
        if books.has_seat(login, page):
            before = books.standing(login, page)
            insist(theirs <= before, "nobody rings beside whom they come after", (fact, theirs, login, before))


def everybody_rings_who_may(watch: Watch, step: Step) -> None:
    """Who could take a ring-all caller and is in 대기 has let them ring, or comes after somebody who rings.

    Where nobody rang before, also those who have let them ring come after somebody who rings now.
    """
    books = watch.books
    if not books.ready:
        return
    begun = _begun(books, step)
    for page in books.ringing.values():
        if not books.ring_together(page):
            continue
        for login in books.ready:
            if login in page.missed_by and page.call not in begun:
                continue
            left_out = books.can_serve(login, page) and not _comes_after(books, login, page)
            insist(not left_out, "everybody rings who may", (login, page))


def who_rings_along_is_let_in(watch: Watch, step: Step) -> None:
    """Whose phones begin to ring together stand alike.

    Nobody rings along who has let the caller ring, nor while a better placed caller would let them in.
    """
    books = watch.books
    begun = _begun(books, step)
    alike: dict[CallId, tuple[bool, bool, int]] = {}
    for offer in step.offers:
        page = books.calls[offer.call]
        theirs = books.standing(offer.agent, page)
        insist(alike.setdefault(page.call, theirs) == theirs, "one level at a time", (offer, theirs, alike))
        if page.call in begun or not page.offers:
            continue
        insist(offer.agent not in page.missed_by, "who has let it ring is not let in again", (offer, page))
        for other in books.ringing.values():
            if books.place(other) < books.place(page) and books.ring_together(other):
                passed = offer.agent not in other.missed_by and books.can_serve(offer.agent, other)
                passed = passed and not _comes_after(books, offer.agent, other)
                insist(not passed, "the better placed caller's phones ring first", (offer, page, other))


def every_step_has_its_deadline(watch: Watch, step: Step) -> None:
    """Also while everybody's phones ring a step that is to come is noticed, as for those who wait."""
    books, deadline = watch.books, watch.engine.next_deadline()
    for page in watch.callers():
        if page.call in books.waiting or (page.call in books.ringing and books.ring_together(page)):
            for length in books.steps_to_come(page):
                due = page.entered_at + length
                insist(deadline is not None and deadline <= due + 1e-6, "every step has its deadline", (page, due))


def _begun(books: Books, step: Step) -> frozenset[CallId]:
    """The calls for which nobody rang before this step."""
    made = {offer.offer for offer in step.offers}
    return frozenset(offer.call for offer in step.offers if made.issuperset(books.calls[offer.call].offers))


def _comes_after(books: Books, login: AgentId, page: CallerPage) -> bool:
    """Whether somebody rings who stands before an agent, and so keeps them out."""
    theirs = books.standing(login, page)
    return any(books.has_seat(one, page) and books.standing(one, page) < theirs for one in page.offers.values())

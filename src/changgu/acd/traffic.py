"""What came from outside on a recorded day: callers with their patience, conversations, and people at their desks.

None of it depends on how calls were distributed, or only as little as can be: that is what makes it possible to ask
what another set of rules would have done with the same day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from changgu.acd.agent_words import CHOSEN_REASONS, AgentState, NotReadyReason
from changgu.acd.events import (
    AgentForced,
    AgentNotReady,
    AgentReady,
    AgentSignedIn,
    AgentSignedOut,
    CallArrived,
    CallbackAsked,
    DeskClosed,
    DesktopGone,
    DesktopSeen,
    Event,
    PhoneReachable,
    PhoneUnreachable,
)
from changgu.acd.facts import (
    GAVE_UP,
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallStarted,
    Departure,
    Direction,
    OfferEnd,
    OfferEnded,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.records import AgentView, CallView

COMES_BACK = 60.0
"""Seconds after which somebody who let the phone ring too often is taken to be back, where the day shows none."""


@dataclass(slots=True)
class Visit:
    """One caller who came to a queue. What the day did not show is None: it is drawn."""

    call: CallId
    at: Instant
    arrived: CallArrived
    caller: str | None = None
    dialled: str = ""
    waited: float = 0.0
    """Seconds in the queues, as far as was seen."""
    gave_up: bool = False
    """Whether their patience was used up then; otherwise it would have lasted longer."""
    key: str | None = None
    """The key by which they left."""
    talk: float | None = None
    """Seconds of conversation."""
    wrap_up: float | None = None
    """Seconds of wrap-up that the agent ended early; None when it ran its time."""
    reaction: float | None = None
    """Seconds until the phone was picked up."""
    rang: float = 0.0
    """Seconds for which a phone rang until the caller gave up: it would have been picked up later than that."""
    person: str = ""
    """Whose number the caller's certainly is; empty: not known."""


@dataclass(slots=True)
class Traffic:
    """One day, or a part of it."""

    since: Instant
    until: Instant
    visits: list[Visit] = field(default_factory=list)
    """In order of their coming."""
    presence: list[tuple[Instant, Event]] = field(default_factory=list)
    rings: int = 0
    missed: int = 0
    """Rings that nobody picked up until the limit."""
    comebacks: list[float] = field(default_factory=list)
    """Seconds for which people who had let the phone ring too often were away, as far as they came back."""
    closed_at: Instant | None = None
    """When the desk closed for good and ended the calls that were there; None when the recording ends before."""

    @property
    def miss_share(self) -> float:
        """Share of rings that are not picked up."""
        return self.missed / self.rings if self.rings else 0.0

    @property
    def comes_back_after(self) -> float:
        """Seconds for which people are away after they have let the phone ring too often."""
        return median(self.comebacks) if self.comebacks else COMES_BACK


def drawn(seed: int, *what: object) -> float:
    """A number from 0 up to 1 that depends on the seed and on what it is for, alone."""
    digest = hashlib.blake2b(repr((seed, *what)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2.0**64


def at_the_beginning(
    since: Instant, agents: Iterable[AgentView], calls: Iterable[CallView]
) -> tuple[list[tuple[Instant, Event]], list[Visit]]:
    """Who sits at their desks, and who waits, when the recording begins. Agents with a call count as ready."""
    presence: list[tuple[Instant, Event]] = []
    for view in agents:
        if view.phone_reachable:
            presence.append((since, PhoneReachable(view.login)))
        if view.desktop:
            presence.append((since, DesktopSeen(view.login)))
        match view.state:
            case AgentState.LOGGED_OUT:
                pass
            case AgentState.NOT_READY:
                presence.append((since, AgentSignedIn(view.login)))
                if view.reason is not None and view.reason in CHOSEN_REASONS:
                    presence.append((since, AgentNotReady(view.login, view.reason)))
            case _:
                presence.append((since, AgentReady(view.login)))
    waiting = [
        Visit(
            call.call, since,
            CallArrived(call.call, call.queue, call.priority, call.skills, agent=call.wants, since=call.placed_at),
            call.caller, call.dialled, 0.0,
        )
        for call in calls
        if call.queue is not None and call.callback is None and call.answered_at is None and call.diverted is None
    ]  # fmt: skip
    return presence, waiting


class Recording:
    """Reads the traffic from the ledger, fact by fact."""

    def __init__(
        self, since: Instant, until: Instant, agents: Iterable[AgentView] = (), calls: Iterable[CallView] = ()
    ) -> None:
        presence, waiting = at_the_beginning(since, agents, calls)
        self.traffic = Traffic(since, until, waiting, presence)
        self._visits: dict[CallId, Visit] = {visit.call: visit for visit in waiting}
        self._ended_or_served: set[CallId] = set()
        self._started: dict[CallId, CallStarted] = {}
        self._offered: dict[OfferId, Instant] = {}
        self._connected: dict[CallId, Instant] = {}
        self._wrapping: dict[AgentId, tuple[CallId | None, Instant]] = {}
        self._let_ring: dict[AgentId, Instant] = {}

    def hear(self, entry: Recorded) -> None:
        """One more fact."""
        cause, at = entry.because, entry.at
        outside = _from_outside(entry)
        if outside is not None and not self._comes_back(entry):
            self.traffic.presence.append((at, outside))
        elif isinstance(cause, DeskClosed):
            self.traffic.closed_at = at
        elif isinstance(cause, CallArrived) and cause.call not in self._visits:
            self._came(cause, at)
        match entry.fact:
            case CallStarted(direction=Direction.INBOUND) as started:
                self._started[started.call] = started
            case CallOffered() as offered:
                self._offered[offered.offer] = at
                self.traffic.rings += 1
            case OfferEnded(why=OfferEnd.NO_ANSWER):
                self.traffic.missed += 1
            case OfferEnded(why=OfferEnd.CALLER_LEFT) as left:
                visit = self._visits.get(left.call)
                if visit is not None and left.offer in self._offered:
                    visit.rang = at - self._offered[left.offer]
            case CallAnswered() as answered:
                visit = self._visits.get(answered.call)
                if visit is not None and visit.reaction is None and answered.offer in self._offered:
                    visit.reaction = at - self._offered[answered.offer]
            case CallConnected() as connected:
                self._saw_waiting(connected.call, at)
                self._connected.setdefault(connected.call, at)
            case CallOverflowed(why=Departure.KEY) as departed:
                visit = self._visits.get(departed.call)
                if visit is not None and not visit.gave_up:
                    self._saw_waiting(departed.call, at)
                    visit.gave_up, visit.key = True, departed.key
            case CallEnded() as ended:
                self._ended(ended, at)
            case AgentStateChanged() as change:
                self._wrap_up(change, at, entry)
                self._let_ring.pop(change.agent, None)
                if change.reason is NotReadyReason.NO_ANSWER:
                    self._let_ring[change.agent] = at

    def finish(self) -> Traffic:
        """The traffic, when its `until` is known and nothing more comes: who waits still has waited until then."""
        until = self.traffic.until
        for visit in self.traffic.visits:
            if visit.call not in self._ended_or_served:
                visit.waited = max(0.0, until - visit.at)
        return self.traffic

    def _comes_back(self, entry: Recorded) -> bool:
        """Whether somebody who let the phone ring too often is back: it follows from how calls were distributed."""
        fact = entry.fact
        if (
            not isinstance(entry.because, AgentReady | AgentForced)
            or not isinstance(fact, AgentStateChanged)
            or fact.after is not AgentState.READY
            or fact.agent not in self._let_ring
        ):
            return False
        self.traffic.comebacks.append(entry.at - self._let_ring[fact.agent])
        return True

    def _came(self, cause: CallArrived, at: Instant) -> None:
        self.traffic.closed_at = None  # calls are taken again
        started = self._started.pop(cause.call, None)
        visit = self._visits[cause.call] = Visit(cause.call, at, cause)
        if started is not None:
            visit.caller, visit.dialled, visit.person = started.caller, started.dialled, started.person
        self.traffic.visits.append(visit)

    def _saw_waiting(self, call: CallId, at: Instant) -> None:
        visit = self._visits.get(call)
        self._ended_or_served.add(call)
        if visit is not None and call not in self._connected and not visit.gave_up:
            visit.waited = max(0.0, at - visit.at)

    def _ended(self, ended: CallEnded, at: Instant) -> None:
        visit = self._visits.get(ended.call)
        connected = self._connected.pop(ended.call, None)
        self._started.pop(ended.call, None)
        self._ended_or_served.add(ended.call)
        if visit is None:
            return
        if connected is not None:
            visit.talk = at - connected
        elif not visit.gave_up:
            visit.waited = max(0.0, at - visit.at)
            visit.gave_up = ended.outcome in GAVE_UP

    def _wrap_up(self, change: AgentStateChanged, at: Instant, entry: Recorded) -> None:
        begun = self._wrapping.pop(change.agent, None)
        if change.after is AgentState.WRAP_UP:
            self._wrapping[change.agent] = (change.call, at)
        elif begun is not None and isinstance(entry.because, AgentReady):
            visit = self._visits.get(begun[0]) if begun[0] is not None else None
            if visit is not None:
                visit.wrap_up = at - begun[1]


def _from_outside(entry: Recorded) -> Event | None:
    """What somebody at a desk, or a program, did of their own accord."""
    match entry.because:
        case CallbackAsked(call=None) as asked:
            return asked
        case (
            AgentReady()
            | AgentNotReady()
            | AgentSignedIn()
            | AgentSignedOut()
            | AgentForced()
            | PhoneReachable()
            | PhoneUnreachable()
            | DesktopSeen()
            | DesktopGone()
        ) as done if not _ends_wrap_up(entry):
            return done
    return None


def _ends_wrap_up(entry: Recorded) -> bool:
    fact = entry.fact
    return (
        isinstance(entry.because, AgentReady)
        and isinstance(fact, AgentStateChanged)
        and fact.before is AgentState.WRAP_UP
    )


def by_queue(visits: Sequence[Visit]) -> Mapping[QueueName, list[Visit]]:
    """The callers of each queue."""
    found: dict[QueueName, list[Visit]] = {}
    for visit in visits:
        found.setdefault(visit.arrived.queue, []).append(visit)
    return found

"""How much is solved on first contact, by agent and skill: so that agents who are moved keep the rate up (WL-06)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from changgu.acd.identity import CallId
from changgu.ticketing.ticket import Kind, TicketState, is_settled

WINDOW = timedelta(days=7)
"""Whoever comes again with the same within this was not helped on first contact."""
CASES = frozenset({Kind.INQUIRY, Kind.INCIDENT, Kind.SERVICE_REQUEST})
"""문의, 장애, 요청: what is counted. A complaint is about a case, and is none."""
NOBODY = ""
"""In place of an agent: no agent took the case in (voice mail, fax). In place of a skill: none was asked for."""


@dataclass(frozen=True, slots=True)
class Case:
    """One ticket with what tells whether its first contact was enough."""

    running: int
    opened_at: datetime
    kind: Kind
    type_code: str | None
    state: TicketState
    person: int | None
    agent: str
    """Who spoke with the requester when it was opened; `NOBODY` for a machine."""
    call: CallId | None
    """The call that opened it."""
    assigned: bool = False
    """It has ever been with a group (배정)."""
    taken_up_again: bool = False
    """It was resolved, and then was not (재개)."""
    came_again: tuple[datetime, ...] = ()
    """Further calls about it, and tickets that follow it."""

    @property
    def category(self) -> tuple[Kind, str | None]:
        """What counts as the same matter when somebody calls again."""
        return self.kind, self.type_code


@dataclass(slots=True)
class Rates:
    """Cases counted. A rate is None where nothing can be said."""

    cases: int = 0
    undecided: int = 0
    """Of these, still at the desk: neither solved nor handed over."""
    solved_at_desk: int = 0
    """Solved without 배정."""
    judged: int = 0
    """Opened a week ago or longer, by a person who is known: whether they came again can be told."""
    first_contact: int = 0
    """Of the judged, solved without 배정 and 재개, and nobody came again."""

    @property
    def desk_rate(self) -> float | None:
        """1차 해결률, 0 to 1: solved without 배정 ÷ all cases (`docs/numbers.md`)."""
        return self.solved_at_desk / self.cases if self.cases else None

    @property
    def first_contact_rate(self) -> float | None:
        """FCR, 0 to 1: solved for good on first contact ÷ those of which it can be told."""
        return self.first_contact / self.judged if self.judged else None

    def count(self, case: Case, judged: bool, came_again: bool) -> None:
        """Count one more case."""
        settled = is_settled(case.state)
        at_desk = settled and not case.assigned
        self.cases += 1
        self.undecided += not settled and not case.assigned
        self.solved_at_desk += at_desk
        self.judged += judged
        self.first_contact += judged and at_desk and not case.taken_up_again and not came_again


@dataclass(frozen=True, slots=True)
class FirstContact:
    """The figures of a time. A case that asked for two skills stands under both; every total counts it once."""

    total: Rates
    by_skill: Mapping[str, Rates]
    by_agent: Mapping[str, Rates]
    by_agent_and_skill: Mapping[tuple[str, str], Rates]


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody came with something: enough to tell whether they came again."""

    running: int
    person: int
    category: tuple[Kind, str | None]
    at: datetime


@dataclass(slots=True)
class _Counts:
    total: Rates = field(default_factory=Rates)
    skills: defaultdict[str, Rates] = field(default_factory=lambda: defaultdict(Rates))
    agents: defaultdict[str, Rates] = field(default_factory=lambda: defaultdict(Rates))
    both: defaultdict[tuple[str, str], Rates] = field(default_factory=lambda: defaultdict(Rates))


def first_contact(
    cases: Iterable[Case], visits: Sequence[Visit], needs: Mapping[CallId, frozenset[str]], now: datetime
) -> FirstContact:
    """The figures of these cases.

    `visits` are all of the time and of a week beyond it; `needs` the names of the skills each call asked for.
    """
    by_matter: defaultdict[tuple[int, tuple[Kind, str | None]], list[Visit]] = defaultdict(list)
    for visit in visits:
        by_matter[visit.person, visit.category].append(visit)
    counts = _Counts()
    for case in cases:
        judged = case.person is not None and case.opened_at + WINDOW <= now
        again = any(within(case, at) for at in case.came_again)
        if case.person is not None and not again:
            others = by_matter[case.person, case.category]
            again = any(within(case, visit.at) for visit in others if visit.running > case.running)
        skills = (needs.get(case.call) if case.call is not None else None) or {NOBODY}
        for rates in (
            counts.total,
            counts.agents[case.agent],
            *(counts.skills[skill] for skill in skills),
            *(counts.both[case.agent, skill] for skill in skills),
        ):
            rates.count(case, judged, again)
    return FirstContact(counts.total, dict(counts.skills), dict(counts.agents), dict(counts.both))


def within(case: Case, at: datetime) -> bool:
    """Whether this came so soon after the case that it counts as coming again."""
    return case.opened_at <= at < case.opened_at + WINDOW

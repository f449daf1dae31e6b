"""Tells how much is solved on first contact, by agent and skill (WL-06)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from changgu.acd.identity import CallId
from changgu.acd.queues import Floor
from changgu.acd.skills import levels
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput
from changgu.ticketing.first_contact import store
from changgu.ticketing.first_contact.rates import FirstContact, Rates, first_contact

USUAL = timedelta(days=30)
LONGEST = timedelta(days=366)


class Needs(Protocol):
    """Knows calls; `acd.store.CallStore`."""

    async def skills_asked(self, calls: Collection[CallId]) -> Mapping[CallId, frozenset[str]]:
        """The names of the skills that each call asked for when it came to its first queue."""
        ...


class People(Protocol):
    """Knows who is who; `directory.service.Directory`."""

    async def merged(self) -> Mapping[int, int]:
        """Ids of records that were merged into another → the id that holds now."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """The figures of one agent with one skill, or of all of them."""

    agent: str | None
    """A login; `rates.NOBODY` where no agent took the case in; None: all."""
    name: str
    skill: str | None
    """`rates.NOBODY` where none was asked for; None: all."""
    level: int | None
    """The agent's own level in this skill now; None when they are not known to have it, or for a total."""
    rates: Rates


@dataclass(frozen=True, slots=True)
class FirstContactReport:
    """The figures of a time: lines for all agents first (all skills, then each), then agent by agent."""

    since: datetime
    until: datetime
    unclassified: int
    """Tickets of the time that are in no figure, for nobody has classified them."""
    lines: tuple[Line, ...]


class FirstContacts:
    """Reads tickets and calls; `floor` says who has which skill now."""

    def __init__(
        self, database: Database, needs: Needs, people: People, floor: Callable[[], Floor],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._database = database
        self._needs = needs
        self._people = people
        self._floor = floor
        self._now = now

    async def report(self, since: datetime | None = None, until: datetime | None = None) -> FirstContactReport:
        """The figures of the cases opened from `since` until `until`; the last 30 days unless they are given.

        Raises:
            BadInput: the time is empty, or longer than 366 days.
        """
        now = self._now()
        until = until or now
        since = since or until - USUAL
        if not timedelta(0) < until - since <= LONGEST:
            raise BadInput("기간은 1년까지입니다.", "a time of up to 366 days", field="since")
        async with self._database.transaction() as session:
            cases = await store.cases(session, since, until)
            visits = await store.visits(session, since, until)
            unclassified = await store.unclassified(session, since, until)
        merged = await self._people.merged()
        cases = [replace(case, person=merged.get(case.person or 0, case.person)) for case in cases]
        visits = [replace(visit, person=merged.get(visit.person, visit.person)) for visit in visits]
        needs = await self._needs.skills_asked([case.call for case in cases if case.call is not None])
        found = first_contact(cases, visits, needs, now)
        return FirstContactReport(since, until, unclassified, tuple(self._lines(found)))

    def _lines(self, found: FirstContact) -> list[Line]:
        agents = {str(agent.login): agent for agent in self._floor().agents}
        lines = [Line(None, "", None, None, found.total)]
        lines += [Line(None, "", skill, None, found.by_skill[skill]) for skill in sorted(found.by_skill)]
        names = {login: agents[login].name if login in agents else login for login in found.by_agent}
        for login in sorted(found.by_agent, key=lambda one: (names[one], one)):
            has = levels(agents[login].skills) if login in agents else {}
            lines.append(Line(login, names[login], None, None, found.by_agent[login]))
            lines += [
                Line(login, names[login], skill, has.get(skill), rates)
                for (whose, skill), rates in sorted(found.by_agent_and_skill.items())
                if whose == login
            ]
        return lines

"""Which version of a menu tree is on the air when, who put it there, and what comes next.

A *version* is a tree with all that it needs, once fit for callers; it never changes. A *publication* says from when
on a version answers, so that rolling back is one more publication of an older version, and a schedule is one that lies
ahead. The version in force is that of the newest publication whose time has come and that nobody withdrew before that
time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from msgspec import Struct, field

from changgu.ground.trouble import BadInput, Conflict, NotFound
from changgu.ivr_flows.menu_set import MenuFiles, MenuSet

VersionNumber = NewType("VersionNumber", int)
"""Counts from 1 within one menu tree."""

DRAFT = VersionNumber(0)
"""What the pilot number answers with when the draft is fit to be heard."""

LONGEST_TEXT = 1_000_000
"""Characters of a menu tree."""
LONGEST_NOTE = 300
FURTHEST_AHEAD = timedelta(days=366)


class How(StrEnum):
    """What put a version on the air."""

    PUBLISHED = "published"
    ROLLED_BACK = "rolled_back"
    SCHEDULED = "scheduled"
    HOURS = "hours"
    """Only the table of hours and holidays was changed."""
    FILE = "file"
    """The site's own file, or the one that comes with changgu, was new."""


class Standing(StrEnum):
    """Where a version stands."""

    ON_AIR = "on_air"
    SCHEDULED = "scheduled"
    PAST = "past"
    """Was on the air, or was to be and was withdrawn."""


class Version(Struct, frozen=True):
    """A menu tree that was fit for callers, with all that it needs."""

    number: VersionNumber
    menu: MenuSet
    origin: str
    """Empty: written in the browser; else the file that it came from."""
    note: str
    by: str
    """Login, or the file's name."""
    at: datetime
    own: Mapping[str, str] = field(default_factory=dict)
    """Of one that came from files: how those of the site were (`MenuFiles.own_parts`)."""
    is_whole: bool = True
    """False: it was written down by an older changgu without what lies beside its tree."""


class Publication(Struct, frozen=True):
    """From when on a version answers callers."""

    id: int
    version: VersionNumber
    how: How
    effective_at: datetime
    by: str
    at: datetime
    """When it was decided."""
    note: str = ""
    withdrawn_by: str = ""
    withdrawn_at: datetime | None = None
    why_withdrawn: str = ""

    def holds(self, at: datetime) -> bool:
        """Whether its time has come; one that was withdrawn never came to hold."""
        return self.withdrawn_at is None and self.effective_at <= at


class Draft(Struct, frozen=True):
    """What supervisors are working on; one for each menu tree."""

    menu: MenuSet
    revision: int
    """Runs on with every change, so that two supervisors do not overwrite each other."""
    base: VersionNumber
    """The version it was begun from."""
    by: str
    """Who saved it last."""
    at: datetime
    is_whole: bool = True
    """False: it was written down by an older changgu without what lies beside its tree."""
    authors: tuple[str, ...] = ()
    """Logins of all who have saved it since there was nothing in it that had not been on the air."""


class History(Struct, frozen=True):
    """All versions of one menu tree and all that was decided about them, oldest first."""

    versions: Sequence[Version] = ()
    publications: Sequence[Publication] = ()

    def version(self, number: int) -> Version:
        """Raises `NotFound`."""
        for version in self.versions:
            if version.number == number:
                return version
        raise NotFound(f"{number}번 버전이 없습니다.", f"There is no version {number}.")

    def in_force(self, at: datetime) -> Publication | None:
        """What answers callers at this time; of two for the same time, the one decided last."""
        return next(iter(self.held(at)), None)

    def held(self, at: datetime) -> list[Publication]:
        """All that answered callers until this time, the last first."""
        holding = [one for one in self.publications if one.holds(at)]
        return sorted(holding, key=lambda one: (one.effective_at, one.id), reverse=True)

    def ahead(self, at: datetime) -> list[Publication]:
        """What is scheduled for later, the soonest first."""
        coming = [one for one in self.publications if one.withdrawn_at is None and one.effective_at > at]
        return sorted(coming, key=lambda one: (one.effective_at, one.id))

    def was_heard(self, number: VersionNumber, at: datetime) -> bool:
        """Whether a version is on the air or has been."""
        return any(one.version == number for one in self.held(at))

    def was_all_heard(self, menu: MenuSet, at: datetime) -> bool:
        """Whether there is nothing in a menu that has not been on the air together, its hours aside."""
        heard = {one.version for one in self.held(at)}
        return any(
            one.number in heard and replace(menu, calendars=one.menu.calendars) == one.menu for one in self.versions
        )

    def publication(self, id: int) -> Publication:
        """Raises `NotFound`."""
        for one in self.publications:
            if one.id == id:
                return one
        raise NotFound("그런 배포가 없습니다.", "There is no such publication.")

    def standing(self, number: VersionNumber, at: datetime) -> Standing:
        """Where a version stands."""
        now = self.in_force(at)
        if now is not None and now.version == number:
            return Standing.ON_AIR
        return Standing.SCHEDULED if any(one.version == number for one in self.ahead(at)) else Standing.PAST

    def last_from_a_file(self) -> Version | None:
        """The newest version that came from a file."""
        return next((one for one in reversed(self.versions) if one.origin), None)

    def brought(self, files: MenuFiles, at: datetime) -> MenuSet | None:
        """What the files are to put on the air; None while there is nothing new in them.

        What the site has changed of its own since it was last taken up goes on the air, and nothing else that
        supervisors wrote or rolled back is undone by it. What comes with changgu is news only while nothing else has
        been on the air.
        """
        now, last = self.in_force(at), self.last_from_a_file()
        if now is None or last is None:
            return files.menu
        if all(one.how is How.FILE for one in self.publications):  # nobody has decided anything here
            if files.name.startswith(SHIPPED) and any(not one.origin.startswith(SHIPPED) for one in self.versions):
                return None
            return files.menu if files.menu.like(last.menu).digest() != last.menu.digest() else None
        menu = self.version(now.version).menu
        changed = files.changed_in(menu, last.own)
        return changed if changed.digest() != menu.digest() else None

    def may_withdraw(self, id: int, at: datetime) -> Publication:
        """A publication that still lies ahead; raises `Conflict` or `NotFound`."""
        one = self.publication(id)
        if one.withdrawn_at is not None:
            raise Conflict("이미 취소된 예약입니다.", "It has been withdrawn already.")
        if one.effective_at <= at:
            raise Conflict(
                "이미 방송 중이거나 지난 배포입니다. 되돌리려면 이전 버전으로 되돌리십시오.",
                "It has come to hold already; roll back to an older version instead.",
            )
        return one

    def may_roll_back(self, number: int, at: datetime) -> Version:
        """A version that is not on the air; raises `Conflict` or `NotFound`."""
        version, now = self.version(number), self.in_force(at)
        if now is not None and now.version == version.number:
            raise Conflict("지금 쓰이는 버전입니다.", "That version is on the air.")
        return version


SHIPPED = "changgu:"
"""Begins the origin of versions that came with changgu."""


def scheduled_for(wanted: datetime | None, now: datetime) -> datetime:
    """From when on: now, or the time asked for, which must lie ahead; raises `BadInput`."""
    if wanted is None:
        return now
    if wanted <= now:
        raise BadInput("예약 시각은 지금보다 뒤여야 합니다.", "the time must lie ahead", field="at")
    if wanted > now + FURTHEST_AHEAD:
        raise BadInput("1년보다 먼 때로는 예약할 수 없습니다.", "at most a year ahead", field="at")
    return wanted

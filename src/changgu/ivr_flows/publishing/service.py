"""Puts versions of the menu on the air while calls go on: drafted, published, scheduled, rolled back, piloted."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from changgu.ground.access import Actor
from changgu.ground.text import clean_line, within
from changgu.ground.trouble import BadInput, Conflict, Forbidden, NotFound
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.loader import Report
from changgu.ivr_flows.menu_set import MenuFiles, MenuSet
from changgu.ivr_flows.problems import FlowErrors
from changgu.ivr_flows.publishing.store import FlowStore
from changgu.ivr_flows.publishing.versions import (
    DRAFT,
    LONGEST_NOTE,
    LONGEST_TEXT,
    Draft,
    History,
    How,
    Publication,
    Version,
    VersionNumber,
    scheduled_for,
)

logger = logging.getLogger(__name__)

LONGEST_SENTENCE = 2000
"""Characters of a prompt."""

LOOK_AGAIN = 30.0
"""Seconds after which a schedule is looked at again, should the clock have been set."""


class Sounds(Protocol):
    """Speaks sentences with the desk's voice."""

    async def prepare(self, flow: Flow) -> Sequence[str]:
        """Make what this menu says; the sentences of which there is no sound."""
        ...

    async def speak(self, text: str, language: str) -> bytes | None:
        """The sound of a sentence as callers hear it, as a WAV file; from then on it is ready. None: it cannot be
        spoken."""
        ...


class OnAir(Protocol):
    """The desk's set-up, of which the menu is a part."""

    async def report(self, menu: MenuSet, file: str) -> Report:
        """What is wrong with a menu on this desk, as it is now."""
        ...

    async def take_up(self) -> bool:
        """Ask `FlowVersions.wanted` and put it on the air; False when something else does not allow it, which is said
        in the log. The old one goes on then."""
        ...


@dataclass(frozen=True, slots=True)
class MenuText:
    """A menu that is to be on the air."""

    menu: MenuSet
    file: str
    """What its problems are said to be in."""
    version: VersionNumber | None
    """None: it gets its number when it is taken up."""
    wish: "Wish | None" = None
    """What is to be written down when it has been taken up."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody wants a menu on the air now."""

    menu: MenuSet
    how: How
    by: str
    note: str
    version: VersionNumber | None = None
    """An older version; None for a new one."""
    origin: str = ""
    own: Mapping[str, str] = field(default_factory=dict)
    """Of one from files: how those of the site were."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What one caller hears from the beginning of the call to its end."""

    version: VersionNumber
    flow: Flow


class FlowVersions:
    """The versions of the desk's menu: what is drafted, on the air, scheduled and past, and who did it.

    `run` must be running for schedules and the pilot number. `wanted` and `taken_up` are for whoever keeps the desk's
    set-up; everything else is for supervisors and callers.
    """

    def __init__(
        self, store: FlowStore, files: Callable[[], MenuFiles], *, flow: str = "main", pilot: str = "",
        four_eyes: bool = False, now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        """`files` reads the site's files and the shipped ones. `pilot`: the number at which the draft is heard; none
        when empty. `four_eyes`: whoever has saved the draft since it began does not put it on the air (SELF-04)."""
        self.name = flow
        self.pilot = pilot
        self.four_eyes = four_eyes
        self.history = History()
        self.draft: Draft | None = None
        self._store = store
        self._files = files
        self._now = now
        self._on_air: OnAir | None = None
        self._sounds: Sounds | None = None
        self._serving: Serving | None = None
        self._piloted: Serving | None = None
        self._coming: list[tuple[datetime, Serving]] = []
        self._calls: dict[str, Serving] = {}
        self._wish: Wish | None = None
        self._other_hours: list[tuple[str, Version]] = []
        """Versions from files that brought another table of hours than the one before, which stands beside them."""
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()

    def now(self) -> datetime:
        """The moment by which all of this goes."""
        return self._now()

    def join(self, on_air: OnAir, sounds: Sounds) -> None:
        """Whom to ask; before `run` and before anybody publishes."""
        self._on_air, self._sounds = on_air, sounds

    # ---- for whoever keeps the desk's set-up -----------------------------------------------------------------------

    async def wanted(self, report: Callable[[MenuSet, str], Report]) -> MenuText:
        """The menu that is to be on the air now; `report` looks at a file that is new.

        A file with mistakes does not keep a desk shut that was open with another menu. Raises `FlowErrors` when there
        is no other.
        """
        if (wish := self._wish) is not None:
            return MenuText(wish.menu, self._label(wish.version), wish.version, wish)
        self.history = await self._store.history(self.name)
        now = self.history.in_force(self._now())
        files = await self._read_files(required=now is None)
        if files is not None:
            await self._complete_what_is_older(files, report)
        news = self.history.brought(files, self._now()) if files is not None else None
        if files is not None and news is not None:
            found = await asyncio.to_thread(report, news, files.name)
            errors = (*files.problems, *found.errors)
            if not errors:
                assert found.menu is not None, "it has no errors"
                return MenuText(found.menu, files.name, None, _from_files(files, found.menu))
            if now is None:
                raise FlowErrors(errors)
            for problem in errors:
                logger.error("%s", problem)
            logger.error("%s was not taken up; version %d of the menu goes on", files.name, now.version)
        assert now is not None
        if self._serving is None:
            return await asyncio.to_thread(self._newest_that_serves, report)
        version = self.history.version(now.version)
        return MenuText(version.menu, self._label(version.number), version.number)

    async def _read_files(self, *, required: bool) -> MenuFiles | None:
        """What the files say; None when they cannot be read and need not be."""
        try:
            return await asyncio.to_thread(self._files)
        except FlowErrors as unread:
            if required:
                raise
            logger.error("%s", unread)
            return None

    async def _complete_what_is_older(self, files: MenuFiles, report: Callable[[MenuSet, str], Report]) -> None:
        """Versions of an older changgu were read with the files as they are: from now on they carry what they need.
        Its draft, be it fit or not, carries what the version has that it was begun from."""
        older = [one for one in self.history.versions if not one.is_whole]
        last = self.history.last_from_a_file()
        for version in older:
            found = await asyncio.to_thread(report, version.menu, self._label(version.number))
            menu = found.menu or replace(files.menu, text=version.menu.text)
            taken = version is last and files.menu.text.splitlines() == menu.text.splitlines()
            await self._store.complete(self.name, version.number, menu, files.own_parts() if taken else {})
        if older:
            self.history = await self._store.history(self.name)
        draft = await self._store.draft(self.name)
        if draft is not None and not draft.is_whole:
            menu = replace(self.history.version(draft.base).menu, text=draft.menu.text)
            found = await asyncio.to_thread(report, menu, self._label(None))
            await self._store.complete_draft(self.name, draft.revision, found.menu or menu)

    def _newest_that_serves(self, report: Callable[[MenuSet, str], Report]) -> MenuText:
        """At the start of a desk that was open with it, or with what was on the air before."""
        mistakes: list[FlowErrors] = []
        for publication in self.history.held(self._now()):
            version = self.history.version(publication.version)
            menu = MenuText(version.menu, self._label(version.number), version.number)
            found = report(menu.menu, menu.file)
            if found.flow is not None:
                return menu
            mistakes.append(FlowErrors(found.errors))
            logger.error("version %d of the menu cannot be used any more: %s", version.number, mistakes[-1])
        raise mistakes[0]

    async def taken_up(self, menu: MenuText, flow: Flow) -> VersionNumber:
        """Everybody is ready for it: it is written down and answers the next caller."""
        now, number, wish = self._now(), menu.version, menu.wish
        if wish is not None:
            before = self.history.in_force(now)
            if number is None:
                version, _ = await self._store.add(
                    self.name, wish.menu, wish.how, now, wish.by, now, note=wish.note, origin=wish.origin,
                    own=wish.own,
                )  # fmt: skip
                number = version.number
                if wish.how is How.FILE and before is not None:
                    self._other_hours.append((self.history.version(before.version).menu.calendars, version))
            else:
                await self._store.publish(self.name, number, wish.how, now, wish.by, now, wish.note)
            if self._wish is wish:
                self._wish = None
            self.history = await self._store.history(self.name)
            logger.info("version %d of the menu is on the air: %s by %s", number, wish.how, wish.by)
        assert number is not None, "a text without a wish has its number"
        self._serving = Serving(number, flow)
        self._news.set()
        return number

    # ---- for callers -----------------------------------------------------------------------------------------------

    def current(self, number: str, at: datetime | None = None) -> Serving:
        """What answers a caller who dials this number now: the draft at the pilot number, when it is fit."""
        if self.pilot and number == self.pilot and self._piloted is not None:
            return self._piloted
        assert self._serving is not None, "taken up before the first caller"
        when = at or self._now()
        begun = [serving for effective_at, serving in self._coming if effective_at <= when]
        return begun[-1] if begun else self._serving

    def begin(self, call: str, dialled: str) -> Serving:
        """What a call hears; the same to its end, whatever is published meanwhile."""
        return self._calls.setdefault(call, self.current(dialled))

    def of(self, call: str) -> Serving | None:
        """What a call hears, as long as it lasts."""
        return self._calls.get(call)

    def forget(self, call: str) -> None:
        """The call has ended."""
        self._calls.pop(call, None)

    def in_use(self) -> list[Flow]:
        """Every menu that some caller may be in."""
        flows = {id(one.flow): one.flow for one in self._calls.values()}
        for serving in (self._serving, self._piloted, *(one for _, one in self._coming)):
            if serving is not None:
                flows[id(serving.flow)] = serving.flow
        return list(flows.values())

    # ---- for supervisors -------------------------------------------------------------------------------------------

    async def working_draft(self) -> Draft:
        """The draft; where there is none, what is on the air with revision 0."""
        self.draft = await self._store.draft(self.name)
        return self.draft or await self._fresh()

    async def save_draft(self, text: str, revision: int, actor: Actor, part: str = "") -> Draft:
        """Keep what a supervisor changed; it may have mistakes. Raises `Conflict` when somebody else was faster.

        `part`: the sub-flow whose text this is; empty: the tree itself.
        """
        within(text, LONGEST_TEXT, "text")
        before = await self.working_draft()
        if part and part not in before.menu.flows:
            raise NotFound(f"'{part}' 하위 흐름이 없습니다.", f"There is no sub-flow '{part}'.")
        flows = {**before.menu.flows, part: text}
        menu = replace(before.menu, flows=flows) if part else replace(before.menu, text=text)
        return await self._keep_draft(menu, revision, before.base, actor.login, self._authors(before))

    async def save_sentence(self, name: str, language: str, text: str, revision: int, actor: Actor) -> Draft:
        """Say a prompt of the draft in other words; raises `Conflict` when somebody else was faster."""
        said = within(clean_line(text), LONGEST_SENTENCE, "text")
        before = await self.working_draft()
        if not said:
            raise BadInput("문장을 쓰십시오.", "write the sentence", field="text")
        own = {**before.menu.sentences.get(language, {}), name: said}
        menu = replace(before.menu, sentences={**before.menu.sentences, language: own})
        return await self._keep_draft(menu, revision, before.base, actor.login, self._authors(before))

    def _authors(self, draft: Draft, menu: MenuSet | None = None) -> Sequence[str]:
        """Whose work is in a draft, `menu` being in it now: nobody's as long as all of it has been on the air."""
        return () if self.history.was_all_heard(menu or draft.menu, self._now()) else draft.authors

    async def _keep_draft(
        self, menu: MenuSet, revision: int, base: VersionNumber, by: str, others: Sequence[str]
    ) -> Draft:
        self.draft = await self._store.save_draft(self.name, menu, revision, base, by, self._now(), others)
        self._news.set()
        return self.draft

    async def start_draft_anew(self, revision: int, version: int | None, actor: Actor) -> Draft:
        """Begin again from a version, by default from the one on the air."""
        now = self.history.in_force(self._now())
        number = version if version is not None else now.version if now else 0
        base = self.history.version(number)
        others = self._authors(await self.working_draft(), base.menu)
        return await self._keep_draft(base.menu, revision, base.number, actor.login, others)

    async def check(self, menu: MenuSet) -> Report:
        """What is wrong with a menu, on this desk as it is now."""
        assert self._on_air is not None
        return await self._on_air.report(menu, "초안")

    async def publish(self, revision: int, note: str, at: datetime | None, actor: Actor) -> Version:
        """Put the draft on the air, now or at a time; raises `FlowErrors` and `Conflict`."""
        note = within(clean_line(note), LONGEST_NOTE, "note")
        async with self._turn:
            draft = await self.working_draft()
            if draft.revision != revision:
                raise Conflict("그동안 초안이 바뀌었습니다. 다시 확인하십시오.", "The draft has changed; look again.")
            if self.four_eyes and actor.login in draft.authors:
                raise Forbidden(
                    "이 초안을 저장한 적이 있는 사람은 방송할 수 없습니다. 다른 관리자가 확인하고 방송합니다. "
                    "모두가 저장했다면 초안을 새로 시작해 한 사람이 저장하고 다른 사람이 방송합니다.",
                    "Whoever has saved this draft cannot publish it: another supervisor looks at it and does. "
                    "When everybody has saved it, begin it anew; one saves it, another publishes.",
                )
            report = await self.check(draft.menu)
            if report.flow is None or report.menu is None:
                raise FlowErrors(report.errors)
            if report.flow.name != self.name:
                raise BadInput(f"flow는 {self.name}이어야 합니다.", f"flow must be {self.name}", field="flow")
            now = self._now()
            whole = report.menu
            if at is None and whole.digest() == self._menu_on_air().digest():
                raise Conflict("지금 쓰이는 것과 같습니다.", "It is what is on the air already.")
            if at is None:
                await self._put_on_air(Wish(whole, How.PUBLISHED, actor.login, note))
                published = self.history.versions[-1]
            else:
                when = scheduled_for(at, now)
                published, _ = await self._store.add(
                    self.name, whole, How.SCHEDULED, when, actor.login, now, note=note
                )
                self.history = await self._store.history(self.name)
                self._news.set()
            if draft.revision:
                await self._draft_from(published, draft)
            return published

    async def _draft_from(self, published: Version, draft: Draft) -> None:
        """The draft goes on from the version that was made of it, its authors staying who wrote it."""
        try:
            await self._keep_draft(published.menu, draft.revision, published.number, draft.by, draft.authors)
        except Conflict:
            logger.info("the draft was changed while version %d was made of it; it stays as it is", published.number)

    async def publish_hours(self, seen: VersionNumber, calendars: str, note: str, actor: Actor) -> Version:
        """Put another table of opening hours on the air, the menu being as it is; raises `FlowErrors` and `Conflict`.

        `seen`: the version on the air that was looked at. The draft, and schedules that had the same table as that
        version, get the new one: a holiday that was declared must not end when the next menu comes.
        """
        note = within(clean_line(note), LONGEST_NOTE, "note")
        async with self._turn:
            now = self._now()
            on_air = self.history.in_force(now)
            if on_air is None or on_air.version != seen:
                raise Conflict(
                    "그동안 다른 버전이 방송되었습니다. 새로 불러온 뒤 다시 고치십시오.",
                    "Another version has come on the air; load it again.",
                )
            before = self._menu_on_air()
            report = await self.check(replace(before, calendars=calendars))
            if report.menu is None:
                raise FlowErrors(report.errors)
            if report.menu.digest() == before.digest():
                raise Conflict("지금 쓰이는 것과 같습니다.", "It is what is on the air already.")
            await self._put_on_air(Wish(report.menu, How.HOURS, actor.login, note))
            published = self.history.versions[-1]
            await self._hours_elsewhere(before.calendars, published, actor.login, seen)
            return published

    async def _hours_elsewhere(
        self, before: str, now: Version, by: str, seen: VersionNumber | None = None
    ) -> None:
        """The draft, and schedules that had the table of before, get the one that is on the air now.

        A draft that was begun from `seen` goes on from the version on the air, which differs in nothing else.
        """
        after = now.menu.calendars
        if after == before:
            return
        await self._hours_ahead(before, after, now.number, by)
        while (draft := await self._store.draft(self.name)) is not None and draft.menu.calendars == before:
            base = now.number if draft.base == seen else draft.base
            menu = replace(draft.menu, calendars=after)
            try:
                # its authors stay who wrote it: whoever changed the hours has not looked at the tree
                await self._keep_draft(menu, draft.revision, base, draft.by, draft.authors)
            except Conflict:
                continue  # somebody has saved it meanwhile: what they wrote gets the new table
            return

    async def _hours_ahead(self, before: str, after: str, number: VersionNumber, by: str) -> None:
        """Versions never change: a schedule with the table of before is withdrawn for one with the new table."""
        now = self._now()
        for one in self.history.ahead(now):
            menu = self.history.version(one.version).menu
            if menu.calendars != before:
                continue
            await self._store.add(
                self.name, replace(menu, calendars=after), How.SCHEDULED, one.effective_at, one.by, now, note=one.note
            )
            why = f"근무시간이 바뀜: 버전 {number} · hours changed: version {number}"
            await self._store.withdraw(one.id, by, now, why)
        self.history = await self._store.history(self.name)
        self._news.set()

    async def roll_back(self, number: int, note: str, actor: Actor) -> Version:
        """Put an older version on the air again; raises `Conflict` when the desk cannot be served with it any more.

        When its table of hours is another, the draft and schedules that had the one of before go back to it, too: a
        table that was a mistake must not return with the next menu.
        """
        note = within(clean_line(note), LONGEST_NOTE, "note")
        async with self._turn:
            version = self.history.may_roll_back(number, self._now())
            if self.four_eyes and not self.history.was_heard(version.number, self._now()):
                raise Forbidden(
                    "방송된 적이 없는 버전으로는 되돌릴 수 없습니다. "
                    "그 버전에서 초안을 시작하면 다른 관리자가 방송합니다.",
                    "A version that has never been on the air is not rolled back to: begin the draft from it, "
                    "and another supervisor publishes it.",
                )
            report = await self.check(version.menu)
            if report.flow is None:
                raise FlowErrors(report.errors)
            before = self._menu_on_air()
            await self._put_on_air(Wish(version.menu, How.ROLLED_BACK, actor.login, note, version.number))
            await self._hours_elsewhere(before.calendars, version, actor.login)
            return version

    async def withdraw(self, id: int, actor: Actor) -> Publication:
        """A schedule comes to nothing."""
        async with self._turn:
            self.history.may_withdraw(id, self._now())
            await self._store.withdraw(id, actor.login, self._now(), "")
            self.history = await self._store.history(self.name)
            self._news.set()
            return self.history.publication(id)

    async def hear(self, text: str, language: str) -> bytes:
        """A sentence as callers would hear it; raises `BadInput` when it cannot be spoken."""
        assert self._sounds is not None
        wanted = within(clean_line(text), LONGEST_SENTENCE, "text")
        sound = await self._sounds.speak(wanted, language) if wanted else None
        if sound is None:
            raise BadInput("소리로 만들 수 없는 문장입니다.", "This cannot be spoken.", field="text")
        return sound

    # ---- as long as the desk is open -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Make the draft and what is scheduled ready, and put the latter on the air when its time has come."""
        self._news.set()
        while True:
            wait = LOOK_AGAIN
            if ahead := self.history.ahead(self._now()):
                wait = min(wait, max(0.0, (ahead[0].effective_at - self._now()).total_seconds()))
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            try:
                await self._follow_the_hours()
                await self._take_up_what_is_due()
                await self._make_ready()
            except (SQLAlchemyError, OSError) as trouble:
                logger.warning("versions of the menu are looked at again later: %s", trouble)
            except Exception:  # the drafts' edge: whatever is broken in them, callers go on hearing what is on the air
                logger.exception("versions of the menu cannot be made ready; they are looked at again later")

    async def _follow_the_hours(self) -> None:
        """What is scheduled, and the draft, go on with the hours that came by file, as they do with the page's."""
        while self._other_hours:
            async with self._turn:
                before, version = self._other_hours[0]
                await self._hours_elsewhere(before, version, version.by)
                del self._other_hours[0]

    async def _take_up_what_is_due(self) -> None:
        now = self._now()
        due = self.history.in_force(now)
        if due is None or self._serving is None or due.version == self._serving.version:
            return
        async with self._turn:
            assert self._on_air is not None
            if await self._on_air.take_up():
                logger.info("version %d of the menu is on the air as scheduled by %s", due.version, due.by)
                return
            logger.error("version %d of the menu could not be put on the air as scheduled", due.version)
            await self._store.withdraw(due.id, "changgu", now, "메뉴를 쓸 수 없었습니다 · could not be taken up")
            self.history = await self._store.history(self.name)
            self._coming = [one for one in self._coming if one[1].version != due.version]

    async def _make_ready(self) -> None:
        """The draft for the pilot number, and what is scheduled: read, with every sentence spoken."""
        assert self._sounds is not None
        coming: list[tuple[datetime, Serving]] = []
        for one in self.history.ahead(self._now()):
            serving = await self._ready(one.version, self.history.version(one.version).menu)
            if serving is not None:
                coming.append((one.effective_at, serving))
        self._coming = coming
        if self.pilot:
            draft = self.draft or await self._store.draft(self.name)
            self._piloted = await self._ready(DRAFT, draft.menu) if draft is not None else None

    async def _ready(self, version: VersionNumber, menu: MenuSet) -> Serving | None:
        assert self._sounds is not None
        flow = (await self.check(menu)).flow
        if flow is None:
            return None
        for sentence in await self._sounds.prepare(flow):
            logger.warning("a sentence of the menu cannot be spoken: %s", sentence)
        return Serving(version, flow)

    async def _put_on_air(self, wish: Wish) -> None:
        assert self._on_air is not None
        self._wish = wish
        try:
            taken = await self._on_air.take_up()
        finally:
            self._wish = None
        if not taken:
            raise Conflict(
                "지금은 방송할 수 없습니다. 기록(log)에 까닭이 있습니다. 지금까지의 메뉴가 그대로 쓰입니다.",
                "It could not be put on the air; the log says why. The menu is as it was.",
            )

    def _menu_on_air(self) -> MenuSet:
        now = self.history.in_force(self._now())
        if now is None:
            raise NotFound("아직 메뉴가 없습니다.", "There is no menu yet.")
        return self.history.version(now.version).menu

    async def _fresh(self) -> Draft:
        if not self.history.versions:
            self.history = await self._store.history(self.name)
        now = self.history.in_force(self._now())
        if now is None:
            raise NotFound("아직 메뉴가 없습니다.", "There is no menu yet.")
        version = self.history.version(now.version)
        return Draft(version.menu, 0, version.number, "", version.at)

    def _label(self, version: VersionNumber | None) -> str:
        return "초안" if version is None else f"{self.name} v{version}"


def _from_files(files: MenuFiles, menu: MenuSet) -> Wish:
    return Wish(menu, How.FILE, files.name, "", origin=files.name, own=files.own_parts())

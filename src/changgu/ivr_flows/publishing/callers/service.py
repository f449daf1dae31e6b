"""Notices that callers hear, and counts of what callers do, kept while calls go on."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from sqlalchemy.exc import SQLAlchemyError

from changgu.ground.access import Actor
from changgu.ground.trouble import BadInput, NotFound
from changgu.ivr_flows.publishing import notices as rules
from changgu.ivr_flows.publishing.counts import Count, DayRow, End, Paths
from changgu.ivr_flows.publishing.notices import Deflections, Notice, heard_at
from changgu.ivr_flows.publishing.service import Serving, Sounds
from changgu.ivr_flows.publishing.store import CountStore, NoticeStore

logger = logging.getLogger(__name__)

WRITTEN_EVERY = 2.0
"""Seconds between the times at which counts are written down."""
MOST_WAITING = 50_000
"""Counts kept while the database is away; more are given up, and that is said."""
NOTICES_SHOWN = 200


class Notices:
    """Sentences for callers that a supervisor puts on the air at once."""

    def __init__(
        self, store: NoticeStore, language: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._now = now
        self._notices: dict[int, Notice] = {}
        self._deflections = Deflections()
        self._heard: Counter[int] = Counter()
        self._deflected: Counter[int] = Counter()
        self._sounds: Sounds | None = None
        self.language = language
        """The desk's."""

    def moment(self) -> datetime:
        """The moment by which notices come and go."""
        return self._now()

    def join(self, sounds: Sounds) -> None:
        """Whose voice says them."""
        self._sounds = sounds

    def now(self, place: str, at: datetime | None = None) -> list[Notice]:
        """What is said at a place: `desk`, `queue:<name>`, `service:<node>`."""
        return heard_at(list(self._notices.values()), place, at or self._now())

    def for_call(self, call: str, place: str) -> list[Notice]:
        """The same, without what this call has heard already."""
        return [one for one in self.now(place) if not self._deflections.has_heard(call, one.id)]

    async def put_on_air(
        self, sentences: Mapping[str, str], places: Iterable[str], starts_at: datetime | None, ends_at: datetime,
        actor: Actor, known: Iterable[str],
    ) -> Notice:  # fmt: skip
        """The next caller hears it when this returns. Raises `BadInput`, also when it cannot be spoken."""
        now = self._now()
        said, where, begins, ends = rules.checked(
            sentences, set(places), starts_at, ends_at, now, main=self.language, known=set(known)
        )
        if silent := await self._spoken(said):
            raise BadInput(
                f"소리로 만들 수 없는 문장입니다: {silent}", f"This cannot be spoken: {silent}", field="sentences"
            )
        notice = await self._store.add(said, where, begins, ends, actor.login, now)
        self._notices[notice.id] = notice
        logger.info("notice %d on the air until %s, by %s", notice.id, ends.isoformat(), actor.login)
        return notice

    async def withdraw(self, id: int, actor: Actor) -> Notice:
        """Nobody hears it from now on."""
        notice = self._notices.get(id)
        if notice is None:
            raise NotFound("그런 안내가 없거나 이미 끝났습니다.", "There is no such notice, or it is over.")
        rules.may_withdraw(notice, self._now())
        withdrawn = await self._store.withdraw(id, actor.login, self._now())
        self._notices.pop(id, None)
        logger.info("notice %d taken off the air by %s", id, actor.login)
        return self._with_counts(withdrawn)

    async def lines(self) -> list[Notice]:
        """The last notices, newest first, counted up to now."""
        return [self._with_counts(one) for one in await self._store.newest(NOTICES_SHOWN)]

    def heard(self, call: str, notice: int, at: datetime) -> None:
        """A caller heard it to its end."""
        if self._deflections.heard(call, notice, at):
            self._heard[notice] += 1

    def ended(self, call: str, at: datetime, *, in_menu: bool, in_queue: bool) -> None:
        """A call is over (see `Deflections.ended`)."""
        self._deflected.update(self._deflections.ended(call, at, in_menu=in_menu, in_queue=in_queue))

    async def run(self) -> None:
        """Take up what was on the air before the desk opened; write down the counts, and forget what is over."""
        try:
            await self._take_up()
            while True:
                await asyncio.sleep(WRITTEN_EVERY)
                now = self._now()
                for over in [one.id for one in self._notices.values() if one.ends_at + timedelta(minutes=1) < now]:
                    del self._notices[over]
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Write down what was counted; kept for the next time when the database is away."""
        heard, self._heard = self._heard, Counter()
        deflected, self._deflected = self._deflected, Counter()
        try:
            await self._store.count(heard, deflected)
        except (SQLAlchemyError, OSError) as trouble:
            self._heard.update(heard)
            self._deflected.update(deflected)
            logger.warning("what became of notices is written down later: %s", trouble)

    async def _take_up(self) -> None:
        for notice in await self._store.not_over(self._now()):
            if silent := await self._spoken(notice.sentences):
                logger.error("notice %d is not heard, it cannot be spoken: %s", notice.id, silent)
            else:
                self._notices.setdefault(notice.id, notice)

    def _with_counts(self, notice: Notice) -> Notice:
        return replace(
            notice, heard=notice.heard + self._heard[notice.id], deflected=notice.deflected + self._deflected[notice.id]
        )

    async def _spoken(self, sentences: Mapping[str, str]) -> str:
        """Make them ready; the first that cannot be spoken, or nothing."""
        assert self._sounds is not None
        for language, text in sentences.items():
            if await self._sounds.speak(text, language) is None:
                return text
        return ""


class Counts:
    """What callers did at every place of the menu, written down by day."""

    def __init__(
        self, store: CountStore, zone: tzinfo, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._zone = zone
        self._now = now
        self._paths = Paths()
        self._waiting: Counter[tuple[date, Count]] = Counter()
        self._day = date.min
        self._day_begins = self._day_ends = datetime.min.replace(tzinfo=UTC)

    def reached(self, call: str, serving: Serving, node: str, at: datetime) -> None:
        """A caller came to a place."""
        self._count(self._paths.reached(call, serving.flow, serving.version, node), at)

    def handed_over(self, call: str, at: datetime) -> None:
        """A caller left the menu for a queue."""
        self._count(self._paths.handed_over(call), at)

    def ended(self, call: str, end: End, at: datetime) -> None:
        """A call is over."""
        self._count(self._paths.ended(call, end), at)

    async def rows(self, flow: str, first: date, last: date, version: int | None = None) -> list[DayRow]:
        """What was counted from one day to another, counted up to now."""
        await self.flush()
        return await self._store.rows(flow, first, last, version)

    def today(self) -> date:
        """The day of the site."""
        return self._now().astimezone(self._zone).date()

    async def run(self) -> None:
        """Write down the counts every now and then, and at the end."""
        try:
            while True:
                await asyncio.sleep(WRITTEN_EVERY)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Write down what was counted; kept for the next time when the database is away."""
        counted, self._waiting = self._waiting, Counter()
        try:
            await self._store.add(counted)
        except (SQLAlchemyError, OSError) as trouble:
            logger.warning("what callers did in the menu is written down later: %s", trouble)
            self._waiting.update(counted)
            if len(self._waiting) > MOST_WAITING:
                logger.error("%d counts of the menu are given up", len(self._waiting))
                self._waiting.clear()

    def _count(self, counts: Iterable[Count], at: datetime) -> None:
        for count in counts:
            if not self._day_begins <= at < self._day_ends:
                self._turn_to(at)
            self._waiting[self._day, count] += 1

    def _turn_to(self, at: datetime) -> None:
        """The day of the site at this moment: looked up once a day and not at every step of a caller."""
        self._day = at.astimezone(self._zone).date()
        begins, ends = (datetime.combine(self._day + timedelta(days=days), time(), self._zone) for days in (0, 1))
        self._day_begins, self._day_ends = begins.astimezone(UTC), ends.astimezone(UTC)

"""The switch for emergency plans: floor and notice together, and the end that comes by itself (WL-05)."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from changgu.acd.emergency import FloorPlans, PreparedNotice
from changgu.acd.facts import Emergency
from changgu.acd.identity import Instant
from changgu.app.floor_keeper import FloorKeeper
from changgu.ground.access import Actor, Role
from changgu.ground.database import moment
from changgu.ground.trouble import BadInput, Conflict, NotFound, Trouble
from changgu.ivr_flows.publishing.callers.service import Notices
from changgu.ivr_flows.publishing.notices import LONGEST_TIME, Notice

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at whether a plan is to end."""

AGAIN_AFTER = 10.0
"""Seconds after which an end that could not be taken up is tried again."""

MISTAKES_TOLD = 3

MARK = re.compile(r" \(비상운영 (.+)\)$")
"""Ends the name of who put a notice on the air, when it came with a plan."""


class Emergencies:
    """One plan at a time. What is on is in the ledger, with the floor that it brought, and outlives every restart."""

    def __init__(self, keeper: FloorKeeper, notices: Notices, places: Callable[[], Iterable[str]]) -> None:
        """`places`: where notices can be heard. People say until when by the clock by which notices come and go, and
        by that one plans begin and end: the floor's own, which never goes back, may be ahead of it."""
        self._keeper = keeper
        self._notices = notices
        self._places = places
        self._turn = asyncio.Lock()
        self._settled = False
        """Whether notices are known to be as the plan is."""

    @property
    def plans(self) -> FloorPlans:
        """What there is."""
        return self._keeper.plans

    @property
    def on(self) -> Emergency | None:
        """What is on."""
        return self._keeper.emergency

    def _now(self) -> Instant:
        return self._notices.moment().timestamp()

    async def turn_on(self, plan: str, why: str, until: datetime | None, actor: Actor) -> str | None:
        """See `acd.emergencies.api.EmergencySwitch`."""
        async with self._turn:
            known = self.plans.emergencies.get(plan)
            if known is None:
                raise _no_such_plan()
            now, before = self._now(), self.on
            if until is not None and until.timestamp() <= now:
                raise BadInput("끝나는 때는 지금보다 뒤여야 합니다.", "It must end later than now.", field="until")
            if until is not None and until.timestamp() > now + LONGEST_TIME.total_seconds():
                raise BadInput("끝나는 때는 한 달 안이어야 합니다.", "It must end within 31 days.", field="until")
            ends = now + known.lasts.total_seconds() if known.lasts is not None else None
            wanted = Emergency(
                plan, known.title, actor.login, why,
                since=before.since if before is not None and before.plan == plan else now,
                until=ends if until is None else until.timestamp(),
            )  # fmt: skip
            await self._switch(wanted, actor.login, "")
            logger.info("emergency plan on: plan=%s by=%s", plan, actor.login)
            if before is not None:
                await self._off_the_air(before, actor)
            return None if known.notice is None else await self._on_the_air(wanted, known.notice, actor)

    async def turn_off(self, why: str, actor: Actor) -> None:
        """See `acd.emergencies.api.EmergencySwitch`."""
        async with self._turn:
            if self.on is None:
                raise Conflict("켜져 있는 비상운영 계획이 없습니다.", "No emergency plan is on.")
            await self._end(self.on, actor, actor.login, why)

    async def run(self) -> None:
        """End plans whose time has come, and see to it that notices are as the plan is."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.look()
            except (Trouble, SQLAlchemyError, OSError) as trouble:
                logger.warning("the emergency plan is looked after again later: %s", trouble)
                await asyncio.sleep(AGAIN_AFTER)

    async def look(self) -> None:
        """End the plan that is on when its time has come, and look after notices when one was turned on or off.

        If the desk was ended at that moment, or the database was away, one is left behind, or is not on the air.
        """
        async with self._turn:
            on = self.on
            if on is not None and on.until is not None and on.until <= self._now():
                await self._end(on, _actor(on.by), None, "")
            if not self._settled:
                await self._settle()
                self._settled = True

    async def _end(self, on: Emergency, actor: Actor, by: str | None, why: str) -> None:
        await self._switch(None, by, why)
        logger.info("emergency plan off: plan=%s by=%s", on.plan, by or "its end")
        await self._off_the_air(on, actor)

    async def _switch(self, wanted: Emergency | None, by: str | None, why: str) -> None:
        try:
            taken_up = await self._keeper.switch(wanted, by, why)
        except KeyError:  # a reload took it out of the file at this moment
            raise _no_such_plan() from None
        if not taken_up:
            told = " / ".join(self._keeper.last.lines[:MISTAKES_TOLD])
            raise Conflict(
                f"바꾸지 못해 그대로 두었습니다. 시스템관리자에게 알려 주십시오. {told}",
                f"It could not be taken up, and everything is as it was. {told}",
            )
        self._settled = False

    # The notice

    async def _on_the_air(self, on: Emergency, notice: PreparedNotice, actor: Actor) -> str | None:
        """What kept it off the air, or None. The plan is on either way: callers are served before they are told."""
        longest = self._notices.moment() + LONGEST_TIME - timedelta(seconds=1)
        ends = longest if on.until is None else min(moment(on.until), longest)
        try:
            await self._notices.put_on_air(
                notice.sentences, notice.places, None, ends, replace(actor, login=_mark(actor.login, on.plan)),
                self._places(),
            )  # fmt: skip
        except Trouble as trouble:
            said = (
                f"계획은 켰지만 안내 방송은 하지 못했습니다. {trouble.ko} · "
                f"The plan is on, without its notice. {trouble.en}"
            )
            logger.warning("%s", said)
            return said
        return None

    async def _off_the_air(self, on: Emergency, actor: Actor) -> None:
        for notice in await self._ours():
            if _plan_of(notice) == on.plan and notice.is_on(self._notices.moment()):
                try:
                    await self._notices.withdraw(notice.id, actor)
                except Trouble as trouble:
                    logger.warning("notice %d of the emergency plan stays on the air: %s", notice.id, trouble)

    async def _ours(self) -> list[Notice]:
        return [notice for notice in await self._notices.lines() if _plan_of(notice)]

    async def _settle(self) -> None:
        on, now = self.on, self._notices.moment()
        ours = await self._ours()
        for notice in ours:
            if notice.is_on(now) and (on is None or _plan_of(notice) != on.plan):
                await self._notices.withdraw(notice.id, _actor(notice.by))
        plan = None if on is None else self.plans.emergencies.get(on.plan)
        if on is None or plan is None or plan.notice is None:
            return
        if not any(_plan_of(notice) == on.plan and notice.at >= moment(on.since) for notice in ours):
            await self._on_the_air(on, plan.notice, _actor(on.by))


def _no_such_plan() -> NotFound:
    return NotFound("그런 비상운영 계획이 없습니다.", "There is no such emergency plan.")


def _actor(login: str) -> Actor:
    """Whoever turned a plan on, for what follows from it later."""
    return Actor(login, login, Role.SUPERVISOR)


def _mark(login: str, plan: str) -> str:
    return f"{login} (비상운영 {plan})"


def _plan_of(notice: Notice) -> str | None:
    """The plan that a notice went on the air with; None for one that somebody typed."""
    match = MARK.search(notice.by)
    return match[1] if match else None

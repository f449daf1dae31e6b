"""The floor as it is set up now, and how a change reaches everybody while calls go on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError

from changgu.acd import routing
from changgu.acd.emergency import FloorPlans
from changgu.acd.facts import Emergency
from changgu.acd.floor_difference import differences, plan_differences
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import Floor, Queue
from changgu.acd.routing import RoutingErrors, RoutingReport, inspect_routing
from changgu.acd.skills import levels
from changgu.acd.store import FloorStore
from changgu.app.reloaded import Reloaded, answer, take_wishes
from changgu.app.settings import Settings
from changgu.ground.csv_rows import RowError
from changgu.ground.whole_file import write_whole
from changgu.ivr_flows import service as menus
from changgu.ivr_flows.checks import Staff
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.loader import Beside, Report
from changgu.ivr_flows.menu_set import MenuFiles, MenuSet
from changgu.ivr_flows.nodes import HandOver, NamedPrompt, NodeName, Say, TicketStatus
from changgu.ivr_flows.problems import FlowErrors
from changgu.ivr_flows.publishing.notices import marked
from changgu.ivr_flows.publishing.service import MenuText
from changgu.ivr_flows.publishing.versions import SHIPPED
from changgu.telephony.numbers import NumberPlan
from changgu.telephony.speech.vocabulary import Vocabularies

logger = logging.getLogger(__name__)

ACCEPTED = "routing.accepted.toml"
"""The rules that were taken up last; written by the desk, never read while the site's own file is right."""

CALENDAR = "desk"
"""Whose holidays are kept by call-backs as well, in the table of opening hours."""

MENU_CHANGED = "음성 메뉴: 트리, 운영시간 또는 문장 · the voice menu: tree, hours or sentences"
NOT_TAKEN_UP = "적용하지 못했습니다. 기록(log)에 까닭이 있습니다 · could not be taken up, the log says more"

RECORDING_NOTICE = NamedPrompt("recording_notice")


Prepare = Callable[[Floor, Flow], Awaitable[object]]
"""Makes ready for a floor and a menu that are to be taken up; raises when that cannot be."""


class Menus(Protocol):
    """Which menu is to be on the air; `ivr_flows.publishing.service.FlowVersions`."""

    async def wanted(self, report: Callable[[MenuSet, str], Report]) -> MenuText:
        """The one that is wanted now; raises `FlowErrors` when there is none that could be used."""
        ...

    async def taken_up(self, menu: MenuText, flow: Flow) -> int:
        """It is on the air from now on; its version."""
        ...

    def in_use(self) -> Iterable[Flow]:
        """Every menu that some caller may be in."""
        ...


class FileMenu:
    """The site's menu files, or the shipped ones, as they are; no versions are kept."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._flow: Flow | None = None

    async def wanted(self, report: Callable[[MenuSet, str], Report]) -> MenuText:
        """What the files say now."""
        files = await asyncio.to_thread(menu_files, self._data)
        if files.problems:
            raise FlowErrors(files.problems)
        return MenuText(files.menu, files.name, None)

    async def taken_up(self, menu: MenuText, flow: Flow) -> int:
        """Nothing is kept of it."""
        self._flow = flow
        return 1

    def in_use(self) -> Iterable[Flow]:
        """The one."""
        return () if self._flow is None else (self._flow,)


class FloorKeeper:
    """Queues, agents, routing rules and the menu, read from the data folder.

    A change is first made ready for by those who may refuse it (the prompts, the PBX); only when all have, it is true
    for everybody at once. When one refuses, those before it are given the old floor again.
    """

    def __init__(self, settings: Settings, store: FloorStore, menus: Menus | None = None) -> None:
        """`menus`: who keeps versions of the menu; without, the file is what callers hear."""
        self._settings = settings
        self._store = store
        self._menus = menus or FileMenu(settings.data)
        self._prepare: list[Prepare] = []
        self._changed: list[Callable[[Floor], None]] = []
        self._turn = asyncio.Lock()
        self._accepted = settings.data / ACCEPTED
        self.plans = FloorPlans(Floor())
        """The ordinary floor, and what there is for emergencies."""
        self.floor = Floor()
        """The floor that holds now."""
        self.emergency: Emergency | None = None
        """The emergency plan by which it is not the ordinary one."""
        self.order: tuple[str | None, str] = None, ""
        """While a plan is turned on or off: who does it, and why it is turned off."""
        self.flow: Flow | None = None
        self._why_not: tuple[str, ...] = ()
        self.last = Reloaded(taken_up=True)
        """What became of the last reload."""
        self._queues_of: tuple[Floor, dict[AgentId, frozenset[QueueName]]] = self.floor, {}
        self._notices_of: tuple[Flow, ...] = ()
        self._notice_nodes: frozenset[str] = frozenset()
        """Of those menus."""

    def prepare(self, *preparations: Prepare) -> None:
        """From now on ask these, in order, before a change is taken up."""
        self._prepare.extend(preparations)

    def tell(self, listeners: Sequence[Callable[[Floor], None]]) -> None:
        """From now on tell these, in order, when a change has been taken up."""
        self._changed.extend(listeners)

    async def read(self, emergency: Emergency | None = None) -> None:
        """Read floor and menu for the start of the desk, and go on with the emergency plan that was on.

        Rules with a mistake must not keep a desk shut that was open with others: a desk that is started again, after
        a crash above all, goes on with the rules that were taken up last, and says so. Raises `FlowErrors` or
        `RoutingErrors` when the menu cannot be used, or neither these rules nor the last ones can. A plan that neither
        of them has any more is over.
        """
        self.emergency = emergency
        try:
            self.plans, self.flow, menu = await self._read()
        except RoutingErrors as wrong:
            try:
                self.plans, self.flow, menu = await self._read(self._accepted)
            except (RoutingErrors, FileNotFoundError):
                if emergency is None:
                    raise wrong from None
                logger.error("the emergency plan %s is over: %s", emergency.plan, wrong)
                await self.read()
                return
            for mistake in str(wrong).splitlines():
                logger.error("%s", mistake)
            logger.error("these rules were not taken up; the desk goes on with the last ones, %s", self._accepted)
        else:
            await asyncio.to_thread(self._remember_rules)
        self.floor = self.plans.floor(self._plan_on)
        await self._menus.taken_up(menu, self.flow)

    async def try_out(self, listed: Floor) -> None:
        """Whether these lists of queues and agents could be taken up; raises `FlowErrors` or `RoutingErrors`."""
        await self._with_menu(listed)

    async def menu_report(self, menu: MenuSet, file: str) -> Report:
        """What is wrong with a menu on this desk as it is now; `file` is for the messages only."""
        return await asyncio.to_thread(self._report, await self._store.load_floor(), menu, file)

    async def reload(self) -> bool:
        """Take up what has changed; what cannot be used is said in the log, and the old goes on (False).

        `last` says what was changed, or why nothing was.
        """
        async with self._turn:  # a signal and a supervisor may ask at once
            before, menu, self._why_not = self.floor, self.flow, (NOT_TAKEN_UP,)
            wishes = await self._wishes()
            plans = self.plans.emergencies
            if await self._reload():
                changed = differences(before, self.floor) + ([MENU_CHANGED] if self.flow != menu else [])
                changed += plan_differences(plans, self.plans.emergencies)
                self.last = Reloaded(taken_up=True, lines=tuple(changed))
            else:
                self.last = Reloaded(taken_up=False, lines=self._why_not)
            if wishes:
                try:
                    await asyncio.to_thread(answer, self._settings.data, wishes, self.last)
                except OSError as trouble:
                    logger.warning("what became of the reload could not be told: %s", trouble)
            return self.last.taken_up

    async def _wishes(self) -> tuple[str, ...]:
        """Who asked for what is read from now on; who asks later is told of the next reload."""
        try:
            return await asyncio.to_thread(take_wishes, self._settings.data)
        except OSError as trouble:
            logger.warning("who asked for the reload could not be read: %s", trouble)
            return ()

    async def switch(self, emergency: Emergency | None, by: str | None = None, why: str = "") -> bool:
        """Turn an emergency plan on, or all off; true for everybody when it returns, or refused (False, see `last`).

        What was read last holds: a file that somebody is writing at this moment is in nobody's way. Raises `KeyError`
        for a plan that there is not.
        """
        async with self._turn:
            floor, before = self.plans.floor(None if emergency is None else emergency.plan), self.floor
            assert self.flow is not None, "read before the first change"
            if not await self._made_ready(floor, self.flow):
                self.last = Reloaded(taken_up=False, lines=self._why_not)
                return False
            self.emergency, self.order = emergency, (by, why)
            self._take_up(floor)
            self.order = None, ""
            self.last = Reloaded(taken_up=True, lines=tuple(differences(before, floor)))
            return True

    @property
    def _plan_on(self) -> str | None:
        return None if self.emergency is None else self.emergency.plan

    async def _reload(self) -> bool:
        try:
            plans, flow, menu = await self._read()
        except (FlowErrors, RoutingErrors) as wrong:
            mistakes = self._why_not = tuple(str(wrong).splitlines())
            logger.warning("the floor was not taken up, %d mistake(s); the old one goes on", len(mistakes))
            for mistake in mistakes:
                logger.warning("%s", mistake)
            return False
        except Exception as trouble:  # the edge of one reload: calls go on with the floor as it was
            self._why_not = (f"{NOT_TAKEN_UP}: {trouble}",)
            logger.exception("the floor was not taken up")
            return False
        floor = plans.floor(self._plan_on)
        if not await self._made_ready(floor, flow):
            return False
        try:
            await self._menus.taken_up(menu, flow)
        except (SQLAlchemyError, OSError):
            logger.exception("the floor was not taken up")
            await self._take_back(self._prepare)
            return False
        self.plans, self.flow = plans, flow
        await asyncio.to_thread(self._remember_rules)
        self._take_up(floor)
        return True

    async def _made_ready(self, floor: Floor, flow: Flow) -> bool:
        """Whether everybody can take it up; if somebody cannot, all have the old floor again."""
        for number, prepare in enumerate(self._prepare):
            try:
                await prepare(floor, flow)
            except Exception as trouble:  # the edge of one change: calls go on with the floor as it was
                self._why_not = (f"{NOT_TAKEN_UP}: {trouble}",)
                logger.exception("the floor was not taken up")
                await self._take_back(self._prepare[: number + 1])
                return False
        return True

    def _take_up(self, floor: Floor) -> None:
        self.floor = floor
        for listener in self._changed:
            listener(floor)
        logger.info("the floor has %d queues and %d agents", len(floor.queues), len(floor.agents))

    async def _read(self, rules: Path | None = None) -> tuple[FloorPlans, Flow, MenuText]:
        return await self._with_menu(await self._store.load_floor(), rules)

    async def _with_menu(self, listed: Floor, rules: Path | None = None) -> tuple[FloorPlans, Flow, MenuText]:
        """`rules` instead of the site's own file; it must exist."""
        menu = await self._menus.wanted(lambda menu, file: self._report(listed, menu, file))
        # A large file would hold up calls.
        plans, flow = await asyncio.to_thread(self._with_rules, listed, menu, rules)
        return plans, flow, menu

    def sentences(self) -> dict[str, dict[str, str]]:
        """Language → prompt name → sentence, as they are now: those of the menu on the air over those of the files."""
        files = {one: menus.sentences(one, self._settings.data / "prompts") for one in menus.LANGUAGES}
        on_air = self.flow.sentences if self.flow is not None else {}
        return {language: {**said, **on_air.get(language, {})} for language, said in files.items()}

    def _report(self, listed: Floor, menu: MenuSet, file: str) -> Report:
        return menu_report(self._settings, listed, menu, file)

    def _remember_rules(self) -> None:
        """Keep what was taken up, for a start at which the file has a mistake: by now it may be another."""
        try:
            write_whole(self._accepted, self.plans.written)
        except OSError as trouble:
            logger.warning("the rules that are in force could not be kept beside: %s", trouble)

    def _with_rules(self, listed: Floor, menu: MenuText, rules: Path | None) -> tuple[FloorPlans, Flow]:
        data = self._settings.data
        found = self._report(listed, menu.menu, menu.file)
        if found.flow is None:
            raise FlowErrors(found.errors)
        flow = found.flow
        file = data / routing.FILE_NAME if rules is None else rules
        if rules is not None and not rules.exists():
            raise FileNotFoundError(rules)
        report = routing_report(self._settings, listed, flow, file if file.exists() else None)
        if report.plans is None:
            raise RoutingErrors(report.errors)
        if self._plan_on is not None and self._plan_on not in report.plans.emergencies:
            raise RoutingErrors([_plan_gone(str(file), self._plan_on)])
        for warning in report.warnings:
            logger.warning("%s", warning)
        return report.plans, flow

    async def _take_back(self, preparations: Sequence[Prepare]) -> None:
        assert self.flow is not None, "read before the first change"
        for prepare in reversed(preparations):
            try:
                await prepare(self.floor, self.flow)
            except Exception as trouble:  # whoever refuses both is left as it is; the next change is tried on it again
                logger.warning("the floor that goes on could not be restored everywhere: %s", trouble)

    def menu(self, _dialled: str) -> Flow:
        """The menu that answers the desk's number."""
        assert self.flow is not None, "read before the first caller"
        return self.flow

    def numbers(self) -> NumberPlan:
        """Which number leads where."""
        queues = {queue.number: queue.name for queue in self.floor.queues if queue.number}
        return NumberPlan(self._settings.desk.number, queues)

    async def load_floor(self) -> Floor:
        """The floor that holds now: who may see which calls goes by it (MOD-03)."""
        return self.floor

    def queue(self, name: QueueName) -> Queue | None:
        """A queue as set up now."""
        return next((queue for queue in self.floor.queues if queue.name == name), None)

    def queues_of(self, agent: AgentId) -> frozenset[QueueName]:
        """The queues an agent serves now."""
        if self._queues_of[0] is not self.floor:  # asked at every change of an agent, on floors of hundreds
            self._queues_of = self.floor, {one.login: one.queues for one in self.floor.agents}
        return self._queues_of[1].get(agent, frozenset())

    def names(self) -> dict[str, str]:
        """The agents' names by login."""
        return {one.login: one.name for one in self.floor.agents}

    def logins(self) -> list[AgentId]:
        """Everybody who has a phone."""
        return [agent.login for agent in self.floor.agents]

    def notice_nodes(self) -> frozenset[str]:
        """Nodes of the menu that say the notice of recording to its end, whatever is pressed."""
        flows = tuple(self._menus.in_use())
        if [*map(id, flows)] == [*map(id, self._notices_of)]:  # asked at every step of every caller
            return self._notice_nodes
        said: set[str] = set()
        others: set[str] = set()
        for flow in flows:
            for name, node in flow.nodes.items():
                says_it = isinstance(node, Say) and node.mandatory and RECORDING_NOTICE in node.prompts
                (said if says_it else others).add(name)
        # Of versions that disagree, the one that is no notice counts.
        self._notices_of, self._notice_nodes = flows, frozenset(said - others)
        return self._notice_nodes

    def node_title(self, node: str) -> str | None:
        """What a node of the menu is called on an agent's screen; None for one that needs no mention."""
        if marked(node) is not None:
            return "안내 방송"
        match self.flow.nodes.get(NodeName(node)) if self.flow is not None else None:
            case HandOver(queue=name):
                queue = self.queue(QueueName(name))
                return queue.title if queue else name
            case TicketStatus():
                return "처리상태 조회"
            case _:
                return None


def _plan_gone(file: str, plan: str) -> RowError:
    return RowError(
        file, 1, f"emergency.{plan}", "지금 켜져 있는 비상운영 계획이 없어졌습니다. 먼저 끄십시오.",
        "the emergency plan that is on is not here any more; turn it off first",
    )  # fmt: skip


def routing_report(settings: Settings, listed: Floor, flow: Flow | None, file: Path | None) -> RoutingReport:
    """A file of routing rules laid over the lists of queues and agents; without a file, the lists with the desk's zone.

    Without a menu (None) its nodes are not checked, and holidays are those of the site's file. Raises `RoutingErrors`
    for a file that cannot be read as text.
    """
    holidays = holidays_of(settings, flow)
    rules = replace(listed.rules, zone=settings.desk.time_zone, holidays=holidays)
    zoned = replace(listed, rules=rules)
    if file is None:
        return RoutingReport(routing.FILE_NAME, zoned, (), ())
    try:
        content = file.read_bytes()
    except OSError as trouble:
        why = trouble.strerror
        unread = RowError(str(file), 1, "", f"읽을 수 없습니다({why}).", f"cannot be read: {why}")
        raise RoutingErrors([unread]) from trouble
    straight_on = flow.straight_on().items() if flow is not None else ()
    return inspect_routing(
        str(file),
        routing.decoded(str(file), content),
        zoned,
        menu_nodes=flow.nodes if flow is not None else None,
        prompts=menus.sentences(settings.desk.language, settings.data / "prompts"),
        straight_on={str(node): queue for node, queue in straight_on},
        language=settings.desk.language,
    )


def holidays_of(settings: Settings, flow: Flow | None) -> frozenset[date]:
    """The holidays of the menu's calendar, of this year and the next two: all the days on which the desk does not work.

    Without a menu, those of the site's file.
    """
    calendars = flow.calendars if flow is not None else beside_menus(settings).calendars
    calendar = calendars.get(CALENDAR)
    if calendar is None:
        return frozenset()
    first = date(datetime.now(ZoneInfo(settings.desk.time_zone)).year, 1, 1)
    days = (first + timedelta(days=number) for number in range((first.replace(year=first.year + 3) - first).days))
    return frozenset(day for day in days if calendar.holiday_on(day))


def rules_of_the_site(settings: Settings, listed: Floor, file: Path | None = None) -> RoutingReport:
    """What the desk would say to a file of routing rules, by default to its own."""
    own = settings.data / routing.FILE_NAME
    names = [queue.name for queue in listed.queues]
    prompts, others = settings.data / "prompts", beside_menus(settings)
    menu = menus.check_file(menu_file(settings.data), names, prompts, staff_of(listed), others)
    try:
        report = routing_report(settings, listed, menu.flow, file or (own if own.exists() else None))
    except RoutingErrors as unread:
        return RoutingReport(str(file or own), None, unread.errors, ())
    if menu.flow is not None:
        return report
    ko = "메뉴에 고칠 곳이 있어 메뉴 단계는 검사하지 않았습니다(changgu ivr check)."
    unchecked = RowError(menu.file, 1, "", ko, "the menu has mistakes, its nodes were not checked: changgu ivr check")
    return replace(report, warnings=(*report.warnings, unchecked))


def staff_of(floor: Floor) -> Staff:
    """Whom a menu may ask for."""
    best: dict[str, int] = {}
    for agent in floor.agents:
        for skill, level in levels(agent.skills).items():
            best[skill] = max(level, best.get(skill, 0))
    return Staff(frozenset(agent.login for agent in floor.agents), best)


def beside_menus(settings: Settings) -> Beside:
    """The site's sub-flows and opening hours, over the shipped ones."""
    return menus.beside(settings.data / "menus", str(settings.desk.time_zone), _vocabularies(settings))


def _vocabularies(settings: Settings) -> Vocabularies | None:
    return Vocabularies(settings.speech.folder) if settings.speech.use else None


def menu_report(settings: Settings, listed: Floor | None, menu: MenuSet, file: str) -> Report:
    """What is wrong with a menu on a desk with this floor; without one, queues and agents are not looked at."""
    queues = [queue.name for queue in listed.queues] if listed is not None else None
    return menus.check_set(
        menu, file, menu_files(settings.data), queues, staff_of(listed) if listed is not None else None,
        zone=str(settings.desk.time_zone), vocabulary=_vocabularies(settings),
    )  # fmt: skip


def menu_file(data: Path) -> Path:
    """The site's own menu tree when there is one, else the shipped one."""
    own = data / "menus" / "main.yaml"
    return own if own.exists() else menus.shipped_menu("main")


def menu_files(data: Path) -> MenuFiles:
    """The files of the site's menu, over the shipped ones; see `ivr_flows.service.read_files`."""
    return menus.read_files(data, SHIPPED)

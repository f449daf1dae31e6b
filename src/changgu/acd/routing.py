"""Routing rules as a file: what lies over the lists of queues and agents, read whole or not at all.

    [rules]
    priority_worth = "5m"
    [queue.network]
    strategy = "most_skilled"
    relax = [{ after = "30s", drop = ["english"], lower = 2, open = ["helpdesk"] }]
    overflow = [{ when = "full", limit = 30, to = "queue:helpdesk" }]
    keys = { "1" = "callback" }
    [agent.alice]
    seats = { network = { level = 2, delay = "20s" } }
    [emergency.outage.queue.network]
    wrap_up = "5s"

The whole language is shown in `routing_example.toml`, which `changgu acd describe` prints. A key that is not in the
file leaves what it names as it is on the floor.

    RoutingErrors (BadInput)   the file has mistakes; the floor stays as it was
"""

import re
import tomllib
import zoneinfo
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib import resources
from types import MappingProxyType

from changgu.acd.agent_words import NotReadyReason
from changgu.acd.emergency import EmergencyPlan, FloorPlans
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import ORDINARY_SEAT, Agent, Floor, Queue, Rules, Seat
from changgu.acd.routing_checks import check
from changgu.acd.routing_emergency import MOST_PLANS, PlanHead, plan_head
from changgu.acd.routing_places import places
from changgu.acd.routing_queues import QueuePlan, Site, as_it_is, queue_plan
from changgu.acd.routing_values import Notes, Table, nearest
from changgu.ground.csv_rows import RowError
from changgu.ground.trouble import BadInput

FILE_NAME = "routing.toml"
EXAMPLE = "routing_example.toml"
LARGEST = 1_000_000
"""Characters; more is not something that a person has written."""

NOTHING, MINUTE, HOUR, DAY = timedelta(0), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)

TOP = ("rules", "queue", "agent", "emergency")
RULES = (
    "priority_worth", "repeat_within", "repeat_priority", "named_agent_wait", "longest_extension", "connect_limit",
    "desktop_grace", "reason_limits", "promise_confidence", "zone",
)  # fmt: skip
AGENT = ("wrap_up", "seats")
SEAT = ("level", "delay", "weight")
_AGENT_LIST = "요원 목록(CSV)에서 정합니다", "set in the list of agents (CSV)"
AGENT_ELSEWHERE = dict.fromkeys(("name", "queues", "skills", "phone"), _AGENT_LIST)


class RoutingErrors(BadInput):
    """The file has mistakes, each with file, line and key; nothing of it holds."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda error: error.line))
        said = "\n".join(str(error) for error in self.errors)  # every line is in both languages
        super().__init__(said, said)


@dataclass(frozen=True, slots=True)
class RoutingReport:
    """What a file comes to: a floor, or None and its mistakes. Warnings keep nothing from being taken up."""

    file: str
    floor: Floor | None
    errors: tuple[RowError, ...]
    warnings: tuple[RowError, ...]
    emergencies: Mapping[str, EmergencyPlan] = field(default_factory=lambda: MappingProxyType({}))
    """The plans for emergencies by name; empty when there are mistakes."""
    text: str = ""
    """What stands in the file; empty when there are mistakes."""

    @property
    def plans(self) -> FloorPlans | None:
        """The floor with its plans, or None."""
        return None if self.floor is None else FloorPlans(self.floor, self.emergencies, self.text)

    def __str__(self) -> str:
        lines = [*map(str, self.errors), *(f"{warning} [주의 · warning]" for warning in self.warnings)]
        return "\n".join(lines if self.errors else [*lines, f"{self.file}: ok"])


def read_routing(
    file: str, text: str, floor: Floor, *,
    menu_nodes: Collection[str] | None = None, prompts: Collection[str] | None = None,
    straight_on: Mapping[str, str] | None = None,
) -> Floor:  # fmt: skip
    """The floor with the rules of a file over it; see `inspect_routing`.

    Raises:
        RoutingErrors: with every mistake in the file.
    """
    report = inspect_routing(file, text, floor, menu_nodes=menu_nodes, prompts=prompts, straight_on=straight_on)
    if report.floor is None:
        raise RoutingErrors(report.errors)
    return report.floor


def inspect_routing(
    file: str, text: str, floor: Floor, *,
    menu_nodes: Collection[str] | None = None, prompts: Collection[str] | None = None,
    straight_on: Mapping[str, str] | None = None, language: str | None = None,
) -> RoutingReport:  # fmt: skip
    """Read and check. `file` is for the messages only.

    `menu_nodes` and `prompts` are the names that `menu:` and `announce:` may lead to; None: not known here, not
    checked. `straight_on` are the menu nodes that lead to a queue without asking the caller anything, and that queue.
    `language` is what the notice of an emergency plan must be written in; None: any.
    """
    text = text.removeprefix("\ufeff")
    try:
        if len(text) > LARGEST:
            return _unread(file, 1, "파일이 너무 큽니다(100만 자까지).", "the file is larger than a million characters")
        entries = tomllib.loads(text)
        notes = Notes(file, places(text))
    except ValueError as trouble:  # also numbers and dates that are well written and impossible
        return _unread(file, _line_of(trouble, text), *_not_toml(trouble))
    except RecursionError:
        return _unread(file, 1, "너무 깊이 겹쳐 쓴 파일입니다.", "nested too deeply")
    site = Site(floor, menu_nodes, prompts, straight_on or {})
    top = Table((), entries, notes)
    top.known(TOP)
    read = _Reader(floor, site).read(top)
    plans = _emergencies(top.table("emergency"), read, site, language)
    # What is wrong with the ordinary floor is as wrong with a plan over it.
    errors, warnings = (
        sorted(dict.fromkeys(found), key=lambda error: error.line) for found in (notes.errors, notes.warnings)
    )
    if errors:
        return RoutingReport(file, None, tuple(errors), tuple(warnings))
    return RoutingReport(file, read, (), tuple(warnings), MappingProxyType(plans), text)


def _emergencies(tables: Table | None, floor: Floor, site: Site, language: str | None) -> dict[str, EmergencyPlan]:
    """Every plan, laid over the floor that the rest of the file comes to."""
    plans: dict[str, EmergencyPlan] = {}
    for name in tables.entries if tables is not None else ():
        assert tables is not None
        if (table := tables.table(name)) is None:
            continue
        head = plan_head(table, floor, site, language)
        plans[name] = _plan(head, _Reader(head.floor, site).read(table))
        if plans[name].floor == floor and head.notice is None:
            table.notes.odd(table.path, "바꾸는 것이 없는 계획입니다.", "a plan that changes nothing")
    if tables is not None and len(plans) > MOST_PLANS:
        tables.notes.wrong(
            tables.path, f"비상운영 계획은 {MOST_PLANS}개까지입니다.", f"there may be {MOST_PLANS} emergency plans"
        )
    return plans


def _plan(head: PlanHead, floor: Floor) -> EmergencyPlan:
    return EmergencyPlan(head.name, head.title, floor, head.instructions, head.lasts, head.notice)


def decoded(file: str, content: bytes) -> str:
    """The text of a file; raises `RoutingErrors` when it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as trouble:
        line = content[: trouble.start].count(b"\n") + 1
        raise RoutingErrors([RowError(file, line, "", "UTF-8로 저장한 파일이 아닙니다.", "not UTF-8 text")]) from None


def example() -> str:
    """The commented example file."""
    return (resources.files("changgu.acd") / EXAMPLE).read_text("utf-8")


class _Reader:
    """Goes through one file, table by table, or through one emergency plan of it."""

    def __init__(self, floor: Floor, site: Site) -> None:
        self._floor = floor
        self._site = site

    def read(self, file: Table) -> Floor:
        rules = self._rules(file.table("rules"))
        plans = self._queues(file.table("queue"))
        agents = self._agents(file.table("agent"))
        floor = Floor(tuple(plan.queue for plan in plans), agents, rules)
        check(floor, plans, self._site, file.notes, file.path)
        return floor

    def _rules(self, table: Table | None) -> Rules:
        old = self._floor.rules
        if table is None:
            return old
        table.known(RULES)
        return replace(
            old,
            priority_worth=table.length("priority_worth", old.priority_worth, SECOND, DAY),
            repeat_within=table.length("repeat_within", old.repeat_within, NOTHING, DAY),
            repeat_priority=table.whole("repeat_priority", old.repeat_priority, 0, 100),
            named_agent_wait=table.length("named_agent_wait", old.named_agent_wait, NOTHING, HOUR),
            longest_extension=table.length("longest_extension", old.longest_extension, NOTHING, 4 * HOUR),
            connect_limit=table.length("connect_limit", old.connect_limit, 2 * SECOND, 2 * MINUTE),
            desktop_grace=table.length("desktop_grace", old.desktop_grace, 5 * SECOND, HOUR),
            reason_limits=self._reason_limits(table, old),
            promise_confidence=self._confidence(table, old.promise_confidence),
            zone=self._zone(table, old.zone),
        )

    def _reason_limits(self, table: Table, old: Rules) -> Mapping[str, timedelta]:
        limits = table.table("reason_limits")
        if limits is None:
            return old.reason_limits
        limits.known([reason.value for reason in NotReadyReason])
        return MappingProxyType(
            {
                reason.value: limits.length(reason.value, NOTHING, SECOND, DAY)
                for reason in NotReadyReason
                if reason.value in limits
            }
        )

    def _confidence(self, table: Table, old: float) -> float:
        confidence = table.number("promise_confidence", old, 0.0, 0.99)
        if confidence < 0.5:
            table.wrong(
                "promise_confidence", "절반보다 적게 지키는 약속은 할 수 없습니다. 0.5~0.99로 씁니다.",
                "a promise that is broken more often than kept is none; from 0.5 to 0.99",
            )  # fmt: skip
            return old
        return confidence

    def _zone(self, table: Table, old: str) -> str:
        zone = table.text("zone") if "zone" in table else None
        if zone is None:
            return old
        try:
            return zoneinfo.ZoneInfo(zone).key
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # also a folder of the time zone database
            table.wrong("zone", "Asia/Seoul과 같은 시간대 이름으로 씁니다.", "must be a time zone such as Asia/Seoul")
            return old

    def _queues(self, tables: Table | None) -> list[QueuePlan]:
        plans = {queue.name: as_it_is(queue) for queue in self._floor.queues}
        for name in tables.entries if tables is not None else ():
            assert tables is not None
            if (table := tables.table(name)) is None:
                continue
            known = plans.get(QueueName(name))
            if known is None:
                ko, en = nearest(name, plans)
                tables.wrong(name, f"없는 대기열입니다.{ko}", f"there is no such queue{en}")
            plan = queue_plan(table, known.queue if known else Queue(QueueName(name), name), self._site)
            if known is not None:  # of another queue only what is wrong inside is of interest
                plans[plan.queue.name] = plan
        return list(plans.values())

    def _agents(self, tables: Table | None) -> tuple[Agent, ...]:
        agents = {agent.login: agent for agent in self._floor.agents}
        for login in tables.entries if tables is not None else ():
            assert tables is not None
            if (table := tables.table(login)) is None:
                continue
            known = agents.get(AgentId(login))
            if known is None:
                ko, en = nearest(login, agents)
                tables.wrong(login, f"없는 요원입니다.{ko}", f"there is no such agent{en}")
            agent = self._agent(table, known or Agent(AgentId(login), login, self._site.queues))
            if known is not None:
                agents[agent.login] = agent
        return tuple(agents.values())

    def _agent(self, table: Table, old: Agent) -> Agent:
        table.known(AGENT, AGENT_ELSEWHERE)
        wrap_up = table.length("wrap_up", old.wrap_up or NOTHING, NOTHING, HOUR) if "wrap_up" in table else old.wrap_up
        return replace(old, wrap_up=wrap_up, seats=self._seats(table, old))

    def _seats(self, table: Table, old: Agent) -> Mapping[QueueName, Seat]:
        listed = table.table("seats")
        if listed is None:
            return old.seats
        seats: dict[QueueName, Seat] = {}
        for name in listed.entries:
            queue = QueueName(name)
            if queue not in self._site.queues:
                ko, en = nearest(name, self._site.queues)
                listed.wrong(name, f"없는 대기열입니다.{ko}", f"there is no such queue{en}")
            elif queue not in old.queues:
                listed.wrong(
                    name, f"{old.login} 요원이 담당하지 않는 대기열입니다.", f"{old.login} does not serve this queue"
                )
            if (seat := listed.table(name)) is not None:
                seats[queue] = _seat(seat, old.seats.get(queue, ORDINARY_SEAT))
        return MappingProxyType(seats)


def _seat(table: Table, old: Seat) -> Seat:
    table.known(SEAT)
    return Seat(
        level=table.whole("level", old.level, 1, 100),
        delay=table.length("delay", old.delay, NOTHING, 4 * HOUR),
        weight=table.whole("weight", old.weight, 1, 1000),
    )


def _unread(file: str, line: int, ko: str, en: str) -> RoutingReport:
    return RoutingReport(file, None, (RowError(file, line, "", ko, en),), ())


def _line_of(trouble: ValueError, text: str) -> int:
    place = re.search(r"at line (\d+)", str(trouble))
    return int(place[1]) if place else text.count("\n") + 1


def _not_toml(trouble: ValueError) -> tuple[str, str]:
    why = re.sub(r" \(at .*\)", "", str(trouble))
    column = re.search(r"column (\d+)", str(trouble))
    where_ko, where_en = (f"{column[1]}번째 글자에서 ", f" at column {column[1]}") if column else ("", "")
    return f"{where_ko}TOML 문법에 맞지 않습니다({why}).", f"not TOML{where_en}: {why}"

"""Reads what the routing file says about one queue: its strategy, its steps, where it overflows, what callers hear."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

from changgu.acd.facts import Departure
from changgu.acd.identity import QueueName
from changgu.acd.queues import (
    WAYS_WITH_NAMES,
    Announcements,
    CallbackRules,
    Destination,
    First,
    Floor,
    Overflow,
    Queue,
    Relaxation,
    Way,
)
from changgu.acd.routing_places import TomlPath
from changgu.acd.routing_values import Notes, Table, nearest, shown
from changgu.acd.skills import EVERY, SKILL
from changgu.acd.strategies import STRATEGIES

NOTHING, MINUTE, HOUR, DAY = timedelta(0), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)

QUEUE = (
    "strategy", "priority", "ring_limit", "wrap_up", "misses_before_not_ready", "service_level", "short_abandon",
    "last_agent_wait", "relax", "overflow", "keys", "announce", "callback",
)  # fmt: skip
_QUEUE_LIST = "대기열 목록(CSV)에서 정합니다", "set in the list of queues (CSV)"
QUEUE_ELSEWHERE = dict.fromkeys(("name", "title", "number", "ticket", "record"), _QUEUE_LIST)
RELAX = ("after", "drop", "lower", "open")
OVERFLOW = ("when", "limit", "to")
ANNOUNCE = ("first_after", "every", "position", "estimate", "comfort")
CALLBACK = ("first", "advantage", "attempts", "retry_after", "ring_limit", "opens", "closes", "on_holidays")

PHONE_KEYS = frozenset("0123456789*#")
WHENS = {when.value: when for when in Departure if when is not Departure.KEY}
NUMBER = re.compile(r"\+?[0-9](?:-?[0-9]){1,14}")
LONGEST_COMFORT = 500
_NO_NODE = "없는 메뉴 단계입니다", "there is no menu node"
_NO_PROMPT = "없는 안내문입니다", "there is no prompt"


class Site:
    """What the rules may name.

    `menu_nodes` and `prompts` may be None: not known here, not checked. `straight_on` are the menu nodes that lead to a
    queue without asking anything, and that queue; `skills` what somebody can do, without levels.
    """

    def __init__(
        self, floor: Floor, menu_nodes: Collection[str] | None, prompts: Collection[str] | None,
        straight_on: Mapping[str, str],
    ) -> None:  # fmt: skip
        self.menu_nodes = menu_nodes
        self.prompts = prompts
        self.straight_on = straight_on
        self.queues = frozenset(queue.name for queue in floor.queues)
        self.numbers = {queue.number: queue.name for queue in floor.queues if queue.number}
        self.skills = frozenset(skill.partition(":")[0] for agent in floor.agents for skill in agent.skills)


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """A queue as it will be, and where in the file each of its rules stands. Rules that cannot be read are left out."""

    queue: Queue
    path: TomlPath
    relaxations: tuple[tuple[TomlPath, Relaxation], ...] = ()
    overflows: tuple[tuple[TomlPath, Overflow], ...] = ()
    keys: tuple[tuple[TomlPath, Destination], ...] = ()


def as_it_is(queue: Queue) -> QueuePlan:
    """A queue of which the file says nothing."""
    path = ("queue", queue.name)
    return QueuePlan(
        queue, path, tuple((path, step) for step in queue.relaxations), tuple((path, rule) for rule in queue.overflows),
        tuple((path, to) for to in queue.keys.values()),
    )  # fmt: skip


def queue_plan(table: Table, old: Queue, site: Site) -> QueuePlan:
    """A queue with its table of the file over it."""
    table.known(QUEUE, QUEUE_ELSEWHERE)
    kept = as_it_is(old)
    relaxations = _relaxations(table, old, site) if "relax" in table else kept.relaxations
    overflows = _overflows(table, old, site) if "overflow" in table else kept.overflows
    keys = _keys(table, old, site) if "keys" in table else {}
    queue = replace(
        old,
        strategy=table.word("strategy", old.strategy, {name: name for name in STRATEGIES}),
        priority=table.whole("priority", old.priority, -100, 100),
        ring_limit=table.length("ring_limit", old.ring_limit, 3 * SECOND, 10 * MINUTE),
        wrap_up=table.length("wrap_up", old.wrap_up, NOTHING, HOUR),
        misses_before_not_ready=table.whole("misses_before_not_ready", old.misses_before_not_ready, 1, 100),
        service_level=table.length("service_level", old.service_level, SECOND, HOUR),
        short_abandon=table.length("short_abandon", old.short_abandon, NOTHING, 10 * MINUTE),
        last_agent_wait=table.length("last_agent_wait", old.last_agent_wait, NOTHING, HOUR),
        relaxations=tuple(step for _, step in relaxations),
        overflows=tuple(rule for _, rule in overflows),
        keys=MappingProxyType(keys) if "keys" in table else old.keys,
        announcements=_announcements(table.table("announce"), old.announcements),
        callbacks=_callbacks(table.table("callback"), old.callbacks),
    )
    places = tuple((table.at("keys", key), to) for key, to in keys.items()) if "keys" in table else kept.keys
    return QueuePlan(queue, table.path, relaxations, overflows, places)


# Steps


def _relaxations(table: Table, old: Queue, site: Site) -> tuple[tuple[TomlPath, Relaxation], ...]:
    read = []
    for step in table.tables("relax"):
        step.known(RELAX)
        if "after" not in step:
            step.notes.wrong(step.path, "after(기다린 시간)가 없습니다.", "after (the time waited) is missing")
        after = step.length("after", NOTHING, SECOND, 4 * HOUR)
        drop = frozenset(skill for path, skill in step.texts("drop") if _is_skill(path, skill, site, step.notes))
        opened = frozenset(
            QueueName(name) for path, name in step.texts("open") if _is_other_queue(path, name, old, site, step.notes)
        )
        lower = step.whole("lower", 0, 0, 9)
        if not any(step.entries.get(key) for key in ("drop", "lower", "open")):
            step.notes.wrong(
                step.path, "바꾸는 것이 없는 단계입니다. drop, lower, open 중 하나를 씁니다.",
                "a step that changes nothing: give drop, lower or open",
            )  # fmt: skip
        if after:
            read.append((step.path, Relaxation(after, drop, lower, opened)))
    return tuple(read)


def _is_skill(path: TomlPath, skill: str, site: Site, notes: Notes) -> bool:
    match = SKILL.fullmatch(skill)
    if skill == EVERY or skill in site.skills:
        return True
    if match is None or match["level"] is not None:
        notes.wrong(
            path, f"단계 없이 기술 이름만 씁니다: {shown(skill)}",
            f"a skill's name alone, without a level: {shown(skill)}",
        )  # fmt: skip
    else:
        ko, en = nearest(skill, site.skills)
        notes.wrong(path, f"이 기술을 가진 요원이 없습니다: {shown(skill)}{ko}", f"no agent has {shown(skill)}{en}")
    return False


def _is_other_queue(path: TomlPath, name: str, old: Queue, site: Site, notes: Notes) -> bool:
    if name == old.name:
        notes.wrong(path, "자기 대기열로는 보낼 수 없습니다.", "a queue cannot lead to itself")
        return False
    if QueueName(name) not in site.queues:
        ko, en = nearest(name, site.queues)
        notes.wrong(path, f"없는 대기열입니다: {shown(name)}{ko}", f"there is no queue {shown(name)}{en}")
        return False
    return True


# Overflow and keys


def _overflows(table: Table, old: Queue, site: Site) -> tuple[tuple[TomlPath, Overflow], ...]:
    read = []
    for rule in table.tables("overflow"):
        rule.known(OVERFLOW)
        before = len(rule.notes.errors)
        for needed in ("when", "to"):
            if needed not in rule:
                rule.notes.wrong(rule.path, f"{needed} 항목이 없습니다.", f"{needed} is missing")
        when = rule.word("when", None, WHENS)
        limit = _limit(rule, when)
        to = _destination(rule, "to", old, site) if "to" in rule else None
        if when is not None and to is not None and len(rule.notes.errors) == before:
            read.append((rule.path, Overflow(when, to, limit)))
    return tuple(read)


def _limit(rule: Table, when: Departure | None) -> float:
    if when is Departure.UNSTAFFED:
        if "limit" in rule:
            rule.wrong(
                "limit", "아무도 없을 때(unstaffed)에는 기준이 없습니다. 일정 시간 뒤라면 deserted를 씁니다.",
                "unstaffed has no limit; for a length of time without anybody write deserted",
            )  # fmt: skip
        return 0.0
    if when is None:
        return 0.0
    if "limit" not in rule:
        rule.notes.wrong(rule.path, "limit(기준)이 없습니다.", "limit is missing")
        return 0.0
    if when is Departure.FULL:
        return float(rule.whole("limit", 0, 1, 100_000))
    if when is Departure.RATIO:
        return rule.number("limit", 0.0, 0.0, 1000.0)
    return rule.length("limit", NOTHING, NOTHING if when is Departure.DESERTED else SECOND, DAY).total_seconds()


def _keys(table: Table, old: Queue, site: Site) -> dict[str, Destination]:
    keys = table.table("keys")
    read: dict[str, Destination] = {}
    for key in keys.entries if keys is not None else ():
        assert keys is not None
        if key not in PHONE_KEYS:
            keys.wrong(key, "전화기에 없는 번호입니다. 0~9, *, #을 씁니다.", "a telephone has 0 to 9, * and #")
        to = _destination(keys, key, old, site)
        if to is not None:
            read[key] = to
    return read


def _destination(table: Table, key: str, old: Queue, site: Site) -> Destination | None:
    """`queue:helpdesk`, `voicemail`, …; None with the mistake noted."""
    text = table.text(key)
    if text is None:
        return None
    word, colon, name = text.partition(":")
    path, ways = table.at(key), {way.value: way for way in Way}
    way = ways.get(word)
    if way is None:
        ko, en = nearest(word, ways)
        known = ", ".join(f"{one}:…" if one in WAYS_WITH_NAMES else one for one in Way)
        table.wrong(
            key, f"갈 곳은 다음 중 하나입니다({known}): {shown(text)}{ko}",
            f"a destination is one of {known}: {shown(text)}{en}",
        )  # fmt: skip
        return None
    if (way in WAYS_WITH_NAMES) != bool(name) or (colon and not name):
        needs_name = way in WAYS_WITH_NAMES
        table.wrong(
            key, f'"{way}:이름"으로 씁니다: {shown(text)}' if needs_name else f'"{way}"만 씁니다: {shown(text)}',
            f'is written "{way}:name": {shown(text)}' if needs_name else f'is written "{way}" alone: {shown(text)}',
        )  # fmt: skip
        return None
    good = True
    match way:
        case Way.QUEUE | Way.OPEN:
            good = _is_other_queue(path, name, old, site, table.notes)
        case Way.MENU:
            good = _is_among(path, name, site.menu_nodes, _NO_NODE, table.notes)
        case Way.ANNOUNCE:
            good = _is_among(path, name, site.prompts, _NO_PROMPT, table.notes)
        case Way.NUMBER:
            good = _is_outside(path, name, site, table.notes)
            name = name.replace("-", "")
    return Destination(way, name) if good else None


def _is_among(
    path: TomlPath, name: str, known: Collection[str] | None, sentence: tuple[str, str], notes: Notes
) -> bool:
    if known is None or name in known:
        return True
    ko, en = nearest(name, known)
    notes.wrong(path, f"{sentence[0]}: {shown(name)}{ko}", f"{sentence[1]} {shown(name)}{en}")
    return False


def _is_outside(path: TomlPath, number: str, site: Site, notes: Notes) -> bool:
    if not NUMBER.fullmatch(number):
        notes.wrong(
            path, f"전화번호는 숫자 2~15자리입니다(앞에 +, 사이에 - 가능): {shown(number)}",
            f"a number is 2 to 15 digits, with + before and - between if you like: {shown(number)}",
        )  # fmt: skip
        return False
    digits = number.replace("-", "")
    ours = site.numbers.get(digits)
    if ours is not None:
        notes.wrong(
            path, f'우리 대기열의 번호입니다. "queue:{ours}"로 씁니다.',
            f'this is the number of one of our queues; write "queue:{ours}"',
        )  # fmt: skip
    return ours is None


# What callers hear, and call-backs


def _announcements(table: Table | None, old: Announcements) -> Announcements:
    if table is None:
        return old
    table.known(ANNOUNCE)
    first = table.length("first_after", NOTHING, NOTHING, HOUR) if "first_after" in table else old.first_after
    every = table.length("every", MINUTE, 10 * SECOND, HOUR) if "every" in table else old.every
    comfort = tuple(text for path, text in table.texts("comfort") if _is_sentence(path, text, table.notes))
    read = Announcements(
        first_after=every if first is None else first,
        every=every,
        position=table.yes_or_no("position", old=old.position),
        estimate=table.yes_or_no("estimate", old=old.estimate),
        comfort=comfort if "comfort" in table else old.comfort,
    )
    something = read.position or read.estimate or bool(read.comfort) or bool(table.entries.get("comfort"))
    if something and read.first_after is None:
        table.notes.wrong(
            table.path, "언제 말할지가 없습니다. first_after나 every를 씁니다.",
            "when is missing: give first_after or every",
        )  # fmt: skip
    if not something and read.first_after is not None:
        table.notes.wrong(
            table.path, "말할 것이 없습니다. position, estimate, comfort 중 하나를 씁니다.",
            "nothing to say: give position, estimate or comfort",
        )  # fmt: skip
    return read


def _is_sentence(path: TomlPath, text: str, notes: Notes) -> bool:
    if text.strip() and text.isprintable() and len(text) <= LONGEST_COMFORT:
        return True
    notes.wrong(
        path, f"한 줄에 {LONGEST_COMFORT}자까지의 문장을 씁니다: {shown(text)}",
        f"a sentence on one line, at most {LONGEST_COMFORT} characters: {shown(text)}",
    )  # fmt: skip
    return False


def _callbacks(table: Table | None, old: CallbackRules) -> CallbackRules:
    if table is None:
        return old
    table.known(CALLBACK)
    before = len(table.notes.errors)
    read = CallbackRules(
        first=table.word("first", old.first, {first.value: first for first in First}),
        advantage=table.length("advantage", old.advantage, NOTHING, 4 * HOUR),
        attempts=table.whole("attempts", old.attempts, 1, 20),
        retry_after=table.length("retry_after", old.retry_after, MINUTE, DAY),
        ring_limit=table.length("ring_limit", old.ring_limit, 5 * SECOND, 3 * MINUTE),
        opens=table.time_of_day("opens", old.opens),
        closes=table.time_of_day("closes", old.closes),
        on_holidays=table.yes_or_no("on_holidays", old=old.on_holidays),
    )
    if len(table.notes.errors) == before and read.opens >= read.closes:
        key = "opens" if "opens" in table else "closes"
        table.wrong(
            key, f"다시 거는 시간이 비어 있습니다: {read.opens:%H:%M}부터 {read.closes:%H:%M}까지입니다.",
            f"nobody could ever be called back: from {read.opens:%H:%M} to {read.closes:%H:%M}",
        )  # fmt: skip
    return read

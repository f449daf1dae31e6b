"""What can be wrong with a menu tree that is well written: callers lost, trapped, tired, or sent nowhere."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from changgu.ivr_flows.checks_of_words import missing_sentences, unheard_words, unset_values, untold_person
from changgu.ivr_flows.findings import Finding, error, warning
from changgu.ivr_flows.flow import PERSON_KEY, Flow
from changgu.ivr_flows.graph import (
    answered_before,
    circles,
    deepest_menu,
    menu_depths,
    reached,
    silent_ways,
    sub_flow_circle,
    sub_flow_depth,
    unasked_ways,
)
from changgu.ivr_flows.limits import DEEPEST_MENU, SUB_FLOW_DEPTH, WIDEST_MENU
from changgu.ivr_flows.nodes import (
    CollectDigits,
    Condition,
    HandOver,
    Menu,
    NodeName,
    OpeningHours,
    Return,
    SubFlow,
    ToAgent,
    queues_at,
    waits,
    ways_on,
)
from changgu.ivr_flows.opening_hours import Hours

__all__ = ["DEEPEST_MENU", "WIDEST_MENU", "Finding", "Staff", "check", "menu_depths"]


@dataclass(frozen=True, slots=True)
class Staff:
    """Who is there to be asked for."""

    agents: frozenset[str]
    """Logins."""
    skills: Mapping[str, int]
    """Skill → the highest level that anybody has."""


def check(
    flow: Flow,
    queues: Collection[str] | None,
    catalogues: Mapping[str, Collection[str]],
    staff: Staff | None = None,
    *,
    vocabulary: Mapping[str, Collection[str]] | None = None,
    languages: Collection[str] = (),
) -> list[Finding]:
    """Every finding about this flow itself; its sub-flows are checked each for themselves.

    `queues`: names known to the site (None: not known here, not checked; so for `staff`, and for `vocabulary`, the
    words that the recogniser knows by language); `catalogues`: language → names of prompts that have a sentence in
    it, or name → sentence; `languages`: between which a caller may have chosen before they come here.
    """
    return [
        *(finding for find in _STRUCTURE for finding in find(flow)),
        *_unknown_queues(flow, queues),
        *_unknown_staff(flow, staff),
        *missing_sentences(flow, catalogues, languages),
        *untold_person(flow, catalogues),
        *unset_values(flow),
        *unheard_words(flow, vocabulary),
    ]


def _dead_ends(flow: Flow) -> Iterator[Finding]:
    for entry in flow.entries:
        if entry not in flow.nodes:
            yield error(None, "entries", f"'{entry}' 단계가 없습니다.", f"there is no node '{entry}'")
    for name, node in flow.nodes.items():
        for way, target in ways_on(node).items():
            if target not in flow.nodes:
                yield error(
                    name, f"keys.{way}" if isinstance(node, Menu) else way,
                    f"'{target}' 단계가 없습니다.", f"there is no node '{target}'",
                )  # fmt: skip
        if isinstance(node, Menu) and not node.keys:
            yield error(
                name, "keys", "메뉴에 누를 수 있는 번호가 없습니다.", "the menu has no key that leads anywhere"
            )
        if isinstance(node, CollectDigits) and node.min > node.max:
            yield error(name, "min", "최소 자릿수가 최대보다 큽니다.", "the fewest digits are more than the most")
        if isinstance(node, Return) and not flow.is_sub_flow:
            yield error(
                name, "kind", "부른 흐름이 없어 돌아갈 곳이 없습니다(parameters가 없는 흐름).",
                "nobody called this flow: it has no parameters, and nowhere to return to",
            )  # fmt: skip


def _person_key_misused(flow: Flow) -> Iterator[Finding]:
    for name, node in flow.nodes.items():
        if not isinstance(node, Menu) or PERSON_KEY not in node.keys:
            continue
        if flow.is_sub_flow:
            yield error(
                name, f"keys.{PERSON_KEY}", "0번은 부른 흐름의 상담원으로 갑니다. 여기 적지 않습니다.",
                "0 leads to the person of the flow that called this one; it is not written here",
            )  # fmt: skip
        elif node.keys[PERSON_KEY] != flow.person:
            yield error(
                name, f"keys.{PERSON_KEY}",
                f"0번은 언제나 상담원('{flow.person}')으로 연결됩니다. 다른 번호를 쓰십시오.",
                f"0 always leads to a person ('{flow.person}'); choose another key",
            )  # fmt: skip


def _repeat_key_taken(flow: Flow) -> Iterator[Finding]:
    for name, node in flow.nodes.items():
        if isinstance(node, Menu) and (node.repeat_key in node.keys or node.repeat_key == PERSON_KEY):
            yield error(
                name, "repeat_key",
                f"다시 듣기 번호 {node.repeat_key}번이 다른 용도로 쓰이고 있습니다.",
                f"the key that repeats the menu ({node.repeat_key}) already has another meaning",
            )  # fmt: skip


def _unreachable(flow: Flow) -> Iterator[Finding]:
    come_to = reached(flow)
    for name in flow.nodes:
        if name not in come_to:
            yield error(name, "", "이 단계로 오는 길이 없습니다.", "no caller can reach this node")


def _loops_without_a_wait(flow: Flow) -> Iterator[Finding]:
    said: set[frozenset[NodeName]] = set()
    for circle, way in circles(flow, unasked_ways):
        said.add(frozenset(circle))
        shown = " → ".join(circle)
        yield error(
            circle[0], way, f"기다리는 곳 없이 되돌아옵니다: {shown}", f"a loop in which nobody is asked: {shown}"
        )
    for circle, way in circles(flow, silent_ways):
        if frozenset(circle) not in said and any(waits(flow.nodes[name]) for name in circle):
            shown = " → ".join(circle)
            yield error(
                circle[0], way, f"아무것도 누르지 않는 사람이 끝없이 되돌아옵니다: {shown}",
                f"a caller who presses nothing goes round without end: {shown}",
            )  # fmt: skip


def _unreachable_hours(flow: Flow) -> Iterator[Finding]:
    """Branches by the clock that no clock will ever take."""
    for name, node in flow.nodes.items():
        if not isinstance(node, OpeningHours):
            continue
        calendar = flow.calendars.get(node.calendar)
        if calendar is None:
            known = ", ".join(sorted(flow.calendars)) or "–"
            yield error(
                name, "calendar", f"'{node.calendar}' 근무시간표가 없습니다. 있는 것: {known}",
                f"there is no calendar '{node.calendar}'; there are: {known}",
            )  # fmt: skip
            continue
        ever = calendar.ever()
        for hours in Hours:
            if hours not in ever and hours.value in ways_on(node) and not (
                hours is Hours.CLOSED and _stands_in_for_others(node, ever)
            ):  # fmt: skip
                yield error(
                    name, hours.value, f"'{node.calendar}' 시간표로는 '{hours.value}'가 되는 때가 없습니다.",
                    f"by the calendar '{node.calendar}' it is never '{hours.value}'",
                )  # fmt: skip
        yield from _asked_by_the_clock_again(flow, name, node)


def _stands_in_for_others(node: OpeningHours, ever: Collection[Hours]) -> bool:
    return (node.lunch is None and Hours.LUNCH in ever) or (node.holiday is None and Hours.HOLIDAY in ever)


def _asked_by_the_clock_again(flow: Flow, name: NodeName, node: OpeningHours) -> Iterator[Finding]:
    for way, target in ways_on(node).items():
        again = flow.nodes.get(target)
        if isinstance(again, OpeningHours) and again.calendar == node.calendar:
            yield warning(
                name, way, f"'{target}'에서 같은 시간표를 바로 다시 묻습니다. 다른 갈래는 쓰이지 않습니다.",
                f"'{target}' asks the same calendar again at once; its other branches are never taken",
            )  # fmt: skip


def _unreachable_tests(flow: Flow) -> Iterator[Finding]:
    for name, node in flow.nodes.items():
        if not isinstance(node, Condition):
            continue
        seen: set[tuple[str, str, tuple[str, ...]]] = set()
        for count, test in enumerate(node.tests):
            asked = (test.value, test.comparison, test.against)
            if asked in seen:
                yield error(
                    name, f"when.{count}", "위에 같은 조건이 있어 여기로는 오지 않습니다.",
                    "the same test stands above: this one is never reached",
                )  # fmt: skip
            seen.add(asked)


def _sub_flows(flow: Flow) -> Iterator[Finding]:
    around = sub_flow_circle(flow)
    for name, node in flow.nodes.items():
        if not isinstance(node, SubFlow):
            continue
        called = flow.flows.get(node.flow)
        if called is None or called.parameters is None:
            yield error(
                name, "flow", f"'{node.flow}'이라는 부를 수 있는 흐름이 없습니다(parameters가 있어야 합니다).",
                f"there is no flow '{node.flow}' that can be called; it must have 'parameters'",
            )  # fmt: skip
            continue
        for argument in node.arguments.keys() - called.parameters.keys():
            yield error(
                name, f"arguments.{argument}", f"'{node.flow}'에는 매개변수 '{argument}'이(가) 없습니다.",
                f"'{node.flow}' has no parameter '{argument}'",
            )  # fmt: skip
        for parameter, default in called.parameters.items():
            if default is None and parameter not in node.arguments:
                yield error(
                    name, "arguments", f"'{node.flow}'의 매개변수 '{parameter}'을(를) 넘겨야 합니다.",
                    f"'{node.flow}' must be given '{parameter}'",
                )  # fmt: skip
        if not any(isinstance(inner, Return) for inner in called.nodes.values()):
            yield error(
                name, "next", f"'{node.flow}'은(는) 돌아오지 않습니다(return 단계가 없음).",
                f"'{node.flow}' never comes back: it has no return",
            )  # fmt: skip
        if node.flow in around:
            shown = " → ".join(around)
            yield error(name, "flow", f"흐름이 서로를 끝없이 부릅니다: {shown}", f"flows that call each other: {shown}")
        elif not around and sub_flow_depth(flow, node.flow) > SUB_FLOW_DEPTH:
            yield error(
                name, "flow", f"흐름을 {SUB_FLOW_DEPTH}겹보다 깊이 부를 수 없습니다.",
                f"flows can be called {SUB_FLOW_DEPTH} deep",
            )  # fmt: skip


def _unknown_queues(flow: Flow, queues: Collection[str] | None) -> Iterator[Finding]:
    if queues is None:
        return
    for name, node in flow.nodes.items():
        for queue in queues_at(node):
            if queue not in queues:
                known = ", ".join(sorted(queues))
                yield error(
                    name, "queue", f"'{queue}' 대기열이 없습니다. 등록된 대기열: {known}",
                    f"there is no queue '{queue}'; there are: {known}",
                )  # fmt: skip


def _unknown_staff(flow: Flow, staff: Staff | None) -> Iterator[Finding]:
    """Callers who need what nobody can do would wait until the queue asks for less, if it ever does."""
    if staff is None:
        return
    for name, node in flow.nodes.items():
        if not isinstance(node, HandOver | ToAgent):
            continue
        if node.agent is not None and "{" not in node.agent and node.agent not in staff.agents:
            yield error(name, "agent", f"'{node.agent}' 요원이 없습니다.", f"there is no agent '{node.agent}'")
        for skill in sorted(node.skills) if isinstance(node, HandOver) else ():
            needed, _, level = skill.partition(":")
            best = staff.skills.get(needed, 0)
            if not best:
                yield error(
                    name, "skills", f"'{needed}' 기술을 가진 요원이 없습니다.", f"no agent has the skill '{needed}'"
                )
            elif best < int(level or 1):  # a queue may ask for less after a while
                yield warning(
                    name, "skills",
                    f"'{needed}' 기술이 {level}단계인 요원이 없습니다. 가장 높은 단계는 {best}입니다.",
                    f"no agent has '{needed}' at level {level}; the highest is {best}",
                )  # fmt: skip


def _too_deep(flow: Flow) -> Iterator[Finding]:
    for name, depth in menu_depths(flow).items():
        if depth > DEEPEST_MENU:
            yield warning(
                name, "",
                f"{depth}단계 메뉴입니다. {DEEPEST_MENU}단계를 넘으면 이용자가 길을 잃습니다.",
                f"menu at level {depth}; callers get lost beyond {DEEPEST_MENU}",
            )  # fmt: skip
    for name, before in answered_before(flow).items():
        node = flow.nodes[name]
        called = flow.flows.get(node.flow) if isinstance(node, SubFlow) else None
        if isinstance(node, SubFlow) and called is not None and before:
            depth = before + deepest_menu(called, flow.flows, frozenset({node.flow}))
            if depth > DEEPEST_MENU:
                yield warning(
                    name, "flow",
                    f"'{node.flow}'의 메뉴까지 {depth}단계입니다. {DEEPEST_MENU}단계를 넘으면 이용자가 길을 잃습니다.",
                    f"with the menus of '{node.flow}' it is {depth} levels; callers get lost beyond {DEEPEST_MENU}",
                )  # fmt: skip


def _too_wide(flow: Flow) -> Iterator[Finding]:
    for name, node in flow.nodes.items():
        if isinstance(node, Menu):
            choices = [key for key in node.keys if key not in (PERSON_KEY, "*")]
            if len(choices) > WIDEST_MENU:
                yield warning(
                    name, "keys",
                    f"고를 번호가 {len(choices)}개입니다. {WIDEST_MENU}개를 넘으면 듣고 기억하기 어렵습니다.",
                    f"{len(choices)} choices; more than {WIDEST_MENU} are hard to remember",
                )  # fmt: skip


_STRUCTURE: tuple[Callable[[Flow], Iterator[Finding]], ...] = (
    _dead_ends, _person_key_misused, _repeat_key_taken, _unreachable, _loops_without_a_wait, _unreachable_hours,
    _unreachable_tests, _sub_flows, _too_deep, _too_wide,
)  # fmt: skip
"""All that can be seen from the flow alone."""

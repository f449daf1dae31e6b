"""What can be wrong with a menu tree that is well written: callers lost, trapped, tired, or sent nowhere."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from changgu.ivr_flows.flow import PERSON_KEY, Flow
from changgu.ivr_flows.nodes import (
    DigitsPrompt,
    HandOver,
    Menu,
    NamedPrompt,
    NodeName,
    Said,
    TicketStatus,
    said_at,
    waits,
    ways_on,
)
from changgu.ivr_flows.problems import Severity
from changgu.ivr_flows.session import OWN_PROMPTS
from changgu.ivr_flows.spoken import ANSWER_PROMPTS, digit_pieces

DEEPEST_MENU = 3
WIDEST_MENU = 5
"""Keys that a listener must keep in mind, not counting 0 (a person) and the key that repeats."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, at a node (None: the whole flow) and one of its fields."""

    severity: Severity
    node: NodeName | None
    field: str
    ko: str
    en: str


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
) -> list[Finding]:
    """Every finding. `queues`: names known to the site (None: not known here, not checked; so for `staff`);
    `catalogues`: language → names of prompts that have a sentence in it."""
    return [
        *_dead_ends(flow),
        *_person_key_misused(flow),
        *_repeat_key_taken(flow),
        *_unreachable(flow),
        *_loops_without_a_wait(flow),
        *_unknown_queues(flow, queues),
        *_unknown_staff(flow, staff),
        *_missing_prompts(flow, catalogues),
        *_too_deep(flow),
        *_too_wide(flow),
    ]


def _error(node: NodeName | None, field: str, ko: str, en: str) -> Finding:
    return Finding(Severity.ERROR, node, field, ko, en)


def _dead_ends(flow: Flow) -> Iterator[Finding]:
    for entry in flow.entries:
        if entry not in flow.nodes:
            yield _error(None, "entries", f"'{entry}' 단계가 없습니다.", f"there is no node '{entry}'")
    for name, node in flow.nodes.items():
        for way, target in ways_on(node).items():
            if target not in flow.nodes:
                yield _error(
                    name, f"keys.{way}" if isinstance(node, Menu) else way,
                    f"'{target}' 단계가 없습니다.", f"there is no node '{target}'",
                )  # fmt: skip
        if isinstance(node, Menu) and not node.keys:
            yield _error(
                name, "keys", "메뉴에 누를 수 있는 번호가 없습니다.", "the menu has no key that leads anywhere"
            )


def _person_key_misused(flow: Flow) -> Iterator[Finding]:
    for name, node in flow.nodes.items():
        if isinstance(node, Menu) and node.keys.get(PERSON_KEY, flow.person) != flow.person:
            yield _error(
                name, f"keys.{PERSON_KEY}",
                f"0번은 언제나 상담원('{flow.person}')으로 연결됩니다. 다른 번호를 쓰십시오.",
                f"0 always leads to a person ('{flow.person}'); choose another key",
            )  # fmt: skip


def _repeat_key_taken(flow: Flow) -> Iterator[Finding]:
    for name, node in flow.nodes.items():
        if isinstance(node, Menu) and (node.repeat_key in node.keys or node.repeat_key == PERSON_KEY):
            yield _error(
                name, "repeat_key",
                f"다시 듣기 번호 {node.repeat_key}번이 다른 용도로 쓰이고 있습니다.",
                f"the key that repeats the menu ({node.repeat_key}) already has another meaning",
            )  # fmt: skip


def _unreachable(flow: Flow) -> Iterator[Finding]:
    reached = {flow.start, flow.person, *flow.entries}
    ahead = deque(reached)
    while ahead:
        node = flow.nodes.get(ahead.popleft())
        for target in ways_on(node).values() if node else ():
            if target not in reached:
                reached.add(target)
                ahead.append(target)
    for name in flow.nodes:
        if name not in reached:
            yield _error(name, "", "이 단계로 오는 길이 없습니다.", "no caller can reach this node")


def _loops_without_a_wait(flow: Flow) -> Iterator[Finding]:
    """A node that does not wait has at most one way on, so following it either ends or comes round."""
    settled: set[NodeName] = set()
    for first in flow.nodes:
        trail: list[NodeName] = []
        name = first
        while name in flow.nodes and name not in settled and name not in trail and not waits(flow.nodes[name]):
            trail.append(name)
            onward = list(ways_on(flow.nodes[name]).values())
            if not onward:
                break
            name = onward[0]
        if name in trail and ways_on(flow.nodes[name]):
            loop = [*trail[trail.index(name) :], name]
            shown = " → ".join(loop)
            yield _error(
                name, "next", f"기다리는 곳 없이 되돌아옵니다: {shown}", f"a loop in which nobody is asked: {shown}"
            )
        settled.update(trail)


def _unknown_queues(flow: Flow, queues: Collection[str] | None) -> Iterator[Finding]:
    if queues is None:
        return
    for name, node in flow.nodes.items():
        if isinstance(node, HandOver) and node.queue not in queues:
            known = ", ".join(sorted(queues))
            yield _error(
                name, "queue", f"'{node.queue}' 대기열이 없습니다. 등록된 대기열: {known}",
                f"there is no queue '{node.queue}'; there are: {known}",
            )  # fmt: skip


def _unknown_staff(flow: Flow, staff: Staff | None) -> Iterator[Finding]:
    """Callers who need what nobody can do would wait until the queue asks for less, if it ever does."""
    if staff is None:
        return
    for name, node in flow.nodes.items():
        if not isinstance(node, HandOver):
            continue
        if node.agent is not None and node.agent not in staff.agents:
            yield _error(name, "agent", f"'{node.agent}' 요원이 없습니다.", f"there is no agent '{node.agent}'")
        for skill in sorted(node.skills):
            needed, _, level = skill.partition(":")
            best = staff.skills.get(needed, 0)
            if not best:
                yield _error(
                    name, "skills", f"'{needed}' 기술을 가진 요원이 없습니다.", f"no agent has the skill '{needed}'"
                )
            elif best < int(level or 1):  # a queue may ask for less after a while
                yield Finding(
                    Severity.WARNING, name, "skills",
                    f"'{needed}' 기술이 {level}단계인 요원이 없습니다. 가장 높은 단계는 {best}입니다.",
                    f"no agent has '{needed}' at level {level}; the highest is {best}",
                )  # fmt: skip


def _missing_prompts(flow: Flow, catalogues: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    for language, names in catalogues.items():
        for name, node in flow.nodes.items():
            for prompt in said_at(node):
                yield from _not_in_catalogue(name, prompt, language, names)
        needed: list[Said] = list(OWN_PROMPTS)
        if any(isinstance(node, TicketStatus) for node in flow.nodes.values()):
            needed += [*map(NamedPrompt, ANSWER_PROMPTS), *digit_pieces("0123456789")]
        for prompt in needed:
            yield from _not_in_catalogue(None, prompt, language, names)


def _not_in_catalogue(
    node: NodeName | None, prompt: Said, language: str, names: Collection[str]
) -> Iterator[Finding]:
    wanted = digit_pieces(prompt.digits) if isinstance(prompt, DigitsPrompt) else (prompt,)
    for piece in wanted:
        if isinstance(piece, NamedPrompt) and piece.name not in names:
            yield _error(
                node, "say" if node else "",
                f"'{piece.name}' 안내문이 {language} 목록에 없습니다.",
                f"the prompt '{piece.name}' has no sentence in {language}",
            )  # fmt: skip


def menu_depths(flow: Flow) -> dict[NodeName, int]:
    """How many menus a caller has answered, at the least, when they hear each menu, itself counted."""
    depths: dict[NodeName, int] = {}
    level = [flow.start]
    seen: set[NodeName] = set()
    depth = 0
    while level:
        # All that is reached without answering another menu belongs to the same level.
        ahead, answered = deque(level), []
        while ahead:
            name = ahead.popleft()
            node = flow.nodes.get(name)
            if node is None or name in seen:
                continue
            seen.add(name)
            if isinstance(node, Menu):
                depths[name] = depth + 1
                answered += list(node.keys.values())
            else:
                ahead.extend(ways_on(node).values())
        level, depth = answered, depth + 1
    return depths


def _too_deep(flow: Flow) -> Iterator[Finding]:
    for name, depth in menu_depths(flow).items():
        if depth > DEEPEST_MENU:
            yield Finding(
                Severity.WARNING, name, "",
                f"{depth}단계 메뉴입니다. {DEEPEST_MENU}단계를 넘으면 이용자가 길을 잃습니다.",
                f"menu at level {depth}; callers get lost beyond {DEEPEST_MENU}",
            )  # fmt: skip


def _too_wide(flow: Flow) -> Iterator[Finding]:
    for name, node in flow.nodes.items():
        if isinstance(node, Menu):
            choices = [key for key in node.keys if key not in (PERSON_KEY, "*")]
            if len(choices) > WIDEST_MENU:
                yield Finding(
                    Severity.WARNING, name, "keys",
                    f"고를 번호가 {len(choices)}개입니다. {WIDEST_MENU}개를 넘으면 듣고 기억하기 어렵습니다.",
                    f"{len(choices)} choices; more than {WIDEST_MENU} are hard to remember",
                )  # fmt: skip

"""Ways through a flow: what can be reached, where callers go round in circles, how many menus deep they are."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import (
    ChooseLanguage,
    CollectDigits,
    CollectSpeech,
    Menu,
    Node,
    NodeName,
    Record,
    Return,
    SubFlow,
    SurveyQuestion,
    waits,
    ways_on,
)

Ways = Mapping[str, NodeName]


def reached(flow: Flow) -> set[NodeName]:
    """Nodes to which a caller can come."""
    found = {flow.start, *flow.entries}
    if not flow.is_sub_flow:
        found.add(flow.person)
    ahead = deque(found)
    while ahead:
        node = flow.nodes.get(ahead.popleft())
        for target in ways_on(node).values() if node is not None else ():
            if target not in found:
                found.add(target)
                ahead.append(target)
    return found


def unasked_ways(flow: Flow, name: NodeName) -> Ways:
    """Where callers get from a node without being asked anything there."""
    node = flow.nodes[name]
    if isinstance(node, SubFlow) and not passes_unasked(flow, node.flow):
        return {}
    return {} if waits(node) else ways_on(node)


def silent_ways(flow: Flow, name: NodeName) -> Ways:
    """Where callers get from a node who never press or say anything; to a person is no way on."""
    node = flow.nodes[name]
    match node:
        case CollectDigits() | CollectSpeech() | Record():
            return {"failed": node.failed} if node.failed is not None else {}
        case SurveyQuestion() | ChooseLanguage():
            return {"next": node.next}
        case _:
            return {} if waits(node) else ways_on(node)


def passes_unasked(flow: Flow, called: str, on_the_way: frozenset[str] = frozenset()) -> bool:
    """Whether somebody can walk through a sub-flow without being asked anything."""
    sub = flow.flows.get(called)
    if sub is None or called in on_the_way:
        return True
    inside, ahead, seen = on_the_way | {called}, [sub.start], {sub.start}
    while ahead:
        node = sub.nodes.get(ahead.pop())
        if isinstance(node, Return):
            return True
        if node is None or waits(node) or (isinstance(node, SubFlow) and not passes_unasked(flow, node.flow, inside)):
            continue
        fresh = [target for target in ways_on(node).values() if target not in seen]
        seen.update(fresh)
        ahead += fresh
    return False


def circles(flow: Flow, ways: Callable[[Flow, NodeName], Ways]) -> Iterator[tuple[Sequence[NodeName], str]]:
    """Each way round found (first node again at its end), and the way by which it is left at its first node."""
    settled: set[NodeName] = set()
    for first in flow.nodes:
        if first in settled:
            continue
        trail: list[NodeName] = [first]
        place = {first: 0}
        open_ways = [iter(ways(flow, first).values())]
        while trail:
            onward = next(open_ways[-1], None)
            if onward is None:
                settled.add(trail[-1])
                del place[trail.pop()]
                open_ways.pop()
            elif onward in place:
                circle = [*trail[place[onward] :], onward]
                taken = ways(flow, onward)
                yield circle, next(way for way, target in taken.items() if target == circle[1])
            elif onward in flow.nodes and onward not in settled:
                place[onward] = len(trail)
                trail.append(onward)
                open_ways.append(iter(ways(flow, onward).values()))


def menu_depths(flow: Flow) -> dict[NodeName, int]:
    """How many menus a caller has answered, at the least, when they hear each menu, itself counted."""
    return {name: menus + 1 for name, menus in answered_before(flow).items() if isinstance(flow.nodes[name], Menu)}


def deepest_menu(flow: Flow, others: Mapping[str, Flow], inside: frozenset[str] = frozenset()) -> int:
    """How many menus lie one after the other in a flow with the sub-flows that it calls; `others`: those by name."""
    deepest = max(menu_depths(flow).values(), default=0)
    for name, before in answered_before(flow).items():
        node = flow.nodes[name]
        if isinstance(node, SubFlow) and node.flow in others and node.flow not in inside:
            deepest = max(deepest, before + deepest_menu(others[node.flow], others, inside | {node.flow}))
    return deepest


def answered_before(flow: Flow) -> dict[NodeName, int]:
    """Every node that is reached from the start → how many menus of this flow are answered, at the least, before."""
    depths: dict[NodeName, int] = {}
    level = [flow.start]
    seen: set[NodeName] = set()
    depth = 0
    while level:
        # All that is reached without answering another menu belongs to the same level.
        ahead, answered = deque(level), list[NodeName]()
        while ahead:
            name = ahead.popleft()
            node: Node | None = flow.nodes.get(name)
            if node is None or name in seen:
                continue
            seen.add(name)
            depths[name] = depth
            if isinstance(node, Menu):
                answered += list(node.keys.values())
            else:
                ahead.extend(ways_on(node).values())
        level, depth = answered, depth + 1
    return depths


def sub_flow_circle(flow: Flow) -> tuple[str, ...]:
    """Sub-flows that call each other round, the first again at the end; empty when there are none such."""
    calls = {
        name: [node.flow for node in one.nodes.values() if isinstance(node, SubFlow)]
        for name, one in {flow.name: flow, **flow.flows}.items()
    }

    def search(trail: tuple[str, ...]) -> tuple[str, ...]:
        for called in calls.get(trail[-1], ()):
            if called in trail:
                return (*trail[trail.index(called) :], called)
            if found := search((*trail, called)):
                return found
        return ()

    return search((flow.name,))


def sub_flow_depth(flow: Flow, called: str) -> int:
    """How many sub-flows are inside each other, this one counted; for flows without a circle."""
    sub = flow.flows.get(called)
    inner = (node.flow for node in sub.nodes.values() if isinstance(node, SubFlow)) if sub is not None else ()
    return 1 + max((sub_flow_depth(flow, one) for one in inner), default=0)

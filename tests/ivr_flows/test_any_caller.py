"""Whatever the tree and whatever the caller presses: never an exception, never a trap, always a way to a person."""

from collections.abc import Mapping
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.ivr_flows.checks import check
from changgu.ivr_flows.flow import Flow, Limits
from changgu.ivr_flows.nodes import Goodbye, HandOver, Menu, NamedPrompt, Node, NodeName, Say, TicketStatus
from changgu.ivr_flows.problems import Severity
from changgu.ivr_flows.session import (
    DigitsGathered,
    Event,
    LookedUp,
    LookUpFailed,
    NothingPressed,
    SessionState,
    ToQueue,
    Turn,
    Visit,
    WaitDigits,
    WaitLookUp,
    resume,
    start,
)

NAMES = [NodeName(name) for name in ("a", "b", "c", "d", "e", "f")]
targets = st.sampled_from([*NAMES, NodeName("operator")])
said = st.just((NamedPrompt("said"),))

nodes: st.SearchStrategy[Node] = st.one_of(
    st.builds(
        Menu,
        prompts=said,
        keys=st.dictionaries(st.sampled_from("1234567#*"), targets, min_size=1, max_size=4),
        repeat_key=st.sampled_from("89"),
        repeats=st.integers(0, 3),
    ),
    st.builds(Say, prompts=said, next=targets, mandatory=st.booleans()),
    st.builds(TicketStatus, prompts=said, next=targets, max_digits=st.integers(1, 12), repeats=st.integers(0, 3)),
    st.builds(HandOver, queue=st.sampled_from(["pc", "network"]), prompts=said),
    st.builds(Goodbye, prompts=said, served=st.booleans()),
)


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    tree: dict[NodeName, Node] = {name: draw(nodes) for name in NAMES}
    tree[NodeName("operator")] = HandOver("helpdesk", (NamedPrompt("person"),))
    turns = draw(st.integers(5, 30))
    return Flow("any", "Any", NAMES[0], NodeName("operator"), MappingProxyType(tree), Limits(turns))


events: st.SearchStrategy[Event] = st.one_of(
    st.builds(DigitsGathered, st.text("0123456789*#", max_size=8)),
    st.just(NothingPressed()),
    st.just(LookedUp(None)),
    st.builds(LookedUp, st.dictionaries(st.sampled_from(["state", "line", "expected", "number", "today"]), st.text())),
    st.just(LookUpFailed()),
)


def loops_without_a_wait(flow: Flow) -> bool:
    found = check(flow, None, {})
    return any(finding.severity is Severity.ERROR and finding.field == "next" for finding in found)


@given(flows(), st.lists(events, max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_tree_and_any_keys_wait_or_end(flow: Flow, pressed: list[Event]) -> None:
    turn = start(flow, Visit())
    for event in pressed:
        if turn.outcome is not None:
            break
        assert turn.wait is not None
        turn = resume(flow, SessionState.from_dict(turn.state.as_dict()), event)
        assert turn.state.turns <= flow.limits.turns


@given(flows(), st.lists(events, max_size=20))
@settings(max_examples=300, deadline=None)
def test_zero_always_reaches_a_person(flow: Flow, pressed: list[Event]) -> None:
    turn = start(flow, Visit())
    for event in pressed:
        if turn.outcome is not None:
            return
        turn = resume(flow, turn.state, event)
    if isinstance(turn.wait, WaitDigits):
        turn = resume(flow, turn.state, DigitsGathered("0"))
        assert turn.outcome == ToQueue("helpdesk")


@given(flows(), st.lists(events, max_size=20))
@settings(max_examples=300, deadline=None)
def test_silence_leads_to_a_person_in_a_bounded_number_of_turns(flow: Flow, pressed: list[Event]) -> None:
    turn = start(flow, Visit())
    for event in pressed:
        if turn.outcome is not None:
            return
        turn = resume(flow, turn.state, event)
    if turn.outcome is not None:
        return
    turns = 0
    while turn.outcome is None:
        turn = _silent(flow, turn)
        turns += 1
        # One question has at most its repetitions, a look-up before it, and its end.
        assert turns <= 6
    assert turn.outcome == ToQueue("helpdesk")


@given(flows(), st.lists(events, max_size=60))
@settings(max_examples=200, deadline=None)
def test_the_same_keys_give_the_same_visit(flow: Flow, pressed: list[Event]) -> None:
    assert _visit(flow, pressed) == _visit(flow, pressed)


@given(flows())
@settings(max_examples=200, deadline=None)
def test_a_checked_tree_never_sends_a_caller_to_a_person_unasked_at_the_start(flow: Flow) -> None:
    first = start(flow, Visit())
    if not loops_without_a_wait(flow) and first.state.node == flow.person:
        assert _leads_straight_to(flow.nodes, flow.start) == flow.person


def _leads_straight_to(tree: Mapping[NodeName, Node], name: NodeName) -> NodeName:
    node = tree[name]
    return _leads_straight_to(tree, node.next) if isinstance(node, Say) else name


def _silent(flow: Flow, turn: Turn) -> Turn:
    event: Event = LookedUp(None) if isinstance(turn.wait, WaitLookUp) else NothingPressed()
    return resume(flow, turn.state, event)


def _visit(flow: Flow, pressed: list[Event]) -> list[Turn]:
    turns = [start(flow, Visit())]
    for event in pressed:
        if turns[-1].outcome is None:
            turns.append(resume(flow, turns[-1].state, event))
    return turns

"""Whatever the tree and whatever the caller presses: never an exception, never a trap, always a way to a person."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.ivr_flows.checks import check
from changgu.ivr_flows.flow import Flow, Limits
from changgu.ivr_flows.nodes import (
    CallbackRequest,
    Choice,
    ChooseLanguage,
    CollectDigits,
    CollectSpeech,
    Comparison,
    Condition,
    Goodbye,
    Grammar,
    GrammarKind,
    HandOver,
    HttpLookUp,
    LookUp,
    Menu,
    NamedPrompt,
    Node,
    NodeName,
    OpeningHours,
    ReceiveFax,
    Record,
    Return,
    Say,
    SendMessage,
    SetValue,
    SpokenWay,
    SubFlow,
    SurveyQuestion,
    TicketStatus,
    ToAgent,
    ToNumber,
    ValuePrompt,
    When,
    YesNo,
)
from changgu.ivr_flows.opening_hours import Calendar, period
from changgu.ivr_flows.problems import Severity
from changgu.ivr_flows.session import (
    ClockRead,
    DigitsGathered,
    Done,
    Event,
    Failed,
    Heard,
    LookedUp,
    LookUpFailed,
    NothingPressed,
    NotUnderstood,
    Recorded,
    SessionState,
    SpeechBusy,
    ToQueue,
    Turn,
    Visit,
    WaitDigits,
    WaitLookUp,
    WaitSpeech,
    resume,
    start,
)

NAMES = [NodeName(name) for name in ("a", "b", "c", "d", "e", "f")]
targets = st.sampled_from([*NAMES, NodeName("operator")])
perhaps = st.none() | targets
said = st.just((NamedPrompt("said"), ValuePrompt("x", SpokenWay.NUMBER), ValuePrompt("opens", SpokenWay.MOMENT)))
templates = st.sampled_from(["{x}", "7", "{caller}", "", "{unknown.field}"])
grammars = st.sampled_from([
    Grammar(GrammarKind.CHOICES, (Choice("pc", ("프린터",), "1"), Choice("web", ("인터넷",), "2"))),
    Grammar(GrammarKind.DIGITS, least=2, most=4),
])  # fmt: skip
tests = st.builds(
    When, st.sampled_from(["x", "y", "caller"]), st.sampled_from(Comparison), st.tuples(st.sampled_from(["1", "true"])),
    targets,
)  # fmt: skip

others: st.SearchStrategy[Node] = st.one_of(
    st.builds(
        CollectDigits, name=st.just("x"), min=st.integers(1, 4), max=st.integers(4, 8), prompts=said, next=targets,
        confirm=st.booleans(), failed=perhaps, repeats=st.integers(0, 3),
    ),
    st.builds(
        CollectSpeech, name=st.just("y"), grammar=grammars, prompts=said, next=targets, failed=perhaps,
        keys_prompts=said, repeats=st.integers(0, 3),
    ),
    st.builds(YesNo, prompts=said, yes=targets, no=targets, voice=st.booleans(), repeats=st.integers(0, 3)),
    st.builds(ChooseLanguage, prompts=said, languages=st.just({"1": "ko", "2": "en"}), next=targets),
    st.builds(SurveyQuestion, question=st.just("overall"), prompts=said, next=targets, repeats=st.integers(0, 2)),
    st.builds(Condition, tests=st.lists(tests, max_size=2).map(tuple), otherwise=targets),
    st.builds(SetValue, values=st.dictionaries(st.sampled_from("xy"), templates, max_size=2), next=targets),
    st.builds(OpeningHours, calendar=st.sampled_from(["desk", "gone"]), open=targets, closed=targets, lunch=perhaps),
    st.builds(
        LookUp, source=st.just("person"), key=templates, name=st.just("x"), found=targets, not_found=targets,
        failed=perhaps,
    ),
    st.builds(
        HttpLookUp, url=st.just("https://example.org/{x}"), query=st.just({"q": "{y}"}), name=st.just("y"),
        found=targets, not_found=targets, failed=perhaps,
    ),
    st.builds(SubFlow, flow=st.sampled_from(["sub", "gone"]), next=targets, arguments=st.just({"x": "{y}"})),
    st.builds(Return, values=st.just({"x": "1"})),
    st.builds(Record, prompts=said, next=targets, failed=perhaps),
    st.builds(
        SendMessage, kind=st.just("sms"), to=templates, text=templates, next=targets, failed=perhaps,
    ),
    st.builds(CallbackRequest, queue=st.just("pc"), number=templates, failed=perhaps),
    st.builds(ToAgent, agent=templates, queue=st.just("pc"), prompts=said),
    st.builds(ToNumber, number=templates, failed=perhaps),
    st.builds(ReceiveFax, prompts=said),
)  # fmt: skip

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


CALENDARS = {"desk": Calendar("Asia/Seoul", {day: (period("09:00-18:00"),) for day in range(5)})}


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    kinds = nodes | others
    tree: dict[NodeName, Node] = {name: draw(kinds) for name in NAMES}
    tree[NodeName("operator")] = HandOver("helpdesk", (NamedPrompt("person"),))
    inside: dict[NodeName, Node] = {name: draw(kinds) for name in NAMES}
    sub = Flow("sub", "Sub", NAMES[0], NodeName(""), MappingProxyType(inside), parameters={"x": "1"}, returns=("y",))
    turns = draw(st.integers(5, 30))
    return Flow(
        "any", "Any", NAMES[0], NodeName("operator"), MappingProxyType(tree), Limits(turns), flows={"sub": sub},
        calendars=CALENDARS,
    )  # fmt: skip


@st.composite
def plain_flows(draw: st.DrawFn) -> Flow:
    """Of nodes without `failed`: all that goes wrong leads to a person."""
    tree: dict[NodeName, Node] = {name: draw(nodes) for name in NAMES}
    tree[NodeName("operator")] = HandOver("helpdesk", (NamedPrompt("person"),))
    return Flow("any", "Any", NAMES[0], NodeName("operator"), MappingProxyType(tree), Limits(draw(st.integers(5, 30))))


events: st.SearchStrategy[Event] = st.one_of(
    st.builds(DigitsGathered, st.text("0123456789*#", max_size=8)),
    st.just(NothingPressed()),
    st.just(LookedUp(None)),
    st.builds(LookedUp, st.dictionaries(st.sampled_from(["state", "line", "expected", "number", "today"]), st.text())),
    st.just(LookUpFailed()),
    st.just(ClockRead(datetime(2026, 11, 20, 9, tzinfo=UTC))),
    st.builds(Heard, st.sampled_from(["pc", "프린터", "yes", "no", "123"])),
    st.sampled_from([NotUnderstood(), SpeechBusy(), Done(), Failed(), Recorded("r", 3.0)]),
)


def loops_without_a_wait(flow: Flow) -> bool:
    found = check(flow, None, {})
    return any(finding.severity is Severity.ERROR and "a loop" in finding.en for finding in found)


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
    if isinstance(turn.wait, WaitDigits | WaitSpeech):
        turn = resume(flow, turn.state, DigitsGathered("0"))
        assert turn.outcome == ToQueue("helpdesk")


@given(plain_flows(), st.lists(events, max_size=20))
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


@given(flows(), st.lists(events, max_size=20))
@settings(max_examples=200, deadline=None)
def test_whatever_happens_a_silent_caller_gets_to_an_end(flow: Flow, pressed: list[Event]) -> None:
    turn = start(flow, Visit())
    for event in pressed:
        if turn.outcome is None:
            turn = resume(flow, turn.state, event)
    for _ in range(3 * flow.limits.turns):
        if turn.outcome is not None:
            return
        # What fits no question asks it again, which counts like any other.
        turn = resume(flow, turn.state, NothingPressed())
    raise AssertionError(turn)


@given(plain_flows())
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

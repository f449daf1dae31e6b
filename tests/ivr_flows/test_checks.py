"""What the check finds in trees that are well written and still lose callers."""

import time
from dataclasses import replace

from msgspec import structs

from changgu.ivr_flows.checks import Finding, Staff, check, menu_depths
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.loader import Beside, inspect
from changgu.ivr_flows.nodes import (
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
    LookUp,
    Menu,
    NamedPrompt,
    Node,
    NodeName,
    OpeningHours,
    Return,
    Say,
    SetValue,
    SpokenWay,
    SubFlow,
    SurveyQuestion,
    TextPrompt,
    TicketStatus,
    ValuePrompt,
    When,
    WrittenPrompt,
)
from changgu.ivr_flows.opening_hours import Calendar, period
from changgu.ivr_flows.problems import Severity
from changgu.ivr_flows.service import LANGUAGES, sentences
from changgu.ivr_flows.session import OWN_PROMPTS

SAID = (NamedPrompt("said"),)


def flow(start: str = "menu", **nodes: Node) -> Flow:
    tree: dict[NodeName, Node] = {NodeName(name): node for name, node in nodes.items()}
    tree.setdefault(NodeName("operator"), HandOver("helpdesk", SAID))
    return Flow("f", "F", NodeName(start), NodeName("operator"), tree)


def menu(**keys: str) -> Menu:
    return Menu(SAID, {key.removeprefix("k"): NodeName(target) for key, target in keys.items()})


def say(target: str) -> Say:
    return Say(SAID, NodeName(target))


def findings(tree: Flow) -> list[tuple[str | None, str]]:
    return [(finding.node, finding.field) for finding in check(tree, None, {})]


def test_a_good_tree_has_no_findings() -> None:
    assert findings(flow(menu=menu(k1="bye", k0="operator"), bye=Goodbye(SAID))) == []


def test_a_dead_end() -> None:
    assert findings(flow(menu=menu(k1="nowhere"))) == [("menu", "keys.1")]
    assert findings(flow(start="hello", hello=say("nowhere"))) == [("hello", "next")]
    assert findings(flow(menu=menu())) == [("menu", "keys")]


def test_zero_cannot_be_given_another_meaning() -> None:
    assert findings(flow(menu=menu(k0="bye"), bye=Goodbye(SAID))) == [("menu", "keys.0")]


def test_the_repeat_key_cannot_lead_elsewhere() -> None:
    assert findings(flow(menu=menu(k9="bye"), bye=Goodbye(SAID))) == [("menu", "repeat_key")]


def test_an_unreachable_node() -> None:
    assert findings(flow(menu=menu(k1="operator"), lost=say("menu"))) == [("lost", "")]


def test_a_node_to_which_only_queues_lead_is_an_entry() -> None:
    tree = flow(menu=menu(k1="operator"), offer=menu(k1="operator"))
    assert findings(tree) == [("offer", "")]
    assert findings(replace(tree, entries=(NodeName("offer"),))) == []
    assert findings(replace(tree, entries=(NodeName("offer"), NodeName("gone")))) == [(None, "entries")]


def test_staff_that_is_not_there_cannot_be_asked_for() -> None:
    tree = flow(
        menu=menu(k1="sap", k2="named"),
        sap=HandOver("pc", skills=frozenset({"sap", "vpn:8", "mail:2"})),
        named=HandOver("pc", agent="bob"),
    )
    staff = Staff(frozenset({"alice"}), {"vpn": 7, "mail": 2})
    assert [(one.severity, one.node, one.field, one.en) for one in check(tree, None, {}, staff)] == [
        (Severity.ERROR, "sap", "skills", "no agent has the skill 'sap'"),
        (Severity.WARNING, "sap", "skills", "no agent has 'vpn' at level 8; the highest is 7"),
        (Severity.ERROR, "named", "agent", "there is no agent 'bob'"),
    ]
    assert check(tree, None, {}) == []


def test_a_caller_goes_straight_on_to_a_queue_where_nothing_is_asked() -> None:
    tree = flow(menu=menu(k1="a"), a=say("b"), b=say("operator"), c=say("c"), d=say("menu"), e=say("nowhere"))
    assert tree.straight_on() == {"a": "helpdesk", "b": "helpdesk", "operator": "helpdesk"}


def test_a_loop_in_which_nobody_is_asked() -> None:
    (finding,) = check(flow(start="a", a=say("b"), b=say("c"), c=say("b")), None, {})

    assert (finding.node, finding.field) == ("b", "next")
    assert "b → c → b" in finding.en


def test_a_loop_with_a_question_in_it_is_a_menu_like_any_other() -> None:
    assert findings(flow(menu=menu(k1="a"), a=say("menu"))) == []


def test_missing_prompts_are_named_per_language() -> None:
    own = {prompt.name for prompt in OWN_PROMPTS}
    tree = flow(menu=menu(k1="operator"))

    found = check(tree, None, {"ko": {"said", *own}, "en": own})

    assert [(finding.node, "in en" in finding.en) for finding in found] == [("menu", True), ("operator", True)]


def test_a_ticket_enquiry_needs_the_sentences_of_its_answer() -> None:
    tree = flow(menu=menu(k1="status"), status=TicketStatus(SAID, NodeName("menu")))
    own = {prompt.name for prompt in OWN_PROMPTS}

    missing = {finding.en.split("'")[1] for finding in check(tree, None, {"ko": {"said", *own}})}

    assert {"ticket_number_is", "ticket_state_allocated", "ticket_line_2", "digit_0"} <= missing


def test_a_menu_deeper_than_three_is_a_warning() -> None:
    tree = flow(
        start="hello", hello=say("one"), one=menu(k1="two"), two=menu(k1="three"),
        three=menu(k1="aside"), aside=say("four"), four=menu(k1="operator"),
    )  # fmt: skip

    assert menu_depths(tree) == {"one": 1, "two": 2, "three": 3, "four": 4}
    assert _warnings(tree) == [("four", "")]


def test_a_menu_wider_than_five_is_a_warning_and_zero_does_not_count() -> None:
    five = {f"k{key}": "operator" for key in range(6)}
    assert _warnings(flow(menu=menu(**five))) == []
    assert _warnings(flow(menu=menu(**five, k6="operator"))) == [("menu", "keys")]


# ---- questions, hours, look-ups -------------------------------------------------------------------------------------

END = NodeName("bye")
OFFICE = Calendar("Asia/Seoul", {day: (period("09:00-18:00"),) for day in range(5)})
ALWAYS = Calendar("Asia/Seoul", {day: (period("00:00-24:00"),) for day in range(7)}, public=None)


def sub(parameters: dict[str, str | None] | None = None, **nodes: Node) -> Flow:
    tree = {NodeName(name): node for name, node in nodes.items()}
    return Flow("s", "S", next(iter(tree)), NodeName(""), tree, parameters=parameters or {})


def english(tree: Flow, **more: dict[str, list[str]]) -> list[str]:
    return [finding.en for finding in check(tree, None, {}, None, **more)]


def test_a_caller_who_presses_nothing_does_not_go_round_for_ever() -> None:
    ask = CollectDigits("n", 1, 4, SAID, END, failed=NodeName("sorry"))
    tree = flow(start="ask", ask=ask, sorry=say("ask"), bye=Goodbye(SAID))

    assert english(tree) == ["a caller who presses nothing goes round without end: ask → sorry → ask"]
    assert findings(flow(start="ask", ask=structs.replace(ask, failed=None), bye=Goodbye(SAID))) == []
    score = SurveyQuestion("overall", SAID, NodeName("ask"))
    assert "ask → ask" in english(flow(start="ask", ask=score))[0]


def test_a_loop_through_a_condition_or_a_look_up_is_one_in_which_nobody_is_asked() -> None:
    test = When("caller", Comparison.KNOWN, ("true",), END)
    back = SetValue({"x": "1"}, NodeName("a"))
    tree = flow(start="a", a=Condition((test,), NodeName("b")), b=back, bye=Goodbye(SAID))
    assert english(tree) == ["a loop in which nobody is asked: a → b → a"]
    found = LookUp("person", "{caller}", "who", END, NodeName("a"))
    assert english(flow(start="a", a=found, bye=Goodbye(SAID))) == ["a loop in which nobody is asked: a → a"]


def test_hours_that_never_are() -> None:
    hours = OpeningHours("desk", END, END, lunch=END, holiday=END)
    tree = flow(start="hours", hours=hours, bye=Goodbye(SAID))

    assert findings(tree) == [("hours", "calendar")]
    assert findings(replace(tree, calendars={"desk": OFFICE})) == [("hours", "lunch")]
    assert findings(replace(tree, calendars={"desk": ALWAYS})) == [
        ("hours", "closed"), ("hours", "lunch"), ("hours", "holiday"),
    ]  # fmt: skip
    stands_in = flow(start="hours", hours=structs.replace(hours, lunch=None, holiday=None), bye=Goodbye(SAID))
    assert findings(replace(stands_in, calendars={"desk": replace(ALWAYS, public="KR")})) == []  # closed: on holidays


def test_the_same_question_to_the_clock_twice_is_a_warning() -> None:
    again = OpeningHours("desk", END, END)
    tree = flow(start="hours", hours=OpeningHours("desk", NodeName("again"), END), again=again, bye=Goodbye(SAID))

    (finding,) = check(replace(tree, calendars={"desk": OFFICE}), None, {})

    assert (finding.severity, finding.node, finding.field) == (Severity.WARNING, "hours", "open")


def test_a_test_that_stands_above_already_is_never_reached() -> None:
    test = When("caller", Comparison.IS, ("1",), END)
    tree = flow(start="a", a=Condition((test, structs.replace(test, go=NodeName("operator"))), END), bye=Goodbye(SAID))
    assert findings(tree) == [("a", "when.1")]


def test_a_sub_flow_is_there_is_given_what_it_needs_and_comes_back() -> None:
    call = SubFlow("s", END, {"what": "1"})
    tree = flow(start="call", call=call, bye=Goodbye(SAID))
    good = sub({"what": None, "how": "2"}, back=Return())

    assert findings(tree) == [("call", "flow")]
    assert findings(replace(tree, flows={"s": good})) == []
    assert findings(replace(tree, flows={"s": sub({"how": None}, back=Return())})) == [
        ("call", "arguments.what"), ("call", "arguments"),
    ]  # fmt: skip
    assert findings(replace(tree, flows={"s": sub({"what": None}, end=Goodbye(SAID))})) == [("call", "next")]
    assert findings(flow(start="back", back=Return())) == [("back", "kind")]


def test_flows_that_call_each_other_and_flows_too_deep() -> None:
    tree = flow(start="call", call=SubFlow("s", END), bye=Goodbye(SAID))
    around = sub(None, a=SubFlow("s", NodeName("b")), b=Return())
    assert "flows that call each other: s → s" in english(replace(tree, flows={"s": around}))
    deep = {f"s{i}": sub(None, a=SubFlow(f"s{i + 1}", NodeName("b")), b=Return()) for i in range(6)}
    chain = deep | {"s6": sub(None, b=Return())}
    start = flow(start="call", call=SubFlow("s0", END), bye=Goodbye(SAID))
    assert english(replace(start, flows=chain)) == ["flows can be called 5 deep"]


def test_through_a_sub_flow_that_asks_nothing_a_loop_is_a_loop() -> None:
    tree = flow(start="call", call=SubFlow("s", NodeName("call")))
    assert "a loop in which nobody is asked: call → call" in english(replace(tree, flows={"s": sub(b=Return())}))
    asks = sub(None, m=Menu(SAID, {"1": NodeName("b")}), b=Return())
    assert english(replace(tree, flows={"s": asks})) == []


def test_a_text_without_its_translation_is_an_error_where_a_language_can_be_chosen() -> None:
    choose = ChooseLanguage(SAID, {"1": "ko", "2": "en"}, NodeName("hello"))
    both = WrittenPrompt({"ko": "안녕", "en": "hello"})
    tree = flow(
        start="choose", choose=choose, hello=Say((TextPrompt("안녕"),), NodeName("b")),
        b=Say((WrittenPrompt({"ko": "안녕"}), both), END), bye=Goodbye(SAID),
    )  # fmt: skip

    missing = [(one.node, "into en" in one.en) for one in check(tree, None, {}) if "translation" in one.en]

    assert missing == [("hello", True), ("b", True), ("hello", False)]


def test_a_menu_that_does_not_say_who_answers_0_is_a_warning() -> None:
    tree = flow(menu=menu(k1="operator"))
    own = {prompt.name: "" for prompt in OWN_PROMPTS}
    silent = {"ko": own | {"said": "1번을 누르십시오. 10번도 있습니다."}, "en": own | {"said": "Press 0 for a person."}}
    told = silent | {"ko": own | {"said": "상담원은 0번입니다."}}

    assert [one.en for one in check(tree, None, silent)] == ["the menu does not say in ko that 0 leads to a person"]
    assert check(tree, None, told) == []


def test_a_value_that_nothing_gives_and_one_that_must_be_synthesised() -> None:
    tree = flow(start="a", a=Say((ValuePrompt("x", SpokenWay.DIGITS), ValuePrompt("caller")), END), bye=Goodbye(SAID))

    found = check(tree, None, {})

    assert [(one.severity, one.en[:30]) for one in found] == [
        (Severity.WARNING, "nothing gives the value 'x'"),
        (Severity.WARNING, "'caller' is read as it is writ"),
    ]


def test_words_that_the_recogniser_does_not_know() -> None:
    grammar = Grammar(GrammarKind.CHOICES, (Choice("pc", ("노트북 컴퓨터", "pc"), "1"),))
    ask = CollectSpeech("topic", grammar, SAID, END, keys_prompts=SAID)
    tree = flow(start="ask", ask=ask, bye=Goodbye(SAID))

    assert english(tree, vocabulary={"ko": ["컴퓨터"]}) == ["the recogniser does not know this word (ko): '노트북'"]
    assert english(tree, vocabulary={"ko": ["컴퓨터", "노트북"]}) == []
    unasked = flow(start="ask", ask=structs.replace(ask, keys_prompts=()), bye=Goodbye(SAID))
    assert english(unasked) == ["there is no prompt for asking by keys"]


def test_a_tree_of_a_thousand_nodes_is_checked_within_a_second() -> None:
    nodes: dict[str, Node] = {f"n{i}": menu(k1=f"n{2 * i + 1}", k2=f"n{2 * i + 2}") for i in range(500)}
    nodes |= {f"n{i}": say(f"n{(i + 1) % 1000}") for i in range(500, 1001)}

    began = time.perf_counter()
    check(flow(start="n0", **nodes), {"helpdesk"}, {"ko": {"said"}, "en": {"said"}})

    assert time.perf_counter() - began < 1.0


def _warnings(tree: Flow) -> list[tuple[str | None, str]]:
    found: list[Finding] = check(tree, None, {})
    assert all(finding.severity is Severity.WARNING for finding in found)
    return [(finding.node, finding.field) for finding in found]


HEAD = "flow: main\ntitle: t\nstart: a\nperson: op\nnodes:\n  op: {kind: to_queue, say: to_person, queue: q}\n"
CALLED = "flow: s\ntitle: t\nstart: x\nparameters: {}\nnodes:\n  r: {kind: return}\n"


def said_of(tree: str, called: str) -> list[tuple[str, str]]:
    """File and English words of all that is wrong with a tree and the sub-flow it calls."""
    catalogues = {language: sentences(language) for language in LANGUAGES}
    report = inspect(HEAD + tree, "main.yaml", None, catalogues, None, Beside({"s": CALLED + called}))
    return [(problem.file, problem.en) for problem in report.problems]


def test_a_sub_flow_is_translated_where_the_flow_that_calls_it_offers_languages() -> None:
    choice = "  a: {kind: choose_language, say: choose_language, languages: {1: ko, 2: en}, next: b}\n"
    call = "  b: {kind: sub_flow, flow: s, next: op}\n"
    text = "  x: {kind: say, say: {ko: 안녕하십니까}, next: r}\n"
    assert said_of(choice + call, text) == [
        ("s.yaml", "this sentence has no translation into en: write {ko: …, en: …}")
    ]
    assert said_of(call.replace("b:", "a:"), text) == []


def test_menus_of_a_sub_flow_count_with_those_before_it() -> None:
    before = (
        "  a: {kind: menu, say: services_person, keys: {1: b, 0: op}}\n"
        "  b: {kind: menu, say: services_person, keys: {1: c, 0: op}}\n"
        "  c: {kind: sub_flow, flow: s, next: op}\n"
    )
    first = "  x: {kind: menu, say: services_person, keys: {1: y}}\n"
    second = "  y: {kind: menu, say: services_person, keys: {1: r}}\n"
    told = ("main.yaml", "with the menus of 's' it is 4 levels; callers get lost beyond 3")
    assert said_of(before, first + second) == [told]
    assert said_of(before, first.replace("1: y", "1: r")) == []

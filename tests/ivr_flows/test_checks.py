"""What the check finds in trees that are well written and still lose callers."""

import time
from dataclasses import replace

from changgu.ivr_flows.checks import Finding, Staff, check, menu_depths
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import Goodbye, HandOver, Menu, NamedPrompt, Node, NodeName, Say, TicketStatus
from changgu.ivr_flows.problems import Severity
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

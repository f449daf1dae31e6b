"""Menu files: what is read, and what is refused with its line, its column and a sentence in both languages."""

import pytest

from changgu.ivr_flows.flow import Flow, Limits
from changgu.ivr_flows.loader import Report, inspect, load
from changgu.ivr_flows.nodes import (
    DigitsPrompt,
    Goodbye,
    HandOver,
    Menu,
    NamedPrompt,
    NodeName,
    Say,
    TextPrompt,
    TicketStatus,
)
from changgu.ivr_flows.problems import FlowErrors, Place, Severity

SMALL = """\
flow: small
title: 작은 메뉴
start: hello
person: operator
entries: [menu]
limits: {turns: 20, visit_minutes: 5}
nodes:
  hello: {kind: say, say: [hello, {text: "오늘은 점검이 있습니다."}], next: menu}
  menu:
    kind: menu
    say: menu
    keys:
      1: status
      2: bye
      "#": menu
    repeat_key: 7
    repeats: 1
    first_timeout: 4.5
  status: {kind: ticket_status, say: {digits: "1588"}, next: menu, max_digits: 7}
  operator: {kind: to_queue, queue: helpdesk, priority: 3, skills: [vpn, "sap:3"], agent: kim.je}
  bye: {kind: hang_up, say: bye, served: false}
"""


def report(text: str, queues: set[str] | None = None) -> Report:
    return inspect(text, "menus/small.yaml", queues, {})


def only_problem(text: str) -> tuple[Place, str, str]:
    (problem,) = report(text).problems
    return problem.place, problem.ko, problem.en


def test_a_file_becomes_a_flow() -> None:
    flow = load(SMALL, "small.yaml", {"helpdesk"}, {})

    assert isinstance(flow, Flow)
    assert (flow.name, flow.title, flow.start, flow.person) == ("small", "작은 메뉴", "hello", "operator")
    assert flow.entries == ("menu",)
    assert (flow.limits.turns, flow.limits.visit.total_seconds()) == (20, 300)
    assert flow.written_sentences() == ("오늘은 점검이 있습니다.",)
    assert dict(flow.nodes) == {
        "hello": Say((NamedPrompt("hello"), TextPrompt("오늘은 점검이 있습니다.")), NodeName("menu")),
        "menu": Menu(
            (NamedPrompt("menu"),),
            {"1": NodeName("status"), "2": NodeName("bye"), "#": NodeName("menu")},
            repeat_key="7", repeats=1, first_timeout=4.5,
        ),
        "status": TicketStatus((DigitsPrompt("1588"),), NodeName("menu"), max_digits=7),
        "operator": HandOver("helpdesk", (), 3, frozenset({"vpn", "sap:3"}), "kim.je"),
        "bye": Goodbye((NamedPrompt("bye"),), served=False),
    }  # fmt: skip


def test_limits_have_defaults() -> None:
    assert load(SMALL.replace("limits: {turns: 20, visit_minutes: 5}\n", ""), "f", None, {}).limits == Limits()


def test_an_error_names_file_line_column_in_both_languages() -> None:
    with pytest.raises(FlowErrors) as trouble:
        load(SMALL.replace("kind: menu", "kind: manu"), "menus/small.yaml", None, {})

    (problem,) = trouble.value.problems
    assert (problem.file, problem.place) == ("menus/small.yaml", Place(10, 11))
    assert str(problem).startswith("menus/small.yaml:10:11: error (오류): kind is one of menu, say,")
    assert "단계 종류는" in problem.ko


@pytest.mark.parametrize(
    ("old", "new", "place", "en"),
    [
        ("queue: helpdesk", "queue: 'help desk'", Place(20, 37), "must be a name"),
        ("first_timeout: 4.5", "first_timeout: soon", Place(18, 20), "from 1.0 to 60.0"),
        ("first_timeout: 4.5", "first_timeout: .nan", Place(18, 20), "from 1.0 to 60.0"),
        ("repeats: 1", "repeats: 99", Place(17, 14), "from 0 to 5"),
        ("served: false", "served: perhaps", Place(21, 42), "true or false"),
        ("repeat_key: 7", "repeat_kay: 7", Place(16, 17), "unknown field 'repeat_kay'"),
        ("      2: bye", "      12: bye", Place(14, 11), "no key '12'"),
        ("      2: bye", "      1: bye", Place(14, 7), "'1' appears twice"),
        ("    say: menu\n", "", Place(10, 5), "'say' is missing"),
        ("    say: menu", "    say: {text: ''}", Place(11, 10), "a prompt is"),
        ("next: menu}", "next: [menu]}", Place(8, 67), "single value"),
        ("start: hello", "start: hallo", Place(3, 8), "no node 'hallo'"),
        ("person: operator", "person: bye", Place(4, 9), "must be a to_queue node"),
        ('skills: [vpn, "sap:3"]', "skills: vpn", Place(20, 68), "expected a list"),
        ('"sap:3"', '"sap:11"', Place(20, 74), "with a level from 1 to 10: 'sap:11'"),
        ('"sap:3"', "[sap]", Place(20, 74), "expected a single value"),
        ("agent: kim.je", "agent: '김'", Place(20, 91), "not the login of an agent"),
        ("  hello:", "  헬로:", Place(8, 7), "a node's name"),
        ("nodes:", "nodes: {", Place(9, 3), "not valid YAML"),
    ],
)
def test_a_mistake_is_named_where_it_was_made(old: str, new: str, place: Place, en: str) -> None:
    assert old in SMALL
    problems = report(SMALL.replace(old, new, 1)).problems

    assert any(problem.place == place and en in problem.en for problem in problems), problems
    assert all(problem.ko for problem in problems)


@pytest.mark.parametrize("text", ["", "# nothing", "just words", "- a\n- list", "flow: x", "\x00", "[" * 1500, "a: *b"])
def test_whatever_the_file_holds_there_is_a_report(text: str) -> None:
    assert report(text).flow is None
    assert report(text).errors


def test_all_mistakes_are_reported_at_once_and_in_the_order_of_the_file() -> None:
    broken = SMALL.replace("repeats: 1", "repeats: 9").replace("kind: hang_up", "kind: hangup")

    assert [problem.place.line for problem in report(broken).problems] == [17, 21]


def test_queues_are_checked_against_those_of_the_site() -> None:
    (problem,) = report(SMALL, {"network"}).problems

    assert problem.severity is Severity.ERROR
    assert problem.place == Place(20, 37)
    assert "network" in problem.en


def test_a_menu_that_leads_nowhere_is_named_at_its_key() -> None:
    place, ko, en = only_problem(SMALL.replace("2: bye", "2: by\n      3: bye"))

    assert place == Place(14, 10)
    assert "'by'" in ko
    assert "'by'" in en

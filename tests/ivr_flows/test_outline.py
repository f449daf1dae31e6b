"""A menu's text as its page shows and changes it: only the lines that change, and every node drawn once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.ground.trouble import BadInput, Conflict, NotFound
from changgu.ivr_flows.publishing.outline import Outline, Place, Value, drawn, outline, with_node, without_node
from tests.ivr_flows.menu_house import MAIN

NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)


def fields_of(text: str, node: str) -> dict[str, Value]:
    return dict(outline(text).nodes[node].fields)


def test_every_node_is_there_with_its_fields_and_ways() -> None:
    there = outline(MAIN)
    assert (there.flow, there.start, there.person) == ("main", "greeting", "operator")
    assert there.nodes["services"].ways()[0] == ("1", "pc")
    assert there.nodes["ticket_status"].kind == "ticket_status"
    assert fields_of(MAIN, "greeting")["say"] == ["greeting", "machine_voice", "recording_notice"]


@pytest.mark.parametrize("node", list(outline(MAIN).nodes))
def test_saving_a_node_as_it_is_changes_not_a_letter(node: str) -> None:
    assert with_node(MAIN, node, fields_of(MAIN, node)) == MAIN


def test_a_change_touches_its_lines_only_and_comments_stay() -> None:
    fields = fields_of(MAIN, "services")
    fields["repeats"] = "3"
    changed = with_node(MAIN, "services", fields)
    before, after = MAIN.splitlines(), changed.splitlines()
    assert [(old, new) for old, new in zip(before, after, strict=True) if old != new] == [
        ("    repeats: 2         # said again this often after silence or a wrong key, then a person", "    repeats: 3")
    ]


def test_fields_come_and_go() -> None:
    fields = fields_of(MAIN, "pc")
    del fields["say"]
    fields |= {"skills": ["vpn:3", "linux"], "priority": "2"}
    changed = with_node(MAIN, "pc", fields)
    assert fields_of(changed, "pc") == fields
    assert "    skills: [\"vpn:3\", linux]\n" in changed or "    skills:\n" in changed


def test_a_new_node_is_written_behind_the_last_and_can_be_taken_out_again() -> None:
    said: Value = {"text": "지금은 \"업무\" 시간이 아닙니다: 9시에."}
    added = with_node(MAIN, "closed", {"kind": "say", "say": said, "next": "goodbye"})
    assert list(outline(added).nodes)[-1] == "closed"
    assert without_node(added, "closed").rstrip() == MAIN.rstrip()


def test_a_node_to_which_others_lead_is_not_taken_out() -> None:
    for node in ("pc", "operator", "greeting"):
        with pytest.raises(Conflict):
            without_node(MAIN, node)
    with pytest.raises(NotFound):
        without_node(MAIN, "nowhere")
    with pytest.raises(BadInput):
        with_node(MAIN, "한글 이름", {"kind": "say"})


def test_what_is_no_menu_is_shown_empty_and_not_changed_by_form() -> None:
    for text in ("", "- a\n- b", "a: [", "nodes: 3", "flow: main"):
        assert outline(text).nodes == {}
    with pytest.raises(Conflict):
        with_node("a: [", "x", {"kind": "say"})


def test_nodes_written_in_braces_can_be_changed() -> None:
    text = "flow: main\nnodes:\n  a: {kind: say, say: hello, next: b}  # here\n  b: {kind: hang_up}\n"
    changed = with_node(text, "a", {"kind": "say", "say": "bye", "next": "b"})
    assert fields_of(changed, "a") == {"kind": "say", "say": "bye", "next": "b"}
    assert fields_of(changed, "b") == {"kind": "hang_up"}


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(NAMES, st.recursive(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x85\u2028\u2029\ufeff"), max_size=30),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=6,
), min_size=1, max_size=5))  # fmt: skip
def test_whatever_is_typed_into_a_form_is_read_back_as_it_was(fields: dict[str, Value]) -> None:
    changed = with_node(MAIN, "pc", fields)
    assert fields_of(changed, "pc") == fields
    before, after = outline(MAIN).nodes, outline(changed).nodes
    assert {name: node.fields for name, node in after.items() if name != "pc"} == {
        name: node.fields for name, node in before.items() if name != "pc"
    }


def test_the_tree_is_drawn_from_its_start_to_the_right_each_node_at_its_nearest() -> None:
    picture = drawn(outline(MAIN))
    assert picture.places["greeting"].column == 0
    assert picture.places["operator"].column == picture.places["pc"].column == 2
    assert len({(place.column, place.row) for place in picture.places.values()}) == len(outline(MAIN).nodes)
    assert sum(line.along for line in picture.lines) == len(outline(MAIN).nodes) - 1
    assert picture.astray == []


def test_nodes_that_nobody_reaches_are_drawn_below() -> None:
    picture = drawn(outline(with_node(MAIN, "lost", {"kind": "hang_up"})))
    assert picture.astray == ["lost"]
    assert picture.places["lost"] == Place(0, picture.rows - 1)
    assert drawn(Outline()).columns == 0


def test_a_tree_of_a_thousand_nodes_in_a_row_is_drawn() -> None:
    nodes = "".join(f"  n{i}: {{kind: say, say: x, next: n{i + 1}}}\n" for i in range(1000))
    picture = drawn(outline(f"flow: main\nstart: n0\nnodes:\n{nodes}"))
    assert (picture.columns, picture.rows) == (1000, 1)

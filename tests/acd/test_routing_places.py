"""Where a value stands in a routing file: every value that tomllib reads has its line."""

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changgu.acd.routing_places import TomlPath, places

FILE = '''\
# a comment with [brackets] and = signs
top = 1
"quoted.key" . inner = 'a # no comment'
[queue.network]   # here
strategy = "most \\"skilled\\" ]"
relax = [
  { after = "30s", drop = ["english", "vpn"] },   # the first

  { after = "1m", open = [
      "helpdesk"] },
]
note = """
[not.a.table]
key = 'no key' ""quoted"" \\""""
plain = \'\'\'it''s
two lines\'\'\'
[[list.of]]
a = 1979-05-27 07:32:00
[list.of.inner]
b = [[1, 2], [{c = 3}]]
[[list.of]]
d.e = true
'''


def paths_of(value: object, path: TomlPath = ()) -> Iterator[TomlPath]:
    if path:
        yield path
    match value:
        case dict():
            for key, inner in value.items():
                yield from paths_of(inner, (*path, key))
        case list():
            for number, inner in enumerate(value):
                yield from paths_of(inner, (*path, number))


def test_every_value_of_a_file_has_its_line() -> None:
    found = places(FILE)

    assert found.paths() == frozenset(paths_of(tomllib.loads(FILE)))
    assert {path: found[path] for path in found.paths()} == {
        ("top",): 2,
        ("quoted.key",): 3,
        ("quoted.key", "inner"): 3,
        ("queue",): 4,
        ("queue", "network"): 4,
        ("queue", "network", "strategy"): 5,
        ("queue", "network", "relax"): 6,
        ("queue", "network", "relax", 0): 7,
        ("queue", "network", "relax", 1): 9,
        ("queue", "network", "relax", 0, "after"): 7,
        ("queue", "network", "relax", 0, "drop"): 7,
        ("queue", "network", "relax", 1, "after"): 9,
        ("queue", "network", "relax", 1, "open"): 9,
        ("queue", "network", "relax", 0, "drop", 0): 7,
        ("queue", "network", "relax", 0, "drop", 1): 7,
        ("queue", "network", "relax", 1, "open", 0): 10,
        ("queue", "network", "note"): 12,
        ("queue", "network", "plain"): 15,
        ("list",): 17,
        ("list", "of"): 17,
        ("list", "of", 0): 17,
        ("list", "of", 0, "a"): 18,
        ("list", "of", 0, "inner"): 19,
        ("list", "of", 0, "inner", "b"): 20,
        ("list", "of", 0, "inner", "b", 0): 20,
        ("list", "of", 0, "inner", "b", 1): 20,
        ("list", "of", 0, "inner", "b", 0, 0): 20,
        ("list", "of", 0, "inner", "b", 0, 1): 20,
        ("list", "of", 0, "inner", "b", 1, 0): 20,
        ("list", "of", 0, "inner", "b", 1, 0, "c"): 20,
        ("list", "of", 1): 21,
        ("list", "of", 1, "d"): 22,
        ("list", "of", 1, "d", "e"): 22,
    }


def test_what_is_not_there_stands_where_the_nearest_table_begins() -> None:
    found = places(FILE)
    assert found["queue", "network", "relax", 1, "lower"] == 9
    assert found["queue", "pc", "strategy"] == 4
    assert found["agent", "alice"] == 1


@pytest.mark.parametrize("text", ["", "\n", "# nothing", "a = 1", "a=[]", "a={}", "[a]", "[[a]]", 'a = """"x""""'])
def test_short_files(text: str) -> None:
    assert places(text).paths() == frozenset(paths_of(tomllib.loads(text)))


def test_a_line_is_counted_as_an_editor_counts_it() -> None:
    assert places("a = 1\r\n\r\nb = 2\r\n")[("b",)] == 3


KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True),
    st.sampled_from(["a b", "ㄱ", "x.y", "", "#", "[t]", 'q"q', "\n"]),
)
TEXTS = st.sampled_from(["", "plain", "a # b", "x = [1]", '"', "'", '""', "\\", "두 줄\n[a]\n", ",", "}"])
VALUES = st.recursive(
    st.one_of(st.integers(-9, 9), st.booleans(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=12,
)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def inline(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() if "'''" not in value and not value.endswith("'") and "\n" in value:
            return f"'''\n{value}'''"
        case str():
            return quoted(value)
        case list():
            return "[" + "".join(f"\n {inline(inner)},  # one\n" for inner in value) + "]"
        case dict():
            return "{ " + ", ".join(f"{quoted(key)} = {inline(inner)}" for key, inner in value.items()) + " }"
        case _:
            return str(value)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_whatever_a_file_holds_every_value_has_a_place_within_it(tables: dict[str, dict[str, object]]) -> None:
    lines: list[str] = []
    begins: dict[TomlPath, int] = {}
    for name, table in tables.items():
        lines += ["", f"[{quoted(name)}]"]
        for key, value in table.items():
            begins[name, key] = len(lines) + 1
            lines += f"{quoted(key)} = {inline(value)}".split("\n")
    text = "\n".join(lines)

    found = places(text)

    assert found.paths() == frozenset(paths_of(tomllib.loads(text)))
    assert {path: found[path] for path in begins} == begins

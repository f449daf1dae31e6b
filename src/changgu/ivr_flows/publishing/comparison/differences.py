"""What is different between two versions of a menu: nodes, sentences, hours, each in the words of the form."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.publishing.outline import Value, as_words, outline


class What(StrEnum):
    """What differs."""

    NODE = "node"
    SENTENCE = "sentence"
    """A prompt that has a name."""
    FLOW = "flow"
    """A whole sub-flow, or what stands beside the nodes of a tree."""
    HOURS = "hours"
    """The table of opening hours and holidays."""


class How(StrEnum):
    """In which way."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Change(Struct, frozen=True):
    """One field; an empty text where it is not there."""

    field: str
    """With its key where it has keys: `keys 5`."""
    before: str
    after: str


class Difference(Struct, frozen=True):
    """One thing that callers of two versions meet in two ways."""

    what: What
    how: How
    name: str
    """A node (in a sub-flow: flow/node), a prompt with its language (`greeting (ko)`), a flow."""
    kind: str = ""
    """Of a node, afterwards; of one that was removed, before."""
    changes: tuple[Change, ...] = ()


def differences(before: MenuSet, after: MenuSet) -> list[Difference]:
    """Trees first, then sentences, then hours; comments, order and the way a text is laid out do not count."""
    found = list(_tree("", before.text, after.text))
    for name in sorted(before.flows.keys() | after.flows.keys()):
        if name not in before.flows or name not in after.flows:
            found.append(Difference(What.FLOW, How.ADDED if name in after.flows else How.REMOVED, name))
        else:
            found += _tree(name, before.flows[name], after.flows[name])
    for language in sorted(before.sentences.keys() | after.sentences.keys(), reverse=True):
        old, new = before.sentences.get(language, {}), after.sentences.get(language, {})
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                how = How.ADDED if name not in old else How.REMOVED if name not in new else How.CHANGED
                said = Change("", old.get(name, ""), new.get(name, ""))
                found.append(Difference(What.SENTENCE, how, f"{name} ({language})", changes=(said,)))
    if before.calendars.splitlines() != after.calendars.splitlines():
        found.append(Difference(What.HOURS, How.CHANGED, ""))
    return found


def _tree(flow: str, before: str, after: str) -> Iterator[Difference]:
    old, new = outline(before), outline(after)
    if beside := tuple(_changes(old.top, new.top)):
        yield Difference(What.FLOW, How.CHANGED, flow or new.flow or old.flow, changes=beside)
    for name in [*new.nodes, *(one for one in old.nodes if one not in new.nodes)]:
        called = f"{flow}/{name}" if flow else name
        if name not in old.nodes:
            node = new.nodes[name]
            yield Difference(What.NODE, How.ADDED, called, node.kind, tuple(_changes({}, node.fields)))
        elif name not in new.nodes:
            node = old.nodes[name]
            yield Difference(What.NODE, How.REMOVED, called, node.kind, tuple(_changes(node.fields, {})))
        elif changes := tuple(_changes(old.nodes[name].fields, new.nodes[name].fields)):
            yield Difference(What.NODE, How.CHANGED, called, new.nodes[name].kind, changes)


def _changes(before: Mapping[str, Value], after: Mapping[str, Value], within: str = "") -> Iterator[Change]:
    for name in dict.fromkeys([*after, *before]):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        field = f"{within} {name}" if within else name
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(old, new, field)
        else:
            yield Change(field, "" if old is None else as_words(old), "" if new is None else as_words(new))

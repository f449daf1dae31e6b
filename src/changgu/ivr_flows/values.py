"""The values of a visit: what they are called, and how `{name}` stands for one in a text."""

import re
from collections.abc import Iterator, Mapping

from changgu.ivr_flows.limits import LONGEST_VALUE, VALUES_KEPT
from changgu.ivr_flows.nodes import Said, SpokenWay, ValuePrompt, WrittenPrompt

VALUE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}(?:\.[a-z0-9_]{1,32})?")
"""`ticket`, or a field of something looked up: `ticket.state`."""

PLACE_HOLDER = re.compile(r"\{([^{}]*)\}")

ALWAYS_KNOWN = frozenset({"caller", "dialled", "language"})
"""Values every visit begins with."""

BY_THE_CLOCK = frozenset({"now", "today", "opens", "holiday", "hours"})
"""Values that an `opening_hours` node leaves behind."""

Values = Mapping[str, str]


def fill(template: str, values: Values) -> str:
    """The text with its values in place; what is not known is left out."""
    return PLACE_HOLDER.sub(lambda found: values.get(found[1].partition(":")[0], ""), template)


def names_in(template: str) -> Iterator[str]:
    """Values that a text names."""
    for found in PLACE_HOLDER.finditer(template):
        yield found[1].partition(":")[0]


def pieces_of(text: str) -> Iterator[str | ValuePrompt]:
    """A sentence taken apart: its fixed parts, and the values between them with the way each is said."""
    last = 0
    for found in PLACE_HOLDER.finditer(text):
        if fixed := text[last : found.start()].strip():
            yield fixed
        name, _, way = found[1].partition(":")
        yield ValuePrompt(name, SpokenWay(way) if way else SpokenWay.TEXT)
        last = found.end()
    if fixed := text[last:].strip():
        yield fixed


def values_said(prompt: Said) -> Iterator[ValuePrompt]:
    """The values that a prompt says, by itself or within a sentence in any language."""
    match prompt:
        case ValuePrompt():
            yield prompt
        case WrittenPrompt(texts):
            for text in texts.values():
                yield from (piece for piece in pieces_of(text) if isinstance(piece, ValuePrompt))
        case _:
            return


def mistake_in(text: str, *, spoken: bool) -> str | None:
    """The part of a text that is not well written, if there is one; ways belong to spoken texts only."""
    for found in PLACE_HOLDER.finditer(text):
        name, colon, way = found[1].partition(":")
        if not VALUE_NAME.fullmatch(name) or (colon and (not spoken or way not in tuple(SpokenWay))):
            return found[0]
    rest = PLACE_HOLDER.sub("", text)
    return next((brace for brace in rest if brace in "{}"), None)


def without(values: Values, looked_up: str) -> dict[str, str]:
    """The values without the fields of an earlier answer of this name, which are not true of the next one."""
    return {name: value for name, value in values.items() if not name.startswith(f"{looked_up}.")}


def kept(values: Values, new: Values) -> dict[str, str]:
    """The values with the new ones among them, none too long and not too many."""
    merged = dict(values)
    for name, value in new.items():
        if name in merged or len(merged) < VALUES_KEPT:
            merged[name] = value[:LONGEST_VALUE]
    return merged

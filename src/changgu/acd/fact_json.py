"""How a fact is written down, and read again years later.

The form is derived from the dataclasses, so a new fact or field needs nothing here. A field that has a
default may be missing in an old line; a field that has gone from the dataclass is passed over.
"""

from collections.abc import Callable
from dataclasses import MISSING, fields
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from changgu.acd.facts import FACTS, Fact

Json = str | int | float | bool | None | list[str]

T = TypeVar("T")

KINDS: dict[str, type] = {kind.__name__: kind for kind in FACTS}


class UnreadableFact(ValueError):
    """A line of the ledger that is no fact of this version: an unknown kind, or a field that cannot be read."""


def kind_of(fact: Fact) -> str:
    """The name under which this sort of fact stands in the ledger, such as `CallQueued`."""
    return type(fact).__name__


def to_json(fact: Fact) -> dict[str, Json]:
    """The fields of a fact in JSON's own types; sets become sorted lists."""
    return {field.name: _plain(getattr(fact, field.name)) for field in fields(fact)}


def from_json(kind: str, body: dict[str, Any]) -> Fact:
    """The fact that `to_json` wrote; raises `UnreadableFact`."""
    if kind not in KINDS:
        raise UnreadableFact(f"unknown kind of fact: {kind}")
    values = {}
    for name, read, required in _readers(KINDS[kind]):
        if name in body:
            try:
                values[name] = read(body[name])
            except (TypeError, ValueError) as trouble:
                raise UnreadableFact(f"{kind}.{name}: {trouble}") from trouble
        elif required:
            raise UnreadableFact(f"{kind}.{name} is missing")
    fact: Fact = KINDS[kind](**values)
    return fact


def writable(text: str) -> str:
    """The text with half characters replaced: a caller's network may send what no database takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _plain(value: object) -> Json:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, frozenset):
        return sorted(writable(str(member)) for member in value)
    if value is None or isinstance(value, int | float | bool):
        return value
    raise TypeError(f"a fact may not hold a {type(value).__name__}")


@cache
def _readers(kind: type) -> tuple[tuple[str, Callable[[Any], object], bool], ...]:
    hints = get_type_hints(kind)
    return tuple(
        (field.name, _reader(hints[field.name]), field.default is MISSING and field.default_factory is MISSING)
        for field in fields(kind)
    )


def _reader(hint: Any) -> Callable[[Any], object]:
    if isinstance(hint, NewType):
        return _reader(hint.__supertype__)
    if get_origin(hint) in (Union, UnionType):
        (inner,) = (part for part in get_args(hint) if part is not NoneType)
        read = _reader(inner)
        return lambda value: None if value is None else read(value)
    if get_origin(hint) is frozenset:
        return lambda value: frozenset(_expect(list, value))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if hint in (str, int, bool):
        return lambda value: _expect(hint, value)
    raise TypeError(f"no way to read {hint} from the ledger")


def _expect(kind: type[T], value: object) -> T:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value

"""The flow language described node by node, as the documentation shows it, made of the table of kinds."""

from enum import Enum

from changgu.ivr_flows.kinds import KINDS, Field, Kind
from changgu.ivr_flows.limits import LOOK_UP_SOURCES

YES = {"ko": "예", "en": "yes"}


def reference(language: str = "en") -> str:
    """Every kind of node with a table of its fields, and what can be looked up, in Markdown."""
    parts = [_kind(kind, language) for kind in KINDS.values()]
    sources = "\n".join(f"| `{source}` | {answer} |" for source, answer in LOOK_UP_SOURCES.items())
    title = "look_up이 물을 수 있는 곳" if language == "ko" else "What look_up can ask"
    return "\n".join([*parts, f"### {title}\n\n| source | key → fields |\n|---|---|\n{sources}\n"])


def _kind(kind: Kind, language: str) -> str:
    head = ("항목", "필수", "기본", "뜻") if language == "ko" else ("field", "required", "default", "meaning")
    lines = [f"### `{kind.name}`", "", kind.ko if language == "ko" else kind.en, ""]
    if kind.fields:
        lines += [f"| {' | '.join(head)} |", "|---|---|---|---|"]
        lines += [_field(one, kind.defaults.get(one.kept_as), language) for one in kind.fields]
        lines.append("")
    return "\n".join(lines)


def _field(one: Field, default: object, language: str) -> str:
    meaning = one.ko if language == "ko" else one.en
    if one.least is not None and one.most is not None:
        meaning += f" ({one.least:g}–{one.most:g})"
    if one.options:
        meaning += " " + ", ".join(f"`{option}`" for option in one.options)
    shown = "" if default is None or default == "" or one.required else f"`{_word(default)}`"
    return f"| `{one.name}` | {YES[language] if one.required else ''} | {shown} | {meaning} |"


def _word(default: object) -> str:
    if isinstance(default, Enum):
        return str(default.value)
    return str(default).lower() if isinstance(default, bool) else f"{default}"

"""Golden walks: text files that say which keys are pressed and everything that then happens.

    # A sentence for the reader.
    flow: main
    keys: 8 1234567# 3
    ticket 1234567: state=allocated line=2 expected=2026-11-21T15:10 today=2026-11-20
    ---
    the transcript

Without a `ticket` line every number is found; with one, only those listed. `language: en` walks in English. `at:` is
what the clock shows, `caller:` who calls, `value case: 7` what is known from the beginning, `found SOURCE KEY: a=b`
(blanks in the key and in values are `_`) what is looked up, `failing: sms record` what does not work.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from changgu.ivr_flows import service
from changgu.ivr_flows.walks import World, walk

WALKS = Path(__file__).parent / "walks"


@dataclass
class Golden:
    """One file."""

    head: str
    transcript: str
    flow: str = "main"
    keys: str = ""
    language: str = "ko"
    tickets: dict[str, dict[str, str]] = field(default_factory=dict)
    at: datetime | None = None
    caller: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    look_ups: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    failing: frozenset[str] = frozenset()

    def walked(self) -> str:
        """The transcript as it is today."""
        flow = service.load_file(service.shipped_menu(self.flow))
        said = {language: service.sentences(language) for language in service.LANGUAGES}
        world = World(self.at, self.look_ups, self.tickets or None, self.failing, self.values, self.caller, said)
        return walk(flow, self.keys, said[self.language], language=self.language, world=world)


def _pairs(written: str) -> dict[str, str]:
    return {name: value.replace("_", " ") for name, value in (pair.split("=", 1) for pair in written.split())}


def read(path: Path) -> Golden:
    head, _, transcript = path.read_text("utf-8").partition("---\n")
    golden = Golden(head, transcript)
    for line in head.splitlines():
        name, _, value = line.partition(":")
        match name.split():
            case ["flow"]:
                golden.flow = value.strip()
            case ["keys"]:
                golden.keys = value.strip()
            case ["language"]:
                golden.language = value.strip()
            case ["at"]:
                golden.at = datetime.fromisoformat(value.strip())
            case ["caller"]:
                golden.caller = value.strip()
            case ["failing"]:
                golden.failing = frozenset(value.split())
            case ["value", known]:
                golden.values[known] = value.strip()
            case ["ticket", number]:
                golden.tickets[number] = dict(pair.split("=", 1) for pair in value.split())
            case ["found", source, key]:
                golden.look_ups.setdefault(source, {})[key.replace("_", " ")] = _pairs(value)
            case ["#", *_] | []:
                continue
            case _:
                raise ValueError(f"{path}: {line}")
    return golden


def accept() -> None:
    """Write every transcript anew: `python -m tests.ivr_flows.golden`, then read the diff."""
    for path in sorted(WALKS.glob("*.walk")):
        golden = read(path)
        path.write_text(f"{golden.head}---\n{golden.walked()}", "utf-8")


if __name__ == "__main__":
    accept()

"""Golden walks: text files that say which keys are pressed and everything that then happens.

    # A sentence for the reader.
    keys: 8 1234567# 3
    ticket 1234567: state=allocated line=2 expected=2026-11-21T15:10 today=2026-11-20
    ---
    the transcript

Without a `ticket` line every number is found; with one, only those listed. `language: en` walks in English.
"""

from dataclasses import dataclass
from pathlib import Path

from changgu.ivr_flows import service
from changgu.ivr_flows.walks import walk

WALKS = Path(__file__).parent / "walks"


@dataclass(frozen=True)
class Golden:
    """One file."""

    head: str
    keys: str
    language: str
    tickets: dict[str, dict[str, str]] | None
    transcript: str

    def walked(self) -> str:
        """The transcript as it is today."""
        flow = service.load_file(service.shipped_menu("main"))
        sentences = service.sentences(self.language)
        return walk(flow, self.keys, sentences, tickets=self.tickets, language=self.language)


def read(path: Path) -> Golden:
    head, _, transcript = path.read_text("utf-8").partition("---\n")
    keys, language = "", "ko"
    tickets: dict[str, dict[str, str]] = {}
    for line in head.splitlines():
        name, _, value = line.partition(":")
        match name.split():
            case ["keys"]:
                keys = value.strip()
            case ["language"]:
                language = value.strip()
            case ["ticket", number]:
                tickets[number] = dict(pair.split("=", 1) for pair in value.split())
            case ["#", *_] | []:
                continue
            case _:
                raise ValueError(f"{path}: {line}")
    return Golden(head, keys, language, tickets or None, transcript)


def accept() -> None:
    """Write every transcript anew: `python -m tests.ivr_flows.golden`, then read the diff."""
    for path in sorted(WALKS.glob("*.walk")):
        golden = read(path)
        path.write_text(f"{golden.head}---\n{golden.walked()}", "utf-8")


if __name__ == "__main__":
    accept()

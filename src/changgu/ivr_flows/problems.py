"""What is wrong with a menu tree, where in its file, said so that a supervisor can mend it."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error keeps a flow off the air; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


SEVERITY_KO = {Severity.ERROR: "오류", Severity.WARNING: "주의"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the file: line and column count from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence in Korean and in English about one place of one file."""

    file: str
    place: Place
    severity: Severity
    ko: str
    en: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}:{self.place.column}"
        return f"{where}: {self.severity} ({SEVERITY_KO[self.severity]}): {self.en} / {self.ko}"


class FlowErrors(Exception):
    """A menu tree that must not go on the air; carries every problem found, not only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

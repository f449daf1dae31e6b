"""Which ticket goes first: impact (영향도) and urgency (긴급도) make the priority (INC-17)."""

from enum import StrEnum


class Level(StrEnum):
    """How much of either."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Priority(StrEnum):
    """1 goes first."""

    URGENT = "1"
    HIGH = "2"
    MEDIUM = "3"
    LOW = "4"
    PLANNED = "5"


LEVEL_NAMES = {Level.HIGH: ("상", "high"), Level.MEDIUM: ("중", "medium"), Level.LOW: ("하", "low")}

PRIORITY_NAMES = {
    Priority.URGENT: ("1 긴급", "1 urgent"),
    Priority.HIGH: ("2 높음", "2 high"),
    Priority.MEDIUM: ("3 보통", "3 medium"),
    Priority.LOW: ("4 낮음", "4 low"),
    Priority.PLANNED: ("5 계획", "5 planned"),
}

MATRIX = {  # (impact, urgency)
    (Level.HIGH, Level.HIGH): Priority.URGENT,
    (Level.HIGH, Level.MEDIUM): Priority.HIGH,
    (Level.HIGH, Level.LOW): Priority.MEDIUM,
    (Level.MEDIUM, Level.HIGH): Priority.HIGH,
    (Level.MEDIUM, Level.MEDIUM): Priority.MEDIUM,
    (Level.MEDIUM, Level.LOW): Priority.LOW,
    (Level.LOW, Level.HIGH): Priority.MEDIUM,
    (Level.LOW, Level.MEDIUM): Priority.LOW,
    (Level.LOW, Level.LOW): Priority.PLANNED,
}


def priority(impact: Level | None, urgency: Level | None) -> Priority | None:
    """The priority, or None until both are known."""
    return MATRIX[impact, urgency] if impact and urgency else None

"""Which figures stand on the wallboard, in which order, and when they call for attention.

A tile is one line here; the page draws whatever the lines name, with the definition from `kpi.DEFINITIONS`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.wallboard.kpi import DEFINITIONS, Unit


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the totals.

    `warn` and `bad` are where it changes its look and says so in a word; with `lower_is_bad` it does so downwards.
    """

    figure: str
    warn: float | None = None
    bad: float | None = None
    lower_is_bad: bool = False


TILES: tuple[Tile, ...] = (
    Tile("waiting", warn=3, bad=8),
    Tile("longest_wait_since", warn=30, bad=90),
    Tile("answered"),
    Tile("abandoned"),
    Tile("abandonment_rate", warn=0.05, bad=0.10),
    Tile("service_level", warn=0.80, bad=0.60, lower_is_bad=True),
)
"""The large ones."""

SMALL_TILES: tuple[Tile, ...] = (
    Tile("offered"),
    Tile("in_menu"),
    Tile("answer_rate"),
    Tile("asa"),
    Tile("aht"),
    Tile("promise_coverage", warn=0.75, bad=0.60, lower_is_bad=True),
    Tile("longest_expected_wait"),
    Tile("short_abandoned"),
    Tile("refused"),
    Tile("voicemail"),
    Tile("to_callback"),
    Tile("callbacks_open"),
    Tile("callbacks_kept"),
    Tile("callbacks_given_up"),
    Tile("self_served"),
    Tile("abandoned_in_menu"),
    Tile("overdue", warn=1),
)

QUEUE_COLUMNS: tuple[Tile, ...] = (
    Tile("waiting", warn=3, bad=8),
    Tile("longest_wait_since", warn=30, bad=90),
    Tile("offered"),
    Tile("answered"),
    Tile("abandoned"),
    Tile("abandonment_rate", warn=0.05, bad=0.10),
    Tile("service_level", warn=0.80, bad=0.60, lower_is_bad=True),
    Tile("asa"),
    Tile("promise_coverage", warn=0.75, bad=0.60, lower_is_bad=True),
)

OTHER_WAYS: tuple[Tile, ...] = (
    Tile("offered"),
    Tile("moved"),
    Tile("diverted"),
    Tile("refused"),
    Tile("voicemail"),
    Tile("to_callback"),
    Tile("redirected"),
    Tile("served_by_menu"),
    Tile("lost"),
    Tile("callbacks_open"),
    Tile("callbacks_kept"),
    Tile("callbacks_given_up"),
    Tile("callback_attempts"),
    Tile("callback_time"),
)
"""The second table of the floor page: calls that left neither by an answer nor by a hang-up, and call-backs."""

SEATS: tuple[str, ...] = (
    AgentState.READY.value,
    AgentState.RESERVED.value,
    AgentState.TALKING.value,
    AgentState.HOLD.value,
    AgentState.WRAP_UP.value,
    NotReadyReason.MAINTENANCE.value,
    NotReadyReason.BREAK.value,
    NotReadyReason.MEAL.value,
    NotReadyReason.TRAINING.value,
    NotReadyReason.AWAY.value,
    NotReadyReason.SIGNED_IN.value,
    NotReadyReason.NO_ANSWER.value,
    NotReadyReason.DESKTOP_GONE.value,
    AgentState.UNREACHABLE.value,
    AgentState.LOGGED_OUT.value,
)
"""The heads that are counted: every state, and for those who are not ready every reason, so that they add up to all."""


def described(tiles: tuple[Tile, ...], lang: str) -> list[Mapping[str, Any]]:
    """The tiles as the page's script reads them: name, definition, unit and limits."""
    rows: list[Mapping[str, Any]] = []
    for tile in tiles:
        words = DEFINITIONS[tile.figure]
        korean = lang == "ko"
        rows.append(
            {
                **asdict(tile),
                "name": words.ko if korean else words.en,
                "definition": words.formula_ko if korean else words.formula_en,
                "unit": words.unit.value,
            }
        )
    return rows


def figure_units() -> Mapping[str, Unit]:
    """The unit of every figure that may stand on a tile."""
    return {name: words.unit for name, words in DEFINITIONS.items()}

"""The arithmetic of the measurements: percentiles, medians over rounds, tables, and what machine it was."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

Figures = Mapping[str, float]
"""Name of a figure → its value, of one round."""


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie, with straight lines between neighbours.

    Raises ValueError without values: a figure that was not measured is not zero.
    """
    if not values:
        raise ValueError("no values, no percentile")
    if not 0 <= share <= 1:
        raise ValueError(f"{share} is not a share")
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def spread(values: Sequence[float], *, scale: float = 1.0, shares: Sequence[float] = (0.5, 0.95, 0.99)) -> Figures:
    """Percentiles by name: `p50`, `p95`, `p99`, multiplied by `scale` (1000 turns seconds into milliseconds)."""
    return {f"p{share * 100:g}": percentile(values, share) * scale for share in shares}


def over_rounds(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure over the rounds that have it."""
    names = dict.fromkeys(name for one in rounds for name in one)
    return {name: median([one[name] for one in rounds if name in one]) for name in names}


def table(heads: Sequence[str], rows: Sequence[Sequence[str | float]]) -> str:
    """A Markdown table; numbers with three significant digits, columns of numbers right-aligned."""
    aligned = ["---:" if rows and isinstance(cell, int | float) else "---" for cell in (rows[0] if rows else heads)]
    lines = [heads, aligned, *([cell if isinstance(cell, str) else shown(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def shown(value: float) -> str:
    """A figure for readers: three significant digits, thousands with commas."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def machine() -> dict[str, Any]:
    """Where and when it was measured: processor, cores, load before the start, Python, the day."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def machine_line(about: Mapping[str, Any]) -> str:
    """The machine in one line."""
    return (
        f"{about['date']}, {about['processor']}, {about['cores']} cores, load at the start {about['load_at_start']}, "
        f"Python {about['python']}, the engine {about['engine']}"
    )


def kept(folder: Path, name: str, result: Mapping[str, Any], text: str) -> Path:
    """Write `name`.json and `name`.md into the folder; the Markdown's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    file = folder / f"{name}.md"
    file.write_text(text)
    return file

"""Draws curves over two logarithmic axes as a picture (SVG), in few enough words to be read in a diff."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
STYLES = (("#1b5e8c", ""), ("#b3541e", "8 4"), ("#4d7a2a", "2 4"))
"""Colour and dashes, so that the curves differ without colour, too."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of the picture; x and y above 0."""

    name: str
    points: Sequence[tuple[float, float]]


def drawn(title: str, across: str, up: str, curves: Sequence[Curve]) -> str:
    """The picture. Raises ValueError when there is nothing to draw."""
    xs = [x for curve in curves for x, _ in curve.points]
    ys = [y for curve in curves for _, y in curve.points]
    if not xs or min(xs) <= 0 or min(ys) <= 0:
        raise ValueError("logarithmic axes need points above 0")
    x_decades = _decades(xs)
    y_decades = _decades(ys)

    def at_x(x: float) -> float:
        return LEFT + (math.log10(x) - x_decades[0]) / _length(x_decades) * (WIDTH - LEFT - RIGHT)

    def at_y(y: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(y) - y_decades[0]) / _length(y_decades) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="16">{escape(title)}</text>',
    ]
    for decade in x_decades:
        x = at_x(10.0**decade)
        parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{10.0**decade:,g}</text>')
    for decade in y_decades:
        y = at_y(10.0**decade)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**decade:,g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape(across)}</text>')
    parts.append(f'<text x="12" y="{TOP - 6}">{escape(up)}</text>')
    for curve, (colour, dashes) in zip(curves, STYLES * len(curves), strict=False):
        points = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in curve.points)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>'
        )
        parts += [
            f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3" fill="{colour}"/>' for x, y in curve.points
        ]  # fmt: skip
        last_x, last_y = curve.points[-1]
        parts.append(
            f'<text x="{at_x(last_x) + 8:.1f}" y="{at_y(last_y) + 4:.1f}" fill="{colour}">{escape(curve.name)}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _decades(values: Sequence[float]) -> range:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return range(low, max(high, low + 1) + 1)


def _length(decades: range) -> int:
    return decades[-1] - decades[0]

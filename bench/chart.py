"""Pictures as SVG: bars on one scale, and lines on two logarithmic ones. Plain enough to write by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH = 860
_FONT = "font-family='system-ui, sans-serif' font-size='12'"
_COLOURS = ("#2563eb", "#ea580c", "#059669", "#7c3aed")
OURS, OTHERS = "#2563eb", "#9ca3af"

_LABELS, _BAR, _ROW = 330, 400, 20
_PANEL, _HEIGHT, _MARGIN = 400, 230, 50


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: ``text`` stands behind it."""

    label: str
    value: float
    text: str
    colour: str = OURS


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram of lines; every x and y above zero."""

    title: str
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]


def bars(groups: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Give groups of horizontal bars, each group on a scale of its own."""
    parts, y = [], 24
    for title, group in groups:
        parts.append(_text(8, y, title, "font-weight='bold'"))
        most = max((bar.value for bar in group), default=0.0) or 1.0
        for bar in group:
            y += _ROW
            width = max(1.0, _BAR * bar.value / most)
            parts.append(_text(_LABELS, y, bar.label, "text-anchor='end'"))
            parts.append(
                f"<rect x='{_LABELS + 8}' y='{y - 11}' width='{width:.1f}' height='14' fill='{bar.colour}'/>"
            )
            parts.append(_text(_LABELS + 14 + width, y, bar.text))
        y += 2 * _ROW
    return _svg(y, parts)


def lines(panels: Sequence[Panel]) -> str:
    """Give diagrams side by side, two a row, each with its own scales."""
    parts: list[str] = []
    for number, panel in enumerate(panels):
        x, y = number % 2 * (_PANEL + 30), number // 2 * (_HEIGHT + 110)
        parts += _panel(panel, x + _MARGIN, y + 40)
    return _svg((len(panels) + 1) // 2 * (_HEIGHT + 110), parts)


def _panel(panel: Panel, left: float, top: float) -> Iterator[str]:
    width, points = _PANEL - _MARGIN, [point for _, line in panel.lines for point in line]
    yield _text(left, top - 16, panel.title, "font-weight='bold'")
    if not points:
        return
    across, up = _decades(x for x, _ in points), _decades(y for _, y in points)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            left + width * (math.log10(x) - across[0]) / (across[-1] - across[0]),
            top + _HEIGHT * (1 - (math.log10(y) - up[0]) / (up[-1] - up[0])),
        )

    for power in across:
        x, bottom = place(10**power, 10 ** up[0])
        yield _rule(x, top, x, bottom)
        yield _text(x, bottom + 16, f"{10**power:,g}", "text-anchor='middle'")
    for power in up:
        x, y = place(10 ** across[0], 10**power)
        yield _rule(x, y, x + width, y)
        yield _text(x - 6, y + 4, f"{10**power:,g}", "text-anchor='end'")
    for number, (label, line) in enumerate(panel.lines):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        yield f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>"
        yield _text(left + 4, top + _HEIGHT + 34 + 16 * number, label, f"fill='{colour}'")


def _decades(values: Iterable[float]) -> Sequence[int]:
    """The powers of ten from below the least value to above the greatest; two at least."""
    logs = [math.log10(value) for value in values]
    first, last = math.floor(min(logs)), math.ceil(max(logs))
    return range(first, max(last, first + 1) + 1)


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {more}>{escape(text)}</text>"


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='#e5e7eb'/>"


def _svg(height: float, parts: Iterable[str]) -> str:
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height:.0f}' {_FONT}>"
    ground = "<rect width='100%' height='100%' fill='#ffffff'/>"
    return "\n".join([head, ground, *parts, "</svg>", ""])

"""Pictures as inline SVG, drawn by plain functions: bars, funnels, intervals, lines.

No script and no font is fetched, so a report is one file that opens anywhere and prints well. Every
picture has a title for those who cannot see it, and its numbers stand in it as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

INK = "#1f2933"
SOFT = "#7b8794"
GRID = "#e4e7eb"
MAIN = "#0b6e99"
GOOD = "#2f855a"
BAD = "#c53030"
PALETTE = (MAIN, "#d9822b", GOOD, "#8a63d2", BAD, SOFT)

WIDTH = 680


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", color: str = INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="13" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def _rect(x: float, y: float, width: float, height: float, color: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" '
        f'fill="{color}" rx="2"/>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
        f'stroke-width="{width}"/>'
    )


def bars(title: str, rows: Sequence[tuple[str, float, str]], color: str = MAIN) -> str:
    """Horizontal bars: (label, value, value as text)."""
    top = max((value for _, value, _ in rows), default=0) or 1
    parts = []
    for index, (label, value, shown) in enumerate(rows):
        y = 8 + 26 * index
        parts.append(_text(205, y + 14, label, anchor="end"))
        parts.append(_rect(215, y, 340 * max(value, 0) / top, 18, color))
        parts.append(_text(222 + 340 * max(value, 0) / top, y + 14, shown, color=SOFT))
    return _svg(16 + 26 * len(rows), title, parts)


def funnel(title: str, steps: Sequence[tuple[str, int]]) -> str:
    """A funnel: each step with its count, and its share of the step before."""
    first = steps[0][1] if steps and steps[0][1] else 1
    parts = []
    before = None
    for index, (label, count) in enumerate(steps):
        y = 8 + 34 * index
        width = 380 * count / first
        parts.append(_text(175, y + 17, label, anchor="end"))
        parts.append(_rect(185, y, width, 24, MAIN))
        share = "" if not before else f"  {100 * count / before:.1f} %"
        parts.append(_text(193 + width, y + 17, f"{count:,}{share}", color=SOFT))
        before = count
    return _svg(16 + 34 * len(steps), title, parts)


def intervals(title: str, rows: Sequence[tuple[str, float, float, float]], unit: str) -> str:
    """Estimates with intervals around a zero line: (label, estimate, low, high)."""
    low = min([0.0, *(row[2] for row in rows)])
    high = max([0.0, *(row[3] for row in rows)])
    span = (high - low) or 1
    left, width = 215.0, 300.0

    def at(value: float) -> float:
        return left + width * (value - low) / span

    height = 40 * len(rows) + 30
    parts = [
        _line(at(0), 4, at(0), height - 22, SOFT),
        _text(at(0), height - 6, "0", anchor="middle"),
    ]
    for index, (label, estimate, below, above) in enumerate(rows):
        y = 24 + 40 * index
        sure = below > 0 or above < 0
        color = (GOOD if below > 0 else BAD) if sure else SOFT
        parts.append(_text(left - 10, y + 4, label, anchor="end"))
        parts.append(_line(at(below), y, at(above), y, color, 3))
        parts.append(f'<circle cx="{at(estimate):.1f}" cy="{y}" r="5" fill="{color}"/>')
        shown = f"{estimate:+.2f} [{below:+.2f}, {above:+.2f}] {unit}"
        parts.append(_text(left + width + 8, y + 4, shown, color=color))
    return _svg(height, title, parts)


def lines(
    title: str, series: Sequence[tuple[str, Sequence[float]]], labels: tuple[str, str]
) -> str:
    """Curves over one axis; `labels` name its two ends. None-free values of equal count."""
    values = [value for _, points in series for value in points]
    low, high = min([0.0, *values]), max([0.0, *values])
    span = (high - low) or 1
    left, top, width, height = 60.0, 10.0, 440.0, 190.0
    parts = []
    for tick in range(5):
        value = low + span * tick / 4
        y = top + height * (1 - tick / 4)
        parts.append(_line(left, y, left + width, y, GRID))
        parts.append(_text(left - 6, y + 4, f"{value:,.4g}", anchor="end", color=SOFT))
    for index, (name, points) in enumerate(series):
        color = PALETTE[index % len(PALETTE)]
        step = width / max(1, len(points) - 1)
        path = " ".join(
            f"{left + step * i:.1f},{top + height * (1 - (value - low) / span):.1f}"
            for i, value in enumerate(points)
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2.5"/>')
        parts.append(_rect(left + width + 12, top + 22 * index, 12, 12, color))
        parts.append(_text(left + width + 30, top + 11 + 22 * index, name))
    parts.append(_text(left, top + height + 20, labels[0], color=SOFT))
    parts.append(_text(left + width, top + height + 20, labels[1], anchor="end", color=SOFT))
    return _svg(top + height + 30, title, parts)


def waterfall(title: str, rows: Sequence[tuple[str, str, bool]]) -> str:
    """What happened to each candidate of a decision: (offer, what was said, passed)."""
    parts = []
    for index, (label, shown, passed) in enumerate(rows):
        y = 6 + 24 * index
        color = GOOD if passed else BAD
        parts.append(f'<circle cx="12" cy="{y + 9}" r="6" fill="{color}"/>')
        parts.append(_text(26, y + 14, label))
        parts.append(_text(250, y + 14, shown, color=color))
    return _svg(12 + 24 * len(rows), title, parts)

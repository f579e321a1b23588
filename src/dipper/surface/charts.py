"""Pictures as inline SVG, drawn by plain functions: bars, funnels, intervals, lines, a waterfall.

No script and no font is fetched, so a report is one file that opens anywhere and prints well. Every
picture has a title for those who cannot see it, and its numbers stand in it as text. `width` is in
pixels of the place where it will stand, so that letters have the size of the page's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

INK = "#1f2933"
SOFT = "#627281"
FAINT = "#9aa5b1"
GRID = "#e4e7eb"
TRACK = "#f1f4f7"
MAIN = "#0b6e99"
PALE = "#8fc1d8"
WARM = "#d9822b"
GOOD = "#2f855a"
BAD = "#c53030"
PALETTE = (MAIN, WARM, GOOD, "#8a63d2", BAD, SOFT)

WIDTH = 680
FONT = 13


@dataclass(frozen=True)
class Bar:
    """One bar: its label, its length, what is written at its end, its color; `note` stands behind
    the writing in a softer color."""

    label: str
    value: float
    shown: str
    color: str = MAIN
    note: str = ""


@dataclass(frozen=True)
class Span:
    """An estimate with its interval, or None where there is not enough data: `shown` says so."""

    label: str
    estimate: float | None
    low: float
    high: float
    shown: str
    color: str = MAIN


@dataclass(frozen=True)
class Line:
    """A curve; `is_dashed` for what is a yardstick only."""

    name: str
    points: Sequence[float]
    color: str
    is_dashed: bool = False


@dataclass(frozen=True)
class Fall:
    """One column of a waterfall: what is left after it, and what it took."""

    label: str
    left: int
    taken: int
    is_last: bool = False


def bars(title: str, rows: Sequence[Bar], *, width: int = WIDTH, end: int = 120) -> str:
    """Horizontal bars. `end` is the room for the writing behind them."""
    top = max((row.value for row in rows), default=0) or 1
    label = _label_room([row.label for row in rows], width)
    room = width - label - end
    parts = []
    for index, row in enumerate(rows):
        y = 4 + 30 * index
        long = room * max(row.value, 0) / top
        parts.append(_text(label - 10, y + 16, row.label, anchor="end"))
        parts.append(_rect(label, y + 2, room, 18, TRACK))
        parts.append(_rect(label, y + 2, long, 18, row.color))
        parts.append(_text(label + room + 8, y + 16, row.shown, weight=600))
        if row.note:
            x = label + room + 16 + 1.1 * text_width(row.shown)
            parts.append(_text(x, y + 16, row.note, color=SOFT, size=12))
    return _svg(width, 8 + 30 * len(rows), title, parts)


def funnel(
    title: str,
    steps: Sequence[tuple[str, int]],
    *,
    width: int = WIDTH,
    small: bool = False,
) -> str:
    """A funnel: each step with its count, and its share of the step before."""
    label = _label_room([name for name, _ in steps], width)
    first = max((count for _, count in steps), default=0) or 1
    room, high = width - label - 108, 20 if small else 28
    parts, before = [], 0
    for index, (name, count) in enumerate(steps):
        y = 4 + (high + 10) * index
        long = room * count / first
        middle = y + high / 2 + 4.5
        parts.append(_text(label - 10, middle, name, anchor="end"))
        parts.append(_rect(label, y, room, high, TRACK))
        parts.append(_rect(label, y, long, high, MAIN if index == 0 else _shade(index)))
        parts.append(_text(label + room + 8, middle, f"{count:,}", weight=600))
        if index and before:
            share = f"{100 * count / before:.0f} %"
            parts.append(_text(width - 2, middle, share, color=SOFT, size=12, anchor="end"))
        before = count
    return _svg(width, 4 + (high + 10) * len(steps), title, parts)


def _shade(index: int) -> str:
    return ("#0b6e99", "#2b85ab", "#4f9cbd", "#74b3ce", "#97c7db")[min(index, 4)]


def intervals(title: str, rows: Sequence[Span], unit: str, *, width: int = WIDTH) -> str:
    """Estimates with their intervals over one axis with a zero line."""
    known = [row for row in rows if row.estimate is not None]
    low = min([0.0, *(row.low for row in known)])
    high = max([0.0, *(row.high for row in known)]) or 1.0
    ticks = _ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    left, room = 12.0, width - 24.0
    bottom = 8 + 48 * len(rows)

    def at(value: float) -> float:
        return left + room * (value - low) / ((high - low) or 1)

    parts = []
    for tick in ticks:
        parts.append(_line(at(tick), 6, at(tick), bottom, FAINT if tick == 0 else GRID))
        parts.append(
            _text(at(tick), bottom + 16, f"{tick:g}", anchor="middle", color=SOFT, size=12)
        )
    parts.append(_text(width - 2, bottom + 32, unit, anchor="end", color=SOFT, size=12))
    for index, row in enumerate(rows):
        y = 22 + 48 * index
        parts.append(_text(left + 6, y, row.label, halo=True))
        parts.append(
            _text(
                width - 12, y, row.shown, anchor="end", halo=True,
                weight=600 if row.estimate is not None else 400,
                color=row.color if row.estimate is not None else SOFT,
            )
        )  # fmt: skip
        if row.estimate is not None:
            parts += _span(at(row.low), at(row.estimate), at(row.high), y + 15, row.color)
    return _svg(width, bottom + 36, title, parts)


def _span(low: float, middle: float, high: float, y: float, color: str) -> list[str]:
    return [
        _line(low, y, high, y, color, 3),
        _line(low, y - 5, low, y + 5, color, 2),
        _line(high, y - 5, high, y + 5, color, 2),
        f'<circle cx="{middle:.1f}" cy="{y:.1f}" r="5.5" fill="{color}" stroke="#fff" '
        'stroke-width="1.5"/>',
    ]


def lines(
    title: str,
    series: Sequence[Line],
    labels: Sequence[str],
    unit: str,
    *,
    width: int = WIDTH,
    height: int = 250,
) -> str:
    """Curves over one axis that begins at zero; `labels` are spread along the foot."""
    top_value = max((value for line in series for value in line.points), default=0) or 1
    ticks = _ticks(0.0, top_value)
    high = max(ticks[-1], top_value)
    left, top, right = 56.0, 40.0, 14.0
    room, tall = width - left - right, height - top - 34.0

    def at(place: int, count: int, value: float) -> tuple[float, float]:
        return left + room * place / max(1, count - 1), top + tall * (1 - value / high)

    parts = []
    for tick in ticks:
        y = top + tall * (1 - tick / high)
        parts.append(_line(left, y, left + room, y, GRID))
        parts.append(_text(left - 8, y + 4, f"{tick:,g}", anchor="end", color=SOFT, size=12))
    parts.append(_text(4, top - 20, unit, color=SOFT, size=12))
    for line in series:
        parts.append(_curve([at(i, len(line.points), v) for i, v in enumerate(line.points)], line))
    for index, label in enumerate(labels):
        x = left + room * index / max(1, len(labels) - 1)
        anchor = "start" if index == 0 else "end" if index == len(labels) - 1 else "middle"
        parts.append(_text(x, height - 12, label, anchor=anchor, color=SOFT, size=12))
    return _svg(width, height, title, [*parts, *_legend(series, width - right)])


def _curve(points: Sequence[tuple[float, float]], line: Line) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if line.is_dashed else ""
    return (
        f'<polyline points="{path}" fill="none" stroke="{line.color}" '
        f'stroke-width="{1.8 if line.is_dashed else 2.6}" stroke-linejoin="round"{dash}/>'
    )


def _legend(series: Sequence[Line], right: float) -> list[str]:
    """The names in one row that ends at the right edge."""
    parts = []
    x = right - sum(text_width(line.name) + 40 for line in series) + 18
    for line in series:
        parts.append(_curve([(x, 16), (x + 16, 16)], line))
        parts.append(_text(x + 21, 20, line.name, size=12))
        x += text_width(line.name) + 40
    return parts


def waterfall(title: str, columns: Sequence[Fall], *, width: int = WIDTH, height: int = 210) -> str:
    """Columns that shrink: what each step has left, and in a pale red what it took."""
    most = max((column.left + column.taken for column in columns), default=0) or 1
    wide = width / max(1, len(columns))
    tall, foot = height - 62.0, height - 34.0
    parts = []
    for index, column in enumerate(columns):
        x, thick = wide * index + wide * 0.14, wide * 0.72
        left, taken = tall * column.left / most, tall * column.taken / most
        if column.taken:
            parts.append(_rect(x, foot - left - taken, thick, taken, "#f3c6c6"))
        parts.append(_rect(x, foot - left, thick, left, GOOD if column.is_last else MAIN))
        middle = x + thick / 2
        shown = f"−{column.taken}" if column.taken else f"{column.left}"
        color = BAD if column.taken else INK
        parts.append(
            _text(middle, foot - left - taken - 7, shown, anchor="middle", color=color, weight=600)
        )
        parts.append(_text(middle, height - 14, column.label, anchor="middle", size=12))
    parts.append(_line(0, foot, width, foot, FAINT))
    return _svg(width, height, title, parts)


# --- pieces ---------------------------------------------------------------------------------


def text_width(text: str, size: float = FONT) -> float:
    """About how wide a text is: Chinese letters are square, others about half as wide."""
    return size * sum(1.0 if ord(letter) > 0x2E80 else 0.6 for letter in text)


def _label_room(labels: Sequence[str], width: float) -> float:
    """The room for labels in front of bars: what the longest needs, up to half of the width."""
    return min(max((text_width(label) for label in labels), default=0) + 16, width / 2)


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers that cover the range, zero among them."""
    raw = (high - low) / 4 or 1
    unit = 10 ** math.floor(math.log10(raw))
    step = next(unit * each for each in (1, 2, 2.5, 5, 10) if unit * each >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * number, 10) for number in range(first, last + 1)]


def _svg(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    color: str = INK,
    size: int = FONT,
    weight: int = 400,
    halo: bool = False,
) -> str:
    bold = f' font-weight="{weight}"' if weight != 400 else ""
    under = ' stroke="#fff" stroke-width="4" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="{size}" '
        f'text-anchor="{anchor}"{bold}{under}>{escape(text)}</text>'
    )


def _rect(x: float, y: float, width: float, height: float, color: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" '
        f'height="{max(height, 0.5):.1f}" fill="{color}" rx="3"/>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
        f'stroke-width="{width}"/>'
    )

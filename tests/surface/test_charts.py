"""Pictures are well-formed, say their numbers as text, and stay inside of their frame."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipper.surface import charts
from dipper.surface.charts import Bar, Fall, Line, Span

NUMBERS = st.lists(st.integers(0, 10**9), min_size=0, max_size=8)
AMOUNTS = st.floats(-1e6, 1e6, allow_nan=False)


def drawn(svg: str) -> ElementTree.Element:
    """The parsed picture; every coordinate is a number inside of the frame."""
    root = ElementTree.fromstring(svg)
    assert "nan" not in svg
    assert "inf" not in svg
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    for element in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            if name in element.attrib:
                assert -1 <= float(element.attrib[name]) <= width + 1, element.attrib
        for name in ("y", "y1", "y2", "cy"):
            if name in element.attrib:
                assert -1 <= float(element.attrib[name]) <= height + 1, element.attrib
        if element.tag.endswith("rect"):
            assert float(element.attrib["x"]) + float(element.attrib["width"]) <= width + 1
    return root


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in drawn(svg).iter() if element.tag.endswith("text")]


@given(NUMBERS)
def test_bars_and_funnels_hold_any_counts(counts: list[int]) -> None:
    """None at all, and nothing but zeros, too."""
    assert len(
        texts(charts.bars("t", [Bar("标签", n, str(n), note="n") for n in counts]))
    ) == 3 * len(counts)
    drawn(charts.funnel("t", [("step", n) for n in counts], width=310, small=True))
    drawn(charts.waterfall("t", [Fall("gate", n, n // 2) for n in counts]))


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), max_size=5))
def test_intervals_hold_any_estimates(rows: list[tuple[float, float, float]]) -> None:
    """With one that there is not enough data for among them."""
    spans = [Span("label", sorted(row)[1], min(row), max(row), "shown") for row in rows]
    drawn(charts.intervals("t", [*spans, Span("few", None, 0, 0, "not enough")], "points"))


@given(st.lists(st.floats(0, 1e9, allow_nan=False), min_size=1, max_size=30))
def test_lines_hold_any_points(points: list[float]) -> None:
    """A single one, and all zeros, too."""
    svg = charts.lines("t", [Line("ours", points, charts.MAIN)], ["a", "b", "c"], "¥")
    curves = [e.attrib["points"].split() for e in drawn(svg).iter() if "points" in e.attrib]
    assert sorted(map(len, curves)) == sorted([2, len(points)])
    for x, y in (pair.split(",") for curve in curves for pair in curve):
        assert 0 <= float(x) <= charts.WIDTH
        assert 0 <= float(y) <= 250


def test_numbers_stand_as_text() -> None:
    """Who cannot see the bars can read them; shares are of the step before."""
    found = texts(charts.funnel("t", [("reached", 2_000), ("users", 500), ("customers", 50)]))
    assert found == ["reached", "2,000", "users", "500", "25 %", "customers", "50", "10 %"]
    falls = [Fall("candidates", 14, 0), Fall("suitability", 9, 5), Fall("offered", 1, 0, True)]
    assert texts(charts.waterfall("t", falls))[::2] == ["14", "−5", "1"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda text: charts.bars(text, [Bar(text, 1, text, note=text)]),
        lambda text: charts.funnel(text, [(text, 1)]),
        lambda text: charts.intervals(text, [Span(text, 1.0, 0.5, 2.0, text)], text),
        lambda text: charts.lines(text, [Line(text, [1.0, 2.0], charts.MAIN)], [text], text),
        lambda text: charts.waterfall(text, [Fall(text, 1, 0)]),
    ],
)
def test_any_text_is_escaped_and_the_title_is_there(draw: Callable[[str], str]) -> None:
    """A picture has a title for those who cannot see it."""
    odd = '<b>&"缴费'
    svg = draw(odd)
    assert "<b>" not in svg
    root = ElementTree.fromstring(svg)
    assert root[0].tag.endswith("title")
    assert root[0].text == odd
    assert odd in texts(svg)


def test_ticks_are_round_and_cover_the_range() -> None:
    """Zero is among them, so that a reader sees from where lengths are measured."""
    for low, high in ((0, 17), (-3, 20), (0, 0.004), (-0.7, 0.2), (0, 123_456)):
        svg = charts.intervals("t", [Span("a", low, low, high, "x")], "")
        ticks = [float(t) for t in texts(svg) if re.fullmatch(r"-?[\d.]+(e-?\d+)?", t)]
        assert 0 in ticks
        assert min(ticks) <= low
        assert max(ticks) >= high
        assert 2 <= len(ticks) <= 8

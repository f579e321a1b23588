"""The report is one file that opens anywhere, says what the data say, and hides nothing."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dipper.surface.demo.floors import disk_floors
from dipper.surface.demo.report_page import (
    placebo_said,
    report_html,
    report_text,
    sheet_of,
    verdict,
    write_report,
)
from dipper.surface.demo.report_pictures import headline_of
from dipper.surface.demo.report_words import Words

ZH, EN = (Words(language, ZoneInfo("Asia/Shanghai")) for language in ("zh", "en"))
VOID = {"meta", "polyline", "circle", "rect", "line", "br"}


class Tags(HTMLParser):
    """Counts tags and what is left open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def certain(data: dict[str, Any], low: float, high: float, claims: int) -> dict[str, Any]:
    """The same report with an interval of incremental customers and so many claimed."""
    found = copy.deepcopy(data)
    found["last_click_claimed"] = claims
    headline = headline_of(found)
    assert headline is not None
    middle = (low + high) / 2
    interval = {"estimate": middle, "low": low, "high": high, "enough": True}
    headline["new"]["incremental"] = headline["new"]["uplift"] = interval  # type: ignore[index]
    return found


def test_both_files_are_written(tmp_path: Path, data: dict[str, Any]) -> None:
    """The JSON is the data."""
    write_report(tmp_path / "out", data)
    assert json.loads((tmp_path / "out" / "report.json").read_text("utf-8")) == json.loads(
        json.dumps(data)
    )
    assert (tmp_path / "out" / "report.html").stat().st_size > 50_000


def test_it_is_well_formed_and_asks_for_nothing(data: dict[str, Any]) -> None:
    """No script, no style sheet, image or font from elsewhere; every tag is closed."""
    page = report_html(data)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    names = {tag for tag, _ in tags.seen}
    assert not names & {"script", "link", "img", "iframe", "form", "object"}
    for tag, attributes in tags.seen:
        assert "src" not in attributes, tag
        assert (attributes.get("href") or "#").startswith("#"), attributes
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in page
    assert "@import" not in page


def test_four_pages_are_reached_by_their_fragments(data: dict[str, Any]) -> None:
    """Two pages in two languages; each links to the others, and one is seen without any."""
    tags = Tags()
    tags.feed(report_html(data))
    sections = [attributes for tag, attributes in tags.seen if tag == "section"]
    ids = {section["id"] for section in sections}
    assert ids == {"zh-board", "zh-engineer", "en-board", "en-engineer"}
    assert {a["href"] for tag, a in tags.seen if tag == "a"} == {f"#{id_}" for id_ in ids}
    first = [section["id"] for section in sections if "first" in (section["class"] or "")]
    assert first == [sections[-1]["id"]] == ["zh-board"]


def test_money_is_marked_as_simulated(data: dict[str, Any]) -> None:
    """In both languages."""
    page = report_html(data)
    assert page.count("模拟") > 8
    assert page.count("simulated") > 8


def test_what_is_written_in_specs_cannot_break_the_page(data: dict[str, Any]) -> None:
    """A title with markup is shown as it was written."""
    odd = copy.deepcopy(data)
    odd["detail"]["scenarios"][0]["title"] = {"zh": "<b>缴费", "en": "<script>x</script>"}
    odd["detail"]["bank"] = "A & B <bank>"
    page = report_html(odd)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "A &amp; B &lt;bank&gt;" in page


def test_a_bank_in_which_nothing_happened_has_a_report(data: dict[str, Any]) -> None:
    """Nothing is divided by nothing, and what is missing is said."""
    quiet = copy.deepcopy(data)
    quiet.update(decide_p50_ms=None, decide_p99_ms=None, collect_events_per_s=None,
                 share_of_achievable=None, match_rate=None, conversion_treated=None,
                 conversion_control=None, incremental_customers=None, uplift_ci95=None,
                 placebo_ci95=None, decisions=0)  # fmt: skip
    detail = quiet["detail"]
    detail.update(headline=None, experiments=[], trace=None, branches=[], outlets=[], floors={})
    detail["choices"] = {"last_quarter": {}, "decisions": 0, "curve": []}
    for scenario in detail["scenarios"]:
        scenario["funnel"] = []
        scenario["readout"] = None
    page = report_html(quiet)
    assert "数据尚不足" in page
    assert "not enough data yet" in page
    assert "no control group" in report_text(quiet)


def test_last_click_is_judged_by_the_interval(data: dict[str, Any]) -> None:
    """Above it, below it, or within it."""
    for claims, word, zh in ((200, "overstates", "多算"), (5, "understates", "少算"),
                             (50, "lie within", "之内")):  # fmt: skip
        found = certain(data, 40.0, 60.0, claims)
        headline = headline_of(found)
        assert word in verdict(found, headline, EN)
        assert zh in verdict(found, headline, ZH)


def test_a_placebo_that_misses_zero_is_reported_and_not_explained_away() -> None:
    """One run in twenty does."""
    for low, high, word in ((-1.0, 1.0, "holds zero"), (0.2, 1.0, "misses zero"),
                            (-1.0, -0.1, "misses zero")):  # fmt: skip
        placebo = {"estimate": 0.0, "low": low, "high": high, "enough": True}
        assert word in placebo_said({"new": {"placebo": placebo}}, EN)
    few = {"subjects": 40, "subjects_min": 100, "conversions": 3, "conversions_min": 10}
    said = placebo_said({"new": {"placebo": few | {"enough": False}}}, EN)
    assert "not enough data yet (smaller arm 40 of 100)" in said


def test_lost_events_are_seen_at_a_glance(data: dict[str, Any]) -> None:
    """A sign that says unequal, on the page and in the terminal."""
    assert " = " in report_text(data)
    lost = copy.deepcopy(data)
    lost["events_stored"] -= 1
    lost["replay_equal"] = False
    assert " ≠ " in report_text(lost)
    assert "NO" in report_text(lost)
    page = report_html(lost)
    assert re.search(r'<i class="no">≠</i>', page)
    assert re.search(r'class="number bad"', page)


def test_the_text_fits_a_terminal(data: dict[str, Any]) -> None:
    """No line is longer than 100 letters, and nothing is cut off."""
    text = report_text(data)
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "…" not in text


def test_a_sheet_parts_what_is_known_from_what_is_waited_for(data: dict[str, Any]) -> None:
    """An indicator that one scenario has is a row for all of them."""
    found = sheet_of(data["detail"]["scenarios"])
    assert {row["id"] for row in found["rows"]} >= {"GBCF-C1", "GBCF-C2", "GBCF-C6"}
    assert {row["id"] for row in found["waiting"]} >= {"GBCF-F1", "GBCF-G4"}
    assert len(found["rows"]) + len(found["waiting"]) == 22


def test_floors_are_measured_on_the_disk_of_the_bank(tmp_path: Path) -> None:
    """Half of the appends are quicker than nearly all."""
    found = disk_floors(tmp_path)
    assert 0 < found["decide_p50_ms"] <= found["decide_p99_ms"]
    assert found["collect_events_per_s"] > 0
    assert list(tmp_path.iterdir()) == []


def test_money_and_moments_are_written_as_the_language_does() -> None:
    """From a million yuan on Chinese counts in 万; moments are the bank's."""
    assert ZH.money(123_456_700) == "¥123.46 万"
    assert EN.money(123_456_700) == "¥1,234,567"
    assert ZH.money(99_999_900) == "¥999,999"
    assert (EN.fine_money(-59.6), ZH.fine_money(1_234_567)) == ("-¥0.60", "¥12,345.67")
    assert (ZH.money(None), ZH.percent(None), ZH.number(None)) == ("—", "—", "—")
    assert ZH.moment(1_795_000_000_000_000) == "2026-11-18 19:06"
    assert (EN.number(0.1234), EN.number(1234.5), EN.percent(0.5)) == ("0.12", "1,234", "50.0 %")

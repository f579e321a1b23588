"""The report on paper: `report.json` and `report.html`, one file without a script.

Two pages in two languages stand in one HTML file; which of the four is seen is the fragment of the
address, by CSS alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from dipper.surface.demo.report_pictures import headline_of, pictures
from dipper.surface.demo.report_text import report_text
from dipper.surface.demo.report_words import LANGUAGES, Words

__all__ = ["report_html", "report_text", "write_report"]

PAGES = ("engineer", "board")


def write_report(folder: Path, data: Mapping[str, Any]) -> None:
    """Write report.json and report.html into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    (folder / "report.html").write_text(report_html(data), encoding="utf-8")


def report_html(data: Mapping[str, Any]) -> str:
    """Both pages in both languages as one file."""
    zone = ZoneInfo(data["detail"]["time_zone"])
    pages = []
    # The last one is seen where the address names none: the board's page in Chinese.
    for language in reversed(LANGUAGES):
        words = Words(language, zone)
        drawn = pictures(data, words)
        pages += [page_of(name, data, words, drawn) for name in PAGES]
    template = _templates().get_template("report.html.j2")
    return template.render(data=data, pages=pages, languages=LANGUAGES)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("dipper.surface.demo"),
        autoescape=lambda name: name is None or not name.endswith(".css"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page_of(
    name: str, data: Mapping[str, Any], words: Words, drawn: Mapping[str, Any]
) -> dict[str, Any]:
    """What one page says beside the data."""
    detail = data["detail"]
    headline = headline_of(data)
    return {
        "id": f"{words.language}-{name}",
        "name": name,
        "words": words,
        "pictures": drawn,
        "headline": headline,
        "verdict": verdict(data, headline, words),
        "placebo_misses": misses_zero(headline),
        "placebo_said": placebo_said(headline, words),
        "considered": max((gate["considered"] for gate in detail["gates"]), default=0),
        "most_denied": max((gate["denied"] for gate in detail["gates"]), default=0) or 1,
        "rules": {gate["gate"]: rules_by_source(gate, words) for gate in detail["gates"]},
        "speeds": speed_rows(data, words),
        "took": _took(data["seconds"], words),
        "window_days": "/".join(str(days) for days in detail["openings"]["window_days"]),
        "sheet": sheet_of(detail["scenarios"]),
    }


def verdict(data: Mapping[str, Any], headline: Mapping[str, Any] | None, words: Words) -> str:
    """Last click against proof in one sentence."""
    if headline is None or not headline["new"]["incremental"]["enough"]:
        return ""
    found = headline["new"]["incremental"]
    claims, low, high = data["last_click_claimed"], found["low"], found["high"]
    proved = f"{found['estimate']:,.0f}"
    if claims > high:
        return words(
            f"点击归因多算了：声称 {claims:,} 位，证明 {proved} 位，超出区间上限 {high:,.0f}。",
            f"Last click overstates: it claims {claims:,}, proved are {proved}, and the interval "
            f"ends at {high:,.0f}.",
        )
    if claims < low:
        return words(
            f"点击归因少算了：声称 {claims:,} 位，证明 {proved} 位，低于区间下限 {low:,.0f}。",
            f"Last click understates: it claims {claims:,}, proved are {proved}, and the interval "
            f"begins at {low:,.0f}.",
        )
    return words(
        f"声称的 {claims:,} 位落在证明的区间 [{low:,.0f}, {high:,.0f}] 之内；"
        "只有对照组能这样说，点击报表自己不能。",
        f"The {claims:,} claimed lie within what is proved, [{low:,.0f}, {high:,.0f}]; only the "
        "control group can say so, never the click report itself.",
    )


def misses_zero(headline: Mapping[str, Any] | None) -> bool:
    """Whether the placebo's interval leaves zero out."""
    if headline is None or not headline["new"]["placebo"]["enough"]:
        return False
    found = headline["new"]["placebo"]
    return bool(found["low"] > 0 or found["high"] < 0)


def placebo_said(headline: Mapping[str, Any] | None, words: Words) -> str:
    """What the placebo's interval means."""
    if headline is None:
        return words("没有安慰剂组。", "There is no placebo group.")
    found = headline["new"]["placebo"]
    if not found["enough"]:
        return words("安慰剂组：", "Placebo: ") + words.not_enough(found) + words("。", ".")
    if misses_zero(headline):
        return words(
            "安慰剂的区间没有包含 0：二十次运行里约有一次会这样，单独一次不能下结论。",
            "The placebo's interval misses zero: about one run in twenty does, and one alone "
            "proves nothing.",
        )
    return words(
        "安慰剂的区间包含 0：没有迹象表明测量本身有偏差。",
        "The placebo's interval holds zero: no sign that the measuring itself is biased.",
    )


def rules_by_source(gate: Mapping[str, Any], words: Words) -> dict[str, list[str]]:
    """Regulation or house rule -> the ids of the rules that come from it."""
    found: dict[str, list[str]] = {}
    for rule in gate["rules"]:
        found.setdefault(words.of(rule["title"]), []).append(rule["id"])
    return found


_SPEEDS = (
    # title in both languages, unit, where the value stands, the name of its floor
    ("决策 p50，逐个发出", "one decision at a time, p50", "ms", "decide_p50_ms", "decide_p50_ms"),
    ("决策 p99，逐个发出", "one decision at a time, p99", "ms", "decide_p99_ms", "decide_p99_ms"),
    ("决策 p50，八个并发", "eight at a time, p50", "ms", "p50_ms", "decide_p50_ms"),
    ("决策 p99，八个并发", "eight at a time, p99", "ms", "p99_ms", "decide_p99_ms"),
    ("采集吞吐", "collection", "/s", "collect_events_per_s", "collect_events_per_s"),
)


def speed_rows(data: Mapping[str, Any], words: Words) -> list[dict[str, str]]:
    """Each speed beside its floor; the ratio says how far it is from it."""
    values = {**data["detail"]["decided_together"], **data}
    rows = []
    for zh, en, unit, name, floor_name in _SPEEDS:
        value, floor = values[name], data["detail"]["floors"].get(floor_name)
        ratio = None if value is None or not floor else value / floor
        rows.append(
            {
                "zh": zh,
                "en": en,
                "shown": f"{words.number(value)} {unit}",
                "floor": "—" if floor is None else f"{words.number(floor)} {unit}",
                "ratio": "—" if ratio is None else f"{words.number(ratio)}×",
            }
        )
    return rows


def _took(seconds: float, words: Words) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return words(f"{minutes} 分 {rest} 秒", f"{minutes} min {rest} s")


def sheet_of(scenarios: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Indicators with a value somewhere as rows of cells; the others as what they wait for."""
    rows, waiting = [], []
    for cells in zip(*(scenario["indicators"] for scenario in scenarios), strict=True):
        if any(cell["value"] is not None for cell in cells):
            rows.append({**cells[0], "cells": cells})
        else:
            waiting.append(cells[0])
    return {"rows": rows, "waiting": waiting}

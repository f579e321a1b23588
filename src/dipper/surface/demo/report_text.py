"""The report in a terminal: the headline numbers, and where to look further."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from dipper.surface.demo.report_pictures import headline_of
from dipper.surface.demo.report_words import Words

COLUMNS = 96


def report_text(data: Mapping[str, Any], *, color: bool = False) -> str:
    """The report as text of COLUMNS letters; with terminal colors where asked for."""
    words = Words("en", ZoneInfo(data["detail"]["time_zone"]))
    out = io.StringIO()
    console = Console(file=out, width=COLUMNS, force_terminal=color, highlight=False)
    parts = [_people(data, words), _proof(data, words), _scenarios(data, words)]
    parts += [_gates(data, words), _machine(data, words)]
    console.print(Group(*parts))
    return out.getvalue().rstrip()


def _table(title: str, *columns: str) -> Table:
    table = Table(
        box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False
    )
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", no_wrap=place > 0)
    return table


def _people(data: Mapping[str, Any], words: Words) -> Table:
    steps = data["detail"]["steps"]["person"]
    table = _table("From traffic to value (persons)", "", "count", "")
    rows = (
        ("reached", steps["reached"], f"{data['detail']['visitors']:,} as devices of nobody known"),
        ("1 traffic: users", steps["users"], "known, and agree to something"),
        ("2 tagged", steps["tagged"], ""),
        ("3 customers", steps["customers"], f"{data['customers_new']:,} new in the two days"),
        ("4 deepened", steps["deepened"], ""),
    )
    for name, count, note in rows:
        table.add_row(name, words.count(count), note)
    return table


def _proof(data: Mapping[str, Any], words: Words) -> Table:
    table = _table("What was proved", "", "result")
    headline = headline_of(data)
    if headline is None:
        table.add_row("experiment", "no control group")
        return table
    new = headline["new"]
    rates = f"{words.percent(data['conversion_treated'])} / "
    table.add_row(
        "conversion, treated / control", rates + words.percent(data["conversion_control"])
    )
    table.add_row("uplift, points [95 % interval]", words.interval(new["uplift"]))
    table.add_row("placebo, points [95 % interval]", words.interval(new["placebo"]))
    table.add_row("last click claims, customers", words.count(data["last_click_claimed"]))
    table.add_row("proved increment, customers", words.interval(new["incremental"], 0))
    table.add_row("openings matched to a decision", words.percent(data["match_rate"]))
    table.add_row("share of the achievable gain", words.percent(data["share_of_achievable"], 0))
    return table


def _scenarios(data: Mapping[str, Any], words: Words) -> Table:
    columns = ("scenario", "reached", "users", "customers", "new", "openings", "value (simulated)")
    table = _table("Scenarios", *columns)
    for one in data["detail"]["scenarios"]:
        steps, value = one["steps"], one["value"]
        table.add_row(
            words.of(one["title"]),
            *(words.count(steps[name]) for name in ("reached", "users", "customers")),
            words.count(value["new_customers"]),
            words.count(value["openings"]),
            words.money(value["value_fen"]),
        )
    return table


def _gates(data: Mapping[str, Any], words: Words) -> Table:
    table = _table("Held back by the gates", "gate", "offers", "rules")
    for gate in data["detail"]["gates"]:
        rules = ", ".join(rule["id"] for rule in gate["rules"])
        table.add_row(words.of(gate["title"]), words.count(gate["denied"]), rules)
    return table


def _machine(data: Mapping[str, Any], words: Words) -> Table:
    table = _table("The machine", "", "result")
    counts = ("events_sent", "events_acknowledged", "events_stored")
    sent = " = " if len({data[name] for name in counts}) == 1 else " ≠ "
    table.add_row(
        "live events sent, acknowledged, stored", sent.join(words.count(data[n]) for n in counts)
    )
    table.add_row("killed with -9 and recovered", _yes(data["killed_and_recovered"]))
    table.add_row("replay gives the same bytes", _yes(data["replay_equal"]))
    together = data["detail"]["decided_together"]
    for how, p50, p99 in (
        ("one at a time", data["decide_p50_ms"], data["decide_p99_ms"]),
        (f"{together['at_once']} at a time", together["p50_ms"], together["p99_ms"]),
    ):
        found = f"{words.number(p50, 1)} / {words.number(p99, 1)}"
        table.add_row(f"decide over HTTP, {how}, p50 / p99 ms", found)
    table.add_row("collection while sending, events/s", words.count(data["collect_events_per_s"]))
    table.add_row("imported events", words.count(data["events_imported"]))
    table.add_row("seconds", words.count(data["seconds"]))
    return table


def _yes(is_true: bool) -> Text:
    return Text("yes", style="green") if is_true else Text("NO", style="bold red")

"""What may happen to a figure: real events of the example bank, sent by its server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dipper.spec.kinds.event import Event
from dipper.spec.program import Program


@dataclass(frozen=True)
class Preset:
    """An event to send, and how often by default."""

    name: str
    kind: str
    event: str
    scenario: str
    title: tuple[str, str]
    properties: dict[str, Any]
    times: int = 1


PRESETS = (
    Preset(
        "bill", "person", "bill_paid", "bill_payment", ("缴一次电费 ¥128", "pay a bill of ¥128"),
        {"amount_fen": 12_800, "biller": "城市电力", "bill_kind": "electricity"}, 3,
    ),
    Preset(
        "tuition", "person", "bill_paid", "bill_payment",
        ("缴一次学费 ¥3,600", "pay school fees of ¥3,600"),
        {"amount_fen": 360_000, "biller": "实验小学", "bill_kind": "tuition"},
    ),
    Preset(
        "ride", "person", "ride_paid", "transport", ("乘一次地铁 ¥4", "take the metro for ¥4"),
        {"amount_fen": 400, "line_no": "3", "ride_kind": "metro"}, 8,
    ),
    Preset(
        "page", "person", "product_page_viewed", "", ("看一次理财页面", "read a wealth page"),
        {"product_viewed": "wealth.stable_growth"}, 2,
    ),
    Preset(
        "gate", "person", "gate_opened", "community", ("开一次小区门禁", "open the gate at home"),
        {}, 7,
    ),
    Preset(
        "sale", "organisation", "sale_taken", "shop_till", ("收一笔款 ¥26", "take a sale of ¥26"),
        {"amount_fen": 2_600, "goods_count": 2}, 10,
    ),
    Preset(
        "close", "organisation", "till_closed", "shop_till", ("日结一次", "close the till"),
        {"amount_fen": 480_000},
    ),
)  # fmt: skip

BY_NAME = {preset.name: preset for preset in PRESETS}
TIMES = (1, 2, 3, 5, 7, 8, 10, 40)


def presets_for(program: Program, kind: str) -> list[Preset]:
    """The events that the program in force declares for a kind of subject."""
    known = program.of(Event)
    return [preset for preset in PRESETS if preset.kind == kind and preset.event in known]

"""How the report speaks: one language at a time, numbers and money as that language writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from dipper.kit.clock import to_datetime

LANGUAGES = {"zh": "中文", "en": "English"}
NOTHING = "—"
WAN_FEN = 1_000_000
"""A 万 of yuan."""


@dataclass(frozen=True)
class Words:
    """Words of one language; `words(zh, en)` gives the text of it."""

    language: str
    zone: ZoneInfo

    def __call__(self, zh: str, en: str) -> str:
        return zh if self.language == "zh" else en

    def of(self, text: Mapping[str, str | None]) -> str:
        """The title of an object."""
        return text.get(self.language) or text.get("en") or ""

    def count(self, number: int | float | None) -> str:
        """A whole number, or a dash."""
        return NOTHING if number is None else f"{number:,.0f}"

    def percent(self, rate: float | None, digits: int = 1) -> str:
        """A rate between 0 and 1."""
        return NOTHING if rate is None else f"{100 * rate:.{digits}f} %"

    def number(self, value: float | None, digits: int = 2) -> str:
        """A number with some digits; the whole ones above a hundred have none."""
        if value is None:
            return NOTHING
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.{digits}f}"

    def money(self, amount_fen: int | None) -> str:
        """Money without 分; from a million yuan on in 万 where that is usual."""
        if amount_fen is None:
            return NOTHING
        if self.language == "zh" and abs(amount_fen) >= 100 * WAN_FEN:
            return f"¥{amount_fen / WAN_FEN:,.2f} 万"
        return f"¥{amount_fen / 100:,.0f}"

    def fine_money(self, amount_fen: float) -> str:
        """Money to the 分, for what is worth less than a yuan."""
        sign = "-" if amount_fen < 0 else ""
        return f"{sign}¥{abs(amount_fen) / 100:,.2f}"

    def moment(self, time_us: int) -> str:
        """A moment in the bank's zone, to the minute."""
        return to_datetime(time_us).astimezone(self.zone).strftime("%Y-%m-%d %H:%M")

    def interval(self, found: Mapping[str, Any], digits: int = 2) -> str:
        """An estimate with its interval, or what is missing for one."""
        if not found["enough"]:
            return self.not_enough(found)
        shown = [f"{found[name]:,.{digits}f}" for name in ("estimate", "low", "high")]
        return f"{shown[0]} [{shown[1]}, {shown[2]}]"

    def not_enough(self, found: Mapping[str, Any]) -> str:
        """Why there is no interval yet: the smaller arm, or the openings, are too few."""
        if found["subjects"] < found["subjects_min"]:
            few, needed = found["subjects"], found["subjects_min"]
            reason = self(f"较小的一组仅 {few}/{needed}", f"smaller arm {few} of {needed}")
        else:
            few, needed = found["conversions"], found["conversions_min"]
            reason = self(f"转化 {few}/{needed}", f"openings {few} of {needed}")
        return self(f"数据尚不足（{reason}）", f"not enough data yet ({reason})")

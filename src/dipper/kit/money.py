"""Money is an integer of the smallest unit (分) with its currency; text only at the edge."""

from __future__ import annotations

_DECIMALS = {"CNY": 2, "USD": 2, "EUR": 2, "HKD": 2, "JPY": 0}
_SIGNS = {"CNY": "¥", "USD": "$", "EUR": "€", "HKD": "HK$", "JPY": "JP¥"}


def format_money(amount_fen: int, currency: str = "CNY") -> str:
    """'¥1,234.50' for 123450 CNY."""
    decimals = _DECIMALS.get(currency, 2)
    sign = "-" if amount_fen < 0 else ""
    whole, part = divmod(abs(amount_fen), 10**decimals)
    text = f"{whole:,}" + (f".{part:0{decimals}d}" if decimals else "")
    return f"{sign}{_SIGNS.get(currency, currency + ' ')}{text}"

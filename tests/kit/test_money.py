"""Money is shown from an integer of the smallest unit."""

from __future__ import annotations

import pytest

from dipper.kit.money import format_money


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (123_450, "CNY", "¥1,234.50"),
        (-5, "CNY", "-¥0.05"),
        (1_000, "JPY", "JP¥1,000"),
        (100, "CHF", "CHF 1.00"),
    ],
)
def test_amounts_are_written_with_sign_and_currency(amount: int, currency: str, text: str) -> None:
    """Negative amounts keep their fraction."""
    assert format_money(amount, currency) == text

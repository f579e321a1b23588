"""Names that SDKs send."""

from __future__ import annotations

import pytest

from dipper.collect.names import snake_case


@pytest.mark.parametrize(
    ("sent", "ours"),
    [
        ("Order Completed", "order_completed"),
        ("orderCompleted", "order_completed"),
        ("HTTPRequestSent", "http_request_sent"),
        ("order-completed ", "order_completed"),
        ("bill_paid", "bill_paid"),
        ("$pageview", "pageview"),
        ("step2Done", "step2_done"),
        ("Ｏｒｄｅｒ　Ｄｏｎｅ", "order_done"),
        ("付款 成功", "付款_成功"),
        ("--", ""),
    ],
)
def test_a_name_becomes_snake_case(sent: str, ours: str) -> None:
    """All writings of one name become one."""
    assert snake_case(sent) == ours
    assert snake_case(ours) == ours

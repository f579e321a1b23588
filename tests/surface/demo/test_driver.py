"""Tests of what the driver of the live days makes of answers."""

from __future__ import annotations

import pytest

from dipper.surface.demo.client import Answer
from dipper.surface.demo.driver import Refused, require_success


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_success_goes_on(status: int) -> None:
    """Whatever kind of success it is."""
    require_success(Answer(status, b"{}", 0.01), "/v1/batch")


def test_a_refusal_stops_the_demo_with_path_and_words() -> None:
    """A demo that went on would report numbers of half a bank."""
    with pytest.raises(Refused, match=r"/v1/batch: expected a success, got 503: b'full'") as found:
        require_success(Answer(503, b"full", 0.01), "/v1/batch")
    assert found.value.code == "demo_refused"

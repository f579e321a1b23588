"""Tests of what is said of health: who lives, how far everything is."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from dipper.surface.status import (
    LAG_MAX,
    Health,
    PartitionStatus,
    gateway_answers,
    is_held,
)


def part(lag: int = 0, gateway: bool = True) -> PartitionStatus:
    """A partition that is so far behind."""
    return PartitionStatus(0, lag + 5, 5, 5, gateway)


def test_a_lock_is_held_while_its_owner_lives(tmp_path: Path) -> None:
    """Looking does not keep an owner out, and a missing file is held by nobody."""
    lock = tmp_path / "writer.lock"
    assert not is_held(lock)
    handle = os.open(lock, os.O_CREAT | os.O_RDWR)
    assert not is_held(lock)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert is_held(lock)
    os.close(handle)
    assert not is_held(lock)


def test_a_gateway_answers_while_it_listens(tmp_path: Path) -> None:
    """A socket file that a dead process left behind is no gateway."""
    path = tmp_path / "g.sock"
    assert not gateway_answers(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert gateway_answers(path)
    assert path.exists()
    assert not gateway_answers(path)


@pytest.mark.parametrize(
    ("health", "is_healthy", "is_ready"),
    [
        (Health((part(), part()), True, None), True, True),
        (Health((part(), part(LAG_MAX)), True, None), True, True),
        (Health((part(), part(LAG_MAX + 1)), True, None), True, False),
        (Health((part(),), False, None), False, False),
        (Health((part(), part(gateway=False)), True, None), False, False),
    ],
)
def test_ready_is_healthy_and_near_the_end(
    health: Health, is_healthy: bool, is_ready: bool
) -> None:
    """Lag never makes the whole unhealthy, only not ready to decide."""
    assert (health.is_healthy, health.is_ready) == (is_healthy, is_ready)
    assert health.as_dict()["status"] == ("ok" if is_healthy else "degraded")

"""What control records tell a gateway."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dipper.app.init import init_workspace
from dipper.app.programs import prepare, store
from dipper.app.workspace import Workspace
from dipper.engine.record import CONTROL_DECODER, Control
from dipper.kit.errors import Forbidden, NotFound, Unavailable
from dipper.profile.erasure import tombstone
from dipper.surface.http.following import Following

NOW_US = 1_790_000_000_000_000
KEY = b"k" * 32


def make(folder: Path, *, demo: bool = False) -> tuple[Workspace, Following]:
    """A workspace with a stored program, and a gateway's following of it."""
    init_workspace(folder, random_bytes=os.urandom, demo=demo)
    workspace = Workspace(folder)
    return workspace, Following(workspace, lambda: NOW_US, KEY)


def control(type_: str, **body: Any) -> Control:
    """A control record."""
    return Control(type=type_, time_us=NOW_US, body=body)


def test_a_program_takes_effect_when_it_is_applied(tmp_path: Path) -> None:
    """Followed first, effective then; whoever compiles for it is told once."""
    workspace, following = make(tmp_path / "bank")
    told: list[str] = []
    following.on_program = lambda served: told.append(served.current.program)
    stored = store(workspace, prepare(workspace, NOW_US))
    applied = control("spec_applied", program=stored.program)
    following.follow(applied)
    assert following.served() is None
    following.apply(applied)
    served = following.served()
    assert served is not None
    assert "bill_paid" in served.program.of("event")
    assert told == [stored.program]
    following.apply(control("tick", now_us=1))
    assert told == [stored.program]


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Better no decision than one by another program."""
    _, following = make(tmp_path / "bank")
    applied = control("spec_applied", program="0" * 64)
    following.follow(applied)
    with pytest.raises(NotFound):
        following.apply(applied)


def test_virtual_time_is_for_demo_workspaces(tmp_path: Path) -> None:
    """There it moves the gateway's clock; a bank's workspace refuses the record."""
    clock = control("clock", now_us=5)
    _, bank = make(tmp_path / "bank")
    with pytest.raises(Forbidden, match="demo"):
        bank.admit(clock)
    assert bank.now() == NOW_US
    _, demo = make(tmp_path / "demo", demo=True)
    demo.admit(clock)
    assert demo.now() == NOW_US
    demo.follow(clock)
    assert demo.now() == 5
    bank.admit(control("tick", now_us=5))


def test_erased_and_reinstated_ids_are_known_by_keyed_hash(tmp_path: Path) -> None:
    """Only while somebody is erased is anything asked at all."""
    _, following = make(tmp_path / "bank")
    asked: list[Any] = []
    following.on_erasure = asked.append
    mark = tombstone("login:a", KEY).hex()
    erased = control("erased", ids=[mark])
    following.follow(erased)
    following.apply(erased)
    assert asked[-1]("login:a") == mark
    assert asked[-1]("login:b") is None
    back = CONTROL_DECODER.decode(following.reinstatement([mark], NOW_US + 5)[1])
    following.admit(back)
    following.follow(back)
    following.apply(back)
    assert asked[-1] is None


def test_a_new_consent_lifts_the_erasure_that_it_names(tmp_path: Path) -> None:
    """Said twice, or after another order, it brings nobody back a second time."""
    _, following = make(tmp_path / "bank")
    mark = tombstone("login:a", KEY).hex()
    first, second = (Control(type="erased", time_us=at, body={"ids": [mark]}) for at in (5, 9))
    back = Control(type="reinstated", time_us=7, body={"ids": {mark: 5}})
    with pytest.raises(Unavailable):
        following.admit(back)
    asked: list[Any] = []
    following.on_erasure = asked.append
    for told, is_erased in ((first, True), (back, False), (back, False), (second, True),
                            (back, True), (first, True)):  # fmt: skip
        following.admit(told)
        following.follow(told)
        following.apply(told)
        assert (asked[-1] is not None) is is_erased


def test_a_model_is_the_one_published_last(tmp_path: Path) -> None:
    """By policy; before the first there is none, and a lost file is said to be lost."""
    _, following = make(tmp_path / "bank")
    assert following.published("services") is None
    following.follow(control("model_published", policy="services", hash="1" * 64))
    with pytest.raises(NotFound):
        following.published("services")

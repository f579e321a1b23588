"""Tests of funnels as people ask them: history agrees with the state about who is who."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dipper.app.workspace import Workspace
from dipper.kit.clock import DAY_US, system_clock, to_iso
from dipper.kit.errors import BadInput, NotFound
from dipper.profile.gather import gather
from dipper.profile.id_state import read_header
from dipper.profile.subject import subject_of
from dipper.surface.explaining import served_in
from dipper.surface.funnel_process import ask_apart
from dipper.surface.funnels import FunnelAsked, StepAsked, ask_funnel, chain_of, step_of

WEALTH = "product_viewed LIKE 'wealth.%' OR product_viewed LIKE 'fund.%'"


@pytest.fixture(scope="module")
def workspace(quiet_bank: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of the quiet bank, for a process opens a state once."""
    folder = tmp_path_factory.mktemp("funnels") / "bank"
    shutil.copytree(quiet_bank, folder)
    return Workspace(folder)


def members_by_state(workspace: Workspace, tag: str, now_us: int) -> int:
    """Persons whose tag is above zero, by the state."""
    served, seen = served_in(workspace), set()
    with workspace.state.read() as view:
        for key, data in view.scan("ids"):
            if read_header(data).kind == "person":
                found = gather(view, served.tag_table, key)
                assert found is not None
                if subject_of(found, served.tag_table, now_us).tags[tag]:
                    seen.add(found.name()[1])
    return len(seen)


@pytest.mark.parametrize(
    ("event", "where", "tag", "days"),
    [
        ("product_page_viewed", WEALTH, "wealth_pages_14d", 14),
        ("bill_paid", "amount_fen >= 100", "bills_paid_30d", 30),
        ("gate_opened", None, "gates_opened_7d", 7),
    ],
)
def test_a_step_counts_the_persons_whose_tag_counts_it(
    workspace: Workspace, event: str, where: str | None, tag: str, days: int
) -> None:
    """What an app recorded on devices, shared ones too, is of the same persons in both."""
    now_us = system_clock()
    asked = FunnelAsked(
        steps=(StepAsked(event=event, where=where),),
        start=to_iso(now_us - days * DAY_US + 1),
        end=to_iso(now_us + 1),
    )
    found = ask_funnel(workspace, served_in(workspace), asked)
    assert found.counts[0] == members_by_state(workspace, tag, now_us) > 20


def test_a_process_of_its_own_gives_the_same(
    workspace: Workspace, kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer as JSON, and errors as they are."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", kernels)
    asked = FunnelAsked(steps=chain_of(["bill_viewed > bill_paid"]), window="7d")
    here = ask_funnel(workspace, served_in(workspace), asked).as_dict()
    assert ask_apart(workspace.folder, asked) == here
    with pytest.raises(NotFound, match="Did you mean 'bill_paid'"):
        ask_apart(workspace.folder, FunnelAsked(steps=chain_of(["bill_payd"])))
    with pytest.raises(BadInput, match="7 days"):
        ask_apart(workspace.folder, FunnelAsked(steps=chain_of(["bill_paid"]), window="7 days"))


def test_an_organisation_has_a_funnel_of_its_own(workspace: Workspace) -> None:
    """Whose timelines are walked is part of the question."""
    asked = FunnelAsked(steps=chain_of(["sale_taken", "till_closed"]), subject="organisation")
    sold, closed = ask_funnel(workspace, served_in(workspace), asked).counts
    assert sold >= closed > 0
    persons = asked.model_copy(update={"subject": "person"})
    # The operator keeps a row of the till's closing, never one of a sale.
    assert ask_funnel(workspace, served_in(workspace), persons).counts == (0, 0)


def test_steps_are_written_as_people_write_them() -> None:
    """A chain by `>` or one by one; a condition behind the first colon."""
    names = [step.event for step in chain_of(["a > b", "c", " > d>e "])]
    assert names == ["a", "b", "c", "d", "e"]
    assert step_of("bill_paid: amount_fen > 5") == StepAsked(
        event="bill_paid", where="amount_fen > 5"
    )
    assert step_of("bill_paid") == StepAsked(event="bill_paid")

"""Tests of `dipper explain`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Dipper = Callable[..., Any]


def test_without_a_stored_decision_one_is_made_and_not_stored(
    dipper: Dipper, quiet_bank: Path
) -> None:
    """Both languages, the rule named; the log is as long as before."""
    before = dipper("verify", quiet_bank, "--json").json()["records"]
    done = dipper("explain", "login:u000010", "--offer", "equity_select_r4", "-w", quiet_bank)
    assert done.code == 0
    zh, en = done.out.strip().split("\n\n")
    assert zh.startswith("决策 (not stored)")
    assert en.startswith("Decision (not stored)")
    assert "SUIT-0" in zh
    assert "SUIT-0" in en
    assert dipper("verify", quiet_bank, "--json").json()["records"] == before


def test_a_stored_decision_is_explained_as_it_was(dipper: Dipper, served_bank: Any) -> None:
    """The latest one about the person in which the offer was a candidate, by any of the ids."""
    body = {"placement": "ride_result", "ids": {"login": "u000021"}}
    reply = served_bank.send(body, "/v1/decide")
    served_bank.settle()
    folder = served_bank.workspace.folder
    done = dipper("explain", "login:u000021", "--offer", "parking_coupon", "-w", folder, "--json")
    found = done.json()
    assert (found["decision_id"], found["stored"]) == (reply["decision_id"], True)
    assert found["placement"] == "ride_result"
    assert reply["decision_id"] in found["sentences"]["en"][0]
    # The offer of another placement was no candidate there.
    other = dipper("explain", "login:u000021", "--offer", "repair_booking", "-w", folder, "--json")
    assert other.json()["stored"] is False


def test_one_language_is_enough(dipper: Dipper, quiet_bank: Path) -> None:
    """--lang leaves the other one out; another word is misuse."""
    arguments = ("explain", "login:u000010", "--offer", "autopay", "-w", quiet_bank)
    done = dipper(*arguments, "--lang", "en")
    assert "决策" not in done.out
    assert "Decision" in done.out
    assert dipper(*arguments, "--lang", "fr").code == 2


def test_a_stranger_and_an_unknown_offer_are_misuse(dipper: Dipper, quiet_bank: Path) -> None:
    """What is not known is said, and how an id is written."""
    done = dipper("explain", "nobody", "--offer", "autopay", "-w", quiet_bank)
    assert done.code == 2
    assert "'customer_no:nobody'" in done.err
    assert "idtype:value" in done.err
    done = dipper("explain", "login:u000010", "--offer", "autopai", "-w", quiet_bank)
    assert (done.code, "Did you mean 'autopay'?" in done.err) == (2, True)


def test_an_offer_to_another_kind_of_subject_is_misuse(dipper: Dipper, quiet_bank: Path) -> None:
    """A shop's loan is nothing for a person."""
    done = dipper("explain", "login:u000010", "--offer", "shop_loan", "-w", quiet_bank)
    assert done.code == 2
    assert "for a subject of kind organisation" in done.err

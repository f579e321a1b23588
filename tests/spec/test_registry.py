"""The kinds that are known."""

from __future__ import annotations

from types import ModuleType

import pytest

from dipper.spec import registry
from dipper.spec.kinds import cap
from dipper.spec.plugins import PluginError, plugin_of


def module(**members: object) -> ModuleType:
    made = ModuleType("added", "A thing is a thing. More about it.")
    made.__dict__.update(members)
    return made


def test_our_kinds_are_read_like_a_plug_ins() -> None:
    """The registry has the twelve kinds with the facts of their modules."""
    kinds = registry.build().kinds
    assert len(kinds) == 12
    assert kinds["policy"].plural == "policies"
    assert kinds["cap"].model is cap.Cap
    assert kinds["cap"].example == cap.EXAMPLE


def test_families_have_the_names_that_specs_mention() -> None:
    """Rankers, explorations and dialects."""
    built = registry.build()
    assert "linear" in built.members("rankers")
    assert "segment" in built.members("dialects")
    assert "inverse_gap" in built.members("explorations")


def test_a_plug_in_adds_members_of_a_family() -> None:
    """By plain name or by a module with NAME."""
    added = plugin_of("more", module(RANKERS=["forest", ModuleType("x")]))
    with pytest.raises(PluginError, match="has no name"):
        registry.build([added])
    named = ModuleType("x")
    named.__dict__["NAME"] = "bayes"
    added = plugin_of("more", module(RANKERS=["forest", named]))
    assert registry.build([added]).members("rankers")[-2:] == ("forest", "bayes")


def test_nothing_built_in_is_replaced() -> None:
    """Neither a kind nor a member of a family."""
    with pytest.raises(PluginError, match="kind 'cap' exists already; 'dipper' gives it"):
        registry.build([plugin_of("more", module(KINDS=[cap]))])
    with pytest.raises(PluginError, match="ranker 'linear' exists already"):
        registry.build([plugin_of("more", module(RANKERS=["linear"]))])


def test_a_kind_declares_all_its_facts() -> None:
    """What is missing is named."""

    class Half(cap.Cap):
        kind = "half"

    with pytest.raises(PluginError, match="kind Half does not declare EXAMPLE"):
        registry.kind_of(module(MODEL=Half))
    with pytest.raises(PluginError, match="has no MODEL below Spec"):
        registry.kind_of(module(MODEL=dict))

    class Odd(cap.Cap):
        kind = "odd"
        plural = "odds"
        risk = "none"

    with pytest.raises(PluginError, match="has risk 'none'"):
        registry.kind_of(module(MODEL=Odd, EXAMPLE="kind: odd"))


def test_two_kinds_have_two_plurals() -> None:
    """URLs go by plural."""

    class Other(cap.Cap):
        kind = "lid"

    with pytest.raises(PluginError, match="have one plural: 'caps'"):
        registry.build([plugin_of("more", module(KINDS=[module(MODEL=Other, EXAMPLE="x")]))])


def test_the_summary_is_the_first_sentence() -> None:
    """On one line."""
    assert registry.first_sentence("A thing is\nlong. It is.\n\nMore.") == "A thing is long."

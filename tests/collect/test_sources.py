"""Sources and their keys."""

from __future__ import annotations

import pytest

from dipper.collect.sources import SourceKeys, Sources
from dipper.kit.errors import BadInput
from dipper.spec.program import Program


def test_a_write_key_names_its_source(sources: Sources) -> None:
    """Each key finds one source with what its spec says; any other text finds none."""
    found = sources.by_key("wk_app")
    assert found is not None
    assert (found.name, found.trust, found.dialect) == ("app", "public", "segment")
    assert found.rename == {"付款成功": "bill_paid"}
    assert sources.by_key("wk_ap") is None
    assert sources.by_key("") is None


def test_keys_of_unknown_sources_open_nothing(program: Program) -> None:
    """A key that outlived its source, and a source without a key, find nothing."""
    sources = Sources.compile(program, {"gone": SourceKeys("wk_gone"), "core": SourceKeys("")})
    assert sources.by_key("wk_gone") is None
    assert sources.by_key("") is None
    assert sources.dialects() == frozenset()


def test_a_bad_token_key_is_refused_when_the_keys_are_read(program: Program) -> None:
    """Not at the first token that comes."""
    with pytest.raises(BadInput, match="no public JWK"):
        Sources.compile(program, {"app": SourceKeys("k", {"k1": {"kty": "EC"}})})

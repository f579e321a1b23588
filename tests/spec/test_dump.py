"""Specs back to YAML."""

from __future__ import annotations

from dipper.spec.dump import dump
from dipper.spec.load import load_text


def test_what_is_dumped_loads_as_the_same(examples: str) -> None:
    """load after dump is the identity on specs."""
    specs = [one.spec for one in load_text(examples).objects]
    again = load_text(dump(specs))
    assert not again.findings
    assert [one.spec for one in again.objects] == specs


def test_defaults_are_left_out_and_kind_comes_first(examples: str) -> None:
    """It reads as a person would write it."""
    tag = next(one.spec for one in load_text(examples).objects if one.spec.kind == "tag")
    text = dump([tag])
    assert text.startswith("kind: tag\nname: bills_paid_30d\n")
    assert "subject:" not in text
    assert "标" not in text
    assert "近30天缴费次数" in text


def test_a_text_of_several_lines_is_a_block(write) -> None:
    """A long condition stays readable; what a block would change is quoted."""
    spaced = {"zh": "说明\n第二行", "en": " first\n\tsecond"}
    text = write("segment", "s", purposes=["p"], where="tag.a > 1\nAND tag.b < 2")
    (one,) = load_text(text).objects
    assert "where: |-\n  tag.a > 1\n  AND tag.b < 2\n" in dump([one.spec])
    (odd,) = load_text(write("segment", "s", purposes=["p"], where="TRUE", title=spaced)).objects
    assert [again.spec for again in load_text(dump([odd.spec])).objects] == [odd.spec]

"""YAML to plain data with lines."""

from __future__ import annotations

import pytest

from dipper.spec.yaml_text import NODES_MAX, Document, documents


def one(text: str) -> Document:
    (document,) = documents(text)
    return document


def codes(text: str) -> list[str]:
    return [problem.code for document in documents(text) for problem in document.problems]


def test_every_field_has_its_line() -> None:
    """Lines count from the start of the file, through documents, lists and block texts."""
    text = "# head\na: 1\n---\nb:\n  - x\n  - y: |\n      long\n      text\nc: {d: 2}\n"
    first, second = documents(text)
    assert first.lines[("a",)] == 2
    assert second.lines[("b", 1, "y")] == 6
    assert second.lines[("c", "d")] == 9
    assert second.data == {"b": ["x", {"y": "long\ntext\n"}], "c": {"d": 2}}


def test_empty_documents_are_left_out() -> None:
    """Comments and double separators are no objects."""
    assert [d.data for d in documents("# only\n---\n---\na: 1\n---\n# end\n")] == [{"a": 1}]


def test_a_mistake_in_one_document_hides_no_other() -> None:
    """The first does not parse, the second is read."""
    broken, good = documents("a: [1\n---\nb: 2\n")
    assert broken.problems[0].code == "bad_yaml"
    assert good.data == {"b": 2}


def test_a_mistake_is_told_with_its_line() -> None:
    """The line is that of the file, not of the document."""
    _, broken = documents("a: 1\n---\nb: 1\nc: d: e\n")
    assert (broken.problems[0].line, broken.problems[0].code) == (4, "bad_yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("NO", "NO"),
        ("true", True),
        ("~", None),
        ("0x1f", 31),
        ("0o17", 15),
        ("1_000", 1000),
        ("1e3", 1000.0),
        ("-7", -7),
        ("2026-01-01", "2026-01-01"),
        ("'0101'", "0101"),
        ("12:30", "12:30"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    """`yes` is a text, a date stays a text, hexadecimal is a number."""
    assert one(f"a: {text}\n").data == {"a": value}


def test_a_number_with_a_leading_zero_is_probably_a_code() -> None:
    """0101 would become 101 and lose what it says: it is refused with the cure."""
    (problem,) = one("unit: 0101\n").problems
    assert (problem.line, problem.code) == (1, "leading_zero")
    assert problem.hint == "Put it in quotes if it is a code."


@pytest.mark.parametrize("text", [".inf", "-.inf", ".nan", "1e400", "99999999999999999999"])
def test_numbers_that_cannot_be_kept_are_refused(text: str) -> None:
    """Infinity, not-a-number and beyond 64 bits."""
    assert codes(f"a: {text}\n") == ["bad_number"]


@pytest.mark.parametrize("text", ["!!python/object:os.system x", "!foo 1", "!!binary aGk="])
def test_tags_construct_nothing(text: str) -> None:
    """A document is data: a tag that asks for an object is a finding."""
    assert codes(f"a: {text}\n") == ["yaml_tag"]


def test_a_field_stands_there_once() -> None:
    """YAML would let the last one win; a person meant one of them."""
    (problem,) = one("a: 1\nb:\n  c: 1\n  c: 2\n").problems
    assert (problem.line, problem.code) == (4, "named_twice")
    assert "'b.c'" in problem.message


def test_field_names_are_words() -> None:
    """A mapping or a list as a key is a finding."""
    assert codes("? [a, b]\n: 1\n") == ["bad_key"]


def test_aliases_are_data_within_the_bound() -> None:
    """An anchor can be used again, but not to blow up memory."""
    assert one("a: &x {b: 1}\nc: *x\n").data == {"a": {"b": 1}, "c": {"b": 1}}
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 7)]
    assert codes("\n".join(lines)) == ["too_large"]
    assert NODES_MAX < 10**6


def test_nesting_is_bounded() -> None:
    """Ten thousand brackets are a finding, not a crash."""
    assert codes("a: " + "[" * 10_000 + "]" * 10_000) == ["bad_yaml"]


def test_directives_are_refused() -> None:
    """A file cannot turn `yes` into true by asking for another YAML."""
    problems = codes("%YAML 1.1\n---\na: yes\n")
    assert problems == ["bad_yaml"]


def test_control_characters_are_refused() -> None:
    """What is no text is a finding."""
    assert codes("a: \x00\n") == ["bad_yaml"]

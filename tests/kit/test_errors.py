"""The one error form."""

from __future__ import annotations

from dipper.kit.errors import BadInput, did_you_mean


def test_an_error_says_where_what_and_what_to_do() -> None:
    """Text and problem object carry the same three things."""
    error = BadInput("event 'pay.salry' is unknown.", where="a.yml:12", hint="Did you mean X?")
    assert str(error) == "a.yml:12: event 'pay.salry' is unknown. Did you mean X?"
    assert error.as_problem() == {
        "type": "urn:dipper:error:bad_input",
        "title": "bad input",
        "status": 400,
        "detail": "event 'pay.salry' is unknown.",
        "code": "bad_input",
        "where": "a.yml:12",
        "hint": "Did you mean X?",
    }


def test_a_hint_is_given_only_for_a_close_word() -> None:
    """A far word gets no guess."""
    assert did_you_mean("pay.salry", ["pay.salary", "x"]) == "Did you mean 'pay.salary'?"
    assert did_you_mean("zzz", ["pay.salary"]) == ""

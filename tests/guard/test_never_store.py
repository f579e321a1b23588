"""The never-store filter: what authenticates a person is gone before anything is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.guard.never_store import NeverStore
from dipper.guard.secret_names import is_secret_name
from dipper.guard.secret_texts import is_card_number

FILTER = NeverStore(["face_feature"])
CARD = "6222021234567894"
TRACK2 = f";{CARD}=27121010000012345678?"
TRACK1 = f"%B{CARD}^ZHANG/SAN^27121010000012345678?"


def _with_check_digit(digits: str) -> str:
    return next(digits + end for end in "0123456789" if is_card_number(digits + end))


@pytest.mark.parametrize(
    "name",
    [
        "pin",
        "PIN",
        "card_pin",
        "cardPin",
        "pin-block",
        "pinBlock2",
        "Password",
        "login_password",
        "loginPassword",
        "newpassword",
        "passwd",
        "pwd",
        "cvv",
        "CVV2",
        "card-cvn",
        "cvc2",
        "track2",
        "track_2",
        "trackData",
        "securityCode",
        "otp",
        "sms_code",
        "密码",
        "交易密码",
        "短信验证码",
        "磁道信息",
    ],
)
def test_secret_names_are_known_in_every_writing(name: str) -> None:
    """A field named like a PIN, a password, a security code or track data is never stored."""
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["shipping", "spinner", "pinyin", "pin_yin", "tracking_no", "track", "opinion", "amount_fen"],
)
def test_innocent_names_stay(name: str) -> None:
    """A name that merely contains the letters of a secret one is kept."""
    assert not is_secret_name(name)


def test_declared_c3_properties_are_removed_at_any_depth() -> None:
    """A C3 property goes wherever it stands, and its name is reported."""
    value = {"a": [{"face_feature": "xx", "city": "Wuhan"}], "face_feature": "yy"}
    assert FILTER.clean(value) == ({"a": [{"city": "Wuhan"}]}, ("face_feature", "face_feature"))


def test_switches_about_secrets_stay() -> None:
    """True, false and null tell no secret."""
    value = {"has_password": True, "pin": None, "otp_sent": False}
    assert FILTER.clean(value) == (value, ())


@pytest.mark.parametrize("track", [TRACK1, TRACK2, f"{CARD}D27121010000012345678F"])
def test_track_data_is_removed_from_texts(track: str) -> None:
    """Track data goes, the words around it stay."""
    clean, removed = FILTER.clean({"note": f"swiped {track} twice"})
    assert clean == {"note": "swiped [removed] twice"}
    assert removed == ("track data",)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"{CARD} cvv 123", f"{CARD} [removed]"),
        (f"{CARD} 12/27 123", f"{CARD} [removed]"),
        (f"卡号 {CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:]} 安全码：987", None),
        ("６２２２０２１２３４５６７８９４ cvv 123", f"{CARD} [removed]"),
    ],
)
def test_a_security_code_beside_a_card_number_is_removed(text: str, kept: str | None) -> None:
    """A card number with its security code loses the code."""
    clean, removed = FILTER.clean([text])
    assert removed
    assert "123" not in clean[0].replace(CARD, "")
    assert "987" not in clean[0]
    assert kept is None or clean == [kept]


def test_a_card_number_alone_stays() -> None:
    """A card number is C2, not C3: a bank's account numbers are such numbers."""
    for text in (CARD, f"card {CARD}", f"{CARD[:4]}-{CARD[4:8]}-{CARD[8:12]}-{CARD[12:]}"):
        assert FILTER.clean({"account": text}) == ({"account": text}, ())


def test_an_expiry_goes_only_beside_a_card_number() -> None:
    """Expiry and check code are secret together with the number, and plain facts without it."""
    assert FILTER.clean({"card": CARD, "expiry": "12/27", "check_code": "123"})[0] == {"card": CARD}
    assert FILTER.clean({"card": int(CARD), "有效期": "1227"})[0] == {"card": int(CARD)}
    assert FILTER.clean({"expiry": "2027-12-31"})[0] == {"expiry": "2027-12-31"}


def test_objects_written_as_text_are_searched() -> None:
    """JSON inside a text is cleaned like JSON, a query string by its names."""
    value = {"body": '{"pin":"1234","city":"x"}', "url": "https://b.example/?a=1&password=abc&z=2"}
    clean, removed = FILTER.clean(value)
    assert clean == {
        "body": '{"city":"x"}',
        "url": "https://b.example/?a=1&password=[removed]&z=2",
    }
    assert removed == ("pin", "password")


def test_clean_values_are_left_exactly_as_they_are() -> None:
    """Nothing is rewritten where nothing is secret, full-width letters included."""
    value = {"名称": "ＡＢＣ银行：缴费", "time": "12:30", "list": [1, 2.5, None, "a=b"]}
    assert FILTER.clean(value) == (value, ())


def test_is_clean_text_is_sure() -> None:
    """What is called clean without a search is left alone by the search."""
    for text in ("state grid", CARD, "国家电网", "a_b-c.d"):
        assert FILTER.is_clean_text(text)
        assert FILTER.clean_text(text) == (text, ())


def test_cleaning_twice_changes_nothing_more() -> None:
    """The filter is idempotent on texts."""
    once, _ = FILTER.clean_text(f'{{"pin":"1234","t":"{TRACK2}","cvv":123')
    assert FILTER.clean_text(once) == (once, ())


@pytest.mark.parametrize("unit", ["a", '"a":', "a=", "1 ", '"', "\\", "%B", 'a:\\"', "a:'", "6=6"])
def test_the_search_is_linear_in_the_text(unit: str) -> None:
    """A text made to be slow takes no longer for each character than a short one, within reason."""
    import time

    def seconds(length: int) -> float:
        text = (unit * length)[:length] + ":"
        begin = time.process_time()
        FILTER.clean_text(text)
        return time.process_time() - begin

    seconds(1_000)
    assert seconds(64_000) < 64 * max(seconds(4_000), 0.002)


NAMES = st.sampled_from(["pin", "Password", "cardCvv", "track2", "交易密码", "face_feature"])
SECRETS = st.from_regex(r"[1-6]{6}[a-f]{4}", fullmatch=True)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def planted(draw: st.DrawFn) -> tuple[Any, list[str]]:
    """A JSON value with secrets in it, and the secrets."""
    secrets: list[str] = []

    def plant(depth: int) -> Any:
        way = draw(st.sampled_from(["field", "query", "json", "track", "code"]))
        secret = draw(SECRETS)
        digits = draw(st.text("123456", min_size=14, max_size=14))
        if way == "track":
            code = draw(st.text("789", min_size=11, max_size=11))
            secrets.append(code)
            return {"swipe": f";{digits}={code}?"}
        if way == "code":
            code = draw(st.text("789", min_size=3, max_size=3))
            secrets.append(f"cvv {code}")
            return [f"{_with_check_digit(digits)} cvv {code}"]
        secrets.append(secret)
        name = draw(NAMES)
        if way == "query":
            return {"url": f"https://a.example/?x=1&{name}={secret}&y=2"}
        if way == "json":
            return {"body": json.dumps({name: secret, "ok": 1}, ensure_ascii=draw(st.booleans()))}
        return {name: secret, "other": draw(PLAIN)}

    value: Any = plant(0)
    for _ in range(draw(st.integers(0, 4))):
        value = draw(
            st.sampled_from(["list", "object", "beside"]).map(
                lambda way, inner=value: {
                    "list": [1, inner],
                    "object": {"inner": inner},
                    "beside": {"inner": inner, "more": 2},
                }[way]
            )
        )
        if isinstance(value, dict) and draw(st.booleans()):
            value["planted"] = plant(0)
    return value, secrets


@settings(max_examples=300, deadline=None)
@given(planted())
def test_no_planted_secret_survives(case: tuple[Any, list[str]]) -> None:
    """A secret planted at any depth is neither in the clean value nor in what is reported."""
    value, secrets = case
    clean, removed = FILTER.clean(value)
    text = json.dumps(clean, ensure_ascii=False) + json.dumps(removed, ensure_ascii=False)
    assert removed
    for secret in secrets:
        assert secret not in text


@settings(max_examples=300, deadline=None)
@given(planted(), st.booleans(), st.integers(0, 40))
def test_no_planted_secret_survives_in_raw_text(
    case: tuple[Any, list[str]], ascii_only: bool, cut: int
) -> None:
    """The same for the text of a request that is no JSON, cut off anywhere near its end."""
    value, secrets = case
    text = json.dumps(value, ensure_ascii=ascii_only)
    clean, _ = FILTER.clean_text(text[: len(text) - cut])
    for secret in secrets:
        assert secret not in clean


@settings(max_examples=200, deadline=None)
@given(PLAIN)
def test_what_holds_no_secret_is_untouched(value: Any) -> None:
    """Values drawn without a secret come back as they are."""
    clean, removed = FILTER.clean(value)
    assert removed or clean == value

"""Signed tokens."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from dipper.collect.token import Tokens, import_token_key
from dipper.kit.errors import BadInput

NOW_S = 1_795_499_156
NOW_US = NOW_S * 1_000_000
EC = ECKey.generate_key("P-256", {"kid": "k1"})
OKP = OKPKey.generate_key("Ed25519", {"kid": "k2"})
OTHER = ECKey.generate_key("P-256", {"kid": "k1"})
CLAIMS = {
    "iss": "server",
    "sub": "customer_no:10001",
    "device": "d-1",
    "placement": "home",
    "exp": NOW_S + 300,
    "jti": "j-1",
}


@pytest.fixture
def tokens() -> Tokens:
    """Two keys registered at the source `server`."""
    return Tokens(
        {
            ("server", key.kid): import_token_key("server", key.kid, key.as_dict(private=False))
            for key in (EC, OKP)
        }
    )


def sign(claims: dict[str, Any], key: Any = EC, alg: str = "ES256") -> str:
    """A token; the header names the key."""
    return jwt.encode({"alg": alg, "kid": key.kid}, claims, key, algorithms=[alg])


def test_a_signed_token_says_who_somebody_is(tokens: Tokens) -> None:
    """All claims come out as ids, and the record keeps issuer, subject, id and verdict only."""
    token = tokens.verify(sign(CLAIMS), NOW_US)
    assert token.is_valid
    assert (token.subject, token.device, token.placement) == (
        "customer_no:10001",
        "device:d-1",
        "home",
    )
    record = token.as_record()
    assert (record.verdict, record.iss, record.sub, record.jti) == (
        "valid",
        "server",
        "customer_no:10001",
        "j-1",
    )


def test_ed25519_signs_too(tokens: Tokens) -> None:
    """An Ed25519 key signs under the algorithm's new name and under its old one."""
    assert tokens.verify(sign(CLAIMS, OKP, "Ed25519"), NOW_US).is_valid
    with pytest.warns(UserWarning, match="EdDSA"):
        old = sign(CLAIMS, OKP, "EdDSA")
    assert tokens.verify(old, NOW_US).is_valid


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"exp": NOW_S}, "expired"),
        ({"exp": NOW_S + 15 * 60 + 1}, "lives_too_long"),
        ({"nbf": NOW_S + 60}, "not_yet_valid"),
        ({"iss": "somebody"}, "unknown_key"),
        ({"sub": "10001"}, "malformed"),
        ({"jti": ""}, "malformed"),
        ({"jti": None}, "malformed"),
        ({"exp": "soon"}, "malformed"),
        ({"device": 5}, "malformed"),
    ],
)
def test_what_is_wrong_is_the_verdict(tokens: Tokens, change: dict[str, Any], verdict: str) -> None:
    """A token that may not be believed is a value too, with its reason."""
    claims = {key: value for key, value in {**CLAIMS, **change}.items() if value is not None}
    assert tokens.verify(sign(claims), NOW_US).verdict == verdict


def test_a_token_expires_between_two_uses(tokens: Tokens) -> None:
    """A token that was valid once is judged by the time of each use."""
    text = sign(CLAIMS)
    assert tokens.verify(text, NOW_US).is_valid
    assert tokens.verify(text, NOW_US + 299_999_999).is_valid
    assert tokens.verify(text, NOW_US + 300_000_000).verdict == "expired"


def test_forgeries_are_refused(tokens: Tokens) -> None:
    """Another key, a changed body, no algorithm, a symmetric algorithm with the public key."""
    head, body, signature = sign(CLAIMS).split(".")
    _, other_body, _ = sign({**CLAIMS, "sub": "customer_no:2"}).split(".")
    assert tokens.verify(sign(CLAIMS, OTHER), NOW_US).verdict == "bad_signature"
    assert tokens.verify(f"{head}.{other_body}.{signature}", NOW_US).verdict == "bad_signature"
    symmetric = f"{_part({'alg': 'HS256', 'kid': 'k1'})}.{body}"
    mac = hmac.digest(EC.as_pem(private=False), symmetric.encode(), "sha256")
    confused = f"{symmetric}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert tokens.verify(confused, NOW_US).verdict == "malformed"
    nothing = f"{_part({'alg': 'none', 'kid': 'k1'})}.{body}."
    assert tokens.verify(nothing, NOW_US).verdict == "malformed"


def _part(value: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "x" * 5_000, "\udcff.a.b", "é.é.é"])
def test_rubbish_is_malformed(tokens: Tokens, text: str) -> None:
    """Verifying never raises."""
    assert tokens.verify(text, NOW_US).verdict == "malformed"


def test_only_public_keys_of_the_two_kinds_are_registered() -> None:
    """A private key, an RSA key and no key at all are refused with the source's place."""
    rsa = RSAKey.generate_key(2048).as_dict(private=False)
    for jwk in (EC.as_dict(private=True), rsa, {"kty": "EC"}, {"kty": "oct", "k": "A" * 40}):
        with pytest.raises(BadInput, match=r"sources\.server\.token_keys"):
            import_token_key("server", "k", jwk)

"""Signed tokens: a bank's server says for a page or an app who its user is.

A JWT (ES256 or EdDSA) signed by a key that is registered at a source: `iss` the source, `sub` an id
`idtype:value`, optionally `device` and `placement`, `exp` at most 15 minutes ahead, `jti`. Verified
at receipt; the result is a value and the token itself is never kept.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey, OKPKey, import_key
from joserfc.jws import JWSRegistry

from dipper.engine.record import TokenVerdict
from dipper.kit.errors import BadInput
from dipper.kit.ids import subject_id
from dipper.kit.limits import TOKEN_LIFETIME_MAX_S

TOKEN_MAX = 4_096
_ALGORITHMS = {"EC": ("ES256",), "OKP": ("EdDSA", "Ed25519")}
_REMEMBERED_MAX = 4_096

SigningKey = ECKey | OKPKey


class _Registry(JWSRegistry):
    """EdDSA under its old name is what most signers still write."""

    def get_alg(self, name: str) -> Any:
        if self.allowed is None or name not in self.allowed:
            raise JoseError(f"algorithm {name} is not allowed")
        return self.algorithms[name]


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    exp: float
    jti: str
    device: str = ""
    placement: str = ""
    nbf: float | None = None


@dataclass(frozen=True)
class Token:
    """What a token says. Only a `valid` one may be believed; `subject` and `device` are ids."""

    verdict: str
    issuer: str = ""
    subject: str = ""
    device: str = ""
    placement: str = ""
    jti: str = ""
    expires_s: float = 0.0

    @property
    def is_valid(self) -> bool:
        """Whether signature, times and fields hold."""
        return self.verdict == "valid"

    def as_record(self) -> TokenVerdict:
        """The part that a record keeps."""
        return TokenVerdict(self.verdict, self.issuer, self.subject, self.jti)


def import_token_key(source: str, kid: str, jwk: Mapping[str, Any]) -> SigningKey:
    """The public key of a source. Raises BadInput for another kind of key."""
    where = f"sources.{source}.token_keys"
    try:
        key = import_key(dict(jwk))
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise BadInput(f"key '{kid}' is no public JWK: {error}.", where=where) from error
    if not isinstance(key, ECKey | OKPKey) or key.curve_name not in ("P-256", "Ed25519"):
        raise BadInput(f"key '{kid}' must be P-256 (ES256) or Ed25519 (EdDSA).", where=where)
    if key.is_private:
        raise BadInput(
            f"key '{kid}' is a private key.",
            where=where,
            hint="Only the public half belongs here; treat this one as lost.",
        )
    return key


class Tokens:
    """Verifies tokens against the registered keys, `(source, kid)` -> key."""

    def __init__(self, keys: Mapping[tuple[str, str], SigningKey]) -> None:
        self._keys = dict(keys)
        self._seen: dict[bytes, Token] = {}

    def verify(self, text: str, now_us: int) -> Token:
        """Check a token at a moment. Never raises: what is wrong is the verdict."""
        if len(text) > TOKEN_MAX:
            return Token("malformed")
        address = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        token = self._seen.get(address)
        if token is None:
            token = self._check(text, now_us / 1e6)
            if token.is_valid:
                if len(self._seen) >= _REMEMBERED_MAX:
                    self._seen.clear()
                self._seen[address] = token
        elif token.expires_s <= now_us / 1e6:
            return _refused("expired", token)
        return token

    def _check(self, text: str, now_s: float) -> Token:
        issuer, kid = _unverified(text)
        key = self._keys.get((issuer, kid))
        if key is None:
            return Token("unknown_key" if issuer else "malformed")
        allowed = _ALGORITHMS[key.key_type]
        try:
            raw = jwt.decode(text, key, registry=_Registry(algorithms=allowed)).claims
        except BadSignatureError:
            return Token("bad_signature")
        except (JoseError, ValueError, TypeError):
            return Token("malformed")
        return _judge(raw, now_s)


def _unverified(text: str) -> tuple[str, str]:
    """Issuer and key id as stated, only to find the key; empty when unreadable."""
    try:
        head, body, _ = text.split(".")
        header, claims = (
            msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            for part in (head, body)
        )
        issuer, kid = claims["iss"], header["kid"]
    except (ValueError, KeyError, TypeError, msgspec.DecodeError):
        return "", ""
    return (issuer, kid) if isinstance(issuer, str) and isinstance(kid, str) else ("", "")


def _judge(raw: Mapping[str, Any], now_s: float) -> Token:
    try:
        claims = msgspec.convert(raw, _Claims)
        id_type, _, value = claims.sub.partition(":")
        if not id_type or not claims.jti:
            return Token("malformed")
        token = Token(
            "valid",
            claims.iss,
            subject_id(id_type, value),
            subject_id("device", claims.device.removeprefix("device:")) if claims.device else "",
            claims.placement,
            claims.jti,
            claims.exp,
        )
    except (msgspec.ValidationError, ValueError):
        return Token("malformed")
    if claims.exp <= now_s:
        return _refused("expired", token)
    if claims.exp > now_s + TOKEN_LIFETIME_MAX_S:
        return _refused("lives_too_long", token)
    if claims.nbf is not None and claims.nbf > now_s:
        return _refused("not_yet_valid", token)
    return token


def _refused(verdict: str, token: Token) -> Token:
    return Token(verdict, token.issuer, token.subject, jti=token.jti)

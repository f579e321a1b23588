"""Who may ask: a server's key, or a token that one has signed."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from dipper.collect.sources import SourceKeys, Sources
from dipper.kit.errors import Forbidden, Unauthenticated
from dipper.spec.load import load_text
from dipper.spec.program import Program
from dipper.surface.http.callers import Callers, caller

BANK = Path(__file__).parents[2] / "collect" / "bank.yml"
KEY = ECKey.generate_key("P-256", {"kid": "k1"})
NOW_S = 1_790_000_000


@pytest.fixture(scope="module")
def sources() -> Sources:
    """The sources of the small bank, with one token key at the server."""
    objects = load_text(BANK.read_text("utf-8")).objects
    program = Program.from_objects([found.spec for found in objects])
    keys = {name: SourceKeys(f"wk_{name}") for name in program.of("source")}
    keys["server"] = SourceKeys("wk_server", {"k1": KEY.as_dict(private=False)})
    return Sources.compile(program, keys)


def basic(key: str) -> str:
    """A Basic header."""
    return "Basic " + b64encode(f"{key}:".encode()).decode()


def bearer(**claims: object) -> str:
    """A token of the server about a login."""
    known = {"iss": "server", "sub": "login:tina", "exp": NOW_S + 300, "jti": "j"}
    text = jwt.encode({"alg": "ES256", "kid": "k1"}, known | claims, KEY, algorithms=["ES256"])
    return f"Bearer {text}"


def test_a_servers_key_asks_about_anybody(sources: Sources) -> None:
    """The scheme is known in any case of letters."""
    for header in (basic("wk_server"), basic("wk_server").replace("Basic", "bAsIc")):
        found = caller(header, sources, NOW_S * 1_000_000)
        assert (found.source.name, found.token) == ("server", None)


def test_a_public_key_asks_nothing(sources: Sources) -> None:
    """A decision tells what the bank thinks of a person."""
    with pytest.raises(Forbidden, match="app"):
        caller(basic("wk_app"), sources, NOW_S * 1_000_000)


def test_a_token_speaks_for_its_subject(sources: Sources) -> None:
    """The source that signed it answers for the request."""
    found = caller(bearer(placement="home"), sources, NOW_S * 1_000_000)
    assert found.source.name == "server"
    assert found.token is not None
    assert (found.token.subject, found.token.placement) == ("login:tina", "home")


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!", basic("wk_wrong"), basic(""), "Digest x", "Bearer", "Bearer a.b.c",
     bearer(exp=NOW_S - 1), bearer(exp=NOW_S + 3_600), bearer(iss="app"), bearer(jti="")],
)  # fmt: skip
def test_anything_else_is_nobody(sources: Sources, header: str) -> None:
    """Expired, living too long, of another issuer, without an id, or no credential at all."""
    with pytest.raises(Unauthenticated):
        caller(header, sources, NOW_S * 1_000_000)


def test_who_called_before_is_known_again(sources: Sources) -> None:
    """A key is read once, until other sources are in force; what is refused is refused again."""
    in_force = [sources]
    callers = Callers(lambda: in_force[0])
    first = callers.of(basic("wk_server").encode(), NOW_S * 1_000_000)
    assert callers.of(basic("wk_server").encode(), NOW_S * 1_000_000) is first
    for _ in range(2):
        with pytest.raises(Forbidden, match="app"):
            callers.of(basic("wk_app").encode(), NOW_S * 1_000_000)
    in_force[0] = Sources({}, {})
    with pytest.raises(Unauthenticated):
        callers.of(basic("wk_server").encode(), NOW_S * 1_000_000)


def test_a_token_ends_for_who_used_it_before(sources: Sources) -> None:
    """A token is verified at each request."""
    callers = Callers(lambda: sources)
    header = bearer().encode()
    assert callers.of(header, NOW_S * 1_000_000).token is not None
    with pytest.raises(Unauthenticated):
        callers.of(header, (NOW_S + 3_600) * 1_000_000)

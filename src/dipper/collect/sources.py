"""Who may send, and what is believed of each sender.

A source comes from its spec; its write key and token keys come from keys.toml. A key names its
source, and the source's trust class decides what its events may claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dipper.collect.token import Tokens, import_token_key
from dipper.engine.record import Trust


class SpecSource(Protocol):
    """The fields of kind `source` that collection reads."""

    @property
    def name(self) -> str: ...
    @property
    def trust(self) -> Trust: ...
    @property
    def dialect(self) -> str: ...
    @property
    def person_id_type(self) -> str: ...
    @property
    def organisation_id_type(self) -> str: ...
    @property
    def rename(self) -> Mapping[str, str]: ...
    @property
    def unknown_events(self) -> str: ...


class Programmed(Protocol):
    """A program of specs, as far as collection reads it."""

    @property
    def hash(self) -> str: ...

    def of(self, kind: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Source:
    """One sender of events."""

    name: str
    trust: Trust
    dialect: str = "segment"
    person_id_type: str = "customer_no"
    organisation_id_type: str = "org_no"
    rename: Mapping[str, str] = field(default_factory=dict)
    unknown_events: str = "fail"

    @staticmethod
    def of(spec: SpecSource) -> Source:
        """The source that a spec declares."""
        return Source(
            name=spec.name,
            trust=spec.trust,
            dialect=spec.dialect,
            person_id_type=spec.person_id_type,
            organisation_id_type=spec.organisation_id_type,
            rename=dict(spec.rename),
            unknown_events=spec.unknown_events,
        )


@dataclass(frozen=True)
class SourceKeys:
    """The secrets of one source: its write key, and public keys (kid -> JWK) that sign tokens."""

    write_key: str = ""
    token_keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Sources:
    """The sources of one program, found by write key."""

    def __init__(self, sources: Mapping[str, Source], keys: Mapping[str, SourceKeys]) -> None:
        """Keys of sources that the program does not know are left aside.

        Raises BadInput when a token key is no public P-256 or Ed25519 key.
        """
        self.by_name = dict(sources)
        self._by_key = {
            found.write_key: self.by_name[name]
            for name, found in keys.items()
            if found.write_key and name in self.by_name
        }
        self.tokens = Tokens(
            {
                (name, kid): import_token_key(name, kid, jwk)
                for name, found in keys.items()
                if name in self.by_name
                for kid, jwk in found.token_keys.items()
            }
        )

    @staticmethod
    def compile(program: Programmed, keys: Mapping[str, SourceKeys]) -> Sources:
        """All sources of a program with their keys."""
        specs: Mapping[str, SpecSource] = program.of("source")
        return Sources({name: Source.of(spec) for name, spec in specs.items()}, keys)

    def by_key(self, write_key: str) -> Source | None:
        """The source whose write key this is."""
        return self._by_key.get(write_key)

    def dialects(self) -> frozenset[str]:
        """The dialects that the sources with a key speak."""
        return frozenset(source.dialect for source in self._by_key.values())

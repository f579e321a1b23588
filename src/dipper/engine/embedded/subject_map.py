"""Whose a row is by the identity of today, where rows keep the subject key of their writing.

`moved` subjects are those that some row of another key belongs to: their rows lie in several
buckets, and the runner folds them in a task of their own. Pure arrays and kernels; what makes an
owner is decided in `profile.identity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit

from dipper.engine.embedded.timeline_order import key_halves
from dipper.engine.ports import Identity
from dipper.fold.timeline import read_only
from dipper.kit.hashing import hash128

NOBODY = -1


class Keys:
    """Distinct 16-byte keys, sorted, to be looked up by the thousand."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self.halves = key_halves(b"".join(sorted(set(keys))))

    def find(self, halves: np.ndarray) -> np.ndarray:
        """The place of each key (n, 2), or -1."""
        return _find(read_only(self.halves), read_only(np.ascontiguousarray(halves)))


class Moves:
    """Which subjects' rows belong to another key, or have company from one."""

    def __init__(self, identity: Identity) -> None:
        """Raises BadInput where a key has not 16 bytes."""
        remap = dict(identity.remap)
        owners = [] if identity.owners is None else _distinct(identity.owners["person"])
        into = set(remap.values()) | {remap.get(owner, owner) for owner in owners}
        self._keys = Keys([*remap, *into])
        raw = [key.tobytes() for key in self._keys.halves.astype(">u8")]
        self.targets = key_halves(b"".join(remap.get(key, key) for key in raw))

    def __bool__(self) -> bool:
        return len(self.targets) > 0

    def of(self, halves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of these keys have moved, and the keys of today for those."""
        places = self._keys.find(halves)
        moved = places >= 0
        return moved, self.targets[places[moved]]


@dataclass(frozen=True)
class Intervals:
    """Sorted by device, then by beginning: device d has the rows starts[d] to starts[d+1]."""

    starts: np.ndarray
    claims: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    persons: np.ndarray


class Owners:
    """Whose a device's row is: a claimed person whom the table names, else who had it then."""

    def __init__(self, table: pa.Table, remap: Mapping[bytes, bytes]) -> None:
        """`table` has device, claim (NULL: any), person as 16-byte keys, from_us, to_us; the
        rows without claim of one device do not overlap."""
        devices = _bytes(table["device"])
        claims = _bytes(table["claim"])
        persons = [remap.get(key, key) for key in _bytes(table["person"])]
        self._devices = Keys(devices)
        self._claims = Keys(claim for claim in claims if claim is not None)
        self._persons = Keys(persons)
        device = self._devices.find(key_halves(b"".join(devices)))
        claim = self._claim_places(claims)
        person = self._persons.find(key_halves(b"".join(persons)))
        begins = table["from_us"].to_numpy()
        ends = table["to_us"].to_numpy()
        order = np.lexsort((begins, claim, device))
        columns = [each[order] for each in (device, claim, begins, ends, person)]
        named = columns[1] >= 0
        self._named = _intervals(len(self._devices.halves), [each[named] for each in columns])
        self._any = _intervals(len(self._devices.halves), [each[~named] for each in columns])

    def _claim_places(self, claims: list[bytes | None]) -> np.ndarray:
        halves = key_halves(b"".join(claim or bytes(16) for claim in claims))
        missing = np.array([claim is None for claim in claims], bool)
        return np.where(missing, NOBODY, self._claims.find(halves))

    def of(self, devices: np.ndarray, claims: pa.DictionaryArray, times: np.ndarray) -> np.ndarray:
        """For each row its person's place in `persons`, or -1; `claims` are ids as texts."""
        places = self._claim_places([hash128(text) for text in claims.dictionary.to_pylist()])
        codes = claims.indices.fill_null(len(places)).to_numpy()
        row_claims = np.append(places, NOBODY)[codes]
        row_devices = self._devices.find(devices)
        named, anyone = self._named, self._any
        return _owner(
            *map(read_only, (row_devices, row_claims, times)),
            *map(read_only, (named.starts, named.claims, named.begins, named.ends, named.persons)),
            *map(read_only, (anyone.starts, anyone.begins, anyone.ends, anyone.persons)),
        )

    def has(self, devices: np.ndarray) -> bool:
        """Whether any of these devices has an owner at all."""
        return bool((self._devices.find(devices) >= 0).any())

    @property
    def persons(self) -> np.ndarray:
        """The persons' keys of today, as halves."""
        return self._persons.halves


def _intervals(devices: int, columns: list[np.ndarray]) -> Intervals:
    device, claim, begins, ends, person = columns
    starts = np.searchsorted(device, np.arange(devices + 1))
    return Intervals(starts, claim, begins, ends, person)


def _bytes(column: pa.ChunkedArray) -> list[bytes | None]:
    return column.cast(pa.binary()).to_pylist()


def _distinct(column: pa.ChunkedArray) -> list[bytes]:
    return column.cast(pa.binary()).unique().to_pylist()


@njit(cache=True, nogil=True)
def _find(keys, wanted):  # type: ignore[no-untyped-def]
    places = np.empty(len(wanted), np.int64)
    for at in range(len(wanted)):
        low, high = 0, len(keys)
        while low < high:
            middle = (low + high) // 2
            if keys[middle, 0] < wanted[at, 0] or (
                keys[middle, 0] == wanted[at, 0] and keys[middle, 1] < wanted[at, 1]
            ):
                low = middle + 1
            else:
                high = middle
        found = low < len(keys) and keys[low, 0] == wanted[at, 0] and keys[low, 1] == wanted[at, 1]
        places[at] = low if found else -1
    return places


@njit(cache=True, nogil=True)
def _owner(  # type: ignore[no-untyped-def]
    devices,
    claims,
    times,
    named_starts,
    named_claims,
    named_begins,
    named_ends,
    named_persons,
    any_starts,
    any_begins,
    any_ends,
    any_persons,
):
    owners = np.full(len(devices), -1, np.int64)
    for row in range(len(devices)):
        device, claim, time = devices[row], claims[row], times[row]
        if device < 0:
            continue
        if claim >= 0:
            for at in range(named_starts[device], named_starts[device + 1]):
                if named_claims[at] == claim and named_begins[at] <= time < named_ends[at]:
                    owners[row] = named_persons[at]
                    break
        if owners[row] < 0:
            low, high = any_starts[device], any_starts[device + 1]
            while low < high:
                middle = (low + high) // 2
                if any_begins[middle] <= time:
                    low = middle + 1
                else:
                    high = middle
            last = low - 1
            if last >= any_starts[device] and time < any_ends[last]:
                owners[row] = any_persons[last]
    return owners

"""What control records tell a gateway: program, tables, models, virtual time, erasures.

The gateway follows its own partition: at start by reading it once, later by what is appended to it.
Control records come to every partition, so this is all that there is to know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from dipper.app.served import Current, Programs, Served
from dipper.app.workspace import Workspace
from dipper.collect.erasures import KeyedHash
from dipper.decide.ranking import Published
from dipper.engine.ports import Entry
from dipper.engine.record import EVENT_ENCODER, Control, RecordKind
from dipper.kit.clock import Clock
from dipper.kit.errors import Forbidden, Unavailable


class Following:
    """The control state of one gateway."""

    def __init__(self, workspace: Workspace, clock: Clock, erasure_key: bytes) -> None:
        self._workspace = workspace
        self._clock = clock
        self._key = erasure_key
        self.programs = Programs(workspace)
        self.current = Current()
        self._served: Served | None = None
        self._models: dict[str, str] = {}
        self._published: dict[str, Published] = {}
        # Keyed hash -> when the erasure was ordered that refuses it, or that was lifted last.
        self._erased: dict[str, int] = {}
        self._lifted: dict[str, int] = {}
        self.virtual_now_us: int | None = None
        self.on_program: Callable[[Served], None] = lambda served: None
        self.on_erasure: Callable[[KeyedHash | None], None] = lambda erased: None

    def now(self) -> int:
        """The demo's virtual time where a clock record was seen, else the machine's."""
        return self._clock() if self.virtual_now_us is None else self.virtual_now_us

    def admit(self, control: Control) -> None:
        """Refuse what may not be appended here. Raises Forbidden; Unavailable while the order is
        not here yet that a record lifts."""
        if control.type == "clock" and not self._workspace.settings.workspace.demo:
            raise Forbidden(
                "a clock record is for demo workspaces only.",
                where=str(self._workspace.folder),
                hint="A bank's workspace runs on the machine's time.",
            )

        if control.type == "reinstated" and not all(
            order_us <= max(self._erased.get(text, -1), self._lifted.get(text, -1))
            for text, order_us in control.body["ids"].items()
        ):
            raise Unavailable("the erasure has not reached this partition yet.")

    def follow(self, control: Control) -> None:
        """Take in one control record; `apply` makes it effective."""
        body = control.body
        if control.type in ("spec_applied", "table_applied"):
            self.current = self.current.after(control)
        elif control.type == "model_published":
            self._models[body["policy"]] = body["hash"]
        elif control.type == "clock":
            self.virtual_now_us = int(body["now_us"])
        elif control.type == "erased":
            for text in body["ids"]:
                if control.time_us > self._lifted.get(text, -1):
                    self._erased[text] = max(control.time_us, self._erased.get(text, 0))
        elif control.type == "reinstated":
            for text, order_us in body["ids"].items():
                self._lifted[text] = order_us
                if self._erased.get(text, order_us + 1) <= order_us:
                    del self._erased[text]

    def apply(self, control: Control | None = None) -> None:
        """Make effective what was followed: all of it, or what one record has changed."""
        kind = None if control is None else control.type
        if kind in (None, "spec_applied", "table_applied") and self.current.program:
            self._served = self.programs.get(self.current)
            self.on_program(self._served)
        if kind in (None, "erased", "reinstated"):
            self.on_erasure(self._hash_if_erased if self._erased else None)

    def reinstatement(self, erased: Sequence[str], now_us: int) -> Entry:
        """The record by which erased ids (keyed hashes) are accepted again, for every partition."""
        body = {"ids": {text: self._erased[text] for text in sorted(erased)}}
        control = Control(type="reinstated", time_us=now_us, body=body)
        return Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control))

    def served(self) -> Served | None:
        """The program in force."""
        return self._served

    def published(self, policy: str) -> Published | None:
        """The model of a policy, or None before the first."""
        address = self._models.get(policy)
        return None if address is None else self.model(address)

    def model(self, address: str) -> Published:
        """A published model by its address."""
        known = self._published.get(address)
        if known is None:
            known = Published.from_bytes(self._workspace.models.get(address))
            if len(self._published) > 8:
                self._published.clear()
            self._published[address] = known
        return known

    def _hash_if_erased(self, text: str) -> str | None:
        found = hashlib.blake2b(text.encode(), key=self._key, digest_size=16).hexdigest()
        return found if found in self._erased else None

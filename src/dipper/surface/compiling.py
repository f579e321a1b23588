"""Compiles every kernel once, so that no first start waits: `python -m dipper.surface.compiling`.

`make install` runs it. A small workspace of nobody's, thrown away afterwards, goes through all that
has kernels; what is compiled stands where every process of this user looks for it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from dipper.surface.kernels import keep_kernels_in

_MAP = """
source: server
file: {format: csv}
event: {value: bill_paid}
time: {column: at}
subjects: {person: {type: customer_no, column: who}}
properties: {amount_fen: {column: fen, type: int}}
"""
_ROWS = "who,at,fen\n1,2026-01-02T00:00:00Z,100\n2,2026-01-01T00:00:00Z,100\n"


def compile_all(folder: Path) -> None:
    """Use everything that has kernels once, in a workspace that is made in this folder."""
    keep_kernels_in(folder)
    steps = _steps(folder)
    from dipper.surface.cli.output import progress

    with progress("compiling", len(steps)) as done:
        for number, step in enumerate(steps, 1):
            step()
            done(number)


def _steps(folder: Path) -> list[Callable[[], object]]:
    from dipper.app.init import init_workspace
    from dipper.app.programs import applied, prepare
    from dipper.app.served import Current, Programs
    from dipper.app.workspace import Workspace
    from dipper.collect import fingerprints
    from dipper.collect.duplicates import Duplicates
    from dipper.collect.lane import Kernel
    from dipper.engine.embedded import numba_cache
    from dipper.feed.mapping import load_map
    from dipper.kit.clock import system_clock
    from dipper.profile.subject import load_subject
    from dipper.surface.applying import apply
    from dipper.surface.bulk_import import BulkImport
    from dipper.surface.worker import warming

    init_workspace(folder, random_bytes=os.urandom)
    apply(Workspace(folder), prepare(Workspace(folder), system_clock()), system_clock)
    current = applied(Workspace(folder))
    assert current is not None
    served = Programs(Workspace(folder)).get(Current(current.program, dict(current.tables)))
    (folder / "rows.csv").write_text(_ROWS, encoding="utf-8")
    (folder / "rows.map.yml").write_text(_MAP, encoding="utf-8")

    def import_rows() -> None:
        bulk = BulkImport(Workspace(folder), system_clock)
        try:
            bulk.read(folder / "rows.csv", load_map(folder / "rows.map.yml"))
            bulk.project()
        finally:
            bulk.close()

    def read_again() -> None:
        workspace = Workspace(folder)
        with workspace.log.reader() as reader, workspace.state.read() as view:
            records = reader.read(0, 0, reader.end(0))
            known = Duplicates(is_saved=True)
            known.rebuild(records)
            known.forget(*known.place(records[-1].kind, records[-1].payload))
            load_subject(view, served.tag_table, ["customer_no:1"], system_clock())
        workspace.state.close()

    return [
        fingerprints.warm,
        Kernel().warm,
        lambda: warming.warm(served, folder),
        lambda: served.decider,
        numba_cache.warm,
        import_rows,
        read_again,
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        compile_all(Path(scratch) / "bank")

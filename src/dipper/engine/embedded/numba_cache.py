"""Where compiled kernels are kept, and compiling them before anybody waits for them.

Numba looks for a place beside the source file and gives up at import where it cannot write there
("no locator available"): a read-only installation run by an ordinary user. So a process names the
place first, before it imports a module with kernels; this one imports none at its top.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

_VARIABLE = "NUMBA_CACHE_DIR"


def use(folder: Path) -> Path:
    """Keep compiled kernels from now on in a part of this folder that belongs to the sources as
    they are; makes it and gives it.

    Numba compiles a kernel again when its own file has changed, but not when only a kernel inside
    it has, which may stand in another file. Kernels of modules that are imported already stay where
    they are. Raises OSError where the folder cannot be made.
    """
    folder /= _stamp()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[_VARIABLE] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    return folder


def user_folder() -> Path:
    """The folder of this user, for a process without a workspace (XDG base directories)."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "dipper" / "numba"


def _stamp() -> str:
    """A name for the kernels' sources as they are."""
    package = Path(__file__).parents[2]
    stamp = hashlib.blake2b(digest_size=6)
    for path in sorted(package.rglob("*.py")):
        source = path.read_bytes()
        if b"njit" in source or b"kernels.compiled" in source:
            stamp.update(b"%b %d " % (path.relative_to(package).as_posix().encode(), len(source)))
            stamp.update(source)
    return stamp.hexdigest()


def warm() -> None:
    """Compile, or load from the cache, every kernel of lake, runner and history folds.

    Each runs over a few rows in the types that it meets; a question compiles nothing then.
    """
    _warm_rows()
    _warm_subjects()
    _warm_folds()


def _warm_rows() -> None:
    import numpy as np

    from dipper.engine.embedded import row_kernels, timeline_order
    from dipper.engine.embedded.timeline_order import Moments, Run

    keys = np.array([[2, 0], [1, 0]], np.uint64)
    moments = Moments(*(np.array([1, 0], np.int64) for _ in range(3)))
    timeline_order.sort_order(keys, moments)
    runs = [Run(keys[::-1].copy(), np.array([0, 1, 2]), moments)] * 2
    timeline_order.merge_order(runs)
    _, _, targets = timeline_order.append_order(runs)
    timeline_order.take_keys(keys, np.array([0]))
    timeline_order.merge_order(runs * 5)
    codes, rows = np.array([0, 1], np.int32), np.array([0, 1], np.int64)
    for word in (np.uint8, np.uint16, np.uint32, np.uint64):
        values = np.zeros(2, word)
        row_kernels.take(values, codes)
        row_kernels.take(values, rows)
        for column in (row_kernels.Values(values, None), row_kernels.Values(values, codes)):
            column.copy_blocks(np.zeros(4, word), rows, np.array([0, 1, 2]), targets[:2])
    some = row_kernels.Values(np.array([True, False]), codes)
    for condition in (None, some):
        row_kernels.choose(codes, condition, rows, 0, None)


def _warm_subjects() -> None:
    import numpy as np
    import pyarrow as pa

    from dipper.engine.embedded.subject_map import Moves, Owners
    from dipper.engine.ports import Identity

    key = pa.array([bytes(16)], pa.binary())
    far = np.array([2**62])
    table = pa.table(
        {"device": key, "claim": key, "person": key, "from_us": -far, "to_us": far},
    )
    Moves(Identity({bytes(16): bytes(16)})).of(np.zeros((1, 2), np.uint64))
    claims = pa.array(["customer_no:1"]).dictionary_encode()
    Owners(table, {}).of(np.zeros((1, 2), np.uint64), claims, np.zeros(1, np.int64))


def _warm_folds() -> None:
    import numpy as np

    from dipper.engine.ports import Bucket
    from dipper.fold.funnel import Funnel
    from dipper.fold.variants import VariantFold

    for steps in (np.uint8, np.int64):
        columns = {
            "time": np.zeros(2, np.int64),
            "steps": np.ones(2, steps),
            "text": np.zeros(2, np.int32),
        }
        bucket = Bucket([bytes(16)], np.array([0, 2]), columns, {"text": ["a"]})
        for ordered in (True, False):
            fold = Funnel(1, ordered=ordered, breakdown="text")
            fold.step(fold.start(), bucket)
    variants = VariantFold("text")
    variants.step(variants.start(), bucket)

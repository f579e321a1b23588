"""Compiled kernels: where they are kept, and that questions need not wait for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dipper
from dipper.engine.embedded import numba_cache

_QUESTION = """
import sys
from pathlib import Path
from dipper.engine.embedded import numba_cache
numba_cache.use(Path(sys.argv[1]))
numba_cache.warm()
from numba.core.registry import CPUDispatcher

def compiled():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("dipper."):
            for value in vars(module).values():
                if isinstance(value, CPUDispatcher):
                    found[value.py_func.__module__, value.py_func.__name__] = len(value.signatures)
    return found

before = compiled()
from dipper.engine.conformance.lake import NOW_US, table
from dipper.engine.conformance.runner import OFFSET, happenings
from dipper.engine.embedded.lake import EmbeddedLake
from dipper.engine.embedded.runner import EmbeddedRunner
from dipper.engine.ports import Column, Identity, Projection
from dipper.fold.variants import VariantFold
from dipper.kit.clock import DAY_US
from dipper.kit.hashing import hash128
from dipper.measure.funnel import Step, funnel

lake = EmbeddedLake(Path(sys.argv[2]), {"amount_fen": "int"}, {"person": 2}, clock=lambda: NOW_US)
rows = happenings(300, seed=1)
lake.append_sorted(table(lake.schema, rows[:200]), {0: 200})
steps = [Step("seen"), Step("clicked")]
runner = EmbeddedRunner(lake)
for _ in range(2):
    for window_us in (None, DAY_US):
        funnel(runner, steps, window_us=window_us, breakdown="channel", start_us=0)
    funnel(runner, steps * 8, ordered=False)
    runner.fold(Projection("person", (Column("event", "event", "text"),)), VariantFold())
    joined = Identity({hash128("customer_no:1"): hash128("customer_no:2")})
    list(runner.with_identity(joined).buckets(Projection("person", (OFFSET,))))
    lake.append(table(lake.schema, rows[200:]), {0: 300})
lake.compact()
late = {name: n for name, n in compiled().items() if n > before.get(name, 0)}
assert len(before) > 15, before
assert not late, late
"""


def _python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    prefix = []
    if environment.pop("ordinary", "") and os.geteuid() == 0:
        # Root may write anywhere; without this capability it is bound by the files' modes.
        prefix = ["setpriv", "--bounding-set=-dac_override"]
    return subprocess.run(
        [*prefix, sys.executable, "-c", code, *map(str, arguments)],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_a_question_compiles_nothing_after_the_warming(tmp_path: Path) -> None:
    """Every kernel that lake, runner, funnel and variants use is ready after `warm`, in the types
    in which they use it."""
    ended = _python(_QUESTION, numba_cache.user_folder(), tmp_path / "lake", HOME=str(tmp_path))
    assert ended.returncode == 0, ended.stderr


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Path]:
    """A copy of the package in which nobody may write."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write anywhere, and there is no setpriv to give that up")
    site = tmp_path / "site"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(dipper.__file__).parent, site / "dipper", ignore=ignored)
    for path in (site, *site.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield site
    for path in (site, *site.rglob("*")):
        path.chmod(0o755)


def test_an_ordinary_user_runs_a_read_only_installation(tmp_path: Path, installation: Path) -> None:
    """Where nothing can be written beside the code nor at home, kernels are kept where we say;
    without a place the import itself would fail."""
    given = {"PYTHONPATH": str(installation), "HOME": "/proc/nobody", "ordinary": "yes"}
    bare = _python("import dipper.fold.funnel", **given)
    assert "no locator available" in bare.stderr
    cache = tmp_path / "cache"
    ended = _python(_QUESTION, cache, tmp_path / "lake", **given)
    assert ended.returncode == 0, ended.stderr
    assert list(cache.rglob("*.nbi"))
    assert not list(installation.rglob("__pycache__"))


def test_a_process_without_workspace_uses_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the XDG base directories say."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert numba_cache.user_folder() == Path("/somewhere/dipper/numba")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/li")
    assert numba_cache.user_folder() == Path("/home/li/.cache/dipper/numba")


def test_kernels_of_other_sources_are_kept_apart(tmp_path: Path, installation: Path) -> None:
    """A kernel is compiled again when one inside it has changed, in whatever file that stands."""
    code = "from dipper.engine.embedded import numba_cache as c; import sys; "
    code += "print(c.use(c.Path(sys.argv[1])))"
    given = {"PYTHONPATH": str(installation), "PYTHONDONTWRITEBYTECODE": "1"}
    before = _python(code, tmp_path / "cache", **given)
    assert before.returncode == 0, before.stderr
    assert _python(code, tmp_path / "cache", **given).stdout == before.stdout
    inner = installation / "dipper" / "collect" / "kernels" / "write_kernels.py"
    inner.chmod(0o644)
    inner.write_text(inner.read_text() + "\n")
    assert _python(code, tmp_path / "cache", **given).stdout != before.stdout

"""How kernels are compiled: `kernel` for those that Python calls, `inner` for those inside them.

Compiled once into the cache (NUMBA_CACHE_DIR), without the interpreter's lock. An inner kernel has
no door for Python, which saves a third of the time that the first start takes.
"""

from __future__ import annotations

from numba import njit

kernel = njit(cache=True, nogil=True)
inner = njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)

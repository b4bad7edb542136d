"""numba's `njit` and `guvectorize`, kept on disk for other processes, of which one compiles at a time.

Numba guards its files against half-written ones, not against two processes that compile the same function at once:
both take the same file name for different types, or the kernel and the wrapper of a ufunc come from different
processes, whose names for it differ; then the next process that loads them calls what is not there.
"""

import numba
from filelock import FileLock

from smlib.nature import CODE
from smlib.paths import LOCAL

# Numba keeps what it has compiled until the function's own file changes, not those of the functions that it calls.
FOLDER = LOCAL / "numba" / CODE[:16]
numba.config.CACHE_DIR = str(FOLDER)


def _one_at_a_time():
    FOLDER.mkdir(parents=True, exist_ok=True)
    return FileLock(FOLDER / ".lock", is_singleton=True)  # one a process: a function compiles those that it calls


def njit(**options):
    """``numba.njit(cache=True, **options)``."""
    def decorate(function):
        dispatcher = numba.njit(cache=True, **options)(function)
        compile_one = dispatcher.compile  # loads it if another process has compiled it

        def compile_alone(signature):
            with _one_at_a_time():
                return compile_one(signature)

        dispatcher.compile = compile_alone
        return dispatcher

    return decorate


def guvectorize(signature, layout):
    """``numba.guvectorize([signature], layout, nopython=True, cache=True)``."""
    def decorate(function):
        with _one_at_a_time():
            return numba.guvectorize([signature], layout, nopython=True, cache=True)(function)

    return decorate

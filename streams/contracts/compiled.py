"""Loops over a chunk that numba compiles, where it is installed (the extra ``fast``).

The loops are in modules of their own, ``*_loops``, which are imported when `loops` says
so and not before: numba takes most of a second to load. Each loop stands beside plain
numpy code that gives the same bits; that is what runs without numba, and what tests
compare the loop with. Machine code is made at a loop's first call, in a second or so,
and kept on disk beside the source, or in the user's cache folder, for later processes.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["columns", "jit", "loop", "loops", "plain_numpy"]

ColumnsT = TypeVar("ColumnsT", bound=NamedTuple)
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_NUMBA: Final = "numba"


class _Switch:
    on = importlib.util.find_spec(_NUMBA) is not None


def loops() -> bool:
    """Whether numba is there, and not switched off by `plain_numpy`."""
    return _Switch.on


@contextmanager
def plain_numpy() -> Iterator[None]:
    """Do without loops, as if numba were not installed.

    >>> with plain_numpy():
    ...     loops()
    False
    """
    before, _Switch.on = _Switch.on, False
    try:
        yield
    finally:
        _Switch.on = before


def columns(kind: type[ColumnsT], records: npt.NDArray[Any]) -> ColumnsT:
    """View those columns of records that a loop takes, by the names of its tuple."""
    return kind._make(records[name] for name in kind._fields)


def jit(function: FunctionT) -> FunctionT:
    """Let numba compile a function at its first call, and keep the machine code."""
    njit: Any = importlib.import_module(_NUMBA).njit
    compiled: FunctionT
    try:
        compiled = njit(cache=True)(function)
    except RuntimeError:  # no folder can be written to: each process compiles anew
        compiled = njit(function)
    return compiled


def loop(function: FunctionT) -> FunctionT:
    """Run a loop compiled where numba is there, and as it is where it is not.

    It is for loops that have no plain numpy beside them: whatever runs them is slower
    without numba, by as much as Python is. The module may be imported without numba.
    """
    compiled: Callable[..., Any] | None = None

    @wraps(function)
    def run(*arguments: Any) -> Any:
        nonlocal compiled
        if not _Switch.on:
            with np.errstate(over="ignore"):  # as machine code does
                return function(*arguments)
        if compiled is None:
            compiled = jit(function)
            vars(run)["compiled"] = compiled  # for who asks what was compiled
        return compiled(*arguments)

    return run  # type: ignore[return-value]  # the same arguments, the same result

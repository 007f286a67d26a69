"""Tests that coverage does not look at, because other tests measure the same code at half the price.

    with unmeasured():
        subprocess.run([sys.executable, "-m", "strongroom", "version"])

A program that is measured from its first import on takes half a second longer. Attacks and integration
tests start hundreds of them and are to show that something holds, not which lines run: the gates of
``tools/coverage-gates.sh`` have to be met without them.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tools.coverage_everywhere import STARTS, UNMEASURED

_VARIABLES: Final = (*STARTS, UNMEASURED)


@contextmanager
def programs_unmeasured() -> Iterator[None]:
    """Turn coverage off in programs that start meanwhile."""
    variables = {name: os.environ.pop(name) for name in _VARIABLES if name in os.environ}
    os.environ[UNMEASURED] = "1"
    try:
        yield
    finally:
        os.environ.pop(UNMEASURED, None)
        os.environ.update(variables)


@contextmanager
def unmeasured() -> Iterator[None]:
    """Turn coverage off here too, and in threads that start meanwhile."""
    tracing, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        with programs_unmeasured():
            yield
    finally:
        threading.settrace(of_threads)
        sys.settrace(tracing)

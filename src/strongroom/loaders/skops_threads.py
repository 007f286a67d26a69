"""Keeps scikit-learn in this process: it may spread its work over threads, never over other processes.

    with threads_only():
        forest.predict(rows)

joblib is what scikit-learn spreads its work with.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from joblib import parallel_config

_THREADS: Final = "OMP_NUM_THREADS"


@contextmanager
def threads_only() -> Iterator[None]:
    """Enter a context in which scikit-learn starts no process.

    Two of its habits would start one. A ``ColumnTransformer`` with ``n_jobs`` hands its
    rows to other processes as pickles. And before OpenMP code runs, the program ``lscpu`` is
    asked for the number of cores, unless a variable says how many threads to take.

    How many threads there are is what the model asks for (``n_jobs``), and no more: a
    forest adds up its trees in the order in which threads end, so other numbers would
    give answers that differ in their last bit from the original's and from run to run.
    """
    is_chosen = _THREADS in os.environ
    os.environ.setdefault(_THREADS, str(len(os.sched_getaffinity(0))))
    try:
        with parallel_config(backend="threading"):
            yield
    finally:
        if not is_chosen:
            del os.environ[_THREADS]

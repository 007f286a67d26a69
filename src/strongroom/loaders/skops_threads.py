"""Keeps scikit-learn in this process: it may spread its work over threads, never over other processes.

    with threads_only():
        forest.predict(rows)

joblib is what scikit-learn spreads its work with.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from joblib import parallel_config


def threads_only() -> AbstractContextManager[Any]:
    """Return a context in which scikit-learn starts no process.

    Without it a ``ColumnTransformer`` with ``n_jobs`` starts processes and hands them
    its rows as pickles; the worker may start no process. How many threads there are
    is what the model asks for (``n_jobs``), and no more: a forest adds up its trees in the
    order in which threads end, so other numbers would give answers that differ in
    their last bit from the original's and from run to run.
    """
    context: AbstractContextManager[Any] = parallel_config(backend="threading")
    return context

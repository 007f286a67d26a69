"""Brokers of tests are put together without compiling the same messages for each of them once more.

    with messages_compiled_once():
        broker = assemble(home, ...)

The framework compiles a validator for every message and parameter of every route, which takes most of
the time in which a broker is made. A validator depends on the type and the constraints alone and holds
no state. Routes, permissions and services are the broker's own, made anew. Brokers that tests start as
processes, and the first of each test process, compile everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args
from unittest.mock import patch

from pydantic import TypeAdapter

_compiled: dict[tuple[object, str], TypeAdapter[Any]] = {}


@contextmanager
def messages_compiled_once() -> Iterator[None]:
    """What is made in the block shares validators with what was made in such blocks before."""
    with patch("fastapi._compat.v2.TypeAdapter", _adapter):
        yield


def _adapter(kind: Any, **options: Any) -> TypeAdapter[Any]:
    # The type itself, because two may be called the same; its constraints, which not all can be hashed.
    key = (get_args(kind)[0], repr((kind, options)))
    if key not in _compiled:
        _compiled[key] = TypeAdapter(kind, **options)
    return _compiled[key]

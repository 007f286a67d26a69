"""What ``inspect`` found out about a file, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One file, explained."""

    kind: str
    """Stable name of the kind of file."""
    title: str
    """The kind in words, after "this is"."""
    lines: Sequence[tuple[str, str]]
    """Label and sentence."""
    document: dict[str, Any]
    """The same for programs."""

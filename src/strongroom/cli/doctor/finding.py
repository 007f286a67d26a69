"""One line of ``strongroom doctor``: what was looked at, how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    PASS = "pass"  # noqa: S105  # a verdict, not a password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    check: str
    level: Level
    message: str
    fix: str | None = None
    """What to do; every warning and failure has one."""


def passed(check: str, message: str) -> Finding:
    """Say that a check found nothing wrong."""
    return Finding(check, Level.PASS, message)


def warned(check: str, message: str, fix: str) -> Finding:
    """Say that something works but could be better."""
    return Finding(check, Level.WARN, message, fix)


def failed(check: str, message: str, fix: str) -> Finding:
    """Say that something will not work, or is not safe, as it is."""
    return Finding(check, Level.FAIL, message, fix)

"""Which protection level follows from which facts (spec/license.md, "Levels and facts").

    level_of({"files", "network", ...})          # Level.SEALED if nothing is lacking
    lacking({"files", "network"})                # what keeps it from being sealed
    counted(Level.SEALED, request.shown)         # what a broker takes the claim of a runtime for

A fact is there or it is not: there is no setting, and a name that nobody knows counts for nothing.
What is found out about a machine is found out elsewhere; here it is only added up.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from strongroom.license.request import Level


class Fact(StrEnum):
    """One thing that is true where a model runs. The names are those of lease requests."""

    NO_DUMP = "no-dump"
    """Worker: neither core dumps nor another process's view of the memory."""
    PRIVILEGES = "no-privileges"
    """Worker: no capabilities, and no way to new ones."""
    DESCRIPTORS = "descriptors"
    """Worker: nothing is inherited but what is meant."""
    LIMITS = "limits"
    """Worker: memory, threads and processor time end somewhere; no file grows."""
    NAMESPACES = "namespaces"
    """Worker: a user and network namespace of its own."""
    FILES = "files"
    """Worker: the interpreter and its libraries can be read, and nothing else."""
    NETWORK = "network"
    """Worker: no socket can be made."""
    PROGRAMS = "programs"
    """Worker: no other program can be started, looked into, or signalled."""
    SECRET_MEMORY = "secret-memory"  # noqa: S105 - a fact, not a secret
    """Worker: keys that wait lie where not even the kernel's own copies reach."""
    NO_SWAP = "no-swap"
    """Worker: no page of it can be written to a disk."""
    OWN_ACCOUNT = "own-account"
    """Supervisor: neither root, nor the account that nobody owns, nor a program that changed its user."""
    NO_LOGIN = "no-login"
    """Supervisor: nobody logs in to its account."""
    SUPERVISOR = "supervisor"
    """Supervisor: no core dump, and nobody traces it."""
    HOST_ACCOUNT = "host-account"
    """Supervisor: its user id is the machine's own, and not one that some user made up in a namespace."""
    HOME = "home"
    """Supervisor: its home is closed to everybody else, and nobody can put another in its place."""
    PROGRAM = "program"
    """Supervisor: only root and its own account can change the interpreter, libraries and program."""


SEALED = frozenset(Fact)
"""What has to be true for ``sealed``: all of it."""


def lacking(shown: Collection[str]) -> tuple[Fact, ...]:
    """Return what keeps these facts from being enough for ``sealed``."""
    return tuple(fact for fact in Fact if fact not in shown)


def level_of(shown: Collection[str]) -> Level:
    """Return the level that follows from facts. What is stronger than ``sealed`` follows from evidence."""
    return Level.LOCAL if lacking(shown) else Level.SEALED


def counted(said: Level, shown: Collection[str]) -> Level:
    """Return what a level that a runtime says of itself counts as: never more than its facts give."""
    return level_of(shown) if said.reaches(Level.SEALED) else said

"""Kernels that record what they are asked for and do nothing to the process that runs the test."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterable

from strongroom.hardening.kernel import Argument, Kernel
from strongroom.hardening.numbers import Machine


class RecordingKernel(Kernel):
    """Grants everything but the calls that it lacks."""

    def __init__(
        self,
        lacking: Iterable[str] = (),
        *,
        code: int = errno.ENOSYS,
        landlock: int = 7,
        machine: Machine | None = Machine.X86_64,
        swap: list[str] | None = None,
        hard: int = resource.RLIM_INFINITY,
        locked: int = 8 << 20,
        threads: int = 1,
    ) -> None:
        super().__init__()
        self.machine = machine
        self.calls: list[tuple[str, tuple[Argument, ...]]] = []
        self.limited: dict[int, int] = {}
        self._lacking = frozenset(lacking)
        self._code = code
        self._landlock = landlock
        self._swap = swap
        self._hard = hard
        self._locked = locked
        self._threads = threads

    def call(self, name: str, *arguments: Argument) -> int:
        self.calls.append((name, arguments))
        if name in self._lacking:
            raise OSError(self._code, f"{name}: {os.strerror(self._code)}")
        if name == "landlock_create_ruleset":
            return self._landlock if arguments[0] is None else os.open("/dev/null", os.O_RDONLY)
        if name == "memfd_secret":
            return os.memfd_create("page")
        return 0

    def named(self, name: str) -> list[tuple[Argument, ...]]:
        """Return the arguments of every call of that name."""
        return [arguments for called, arguments in self.calls if called == name]

    def limits(self, kind: int) -> tuple[int, int]:
        locked = self._locked if kind == resource.RLIMIT_MEMLOCK else self._hard
        return locked, locked

    def limit(self, kind: int, value: int) -> None:
        self.limited[kind] = value

    def thread_count(self) -> int:
        return self._threads

    def swap_areas(self) -> list[str]:
        if self._swap is None:
            raise OSError(errno.ENOENT, "no such file")
        return self._swap

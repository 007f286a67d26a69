"""System calls by name. Tests bring a kernel of their own that lacks some.

    kernel = Kernel()
    kernel.call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)      # OSError if it refuses

The C library wraps few of the calls that are needed here, so they are made by their number.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
from pathlib import Path
from typing import Final

from strongroom.hardening.numbers import NUMBERS, Machine

Argument = int | bytes | ctypes.Array[ctypes.c_char] | None

_MACHINES: Final = {"x86_64": Machine.X86_64, "aarch64": Machine.AARCH64}

PR_SET_NO_NEW_PRIVS: Final = 38


class Kernel:
    """The kernel that this process runs on."""

    def __init__(self) -> None:
        self.machine = _MACHINES.get(platform.machine()) if platform.architecture()[0] == "64bit" else None
        """None on an architecture whose numbers are not known here."""
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long

    def call(self, name: str, *arguments: Argument) -> int:
        """Make a system call; integers are passed at full width, bytes and buffers by their address.

        Raises:
            OSError: the kernel refuses, or there is no such call here (``ENOSYS``).
        """
        number = None if self.machine is None else NUMBERS[name][self.machine]
        if number is None:
            raise OSError(errno.ENOSYS, f"{name}: {os.strerror(errno.ENOSYS)}")
        # Plain integers would be passed as 32 bits.
        wide = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
        result = int(self._syscall(ctypes.c_long(number), *wide))
        if result == -1:
            code = ctypes.get_errno()
            raise OSError(code, f"{name}: {os.strerror(code)}")
        return result

    def limits(self, kind: int) -> tuple[int, int]:
        """Return a soft and a hard limit (``resource.RLIMIT_*``) of this process."""
        return resource.getrlimit(kind)

    def limit(self, kind: int, value: int) -> None:
        """Set both limits of a kind, for good.

        Raises:
            OSError: the kernel refuses.
            ValueError: the same, said by the standard library.
        """
        resource.setrlimit(kind, (value, value))

    def thread_count(self) -> int:
        """Return how many threads this process has."""
        return len(list(Path("/proc/self/task").iterdir()))

    def swap_areas(self) -> list[str]:
        """Return what the machine swaps to.

        Raises:
            OSError: it does not say.
        """
        lines = Path("/proc/swaps").read_text(encoding="utf-8").splitlines()[1:]
        return [line.split()[0] for line in lines if line.strip()]

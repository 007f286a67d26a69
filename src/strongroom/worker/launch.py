"""Harden a process before it touches a secret: no core dump, no tracing, no outliving its parent.

    harden(parent=4711)      # first statement of a worker
    report = confine(...)    # its second: ``hardening.confining``

Nothing here but system calls: it runs before any library is imported, since what a
library starts (threads, files) cannot be taken back. A supervisor only hardens itself: it
has a network and files to see to.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


def harden(*, parent: int | None) -> None:
    """Switch off core dumps and tracing by other processes of this account.

    With a parent, the kernel kills this process when the thread that started it ends.
    Only a process whose starter is a main thread may ask for that: the signal follows
    the thread, not the process.

    Raises:
        OSError: the kernel refuses; the caller must not go on.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Not dumpable: /proc/PID/mem, fd and environ then belong to root, so no other
    # process of this account can read the weights or attach a debugger.
    _prctl(_PR_SET_DUMPABLE, 0)
    if parent is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have died before the request: then no signal will ever come.
        if os.getppid() != parent:
            os._exit(1)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

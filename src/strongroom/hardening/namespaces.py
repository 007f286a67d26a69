"""A user, network and IPC namespace of its own, and no capabilities afterwards.

    enter(kernel)              # OSError where the system does not allow it
    drop_capabilities(kernel)

In the new user namespace nobody is mapped: to files the process stays who it was, and it has no
power over them beyond that. The new network has no interface that is up.
"""

from __future__ import annotations

import struct
from typing import Final

from strongroom.hardening.kernel import Kernel

_CLONE_NEWIPC: Final = 0x08000000
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_CAPABILITY_VERSION: Final = 0x20080522


def enter(kernel: Kernel) -> None:
    """Leave the namespaces of the host.

    Raises:
        OSError: not allowed to this account or on this system, or none are left.
    """
    kernel.call("unshare", _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC)


def drop_capabilities(kernel: Kernel) -> None:
    """Give up every capability, those over the new namespace too.

    Raises:
        OSError: the kernel refuses.
    """
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    kernel.call("capset", header, bytes(24))

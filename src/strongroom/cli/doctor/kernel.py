"""How the system around a worker is set up, and how this process is limited.

The probes change nothing: each asks the kernel for a number. What of the kernel confines a worker,
such as Landlock and memfd_secret, ``protection`` tells from a worker that was confined.
"""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from strongroom.cli.doctor.finding import Finding, passed, warned

_CLOCK_UNSYNCHRONIZED: Final = 0x40
_ENOUGH_LOCKED_BYTES: Final = 8 << 20


def findings() -> Iterator[Finding]:
    """Check the kernel and the limits of this process."""
    yield _core_dumps(resource.getrlimit(resource.RLIMIT_CORE)[0])
    yield _swap(_lines("/proc/swaps")[1:])
    yield _locked_memory(resource.getrlimit(resource.RLIMIT_MEMLOCK)[0])
    yield _user_namespaces(_lines("/proc/sys/user/max_user_namespaces"), _namespace_restriction())
    yield _clock(_clock_status())


def _core_dumps(limit: int) -> Finding:
    if limit == 0:
        return passed("core dumps", "off")
    return warned(
        "core dumps",
        "on for this shell; a worker switches them off for itself",
        "ulimit -c 0, or LimitCORE=0 in the unit of a service",
    )


def _swap(areas: list[str]) -> Finding:
    # zram is compressed memory, it never reaches a disk.
    on_disk = [area.split()[0] for area in areas if area.split() and "zram" not in area.split()[0]]
    if not on_disk:
        return passed("swap", "none on a disk")
    return warned(
        "swap",
        f"memory of a worker may be written to {', '.join(on_disk)}",
        "swapoff -a, or encrypt the swap area with a key that is new at every boot",
    )


def _locked_memory(limit: int) -> Finding:
    if limit == resource.RLIM_INFINITY or limit >= _ENOUGH_LOCKED_BYTES:
        return passed("locked memory", "enough to keep keys out of swap")
    return warned(
        "locked memory",
        f"only {limit // 1024} KiB, so keys may reach swap",
        "raise memlock in /etc/security/limits.conf, or LimitMEMLOCK= in the unit of a service",
    )


def _user_namespaces(maximum: list[str], restricted: bool) -> Finding:
    if not restricted and maximum and maximum[0].strip() not in {"", "0"}:
        return passed("user namespaces", "allowed")
    return warned(
        "user namespaces",
        "not allowed for ordinary users",
        "sysctl user.max_user_namespaces=10000, and kernel.unprivileged_userns_clone=1 where it exists",
    )


def _clock(status: int | None) -> Finding:
    if status is None or status & _CLOCK_UNSYNCHRONIZED:
        return warned(
            "clock",
            "the kernel does not know it to be synchronized; licenses depend on the time",
            "run a time service, for example: timedatectl set-ntp true",
        )
    return passed("clock", "synchronized")


def _namespace_restriction() -> bool:
    allowed = _lines("/proc/sys/kernel/unprivileged_userns_clone")
    confined = _lines("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    return allowed[:1] == ["0"] or confined[:1] == ["1"]


def _clock_status() -> int | None:
    # struct timex begins with the modes (0: only ask) and is at most 256 bytes; status is its sixth number.
    size = ctypes.sizeof(ctypes.c_long)
    buffer = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None, use_errno=True).adjtimex(buffer) < 0:
        return None
    return int.from_bytes(buffer.raw[5 * size : 5 * size + 4], "little")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []

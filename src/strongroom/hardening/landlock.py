"""Landlock: what of the file system a worker can read. Everything else is out of reach.

    confine(kernel, library_paths())         # "version 7: 14 paths to read"

Reading is allowed below the interpreter's own folders, so that modules imported later are
found; writing, making, executing and removing nowhere. Where the kernel can, TCP is closed, and
sockets and signals cannot leave the worker's own domain. Paths can still be asked whether
they exist: Landlock does not govern ``stat``.
"""

from __future__ import annotations

import os
import pwd
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from strongroom.hardening.kernel import Kernel

_VERSION_FLAG: Final = 1
_RULE_PATH_BENEATH: Final = 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_RIGHTS_OF_VERSION: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""From which version on which rights over files can be taken away."""
_NETWORK_VERSION: Final = 4
_NETWORK_RIGHTS: Final = 0b11
_SCOPE_VERSION: Final = 6
_SCOPES: Final = 0b11

_SYSTEM_PATHS: Final = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache",
    "/usr/share/zoneinfo", "/etc/localtime",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/self/maps", "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu", "/sys/devices/system/node", "/dev/urandom",
)  # fmt: skip
"""Shared libraries, time zones, and what numerical libraries ask about the processor."""


def library_paths() -> list[str]:
    """Return what must stay readable: interpreter, modules, shared libraries. Never a home of a person.

    Ask before this process enters a user namespace, where its account has no name.
    """
    # Where the standard library is: not by ``sysconfig``, whose first use takes milliseconds.
    standard = str(Path(os.__file__).parent)
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
    shared = [f"{prefix}/{folder}" for prefix in sorted(prefixes) for folder in ("lib", "lib64")]
    wanted = [*_SYSTEM_PATHS, standard, *shared, *sys.path]
    home = _home_of_the_account()
    return [path for path in dict.fromkeys(wanted) if path and not _contains(path, home)]


def confine(kernel: Kernel, paths: Iterable[str]) -> str:
    """Take every file away but what lies below these paths, which can only be read.

    Returns:
        What holds, for people.

    Raises:
        OSError: the kernel has no Landlock, or refuses.
    """
    version = kernel.call("landlock_create_ruleset", None, 0, _VERSION_FLAG)
    rights = _RIGHTS_OF_VERSION[max(known for known in _RIGHTS_OF_VERSION if known <= version)]
    network = _NETWORK_RIGHTS if version >= _NETWORK_VERSION else 0
    scopes = _SCOPES if version >= _SCOPE_VERSION else 0
    # struct landlock_ruleset_attr has grown: an older kernel refuses what it does not know.
    attributes = struct.pack("=QQQ", rights, network, scopes)[: 8 * (1 + bool(network) + bool(scopes))]
    ruleset = kernel.call("landlock_create_ruleset", attributes, len(attributes), 0)
    try:
        count = sum(_allow(kernel, ruleset, path) for path in paths)
        kernel.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
    closed = [
        word for word, is_closed in (("TCP", network), ("signals and sockets to others", scopes)) if is_closed
    ]
    return f"Landlock version {version}: {count} paths to read" + "".join(f", no {word}" for word in closed)


def _allow(kernel: Kernel, ruleset: int, path: str) -> bool:
    """Allow reading a path; False where there is none."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        rights = _READ_FILE | (_READ_DIR if Path(path).is_dir() else 0)
        # struct landlock_path_beneath_attr is packed: rights, descriptor.
        kernel.call(
            "landlock_add_rule", ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0
        )
    finally:
        os.close(descriptor)
    return True


def _home_of_the_account() -> Path | None:
    with suppress(KeyError):
        return Path(pwd.getpwuid(os.getuid()).pw_dir).resolve()
    return None


def _contains(path: str, home: Path | None) -> bool:
    """Tell whether allowing a path would open the whole disk or the whole home of the account."""
    real = Path(path).resolve()
    return real == Path("/") or (home is not None and home != Path("/") and home.is_relative_to(real))

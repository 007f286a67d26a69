"""Take everything away from this process that a worker does not need, and report what took hold.

    memory = SecretMemory.reserve()
    report = confine(keep=[3, 5], limits=limits, memory=memory, harden=harden)

Each step that the system refuses is reported as lacking, and the others are taken nevertheless.
The order is forced: namespaces before privileges are gone, the file system before the filter
that forbids the calls for it, and everything before a library can start a thread.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from strongroom.hardening import landlock, namespaces, seccomp
from strongroom.hardening.kernel import PR_SET_NO_NEW_PRIVS, Kernel
from strongroom.hardening.limits import WorkerLimits, apply
from strongroom.hardening.report import Measure, Outcome, Report
from strongroom.hardening.secret_memory import SecretMemory

_EVERYTHING_NOW_AND_LATER: Final = 1 | 2 | 4  # MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT


def confine(
    *,
    keep: Iterable[int],
    limits: WorkerLimits,
    memory: SecretMemory,
    harden: Callable[[], None],
    kernel: Kernel | None = None,
) -> Report:
    """Confine this process for good.

    Args:
        keep: descriptors that stay open, beside standard input, output and error.
        limits: what it may use.
        memory: for keys; reserved before, since files can be given no length afterwards.
        harden: forbids dumps and ties this process to its parent. Done once more in between: a
            change of credentials, as by a new user namespace, takes both back.
        kernel: for tests.

    Raises:
        OSError: this process has more than one thread: the kernel would confine only this one.
    """
    kernel = kernel or Kernel()
    if kernel.thread_count() != 1:
        raise OSError("a process is confined before it has threads")
    readable = landlock.library_paths()
    outcomes = [
        _try(Measure.DESCRIPTORS, lambda: _close_others(kernel, keep)),
        _try(Measure.NAMESPACES, lambda: _enter_namespaces(kernel)),
    ]
    own = outcomes[-1].holds
    outcomes += [
        _try(Measure.LIMITS, lambda: apply(kernel, limits, own_namespace=own)),
        _try(Measure.NO_DUMP, lambda: _forbid_dumps(harden)),
        _try(Measure.PRIVILEGES, lambda: _give_up_privileges(kernel)),
        _try(Measure.NO_SWAP, lambda: _stay_in_memory(kernel)),
        _try(Measure.SECRET_MEMORY, lambda: _describe(memory)),
        _try(Measure.FILES, lambda: landlock.confine(kernel, readable)),
    ]
    filtered = _try(Measure.PROGRAMS, lambda: _filter(kernel))
    outcomes += [filtered, Outcome(Measure.NETWORK, filtered.holds, filtered.detail)]
    return Report(tuple(outcomes))


def _try(measure: Measure, step: Callable[[], str]) -> Outcome:
    try:
        return Outcome(measure, True, step())
    except (OSError, ValueError) as error:
        return Outcome(measure, False, str(error))


def _close_others(kernel: Kernel, keep: Iterable[int]) -> str:
    kept = sorted({0, 1, 2, *keep})
    for before, after in zip(kept, [*kept[1:], 0xFFFFFFFF + 1], strict=True):
        if before + 1 < after:
            kernel.call("close_range", before + 1, after - 1, 0)
    return f"{len(kept)} are open"


def _enter_namespaces(kernel: Kernel) -> str:
    namespaces.enter(kernel)
    return "its own for users, network and shared memory"


def _forbid_dumps(harden: Callable[[], None]) -> str:
    harden()
    return "no core dump, no view of the memory"


def _give_up_privileges(kernel: Kernel) -> str:
    kernel.call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    namespaces.drop_capabilities(kernel)
    return "no capabilities, none to be had"


def _stay_in_memory(kernel: Kernel) -> str:
    """Lock all memory where that is unlimited; elsewhere it is enough that there is no swap."""
    soft, _ = kernel.limits(resource.RLIMIT_MEMLOCK)
    if soft == resource.RLIM_INFINITY:
        # Each page when it is first touched: stacks of threads are not filled in advance.
        kernel.call("mlockall", _EVERYTHING_NOW_AND_LATER)
        return "all memory is locked"
    if not _swaps_to_a_disk(kernel):
        return "this machine has no swap on a disk"
    raise OSError("memory can be swapped out, and this account may not lock all of it")


def _swaps_to_a_disk(kernel: Kernel) -> bool:
    with suppress(OSError):
        # zram is compressed memory, it never reaches a disk.
        return any("zram" not in area for area in kernel.swap_areas())
    # Unknown is no promise.
    return True


def _describe(memory: SecretMemory) -> str:
    if not memory.is_secret:
        raise OSError("memfd_secret is refused; a key that waits is in a locked page, and left out of dumps")
    return "a key that waits lies in memfd_secret"


def _filter(kernel: Kernel) -> str:
    seccomp.install(kernel)
    return "system calls are filtered"

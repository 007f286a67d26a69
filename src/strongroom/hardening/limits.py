"""How much a worker may use: memory, processor time, threads, files.

    WorkerLimits.from_environment(os.environ)     # what whoever runs the supervisor has set
    apply(kernel, limits, own_namespace=True)

``STRONGROOM_WORKER_MEMORY_MIB`` is for one worker's private memory (else all that the machine
has), ``STRONGROOM_WORKER_CPU_SECONDS`` for its whole life (else none). A worker that needs more
memory gets an error from its allocator; one that uses more time is killed by the kernel.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from strongroom.hardening.kernel import Kernel

_MEMORY: Final = "STRONGROOM_WORKER_MEMORY_MIB"
_TIME: Final = "STRONGROOM_WORKER_CPU_SECONDS"
_MIB: Final = 1 << 20
_MORE_ADDRESSES: Final = 64 << 30
"""Stacks and arenas that libraries reserve for their threads and never use."""
_DESCRIPTORS: Final = 1024
_THREADS_AT_LEAST: Final = 128
_THREADS_PER_CORE: Final = 8


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What one worker may use."""

    memory_bytes: int
    """Private memory, as ``RLIMIT_DATA`` counts it: stacks of threads too, weights in files not."""
    cpu_seconds: int | None
    threads: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, runs_code: bool = False) -> WorkerLimits:
        """Read the settings; what is absent gets its default: for code of an owner, half of the memory.

        Raises:
            ValueError: a setting is no positive number.
        """
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        memory = _number(environment, _MEMORY)
        return cls(
            memory_bytes=(machine // 2 if runs_code else machine) if memory is None else memory * _MIB,
            cpu_seconds=_number(environment, _TIME),
            threads=max(_THREADS_AT_LEAST, _THREADS_PER_CORE * (os.cpu_count() or 1)),
        )

    def to_text(self) -> str:
        """Return the limits as an argument of a command line."""
        return f"{self.memory_bytes},{self.cpu_seconds or 0},{self.threads}"

    @classmethod
    def from_text(cls, text: str) -> WorkerLimits:
        """Read what ``to_text`` gave.

        Raises:
            ValueError: it is something else.
        """
        memory, seconds, threads = map(int, text.split(","))
        return cls(memory, seconds or None, threads)


def apply(kernel: Kernel, limits: WorkerLimits, *, own_namespace: bool) -> str:
    """Set the limits, hard and soft, for good.

    Args:
        kernel: of this process.
        limits: what is allowed.
        own_namespace: whether threads are counted for this process alone; elsewhere they
            are counted together with all processes of the account, and are left alone.

    Returns:
        What holds, for people.

    Raises:
        OSError: the kernel refuses.
        ValueError: the same, said by the standard library.
    """
    _lower(kernel, resource.RLIMIT_DATA, limits.memory_bytes)
    # What that does not count: mappings that are shared, or not yet written to, cost the kernel memory too.
    _lower(kernel, resource.RLIMIT_AS, limits.memory_bytes + _MORE_ADDRESSES)
    # Each pipe holds memory of the kernel.
    _lower(kernel, resource.RLIMIT_NOFILE, _DESCRIPTORS)
    # No byte goes into any file, whatever descriptor it is tried on. Ignored is the signal
    # that would end the process: a write gets an error instead.
    _lower(kernel, resource.RLIMIT_FSIZE, 0)
    said = f"{limits.memory_bytes // _MIB} MiB of memory, no byte into files"
    if limits.cpu_seconds is not None:
        _lower(kernel, resource.RLIMIT_CPU, limits.cpu_seconds)
        said += f", {limits.cpu_seconds} s of processor time"
    if own_namespace:
        _lower(kernel, resource.RLIMIT_NPROC, limits.threads)
        said += f", {limits.threads} threads"
    return said


def _lower(kernel: Kernel, kind: int, limit: int) -> None:
    _, hard = kernel.limits(kind)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    kernel.limit(kind, limit)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{name} must be a positive number")
    return int(text)

"""Memory for a key that waits: ``memfd_secret`` where the kernel has it, locked pages otherwise.

    memory = SecretMemory.reserve(kernel)         # before files are limited to no bytes
    memory.put(key)                               # ``key``: a bytearray, which is wiped
    key = memory.take()                           # what was kept is wiped; whoever took it wipes it
    wipe(key)

What lies in ``memfd_secret`` is not in the kernel's own map of memory: ``/proc/PID/mem`` and
``process_vm_readv`` do not reach it, not even as root. This guards the key that waits, not each
copy that a library makes while it uses it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from contextlib import suppress
from typing import Final

from strongroom.hardening.kernel import Kernel

_PAGE_BYTES: Final = mmap.PAGESIZE


class SecretMemory:
    """One page, which holds one secret at a time."""

    def __init__(self, page: mmap.mmap, *, is_secret: bool) -> None:
        """Use ``reserve``."""
        self._page = page
        self._size = 0
        self.is_secret = is_secret
        """Whether it is ``memfd_secret``, and not only locked."""

    @classmethod
    def reserve(cls, kernel: Kernel | None = None) -> SecretMemory:
        """Take a page.

        Raises:
            OSError: there is no memory at all.
        """
        kernel = kernel or Kernel()
        with suppress(OSError):
            return cls(_secret_page(kernel), is_secret=True)
        return cls(_locked_page(kernel), is_secret=False)

    def put(self, secret: bytearray) -> None:
        """Move a secret here; the buffer that it came in is wiped.

        Raises:
            ValueError: it is larger than a page.
        """
        if len(secret) > _PAGE_BYTES:
            raise ValueError("a secret of more than a page")
        self._page[: len(secret)] = secret
        self._size = len(secret)
        wipe(secret)

    def take(self) -> bytearray | None:
        """Return the secret in a buffer that the caller wipes, and forget it; None if there is none."""
        if not self._size:
            return None
        secret = bytearray(self._size)
        with memoryview(self._page) as view:
            secret[:] = view[: self._size]
        self._page[: self._size] = bytes(self._size)
        self._size = 0
        return secret

    def __repr__(self) -> str:
        return "SecretMemory(...)"


def wipe(buffer: bytearray) -> None:
    """Overwrite a buffer with zeros, in its place and without a second buffer of its size."""
    if buffer:
        ctypes.memset((ctypes.c_char * len(buffer)).from_buffer(buffer), 0, len(buffer))


def _secret_page(kernel: Kernel) -> mmap.mmap:
    descriptor = kernel.call("memfd_secret", os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, _PAGE_BYTES)
        return mmap.mmap(descriptor, _PAGE_BYTES)
    finally:
        os.close(descriptor)


def _locked_page(kernel: Kernel) -> mmap.mmap:
    pages = mmap.mmap(-1, _PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_DONTDUMP)
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    # Without the right to lock, the key is no worse off than the rest of the memory.
    with suppress(OSError):
        kernel.call("mlock", address, _PAGE_BYTES)
    return pages

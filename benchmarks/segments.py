"""How fast segments are sealed and opened, by segment size and threads.

    .venv/bin/python -m benchmarks.segments

64 MiB of random bytes, warm buffers, best of seven. The limits in the same run: one
plain AES-256-GCM message per segment (no commitment, no chunks) and a memory copy.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.timing import Sample, header, measure, row
from strongroom.crypto import segment

TOTAL = 64 << 20
SIZES = (64 << 10, 256 << 10, 1 << 20, 4 << 20)
KEY = os.urandom(32)
NONCE = bytes(12)


def _measure(pool: ThreadPoolExecutor, threads: int, count: int, work: Callable[[int], None]) -> Sample:
    def share(first: int) -> None:
        for number in range(first, count, threads):
            work(number)

    return measure(lambda: list(pool.map(share, range(threads))))


def _rate(sample: Sample) -> str:
    return f"{TOTAL / sample.best / 1e9:.2f}"


def _one_size(size: int, threads: int) -> None:
    count = TOTAL // size
    plain = memoryview(bytearray(os.urandom(TOTAL)))
    out = memoryview(bytearray(TOTAL))
    stride = segment.encrypted_size(size)
    sealed = memoryview(bytearray(stride * count))
    gcm = memoryview(bytearray((size + 16) * count))
    cipher = AESGCM(KEY)

    def seal(number: int) -> None:
        place = sealed[number * stride : (number + 1) * stride]
        segment.encrypt_into(KEY, b"context", plain[number * size : (number + 1) * size], place)

    def open_(number: int) -> None:
        place = sealed[number * stride : (number + 1) * stride]
        segment.decrypt_into(KEY, b"context", place, out[number * size : (number + 1) * size])

    def gcm_seal(number: int) -> None:
        place = gcm[number * (size + 16) : (number + 1) * (size + 16)]
        cipher.encrypt_into(NONCE, plain[number * size : (number + 1) * size], None, place)

    def gcm_open(number: int) -> None:
        place = gcm[number * (size + 16) : (number + 1) * (size + 16)]
        cipher.decrypt_into(NONCE, place, None, out[number * size : (number + 1) * size])

    def copy(number: int) -> None:
        out[number * size : (number + 1) * size] = plain[number * size : (number + 1) * size]

    with ThreadPoolExecutor(threads) as pool:
        results = [_measure(pool, threads, count, work) for work in (seal, open_, gcm_seal, gcm_open, copy)]
    assert out == plain
    opened, gcm_opened = results[1], results[3]
    row(
        f"{size >> 10} KiB",
        threads,
        *(_rate(result) for result in results),
        f"{gcm_opened.best / opened.best:.2f}",
        f"{max(result.other for result in results):.1f}",
    )


def main() -> None:
    """Print one table."""
    print(f"GB/s over {TOTAL >> 20} MiB; 'of limit' is opening against plain AES-256-GCM\n")
    header("segment", "threads", "seal", "open", "GCM seal", "GCM open", "copy", "of limit", "other")
    for size in SIZES:
        for threads in (1, 2):
            _one_size(size, threads)


if __name__ == "__main__":
    main()

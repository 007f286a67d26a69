"""How fast an index is checked: SHA-256 and BLAKE3 over segments of 1 MiB.

    .venv/bin/python -m benchmarks.digests

64 MiB of random bytes in memory, best of seven, each digest on the thread that asks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.timing import header, measure, row
from strongroom.crypto import digest, segment

TOTAL = 64 << 20
SIZE = 1 << 20


def _rate(hash_one: Callable[[memoryview], bytes], data: memoryview, threads: int) -> tuple[float, float]:
    def share(first: int) -> None:
        for offset in range(first * SIZE, TOTAL, threads * SIZE):
            hash_one(data[offset : offset + SIZE])

    with ThreadPoolExecutor(threads) as pool:
        sample = measure(lambda: list(pool.map(share, range(threads))))
    return TOTAL / sample.best / 1e9, sample.other


def _open_rate(data: memoryview) -> float:
    # The same amount, spread over as much memory: a single hot segment would flatter the cipher.
    key, out = segment.generate_key(), memoryview(bytearray(TOTAL))
    stride, count = segment.encrypted_size(SIZE), TOTAL // SIZE
    sealed = memoryview(bytearray(stride * count))
    for number in range(count):
        place = sealed[number * stride : (number + 1) * stride]
        segment.encrypt_into(key, b"context", data[number * SIZE : (number + 1) * SIZE], place)

    def open_all() -> None:
        for number in range(count):
            place = sealed[number * stride : (number + 1) * stride]
            segment.decrypt_into(key, b"context", place, out[number * SIZE : (number + 1) * SIZE])

    return TOTAL / measure(open_all).best / 1e9


def main() -> None:
    """Print one table."""
    data = memoryview(os.urandom(TOTAL))
    decrypting = _open_rate(data)
    print(f"GB/s over {TOTAL >> 20} MiB; decrypting the same on one thread: {decrypting:.2f} GB/s\n")
    header("digest", "threads", "GB/s", "time against decrypting", "other")
    for name, hash_one in (("SHA-256", digest.sha256), ("BLAKE3", digest.blake3_256)):
        for threads in (1, 2):
            rate, other = _rate(hash_one, data, threads)
            row(name, threads, f"{rate:.2f}", f"{decrypting / rate:.2f}", f"{other:.1f}")


if __name__ == "__main__":
    main()

"""The nonces that proofs must answer, and the proofs that were seen: what makes a proof good once.

    nonces = Nonces()
    nonce = nonces.fresh()
    nonces.spend(nonce, key_id, proof_id)         # raises if it is not ours, is old, or the proof was seen

A nonce is a number of a time window and its MAC under a random key of this process. So it needs no
memory, no other process accepts it, and a restart voids all of them together with the memory of
the proofs. Windows follow the boot clock: setting the wall clock neither ages nor revives one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

from strongroom._encoding import to_base64url
from strongroom.errors import StorageUnavailable, VerificationError

WINDOW_SECONDS: Final = 120
"""A nonce is good in its window and the next: two to four minutes."""
_MAX_SEEN: Final = 500_000
"""Proofs remembered in one window: about 4000 requests a second."""
_NUMBER_BYTES: Final = 8
_MAC_BYTES: Final = 16


class Nonces:
    """The nonces of this process. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._key = secrets.token_bytes(32)
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[int, set[bytes]] = {}

    def fresh(self) -> str:
        """Return the nonce of the current window."""
        return self._nonce(self._window())

    def spend(self, nonce: str | None, key_id: str, proof_id: str) -> None:
        """Use up a proof.

        Args:
            nonce: What the proof says it answers.
            key_id: Whose proof it is; proofs of two keys may have the same id.
            proof_id: The id of the proof.

        Raises:
            VerificationError: the nonce is missing, old or of another process (code ``use-dpop-nonce``), or
                the proof was seen before (code ``proof-replayed``).
            StorageUnavailable: too many proofs in too short a time (code ``busy``).
        """
        window = self._verify(nonce)
        digest = hashlib.sha256(f"{key_id}\0{proof_id}".encode()).digest()[:16]
        with self._lock:
            for old in [number for number in self._seen if number < window - 1]:
                del self._seen[old]
            seen = self._seen.setdefault(window, set())
            if digest in seen:
                raise VerificationError("a proof was used before", code="proof-replayed")
            if len(seen) >= _MAX_SEEN:
                raise StorageUnavailable("too many requests", code="busy", hint="try again later")
            seen.add(digest)

    def _verify(self, nonce: str | None) -> int:
        window = self._window()
        for number in (window, window - 1):
            if nonce is not None and hmac.compare_digest(
                self._nonce(number).encode("ascii"), nonce.encode("utf-8", "replace")
            ):
                return number
        raise VerificationError(
            "a proof must answer a nonce of this broker",
            code="use-dpop-nonce",
            hint="make the proof again, with the DPoP-Nonce of this answer",
        )

    def _window(self) -> int:
        # From one on: the window before the first exists too.
        return int(self._clock() // WINDOW_SECONDS) + 1

    def _nonce(self, window: int) -> str:
        number = window.to_bytes(_NUMBER_BYTES, "big")
        return to_base64url(number + hmac.new(self._key, number, hashlib.sha256).digest()[:_MAC_BYTES])

"""From the text of a key to something that checks signatures.

log = verifiers_for_log(origin, owner_log_keys)
witness = verifier_from_text("clinic.example/witness+7d3a8f01+BoN1...")
"""

from __future__ import annotations

from collections.abc import Iterable

from strongroom.crypto.ed25519 import Ed25519Public
from strongroom.crypto.mldsa import MlDsa44Public
from strongroom.errors import UnsupportedError
from strongroom.log.cosignature import Ed25519CosignatureVerifier, MlDsa44CosignatureVerifier
from strongroom.log.note import Ed25519Verifier, Verifier
from strongroom.log.origin import Origin
from strongroom.log.verifier_key import Algorithm, VerifierKey


def verifier_from_text(text: str) -> Verifier:
    """Read a vkey whose signatures can be checked here.

    Raises:
        FormatError: no vkey, or its key is none of its algorithm.
        UnsupportedError: an algorithm that is not used here.
    """
    return verifier_for(VerifierKey.from_text(text))


def verifier_for(key: VerifierKey) -> Verifier:
    """Return what checks the signatures of a key.

    Raises:
        FormatError: the key is none of its algorithm.
        UnsupportedError: an algorithm that is not used here.
    """
    match key.algorithm:
        case Algorithm.ED25519:
            return Ed25519Verifier(key.name, Ed25519Public(key.public))
        case Algorithm.ED25519_COSIGNATURE:
            return Ed25519CosignatureVerifier(key.name, Ed25519Public(key.public))
        case Algorithm.ML_DSA_44_COSIGNATURE:
            return MlDsa44CosignatureVerifier(key.name, MlDsa44Public(key.public))
        case _:
            raise UnsupportedError(
                f"a verifier key of signature type {key.algorithm:#04x} is not supported",
                code="log-key-algorithm",
            )


def verifiers_for_log(origin: Origin, keys: Iterable[Ed25519Public]) -> list[Verifier]:
    """Return what checks the checkpoints of an owner's log, from the keys of its role ``log``.

    A log key is called as the log is, so that a key signs for one log only.
    """
    return [Ed25519Verifier(origin.to_text(), key) for key in keys]

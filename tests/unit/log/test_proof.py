from __future__ import annotations

import pytest

from strongroom._encoding import to_base64
from strongroom._limits import LIMITS
from strongroom.crypto.ed25519 import Ed25519Secret
from strongroom.errors import FormatError, IntegrityError, VerificationError
from strongroom.log.offer import Offer
from strongroom.log.proof import Proof
from strongroom.log.verifiers import verifiers_for_log
from tests.unit.log.memory_log import ORIGIN, MemoryLog, disclosure, record

LOG = MemoryLog(7)
PROOF = LOG.proof(3, extra=disclosure(3).to_bytes())
DATA = PROOF.to_bytes()
OFFER = LOG.offer(3).to_bytes()
HASH = to_base64(bytes(32)).encode()


def test_a_proof_and_back() -> None:
    assert Proof.from_bytes(DATA) == PROOF
    assert DATA.startswith(b"c2sp.org/tlog-proof@v1\nextra ")
    bare = LOG.proof(6)
    assert bare.to_bytes().startswith(b"c2sp.org/tlog-proof@v1\nindex 6\n")
    assert Proof.from_bytes(bare.to_bytes()) == bare


def test_a_log_of_one_entry_has_a_proof_without_hashes() -> None:
    log = MemoryLog(1)
    proof = Proof.from_bytes(log.proof(0, extra=disclosure(0).to_bytes()).to_bytes())
    assert proof.hashes == ()
    assert proof.verify_record(log.keys) == record(0)


def test_a_proof_is_verified() -> None:
    assert PROOF.verify_record(LOG.keys) == record(3)
    assert PROOF.verify_entry(LOG.entries[3], LOG.keys) == LOG.checkpoint()


def test_another_entry_is_refused() -> None:
    with pytest.raises(IntegrityError) as caught:
        PROOF.verify_entry(LOG.entries[2], LOG.keys)
    assert caught.value.code == "log-inclusion"


def test_another_record_or_none_is_refused() -> None:
    other = LOG.proof(3, extra=disclosure(2).to_bytes())
    with pytest.raises(IntegrityError):
        other.verify_record(LOG.keys)
    with pytest.raises(FormatError):
        LOG.proof(3).verify_record(LOG.keys)
    with pytest.raises(FormatError):
        LOG.proof(3, extra=b"something else").verify_record(LOG.keys)


def test_a_proof_signed_by_another_is_refused() -> None:
    with pytest.raises(VerificationError) as caught:
        PROOF.verify_record(verifiers_for_log(ORIGIN, [Ed25519Secret.generate().public]))
    assert caught.value.code == "log-key"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"c2sp.org/tlog-proof@v1\n\n",
        DATA.replace(b"@v1", b"@v2"),
        DATA.replace(b"extra", b"extras"),
        DATA.replace(b"extra ", b"extra  "),
        DATA.replace(b"index 3", b"index 03"),
        DATA.replace(b"index 3", b"index +3"),
        DATA.replace(b"index 3", b"index 3 "),
        DATA.replace(b"index 3", b"index 9223372036854775808"),
        DATA.replace(b"index 3\n", b""),
        DATA.replace(b"index 3\n", b"index 3\r\n"),
        DATA.replace(b"index 3\n", b"index 3\n" + HASH[:-4] + b"\n"),
        DATA.replace(b"index 3\n", b"index 3\n" + b"".join(HASH + b"\n" for _ in range(61))),
        DATA.replace(b"index 3\n", "index 3\nü\n".encode()),
        DATA.replace(b"index 3\n", b"index 3\n\n"),
        b"c2sp.org/tlog-proof@v1\n\n" + DATA.partition(b"\n\n")[2],
        b"\n\n" + DATA,
        DATA[:-1],
        DATA + b"\n",
        b"x" * LIMITS.max_proof_head_bytes + DATA,
    ],
)
def test_other_bytes_are_no_proof(data: bytes) -> None:
    with pytest.raises(FormatError):
        Proof.from_bytes(data)


def test_an_offer_and_back() -> None:
    assert Offer.from_bytes(OFFER) == LOG.offer(3)
    assert Offer.from_bytes(OFFER).to_bytes() == OFFER
    assert Offer.from_bytes(LOG.offer(0).to_bytes()).hashes == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        OFFER.replace(b"old 3", b"old 03"),
        OFFER.replace(b"old 3", b"old"),
        OFFER.replace(b"old 3", b"new 3"),
        OFFER.replace(b"old 3", b"old 9223372036854775808"),
        OFFER.replace(b"old 3\n", b"old 3\nAAAA\n"),
        OFFER[:-1],
    ],
)
def test_other_bytes_are_no_offer(data: bytes) -> None:
    with pytest.raises(FormatError):
        Offer.from_bytes(data)

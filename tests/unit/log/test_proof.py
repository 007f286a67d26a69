from __future__ import annotations

import pytest

from strongroom._limits import LIMITS
from strongroom.crypto.ed25519 import Ed25519Secret
from strongroom.errors import FormatError, IntegrityError, VerificationError
from strongroom.log.offer import Offer
from strongroom.log.proof import Proof
from strongroom.log.verifiers import verifiers_for_log
from tests.unit.log.memory_log import ORIGIN, MemoryLog, disclosure

LOG = MemoryLog(9)
PROOF = LOG.proof(4, extra=disclosure(4).to_bytes())
DATA = PROOF.to_bytes()
BARE = LOG.proof(4).to_bytes()
OFFER = LOG.offer(5)


def test_the_form_of_a_proof() -> None:
    lines = DATA.decode().splitlines()
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 4"
    assert len(lines[3:7]) == len(PROOF.hashes) == 4
    assert lines[7:10] == ["", ORIGIN.to_text(), "9"]


def test_bytes_and_back() -> None:
    assert Proof.from_bytes(DATA) == PROOF
    assert Proof.from_bytes(BARE) == LOG.proof(4)
    alone = MemoryLog(1).proof(0)
    assert alone.hashes == ()
    assert Proof.from_bytes(alone.to_bytes()) == alone
    empty = LOG.proof(4, extra=b"")
    assert Proof.from_bytes(empty.to_bytes()) == empty


def test_an_entry_is_in_the_log() -> None:
    assert PROOF.verify_entry(LOG.entries[4], LOG.keys) == LOG.checkpoint()
    assert Proof.from_bytes(BARE).verify_entry(LOG.entries[4], LOG.keys) == LOG.checkpoint()


def test_a_record_is_in_the_log() -> None:
    assert PROOF.verify_record(LOG.keys) == disclosure(4).record


def test_another_entry_is_not() -> None:
    with pytest.raises(IntegrityError) as caught:
        PROOF.verify_entry(LOG.entries[5], LOG.keys)
    assert caught.value.code == "log-inclusion"
    with pytest.raises(IntegrityError):
        LOG.proof(4, extra=disclosure(5).to_bytes()).verify_record(LOG.keys)
    with pytest.raises(IntegrityError):
        Proof(None, 9, PROOF.hashes, PROOF.note).verify_entry(LOG.entries[4], LOG.keys)


def test_another_log_proves_nothing() -> None:
    keys = verifiers_for_log(ORIGIN, [Ed25519Secret.generate().public])
    with pytest.raises(VerificationError) as caught:
        PROOF.verify_entry(LOG.entries[4], keys)
    assert caught.value.code == "log-key"


def test_a_proof_without_record() -> None:
    with pytest.raises(FormatError, match="without its record"):
        LOG.proof(4).verify_record(LOG.keys)
    with pytest.raises(FormatError):
        LOG.proof(4, extra=b"something else").verify_record(LOG.keys)


HASH = DATA.decode().splitlines()[3].encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"c2sp.org/tlog-proof@v1\n\n",
        BARE.replace(b"@v1", b"@v2"),
        BARE.replace(b"index 4", b"index 04"),
        BARE.replace(b"index 4", b"index -4"),
        BARE.replace(b"index 4", b"index  4"),
        BARE.replace(b"index 4", b"index"),
        BARE.replace(b"index 4", b"index 9223372036854775808"),
        BARE.replace(b"index 4", b"index " + b"9" * 5000),
        BARE.replace(b"index 4\n", b""),
        BARE.replace(b"index 4", b"extra\nindex 4"),
        BARE.replace(b"index 4", b"extra *\nindex 4"),
        BARE.replace(b"index 4", b"extra AAAA\nextra AAAA\nindex 4"),
        BARE.replace(b"index 4", b"index 4\nextra AAAA"),
        BARE.replace(HASH, HASH[:-4]),
        BARE.replace(HASH, HASH + b" "),
        BARE.replace(HASH, b"AAAA"),
        BARE.replace(HASH, HASH + b"\r"),
        BARE.replace(HASH, "é".encode()),
        BARE.replace(HASH, b"\n".join([HASH] * 61)),
        BARE.replace(HASH + b"\n", HASH + b"\n\n"),
        BARE.replace(b"\n\n" + ORIGIN.to_text().encode(), b"\n" + ORIGIN.to_text().encode()),
        BARE[:-1],
        BARE.replace(b"index 4", b"extra " + b"A" * LIMITS.max_proof_head_bytes + b"\nindex 4"),
        b"c2sp.org/tlog-proof@v1\n\n" + LOG.note().to_bytes(),
    ],
)
def test_what_is_no_proof_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        Proof.from_bytes(data)


def test_the_longest_proof_is_read() -> None:
    longest = Proof(None, (1 << 63) - 1, (bytes(32),) * 63, LOG.note())
    assert Proof.from_bytes(longest.to_bytes()) == longest


def test_an_offer_and_back() -> None:
    assert Offer.from_bytes(OFFER.to_bytes()) == OFFER
    assert OFFER.to_bytes().startswith(b"old 5\n")
    nothing = LOG.offer(0)
    assert nothing.to_bytes().startswith(f"old 0\n\n{ORIGIN}\n".encode())
    assert Offer.from_bytes(nothing.to_bytes()) == nothing


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"old 5", b"old 05"),
        (b"old 5", b"old"),
        (b"old 5", b"Old 5"),
        (b"old 5", b"old 9223372036854775808"),
        (b"old 5\n", b"old 5\n\n"),
        (b"old 5\n", b""),
    ],
)
def test_what_is_no_offer_is_refused(good: bytes, bad: bytes) -> None:
    with pytest.raises(FormatError):
        Offer.from_bytes(OFFER.to_bytes().replace(good, bad))
    with pytest.raises(FormatError):
        Offer.from_bytes(BARE)

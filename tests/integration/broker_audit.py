"""Everything that must hold of a broker's database and log, whatever happened to its process.

    audit(scene)

Reads the rows and the log, and counts anew from the signed documents.
"""

from __future__ import annotations

from collections import Counter

from strongroom._encoding import to_hex
from strongroom.broker.records import LeaseEnd, LicenseStatus
from strongroom.broker.repository import Reading
from strongroom.crypto.digest import sha256
from strongroom.license.documents import Lease, License, Usage
from strongroom.license.period import CounterName
from strongroom.license.signing import read_unverified
from strongroom.license.terms import Predictions, Runtimes
from strongroom.log.checkpoint import verify_checkpoint
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Kind, Record, verify_record
from strongroom.log.merkle import leaf_hash, node_hash
from strongroom.log.note import Note
from strongroom.log.origin import Origin
from strongroom.log.verifiers import verifiers_for_log
from tests.broker_scene import Scene

EVERYTHING = 10**9
"""More rows than any test makes: an audit that reads one page overlooks what is on the next."""


def audit(scene: Scene) -> None:
    """Check that the log verifies, and that the rows say what the log says."""
    with scene.ledger.view() as kept:
        records = _verify_log(scene, kept)
        _verify_leases(kept, records)
        _verify_counts(scene, kept)
        _verify_revocations(kept, records)


def _verify_log(scene: Scene, kept: Reading) -> dict[int, Record]:
    head = kept.head()
    rows = kept.entries(0, head.size + 10)
    assert [row.index for row in rows] == list(range(head.size))
    root = _root([leaf_hash(row.entry) for row in rows])
    verifiers = verifiers_for_log(Origin.from_text(head.origin), scene.keys.owner().log_keys())
    checkpoint = verify_checkpoint(Note.from_bytes(head.checkpoint.encode()), verifiers)
    assert (checkpoint.size, checkpoint.root) == (head.size, root)
    for index in {0, head.size // 2, head.size - 1}:
        assert scene.ledger.prove(index)
    records = {}
    for row in rows:
        assert row.disclosure is not None
        disclosure = Disclosure.from_bytes(row.disclosure)
        verify_record(disclosure.record.to_bytes(), disclosure.salt, row.entry)
        records[row.index] = disclosure.record
    return records


def _root(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(_root(hashes[:half]), _root(hashes[half:]))


def _digest(token: str) -> str:
    return to_hex(sha256(token.encode()))


def _verify_leases(kept: Reading, records: dict[int, Record]) -> None:
    logged = {index: record for index, record in records.items() if record.kind is Kind.LEASE}
    seen: dict[str, str] = {}
    for index, record in logged.items():
        rows = [kept.lease(subject) for subject in record.subjects if subject.startswith("lea-")]
        (row,) = [row for row in rows if row is not None and row.entry == index]
        assert record.document == _digest(row.token)
        seen[row.lease] = row.nonce
        counted = _limit(kept, row.license) is not None
        holds = [hold for hold in kept.holds([row.license]) if hold.authority == row.lease]
        assert bool(holds) is (counted and not row.reported), row
    # Not one lease without its entry: newest leases are found by their runtimes.
    for lease in seen:
        found = kept.lease(lease)
        assert found is not None
        newest = kept.newest_lease(found.runtime, found.license, found.package)
        assert newest is not None
        assert newest.lease in seen
    assert len(set(seen.values())) == len(seen), "two leases for one request"


def _limit(kept: Reading, license_id: str) -> Predictions | None:
    row = kept.license(license_id)
    assert row is not None
    terms = read_unverified(row.token, License).terms
    return next((term for term in terms if isinstance(term, Predictions)), None)


def _verify_counts(scene: Scene, kept: Reading) -> None:
    reports: dict[str, Usage] = {}
    for row in kept.entries(0, kept.head().size):
        for subject in row.subjects:
            if subject.startswith("use-") and (usage := kept.usage(subject)) is not None:
                document = read_unverified(usage.token, Usage)
                assert reports.setdefault(document.authority, document).id == document.id, "reported twice"
    for licensed in kept.licenses(limit=EVERYTHING):
        term = _limit(kept, licensed.license)
        if term is None:
            continue
        used = {
            key.period: amount
            for key, amount in kept.counts(limit=EVERYTHING, documents=[licensed.license])
            if key.counter is CounterName.PREDICTIONS
        }
        reported: Counter[str] = Counter()
        for report in reports.values():
            if report.license == licensed.license:
                for count in report.counts:
                    if count.counter is CounterName.PREDICTIONS:
                        reported[count.period] += count.count
        assert {period: n for period, n in used.items() if n} == {p: n for p, n in reported.items() if n}
        holds = kept.holds([licensed.license])
        for period in {*used, term.per.key(scene.now)}:
            held = sum(hold.amount for hold in holds if hold.first_period <= period <= hold.last_period)
            assert used.get(period, 0) + held <= term.limit
        _verify_seats(scene, kept, licensed.license, licensed.token)


def _verify_seats(scene: Scene, kept: Reading, license_id: str, token: str) -> None:
    limits = [term.limit for term in read_unverified(token, License).terms if isinstance(term, Runtimes)]
    seats = kept.seats([license_id], scene.now)
    for seat in seats:
        lease = kept.lease(seat.authority)
        assert lease is not None
        assert lease.ended is None or lease.ended is LeaseEnd.VOIDED
    if limits:
        assert len({seat.runtime for seat in seats}) <= limits[0]


def _verify_revocations(kept: Reading, records: dict[int, Record]) -> None:
    revoked = {row.target: row for row in kept.revocations(limit=EVERYTHING)}
    logged = [record for record in records.values() if record.kind is Kind.REVOCATION]
    assert sorted(_digest(row.token) for row in revoked.values()) == sorted(
        record.document or "" for record in logged
    )
    for licensed in kept.licenses(limit=EVERYTHING):
        if licensed.license in revoked:
            assert licensed.status is LicenseStatus.REVOKED
        else:
            assert licensed.status is not LicenseStatus.REVOKED


def lease_of(token: str) -> str:
    """Return the id of a lease."""
    return read_unverified(token, Lease).id

"""The log as it is read: static files, offers, records for those entitled, cosignatures, erasure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from strongroom._limits import LIMITS
from strongroom.broker.ledger import Act
from strongroom.broker.records import LicenseRow, LicenseStatus, PartyStatus, RuntimeRow
from strongroom.crypto.ed25519 import Ed25519Secret
from strongroom.errors import BrokerRefused, Error, FormatError, ObjectNotFound, UsageError, VerificationError
from strongroom.log.checkpoint import Checkpoint, verify_checkpoint
from strongroom.log.cosignature import Ed25519Cosigner
from strongroom.log.cosigned import Cosigned, witness_name
from strongroom.log.entry import Kind
from strongroom.log.frontier import Frontier
from strongroom.log.merkle import EMPTY_ROOT, leaf_hash
from strongroom.log.note import Ed25519Signer, Note, sign_line, sign_note
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.proof import Proof
from strongroom.log.tile import Bundle, Tile, bundle_from_bytes, tiles_between
from strongroom.log.tree import Tree
from strongroom.log.verifiers import verifiers_for_log
from tests.simulators.log_client import LogBroker, LogClient, admin, partner
from tests.simulators.log_owner import NOW

CLINIC = "org-cccccccccccccccccccccccc"
BANK = "org-bbbbbbbbbbbbbbbbbbbbbbbb"
RUNTIME = "run-rrrrrrrrrrrrrrrrrrrrrrrr"
LICENSE = "lic-llllllllllllllllllllllll"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LogBroker]:
    opened = LogBroker.found(tmp_path)
    yield opened
    opened.close()


def refused(kind: type[Error], code: str, call: Callable[[], object]) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code


def checkpoint_of(broker: LogBroker) -> Checkpoint:
    keys = verifiers_for_log(Origin(broker.owner.id, 1), broker.owner.log_keys())
    return verify_checkpoint(Note.from_bytes(broker.logbook.checkpoint()), keys)


class TestFiles:
    def test_a_stranger_rebuilds_the_log_from_the_files(self, broker: LogBroker) -> None:
        broker.acts(600, [CLINIC])
        newest = checkpoint_of(broker)
        entries: list[bytes] = []
        for place in tiles_between(0, newest.size):
            data = broker.logbook.tile(place.path.removeprefix("tile/"))
            if isinstance(place, Bundle):
                entries += bundle_from_bytes(data)
            else:
                assert len(data) == 32 * place.width
        grown, _ = Frontier.empty().extend(map(leaf_hash, entries))
        assert (grown.size, grown.root) == (newest.size, newest.root)

    def test_a_partial_tile_stays_when_the_log_grows(self, broker: LogBroker) -> None:
        broker.acts(9, [CLINIC])
        tile, bundle = broker.logbook.tile("0/000.p/7"), broker.logbook.tile("entries/000.p/7")
        broker.acts(300, [CLINIC])
        assert broker.logbook.tile("0/000.p/7") == tile
        assert broker.logbook.tile("entries/000.p/7") == bundle
        assert broker.logbook.tile("0/000")[: 7 * 32] == tile

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "0/000",
            "0/000.p/11",
            "0/001",
            "1/000.p/1",
            "entries/000",
            "entries/000.p/11",
            "0/000.p/0",
            "0/000.p/256",
            "0/0",
            "9/000",
            "../checkpoint",
            "0/000.p/7/",
            "tile/0/000.p/7",
        ],
    )
    def test_what_is_not_there_is_not_found(self, broker: LogBroker, path: str) -> None:
        broker.acts(9, [CLINIC])
        refused(ObjectNotFound, "not-found", lambda: broker.logbook.tile(path))

    def test_proofs_can_be_made_from_the_files_alone(self, broker: LogBroker) -> None:
        broker.acts(300, [CLINIC])
        newest = checkpoint_of(broker)

        class Files:
            def read_tile(self, tile: Tile) -> bytes:
                return broker.logbook.tile(tile.path.removeprefix("tile/"))

        tree = Tree(Files(), size=newest.size, root=newest.root)
        assert tree.prove_inclusion(255) == Proof.from_bytes(broker.ledger.prove(255)).hashes
        assert tree.prove_consistency(99) == Offer.from_bytes(broker.logbook.offer(99)).hashes


class TestRecords:
    def test_a_partner_gets_what_names_it_its_runtimes_or_its_licenses(self, broker: LogBroker) -> None:
        broker.ledger.act(add_clinic)
        own = [
            broker.act("one", [CLINIC]),
            broker.act("two", [RUNTIME]),
            broker.act("three", [LICENSE, "run-" + 24 * "z"]),
        ]
        broker.act("other", [BANK, "lic-" + 24 * "b"])
        page = broker.logbook.records(partner(CLINIC), limit=10)
        assert [each.index for each in page.records] == own
        assert page.next is None
        keys = verifiers_for_log(Origin(broker.owner.id, 1), broker.owner.log_keys())
        for each in page.records:
            proof = Proof.from_bytes(each.proof.encode())
            assert proof.index == each.index
            proof.verify_record(keys)
        assert broker.logbook.records(partner("org-" + 24 * "z"), limit=10).records == ()

    def test_the_owner_gets_all_of_them_page_by_page(self, broker: LogBroker) -> None:
        broker.acts(120, [CLINIC])
        found, after = [], None
        for limit in (50, 999, 30):
            page = broker.logbook.records(admin(broker.owner.id), after=after, limit=limit)
            found += [each.index for each in page.records]
            after = None if page.next is None else int(page.next)
        assert after is None
        assert found == list(range(121))

    def test_a_page_of_nothing_is_refused(self, broker: LogBroker) -> None:
        refused(UsageError, "page-limit", lambda: broker.logbook.records(partner(CLINIC), limit=0))


class TestErasure:
    def test_the_owner_erases_and_the_log_verifies(self, broker: LogBroker) -> None:
        index = broker.act("one", [CLINIC])
        before = checkpoint_of(broker)
        owner = admin(broker.owner.id)
        assert broker.logbook.erase(owner, index).entry == index
        assert checkpoint_of(broker) == before
        assert Proof.from_bytes(broker.ledger.prove(index)).extra is None
        assert [each.index for each in broker.logbook.records(owner, limit=9).records] == [0]
        assert broker.logbook.records(partner(CLINIC), limit=9).records == ()
        broker.logbook.erase(owner, index)

    def test_only_the_owner_erases(self, broker: LogBroker) -> None:
        refused(BrokerRefused, "not-permitted", lambda: broker.logbook.erase(partner(CLINIC), 0))

    @pytest.mark.parametrize("index", [-1, 1, 99])
    def test_only_what_is_there_is_erased(self, broker: LogBroker, index: int) -> None:
        refused(ObjectNotFound, "not-found", lambda: broker.logbook.erase(admin(broker.owner.id), index))


class TestCosigning:
    def message(
        self, broker: LogBroker, secret: Ed25519Secret, organization: str = CLINIC, seconds: int = 0
    ) -> bytes:
        note = Note.from_bytes(broker.logbook.checkpoint())
        signer = Ed25519Cosigner(witness_name(organization), secret, NOW + timedelta(seconds=seconds))
        return Cosigned(signer.key, note.with_signature(sign_line(note.unverified_text, signer))).to_bytes()

    def names(self, broker: LogBroker) -> list[str]:
        note = Note.from_bytes(broker.logbook.cosigned(admin(broker.owner.id)))
        return [each.name.removeprefix(broker.owner.id) for each in note.signatures]

    def test_one_cosignature_of_each_witness_is_kept(self, broker: LogBroker) -> None:
        owner = admin(broker.owner.id)
        refused(ObjectNotFound, "not-found", lambda: broker.logbook.cosigned(owner))
        first, second = Ed25519Secret.generate(), Ed25519Secret.generate()
        answer = broker.logbook.cosign(partner(CLINIC), self.message(broker, first))
        assert len(Note.from_bytes(answer).signatures) == 2
        broker.logbook.cosign(partner(BANK), self.message(broker, second, BANK))
        assert self.names(broker) == ["/log/1", f"{CLINIC}/witness", f"{BANK}/witness"]
        # The same witness again, and under a fresh key: one line, the newest.
        broker.logbook.cosign(partner(CLINIC), self.message(broker, Ed25519Secret.generate(), seconds=9))
        assert self.names(broker) == ["/log/1", f"{BANK}/witness", f"{CLINIC}/witness"]

    def test_a_witness_learns_of_no_other(self, broker: LogBroker) -> None:
        broker.logbook.cosign(partner(BANK), self.message(broker, Ed25519Secret.generate(), BANK))
        answer = broker.logbook.cosign(partner(CLINIC), self.message(broker, Ed25519Secret.generate()))
        for text in (answer, broker.logbook.checkpoint(), broker.logbook.offer(0)):
            assert BANK.encode() not in text
        refused(BrokerRefused, "not-permitted", lambda: broker.logbook.cosigned(partner(CLINIC)))

    def test_the_largest_log_is_kept(self, broker: LogBroker) -> None:
        old = self.message(broker, Ed25519Secret.generate(), BANK)
        broker.act("one", [CLINIC])
        broker.logbook.cosign(partner(CLINIC), self.message(broker, Ed25519Secret.generate()))
        broker.logbook.cosign(partner(BANK), old)
        assert self.names(broker) == ["/log/1", f"{CLINIC}/witness"]
        broker.act("two", [CLINIC])
        broker.logbook.cosign(partner(BANK), self.message(broker, Ed25519Secret.generate(), BANK))
        assert self.names(broker) == ["/log/1", f"{BANK}/witness"]

    def test_lines_of_others_are_dropped(self, broker: LogBroker) -> None:
        good = Cosigned.from_bytes(self.message(broker, Ed25519Secret.generate()))
        stray = Ed25519Signer("somebody", Ed25519Secret.generate())
        note = good.note.with_signature(sign_line(good.note.unverified_text, stray))
        broker.logbook.cosign(partner(CLINIC), Cosigned(good.key, note).to_bytes())
        assert self.names(broker) == ["/log/1", f"{CLINIC}/witness"]

    def test_the_oldest_gives_way_when_the_note_is_full(
        self, broker: LogBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broker.logbook.cosign(partner(BANK), self.message(broker, Ed25519Secret.generate(), BANK))
        full = len(broker.logbook.cosigned(admin(broker.owner.id)))
        monkeypatch.setattr("strongroom.broker.services.logbook.LIMITS", replace(LIMITS, max_note_bytes=full))
        broker.logbook.cosign(partner(CLINIC), self.message(broker, Ed25519Secret.generate()))
        assert self.names(broker) == ["/log/1", f"{CLINIC}/witness"]

    def test_under_the_name_of_another_nothing_is_taken(self, broker: LogBroker) -> None:
        body = self.message(broker, Ed25519Secret.generate(), BANK)
        refused(VerificationError, "log-key", lambda: broker.logbook.cosign(partner(CLINIC), body))
        refused(FormatError, "log-proof", lambda: broker.logbook.cosign(partner(CLINIC), b"nothing"))

    def test_a_checkpoint_by_the_log_key_of_another_log_is_evidence(self, broker: LogBroker) -> None:
        key = broker.keys.log_key(NOW)
        origin = f"{broker.owner.id}/log/1"
        for checkpoint in (
            Checkpoint(origin, 1, bytes(32)),
            Checkpoint(origin, 99, bytes(32)),
            Checkpoint(origin, 0, EMPTY_ROOT, ("predecessor " + 43 * "A" + "=",)),
        ):
            forged = sign_note(checkpoint.to_bytes(), [Ed25519Signer(origin, key.secret)])
            signer = Ed25519Cosigner(witness_name(CLINIC), Ed25519Secret.generate(), NOW)
            body = Cosigned(
                signer.key, forged.with_signature(sign_line(forged.unverified_text, signer))
            ).to_bytes()
            refused(VerificationError, "log-fork", lambda: broker.logbook.cosign(partner(CLINIC), body))  # noqa: B023 - called at once


def test_the_client_of_the_tests_is_what_it_simulates(broker: LogBroker) -> None:
    client = LogClient(broker, partner(CLINIC))
    broker.act("one", [CLINIC], Kind.LEASE)
    assert Offer.from_bytes(client.offer(0)).old_size == 0
    assert len(client.records(limit=5).records) == 1
    assert client.asked == ["offer"]


def add_clinic(act: Act) -> None:
    act.kept.add_runtime(
        RuntimeRow(
            runtime=RUNTIME,
            organization=CLINIC,
            device="device",
            sealing="sealing",
            enrollment="token",
            status=PartyStatus.APPROVED,
            enrolled_at=NOW,
        )
    )
    act.kept.add_license(
        LicenseRow(
            license=LICENSE,
            parent=None,
            root=LICENSE,
            organization=CLINIC,
            holder="clinic",
            token="token",
            agreement=None,
            status=LicenseStatus.GRANTED,
            granted_at=NOW,
            expires_at=None,
            requested_by=None,
            approved_by=None,
            acceptance=None,
            accepted_at=None,
        )
    )

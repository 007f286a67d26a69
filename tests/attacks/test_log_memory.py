"""An owner's broker against the memory of its partner: a log that is not what it was is noticed.

The hostile owner has everything an owner has: the home, the keys, the database. It is simulated by
several real brokers of one home, each with a history of its own; the partner is pointed from one
to the other.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from strongroom import witnessing
from strongroom.errors import BrokerRefused, Error, FormatError, IntegrityError, VerificationError
from strongroom.home.home import Home
from strongroom.keys.identity import organization_id
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.cosignature import verify_witnessed
from strongroom.log.entry import Kind
from strongroom.log.note import Note
from strongroom.log.offer import Offer
from strongroom.log.proof import Proof
from strongroom.log.verifiers import verifier_from_text
from strongroom.protocol.broker import RecordAnswer, RecordPage
from tests.parties import found_partner
from tests.simulators.log_client import LogBroker, LogClient, admin, partner
from tests.simulators.log_owner import NOW

_A_DAY = timedelta(days=1)
BANK = "org-bbbbbbbbbbbbbbbbbbbbbbbb"


class Scene:
    """A clinic that has followed an owner's log for a while."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = found_partner(folder, "clinic")
        self.clinic = organization_id(self.home.keys.organization().public)
        self.broker = LogBroker.found(folder)
        self.client = LogClient(self.broker, partner(self.clinic))
        self.opened = [self.broker]
        self.broker.acts(300, [self.clinic], "seen")
        self.verify()

    def verify(self, accept_lost_entries: int = 0) -> witnessing.Checked:
        return witnessing.verify_log(
            self.home, self.client, self.broker.owner, now=NOW, accept_lost_entries=accept_lost_entries
        )

    def another_history(self) -> LogBroker:
        """A second broker of the same owner, with the same keys and another database."""
        other = LogBroker.of(self.broker.home, self.folder / f"other-{len(self.opened)}.db")
        self.opened.append(other)
        return other

    def backup(self) -> Path:
        """Copy the database as it stands now."""
        path = self.folder / f"backup-{len(self.opened)}.db"
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                shutil.copy(self.folder / f"broker.db{suffix}", f"{path}{suffix}")
        return path

    def restored(self, path: Path) -> LogBroker:
        """A broker over a backup."""
        other = LogBroker.of(self.broker.home, path)
        self.opened.append(other)
        return other

    def show(self, broker: LogBroker) -> None:
        """From now on the partner is shown this one."""
        self.client.broker = broker


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    for broker in made.opened:
        broker.close()


def refused(kind: type[Error], code: str, call: Callable[[], object]) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code


class TestTheOwnerCannotChangeWhatItsPartnerSaw:
    def test_the_honest_log_is_followed(self, scene: Scene) -> None:
        scene.broker.acts(30, [scene.clinic], "more")
        checked = scene.verify()
        assert (checked.size_before, checked.size, checked.records) == (301, 331, 330)
        # Proofs of what is not routine are kept, to show later.
        scene.broker.act("grant", [scene.clinic], Kind.GRANT)
        assert scene.verify().records == 331
        assert len(scene.home.logbook.proofs(scene.broker.owner.id)) == 1

    def test_a_rewritten_log_is_noticed(self, scene: Scene) -> None:
        other = scene.another_history()
        other.acts(400, [scene.clinic], "rewritten")
        scene.show(other)
        refused(VerificationError, "log-rewritten", scene.verify)
        assert scene.home.logbook.size(scene.broker.owner.id) == 301

    def test_a_forked_log_is_noticed_and_both_states_are_kept(self, scene: Scene) -> None:
        other = scene.another_history()
        other.acts(300, [scene.clinic], "forked")
        scene.show(other)
        refused(VerificationError, "log-fork", scene.verify)
        owner_id = scene.broker.owner.id
        evidence = Offer.from_bytes((scene.home.path / "log" / f"{owner_id}.refused").read_bytes())
        kept = scene.home.logbook.last(owner_id)
        forked = Checkpoint.from_bytes(evidence.note.unverified_text)
        assert kept is not None
        assert (kept.size, kept.root != forked.root) == (forked.size, True)

    def test_a_truncated_log_is_noticed(self, scene: Scene) -> None:
        backup = scene.backup()
        scene.broker.acts(10, [scene.clinic], "dropped")
        scene.verify()
        scene.show(scene.restored(backup))
        refused(VerificationError, "log-rollback", scene.verify)

    def test_a_truncated_log_that_grew_again_is_noticed(self, scene: Scene) -> None:
        backup = scene.backup()
        scene.broker.acts(10, [scene.clinic], "dropped")
        scene.verify()
        other = scene.restored(backup)
        other.acts(50, [scene.clinic], "instead")
        scene.show(other)
        refused(VerificationError, "log-rewritten", scene.verify)

    def test_records_of_another_history_are_noticed(self, scene: Scene) -> None:
        """The log that is offered is the old one; the records come from another."""
        other = scene.another_history()
        other.acts(200, [scene.clinic], "shown")

        class TwoFaced(LogClient):
            def records(self, *, after: int | None = None, limit: int | None = None) -> RecordPage:
                return other.logbook.records(self.principal, after=after, limit=limit or 50)

        two_faced = TwoFaced(scene.broker, partner(scene.clinic))
        refused(
            VerificationError,
            "log-fork",
            lambda: witnessing.verify_log(scene.home, two_faced, scene.broker.owner, now=NOW),
        )
        other.acts(200, [scene.clinic], "shown more")
        refused(
            VerificationError,
            "log-rollback",
            lambda: witnessing.verify_log(scene.home, two_faced, scene.broker.owner, now=NOW),
        )

    @pytest.mark.parametrize("place", ["number", "0", "x", "9" * 5000])
    def test_records_without_end_are_noticed(self, scene: Scene, place: str) -> None:
        pages: list[RecordPage] = []

        class Endless(LogClient):
            def records(self, *, after: int | None = None, limit: int | None = None) -> RecordPage:
                pages.append(super().records(limit=limit))
                assert len(pages) < 20
                return replace(pages[-1], next=str(len(pages)) if place == "number" else place)

        endless = Endless(scene.broker, partner(scene.clinic))
        refused(
            FormatError,
            "broker-answer",
            lambda: witnessing.verify_log(scene.home, endless, scene.broker.owner, now=NOW),
        )
        assert len(pages) <= 2

    def test_a_record_that_is_not_in_the_log_is_noticed(self, scene: Scene) -> None:
        class Lying(LogClient):
            def records(self, *, after: int | None = None, limit: int | None = None) -> RecordPage:
                page = super().records(after=after, limit=limit)
                proof = Proof.from_bytes(page.records[0].proof.encode())
                moved = Proof(proof.extra, proof.index + 1, proof.hashes, proof.note).to_bytes().decode()
                return RecordPage(records=(RecordAnswer(index=proof.index + 1, proof=moved),))

        lying = Lying(scene.broker, partner(scene.clinic))
        with pytest.raises(IntegrityError):
            witnessing.verify_log(scene.home, lying, scene.broker.owner, now=NOW)


class TestAnAnswerWithoutProofIsRefused:
    def answer(self, broker: LogBroker, scene: Scene, name: str) -> dict[str, str]:
        index = broker.act(name, [scene.clinic], Kind.LEASE)
        proved = broker.ledger.prove_since(index, scene.home.logbook.size(scene.broker.owner.id))
        return {"document": f"token-{name}", "proof": proved.proof.decode(), "offer": proved.offer.decode()}

    def test_the_honest_answer_is_believed(self, scene: Scene) -> None:
        given = self.answer(scene.broker, scene, "lease")
        scene.home.logbook.verify_answer(scene.broker.owner, **given, now=NOW)

    @pytest.mark.parametrize("member", ["proof", "offer"])
    def test_a_missing_proof_is_refused(self, scene: Scene, member: str) -> None:
        given = self.answer(scene.broker, scene, "lease") | {member: ""}
        with pytest.raises(Error):
            scene.home.logbook.verify_answer(scene.broker.owner, **given, now=NOW)

    def test_an_act_of_another_history_is_refused(self, scene: Scene) -> None:
        other = scene.another_history()
        other.acts(310, [scene.clinic], "hidden")
        given = self.answer(other, scene, "lease")
        refused(
            VerificationError,
            "log-rewritten",
            lambda: scene.home.logbook.verify_answer(scene.broker.owner, **given, now=NOW),
        )

    def test_an_act_that_was_not_logged_is_refused(self, scene: Scene) -> None:
        given = self.answer(scene.broker, scene, "lease") | {"document": "a lease that is not in the log"}
        refused(
            VerificationError,
            "log-answer",
            lambda: scene.home.logbook.verify_answer(scene.broker.owner, **given, now=NOW),
        )


class TestARestore:
    def test_one_that_lost_nothing_that_was_seen_is_accepted(self, scene: Scene) -> None:
        scene.broker.acts(5, [scene.clinic], "before the backup")
        other = scene.restored(scene.backup())
        other.ledger.restart(lambda act: None)
        scene.show(other)
        checked = scene.verify()
        assert (checked.origin.endswith("/log/2"), checked.size_before) == (True, 301)

    def test_one_that_lost_what_was_seen_needs_a_person(self, scene: Scene) -> None:
        backup = scene.backup()
        scene.broker.acts(7, [scene.clinic], "lost")
        scene.verify()
        other = scene.restored(backup)
        other.ledger.restart(lambda act: None)
        scene.show(other)
        refused(VerificationError, "log-rollback", scene.verify)
        refused(VerificationError, "log-rollback", lambda: scene.verify(accept_lost_entries=6))
        assert scene.verify(accept_lost_entries=7).origin.endswith("/log/2")

    def test_a_new_log_after_another_history_is_noticed(self, scene: Scene) -> None:
        other = scene.another_history()
        other.acts(400, [scene.clinic], "rewritten")
        other.ledger.restart(lambda act: None)
        scene.show(other)
        refused(VerificationError, "log-rewritten", lambda: scene.verify(accept_lost_entries=999))

    def test_a_new_log_that_hides_the_old_one_is_noticed(self, scene: Scene) -> None:
        other = scene.another_history()
        for _ in range(2):
            other.ledger.restart(lambda act: None)

        class Hiding(LogClient):
            def offer(self, size: int, log: int | None = None, /) -> bytes:
                return super().offer(size, 99 if log == 1 else log)

        refused(
            VerificationError,
            "log-rewritten",
            lambda: witnessing.verify_log(
                scene.home, Hiding(other, partner(scene.clinic)), scene.broker.owner, now=NOW
            ),
        )

    def test_the_old_log_after_the_new_one_is_noticed(self, scene: Scene) -> None:
        other = scene.restored(scene.backup())
        other.ledger.restart(lambda act: None)
        scene.show(other)
        scene.verify()
        scene.broker.acts(3, [scene.clinic], "the old one goes on")
        scene.show(scene.broker)
        refused(VerificationError, "log-origin", scene.verify)


class TestAWitness:
    def test_its_cosignature_shows_the_log_that_it_saw(self, scene: Scene) -> None:
        key = witnessing.cosign(scene.home, scene.client, scene.broker.owner, now=NOW)
        note = Note.from_bytes(scene.broker.logbook.cosigned(admin(scene.broker.owner.id)))
        seen = verify_witnessed(note, [verifier_from_text(key)], threshold=1, now=NOW, max_age=_A_DAY)
        assert [each.name for each in seen] == [f"{scene.clinic}/witness"]
        assert witnessing.cosign(scene.home, scene.client, scene.broker.owner, now=NOW) == key

    def test_one_that_forgot_what_it_saw_signs_with_another_key(self, scene: Scene) -> None:
        key = witnessing.cosign(scene.home, scene.client, scene.broker.owner, now=NOW)
        (scene.home.path / "log" / f"{scene.broker.owner.id}.json").unlink()
        scene.verify()
        again = witnessing.cosign(Home.open(scene.home.path), scene.client, scene.broker.owner, now=NOW)
        assert again != key

    def test_nobody_cosigns_in_the_name_of_another(self, scene: Scene) -> None:
        body = scene.home.logbook.cosign(
            scene.broker.owner.id, BANK, scene.home.keys.witness(scene.broker.owner.id, NOW, known=None), NOW
        )
        refused(VerificationError, "log-key", lambda: scene.client.cosign(body))

    def test_nobody_learns_who_else_looks_at_the_log(self, scene: Scene) -> None:
        witnessing.cosign(scene.home, scene.client, scene.broker.owner, now=NOW)
        bank = partner(BANK)
        for text in (scene.broker.logbook.checkpoint(), scene.broker.logbook.offer(0)):
            assert scene.clinic.encode() not in text
        refused(BrokerRefused, "not-permitted", lambda: scene.broker.logbook.cosigned(bank))
        assert scene.broker.logbook.records(bank, limit=50).records == ()

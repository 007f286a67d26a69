"""What a home remembers of the logs of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from strongroom.errors import Error, FormatError, IntegrityError, ObjectNotFound, VerificationError
from strongroom.founding import rotate
from strongroom.home.home import Home
from strongroom.keys.owner import Owner, Role
from strongroom.keys.witness_key import WitnessKey
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.cosigned import Cosigned, witness_name
from strongroom.log.note import Note
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.proof import Proof
from strongroom.log.verifiers import verifiers_for_log
from tests.parties import found_partner
from tests.simulators.log_client import LogBroker, LogClient, partner
from tests.simulators.log_owner import NOW

CLINIC = "org-cccccccccccccccccccccccc"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LogBroker]:
    opened = LogBroker.found(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return found_partner(tmp_path, "clinic")


def refused(kind: type[Error], code: str, call: Callable[[], object]) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code


def believe(home: Home, owner: Owner, given: dict[str, str], now: datetime | None = None) -> None:
    home.logbook.verify_answer(
        owner, document=given["document"], proof=given["proof"], offer=given["offer"], now=now
    )


def answer(broker: LogBroker, home: Home, name: str) -> dict[str, str]:
    """What a broker answers with when it did something."""
    index = broker.act(name, [CLINIC])
    proved = broker.ledger.prove_since(index, home.logbook.size(broker.owner.id))
    return {"document": f"token-{name}", "proof": proved.proof.decode(), "offer": proved.offer.decode()}


class TestAnswers:
    def test_an_answer_is_believed_and_remembered(self, broker: LogBroker, home: Home) -> None:
        assert home.logbook.size(broker.owner.id) == 0
        assert home.logbook.note(broker.owner.id) is None
        for number in range(5):
            broker.acts(70, ["org-" + 24 * "b"], f"other-{number}")
            believe(home, broker.owner, answer(broker, home, str(number)), now=NOW)
            # As another process of the home, or this one after a crash, has it.
            assert Home.open(home.path).logbook.size(broker.owner.id) == 1 + 71 * (number + 1)

    def test_the_same_answer_again_changes_nothing(self, broker: LogBroker, home: Home) -> None:
        given = answer(broker, home, "one")
        believe(home, broker.owner, given)
        before = home.logbook.note(broker.owner.id)
        believe(home, broker.owner, given)
        assert home.logbook.note(broker.owner.id) == before

    def test_a_late_answer_is_to_be_asked_for_again(self, broker: LogBroker, home: Home) -> None:
        given = answer(broker, home, "one")
        believe(home, broker.owner, answer(broker, home, "two"))
        refused(
            VerificationError,
            "log-offer-size",
            lambda: believe(home, broker.owner, given),
        )

    def test_without_a_proof_nothing_is_believed(self, broker: LogBroker, home: Home) -> None:
        given = answer(broker, home, "one")
        for member in ("proof", "offer"):
            with pytest.raises(FormatError):
                believe(home, broker.owner, {**given, member: ""})
        erased = Proof.from_bytes(given["proof"].encode())
        bare = Proof(None, erased.index, erased.hashes, erased.note).to_bytes().decode()
        refused(
            FormatError,
            "log-proof",
            lambda: believe(home, broker.owner, {**given, "proof": bare}),
        )

    def test_the_log_must_have_this_document(self, broker: LogBroker, home: Home) -> None:
        given = answer(broker, home, "one") | {"document": "token-other"}
        refused(VerificationError, "log-answer", lambda: believe(home, broker.owner, given))

    def test_the_proof_is_under_the_state_that_was_offered(self, broker: LogBroker, home: Home) -> None:
        given = answer(broker, home, "one")
        broker.act("two", [CLINIC])
        given["offer"] = broker.ledger.offer(0).decode()
        refused(VerificationError, "log-answer", lambda: believe(home, broker.owner, given))

    def test_an_altered_proof_is_refused(self, broker: LogBroker, home: Home) -> None:
        broker.act("zero", [CLINIC])
        given = answer(broker, home, "one")
        proof = Proof.from_bytes(given["proof"].encode())
        wrong = Proof(proof.extra, proof.index - 1, proof.hashes, proof.note).to_bytes().decode()
        refused(
            IntegrityError,
            "log-inclusion",
            lambda: believe(home, broker.owner, {**given, "proof": wrong}),
        )

    def test_a_retired_log_key_is_not_believed_of_a_fresh_answer(self, broker: LogBroker, home: Home) -> None:
        given = answer(broker, home, "one")
        rotated = rotate(broker.home, now=NOW, renew=[Role.LOG]).owner
        soon, late = NOW + timedelta(seconds=200), NOW + timedelta(seconds=400)
        refused(
            VerificationError,
            "log-key",
            lambda: believe(home, rotated, given, now=late),
        )
        believe(home, rotated, given, now=soon)
        # The broker goes on under the new key, and what was kept stays good.
        broker.clock.move(timedelta(seconds=400))
        believe(home, rotated, answer(broker, home, "two"), now=late)


class TestFollowing:
    def test_a_log_is_followed(self, broker: LogBroker, home: Home) -> None:
        client = LogClient(broker, partner(CLINIC))
        first = home.logbook.follow(broker.owner, client, NOW)
        assert (first.before, first.after.size) == (None, 1)
        broker.acts(300, [CLINIC])
        second = home.logbook.follow(broker.owner, client, NOW)
        assert second.before == first.after
        assert second.after.size == 301
        assert home.logbook.follow(broker.owner, client).after == second.after

    def test_a_restore_is_followed_when_nothing_was_lost(self, broker: LogBroker, home: Home) -> None:
        client = LogClient(broker, partner(CLINIC))
        broker.acts(20, [CLINIC])
        home.logbook.follow(broker.owner, client, NOW)
        broker.acts(5, [CLINIC], "more")
        for number in (2, 3, 4):
            broker.ledger.restart(lambda act: None)
            broker.acts(3, [CLINIC], f"after-{number}")
        advanced = home.logbook.follow(broker.owner, client, NOW)
        assert advanced.before is not None
        assert advanced.before.size == 21
        assert advanced.after.origin.endswith("/log/4")
        broker.act("last", [CLINIC])
        assert home.logbook.follow(broker.owner, client, NOW).after.size == 6

    def test_an_answer_of_a_new_log_is_not_believed_before(self, broker: LogBroker, home: Home) -> None:
        believe(home, broker.owner, answer(broker, home, "one"))
        broker.ledger.restart(lambda act: None)
        given = answer(broker, home, "two")
        refused(VerificationError, "log-origin", lambda: believe(home, broker.owner, given))
        home.logbook.follow(broker.owner, LogClient(broker, partner(CLINIC)), NOW)
        believe(home, broker.owner, answer(broker, home, "three"))

    def test_another_process_that_went_over_first_is_no_harm(
        self, broker: LogBroker, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = LogClient(broker, partner(CLINIC))
        home.logbook.follow(broker.owner, client, NOW)
        broker.ledger.restart(lambda act: None)
        other = Home.open(home.path)
        asked = client.offer

        def offer(size: int, log: int | None = None, /) -> bytes:
            found = asked(size, log)
            if log == 2:
                other.logbook.follow(broker.owner, LogClient(broker, partner(CLINIC)), NOW)
            return found

        monkeypatch.setattr(client, "offer", offer)
        assert home.logbook.follow(broker.owner, client, NOW).after.origin.endswith("/log/2")

    def test_the_log_of_another_owner_is_refused(self, broker: LogBroker, home: Home, tmp_path: Path) -> None:
        (tmp_path / "second").mkdir()
        second = LogBroker.found(tmp_path / "second")
        client = LogClient(second, partner(CLINIC))
        for _ in range(2):
            refused(VerificationError, "log-origin", lambda: home.logbook.follow(broker.owner, client, NOW))
            home.logbook.follow(broker.owner, LogClient(broker, partner(CLINIC)), NOW)
        second.close()


class TestCosigning:
    def test_the_last_state_is_cosigned(self, broker: LogBroker, home: Home) -> None:
        owner_id = broker.owner.id
        client = LogClient(broker, partner(CLINIC))
        key = WitnessKey.generate()
        refused(ObjectNotFound, "log-unseen", lambda: home.logbook.cosign(owner_id, CLINIC, key, NOW))
        assert home.logbook.witness(owner_id) is None
        seen = home.logbook.follow(broker.owner, client, NOW).after
        message = Cosigned.from_bytes(home.logbook.cosign(owner_id, CLINIC, key, NOW))
        keys = verifiers_for_log(Origin(owner_id, 1), broker.owner.log_keys())
        checkpoint, _ = message.verify(witness_name(CLINIC), keys, NOW)
        assert checkpoint == seen
        broker.act("one", [CLINIC])
        home.logbook.follow(broker.owner, client, NOW)
        assert home.logbook.witness(owner_id) == key.key_id


class TestProofs:
    def test_proofs_are_kept_once_and_in_order(self, broker: LogBroker, home: Home) -> None:
        owner_id = broker.owner.id
        assert home.logbook.proofs(owner_id) == []
        indexes = [broker.act(str(number), [CLINIC]) for number in range(12)]
        for index in reversed(indexes):
            home.logbook.keep_proof(owner_id, Proof.from_bytes(broker.ledger.prove(index)))
        kept = home.logbook.proofs(owner_id)
        assert [Proof.from_bytes(data).index for data in kept] == indexes
        broker.act("more", [CLINIC])
        home.logbook.keep_proof(owner_id, Proof.from_bytes(broker.ledger.prove(indexes[0])))
        assert home.logbook.proofs(owner_id) == kept


def test_a_damaged_memory_is_named(broker: LogBroker, home: Home) -> None:
    home.logbook.follow(broker.owner, LogClient(broker, partner(CLINIC)), NOW)
    path = home.path / "log" / f"{broker.owner.id}.json"
    path.write_bytes(path.read_bytes()[:-9])
    refused(FormatError, "damaged-record", lambda: home.logbook.size(broker.owner.id))


def test_the_files_are_closed_to_others(broker: LogBroker, home: Home) -> None:
    home.logbook.follow(broker.owner, LogClient(broker, partner(CLINIC)), NOW)
    home.logbook.keep_proof(broker.owner.id, Proof.from_bytes(broker.ledger.prove(0)))
    for path in (home.path / "log").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_what_was_offered_is_parsed_only(broker: LogBroker) -> None:
    offer = Offer.from_bytes(broker.ledger.offer(0))
    assert Checkpoint.from_bytes(Note.from_bytes(offer.note.to_bytes()).unverified_text).size == 1

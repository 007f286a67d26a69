"""What a broker serves of its log is verified by Go's golang.org/x/mod/sumdb, which we did not write.

The broker is a real one: acts through its ledger, a database, its key in its owner's home. The
files come from the service that the routes call.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom._encoding import from_base64, to_base64
from strongroom.log.checkpoint import verify_checkpoint
from strongroom.log.note import Note
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.proof import Proof
from strongroom.log.tile import tiles_between
from strongroom.log.verifiers import verifiers_for_log
from tests.integration.test_log_interop import Go, program
from tests.simulators.log_client import LogBroker

__all__ = ["program"]

CLINIC = "org-cccccccccccccccccccccccc"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> LogBroker:
    opened = LogBroker.found(tmp_path_factory.mktemp("broker"))
    for number in range(7):
        opened.acts(150, [CLINIC], f"group-{number}")
    opened.ledger.act(lambda act: None)
    return opened


@pytest.fixture(scope="module")
def go(program: Path, broker: LogBroker, tmp_path_factory: pytest.TempPathFactory) -> Go:
    folder = tmp_path_factory.mktemp("served")
    (key,) = verifiers_for_log(Origin(broker.owner.id, 1), broker.owner.log_keys())
    note = broker.logbook.checkpoint()
    (folder / "vkey").write_text(key.key.to_text(), encoding="utf-8")
    (folder / "checkpoint").write_bytes(note)
    for place in tiles_between(0, verify_checkpoint(Note.from_bytes(note), [key]).size):
        path = folder / place.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(broker.logbook.tile(place.path.removeprefix("tile/")))
    return Go(program, folder)


def test_go_finds_the_signed_root_in_the_tiles_of_a_broker(go: Go) -> None:
    answer = go.ask("root")
    assert (answer["error"], answer["size"]) == ("", 1051)


@pytest.mark.parametrize("index", [0, 1, 255, 256, 700, 1050])
def test_go_makes_the_proofs_that_the_broker_makes(go: Go, broker: LogBroker, index: int) -> None:
    with broker.ledger.view() as kept:
        (row,) = kept.entries(index, 1)
    assert go.ask("entry", index=index, entry=to_base64(row.entry))["error"] == ""
    theirs = go.ask("prove-inclusion", index=index)
    ours = Proof.from_bytes(broker.ledger.prove(index))
    assert tuple(map(from_base64, theirs["proof"])) == ours.hashes
    offer = Offer.from_bytes(broker.logbook.offer(index + 1))
    theirs = go.ask("prove-consistency", old_size=index + 1)
    assert tuple(map(from_base64, theirs.get("proof") or [])) == offer.hashes

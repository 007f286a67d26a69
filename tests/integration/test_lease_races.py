"""32 brokers over one database give leases at the same instant: exactly the allowed number win."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom._encoding import to_instant
from strongroom.license.period import Period
from strongroom.license.term import Term
from strongroom.license.terms import Predictions, Runtimes
from strongroom.log.entry import Kind
from tests.unit.broker.services.hospital import NOW, World
from tests.unit.broker.services.machine import Machine

RACERS = 32
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    world = World(tmp_path, url=database_url)
    yield world
    world.close()


def race(world: World, url: str, machine: Machine) -> Counter[str]:
    """Let 32 runtimes ask for the same license; returns how often each answer was given."""
    asks = []
    for racer in (machine.second() for _ in range(RACERS)):
        ask = racer.asking(predictions=1)
        asks.append(
            {
                "organization": racer.clinic.organization,
                "runtime": racer.runtime,
                "request": ask.request,
                "worker_key": ask.worker_key,
            }
        )
    plan = {"home": str(world.home.path), "url": url, "now": to_instant(NOW), "asks": asks}
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.racers"],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        timeout=300,
    )
    return Counter(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("terms", "answers"),
    [
        (
            [Predictions(limit=5, per=Period.TOTAL)],
            {"given 1": 5, "predictions-used-up": RACERS - 5},
        ),
        ([Runtimes(limit=3)], {"given ": 3, "too-many-runtimes": RACERS - 3}),
    ],
    ids=["slice", "seat"],
)
def test_exactly_the_allowed_number_wins(
    world: World, database_url: str, terms: list[Term], answers: dict[str, int]
) -> None:
    machine = Machine.enrolled(world, world.clinic(), terms)
    assert race(world, database_url, machine) == answers
    with world.ledger.view() as kept:
        held = sum(hold.amount for hold in kept.holds([machine.license]))
        seats = {seat.runtime for seat in kept.seats([machine.license], NOW)}
    winners = sum(number for answer, number in answers.items() if answer.startswith("given"))
    assert held in (0, winners)
    assert len(seats) in (0, winners)
    # A refusal leaves nothing in the log; each lease has its entry.
    assert [record.kind for record in world.records(machine.license)].count(Kind.LEASE) == winners

"""No secret leaves by accident: planted ones are looked for in answers, log, metrics and database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import httpx2
import pytest

from strongroom.broker.http.metrics import Metrics
from strongroom.errors import StorageUnavailable
from tests.planted import look_for
from tests.unit.broker.http.wire import Asker, Wire
from tests.unit.broker.services.hospital import CONTENT_KEY, World
from tests.unit.broker.services.machine import Machine


class Witness:
    """Everything that a broker said and wrote."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.answers: list[httpx2.Response] = []

    def hears(self, answer: httpx2.Response) -> httpx2.Response:
        """Remember an answer."""
        self.answers.append(answer)
        return answer

    def places(self) -> Iterator[tuple[str, bytes]]:
        """Yield what was said and written, place by place."""
        for answer in self.answers:
            yield str(answer.url), answer.content + repr(answer.headers).encode()
        yield "the log", self.wire.log.getvalue().encode()
        self.wire.client._transport.client = ("127.0.0.1", 5)  # type: ignore[attr-defined]  # - the address that the server sees
        metrics = self.wire.client.get("/metrics")
        assert metrics.headers["content-type"] == Metrics.media_type
        yield "the metrics", metrics.content
        for path in sorted(self.wire.world.folder.glob("broker.db*")):
            yield path.name, path.read_bytes()


def secrets_of(wire: Wire, machine: Machine, askers: list[Asker]) -> dict[str, bytes]:
    """Return what must be nowhere."""
    world = wire.world
    keys = {
        "content key": CONTENT_KEY,
        "broker key": world.keys.broker_key(world.watch.time).secret.to_bytes(),
        "log key": world.keys.log_key(world.watch.time).secret.to_bytes(),
        "intake key": world.keys.intake().secret.to_bytes(),
        "device key": machine.device.secret.to_bytes(),
        "sealing key": machine.sealing.secret.to_bytes(),
    }
    for asker in askers:
        keys[f"secret key of {asker.subject}"] = asker.key.secret.to_bytes()
        keys[f"token of {asker.subject}"] = asker.token.rpartition(".")[2].encode()
    return keys


def test_planted_secrets_are_nowhere(world: World, wire: Wire) -> None:
    clinic = world.clinic()
    machine = Machine.enrolled(world, clinic)
    witness = Witness(wire)
    admin, manager, runtime = wire.member(world.home), wire.member(clinic.home), wire.runtime(clinic.home)
    ask = machine.asking()
    taken = witness.hears(runtime.send("POST", "/leases", key="k", json=asdict(ask)))
    assert taken.status_code == 200, taken.text
    for asker in (admin, manager, runtime):
        for path in ("/members", "/licenses", "/leases", "/usage", "/packages", "/log/records", "/partners"):
            witness.hears(asker.send("GET", path))
        witness.hears(asker.send("POST", "/members", json={"key": asker.token, "name": asker.token}))
        witness.hears(asker.send("GET", f"/licenses/{asker.token[:60]}?x={asker.token}"))
        witness.hears(asker.send("POST", "/leases", json={"request": asker.token, "worker_key": asker.token}))
        witness.hears(asker.ask_token(form={"client_assertion": asker.token}))
    checkout = {"license": machine.license, "package": machine.statement.package_digest}
    witness.hears(runtime.send("POST", "/checkouts", json=checkout))
    world.watch.time = world.watch.time.replace(minute=7)
    for asker in (admin, manager, runtime):
        witness.hears(asker.send("GET", "/members"))
    planted = secrets_of(wire, machine, [admin, manager, runtime])
    # Its own holder is given its token, and nobody else.
    assert not [found for where, data in witness.places() for found in look_for(planted, {where: data})]


def test_the_places_are_looked_at_rightly(world: World, wire: Wire) -> None:
    """Or the test above would find nothing for want of looking."""
    admin = wire.member(world.home)
    witness = Witness(wire)
    witness.hears(admin.send("GET", "/members"))
    places = dict(witness.places())
    assert admin.subject.encode() in places["the log"]
    assert admin.subject.encode() in b"".join(
        data for name, data in places.items() if name.startswith("broker.db")
    )
    assert b"strongroom_broker_requests_total" in places["the metrics"]
    assert admin.subject.encode() not in places["the metrics"]


def test_a_wrapped_key_is_in_no_answer_that_is_kept(world: World, wire: Wire) -> None:
    """A lease is given again by its own rules; the memory of answers holds no lease."""
    clinic = world.clinic()
    machine = Machine.enrolled(world, clinic)
    runtime = wire.runtime(clinic.home)
    body = asdict(machine.asking())
    first = runtime.send("POST", "/leases", key="k", json=body)
    again = runtime.send("POST", "/leases", key="k", json=body)
    assert first.json()["lease"] == again.json()["lease"]
    with world.ledger.view() as kept:
        assert kept.answered(runtime.subject, "k") is None


@pytest.mark.parametrize("name", ["page", "add"])
def test_what_a_failure_knows_stays_inside(
    world: World, wire: Wire, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    admin = wire.member(world.home)

    def fail(*_: object) -> None:
        raise StorageUnavailable(f"cannot connect to postgresql://broker:{admin.token}@db/x")

    monkeypatch.setattr(type(wire.broker.services.members), name, fail)
    ask = {"key": "k", "name": "n", "role": "admin"}
    answer = admin.send("GET", "/members") if name == "page" else admin.send("POST", "/members", json=ask)
    assert answer.status_code == 503
    assert admin.token not in answer.text + wire.log.getvalue()
    assert json.loads(wire.log.getvalue().splitlines()[-1])["code"] == "storage-unavailable"


def test_the_database_is_closed_to_others(world: World, wire: Wire) -> None:
    wire.member(world.home).send("GET", "/members")
    modes = {path.name: path.stat().st_mode & 0o777 for path in Path(world.folder).glob("broker.db*")}
    assert set(modes.values()) == {0o600}

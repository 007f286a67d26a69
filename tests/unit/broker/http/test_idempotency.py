"""Writes that are asked again."""

from __future__ import annotations

import json
import secrets
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.broker.http.routing import GuardedRoute, Repeat
from strongroom.broker.sql.answers import AnswerWriting
from strongroom.errors import StorageUnavailable
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.text import KeyKind
from strongroom.license.agreement import agreement_digest
from strongroom.license.documents import License
from strongroom.license.signing import read_unverified
from strongroom.license.terms import Agreement, Offline
from strongroom.protocol.broker import RevocationAsk
from tests.unit.broker.http.wire import Asker, Wire, code_of
from tests.unit.broker.services.hospital import Clinic
from tests.unit.broker.services.machine import Machine


class TestRepetition:
    def ask(self) -> dict[str, str]:
        key = SigningKey.generate(KeyKind.MEMBER).public_text
        return {"name": "b.second", "role": "auditor", "key": key}

    def count(self, admin: Asker) -> int:
        return len(admin.send("GET", "/members").json()["members"])

    @pytest.mark.parametrize("key", ["", "a b", "é".encode(), "x" * 129])
    def test_a_write_needs_a_key(self, admin: Asker, key: str | bytes) -> None:
        answer = admin.send("POST", "/members", json=self.ask(), headers={"Idempotency-Key": key})  # type: ignore[dict-item]  # - bytes, as a stranger may send them
        assert (answer.status_code, code_of(answer)) == (400, "idempotency-key-missing")

    def test_every_write_but_the_token_needs_a_key(self, wire: Wire) -> None:
        loose = {
            route.path
            for route in wire.broker.app.routes
            if isinstance(route, GuardedRoute)
            and "GET" not in (route.methods or ())
            and route.repeat is Repeat.OWN_RULES
        }
        assert loose == {"/v1/token"}

    def test_what_is_kept_is_what_no_document_names(self, wire: Wire) -> None:
        kept = {
            f"{method} {route.path.removeprefix('/v1')}"
            for route in wire.broker.app.routes
            if isinstance(route, GuardedRoute) and route.repeat is Repeat.REMEMBERED
            for method in route.methods or ()
        }
        assert kept == {
            "POST /members",
            "DELETE /members/{member}",
            "POST /partners/{organization}/approve",
            "POST /partners/{organization}/refuse",
            "POST /partners/{organization}/suspend",
            "POST /partners/{organization}/resume",
            "POST /runtimes/{runtime}/suspend",
            "POST /runtimes/{runtime}/resume",
            "POST /licenses/{license}/approve",
            "POST /licenses/{license}/suspend",
            "POST /licenses/{license}/resume",
            "POST /sublicenses/{sublicense}/end",
            "POST /license-requests",
            "POST /license-requests/{request}/grant",
            "POST /license-requests/{request}/refuse",
            "POST /derivations/{derivation}/refuse",
            "POST /leases/{lease}/return",
            "POST /leases/{lease}/release",
        }

    def test_whom_one_asks_by_is_no_part_of_the_request(self, admin: Asker) -> None:
        """``Host`` is what whoever asks likes it to be; the broker never reads it."""
        ask = self.ask()
        assert admin.send("POST", "/members", key="k", json=ask).status_code == 200
        for host in ("evil.example", "evil.example/x?y"):
            again = admin.send("POST", "/members", key="k", json=ask, headers={"Host": host})
            assert again.status_code == 200, again.text

    def test_the_same_again_gets_the_same_answer(self, admin: Asker) -> None:
        ask = self.ask()
        first = admin.send("POST", "/members", key="k", json=ask)
        admin.wire.world.watch.time += timedelta(seconds=60)
        again = admin.send("POST", "/members", key="k", json=ask)
        assert first.status_code == again.status_code == 200
        assert first.content == again.content
        assert self.count(admin) == 2

    def test_something_else_under_the_same_key(self, admin: Asker) -> None:
        assert admin.send("POST", "/members", key="k", json=self.ask()).status_code == 200
        answer = admin.send("POST", "/members", key="k", json=self.ask())
        assert (answer.status_code, code_of(answer)) == (409, "idempotency-key-reused")
        assert self.count(admin) == 2

    def test_another_route_under_the_same_key(self, admin: Asker) -> None:
        assert admin.send("POST", "/members", key="k", json=self.ask()).status_code == 200
        answer = admin.send("DELETE", f"/members/{admin.subject}", key="k")
        assert code_of(answer) == "idempotency-key-reused"

    def test_the_key_of_somebody_else_is_another_key(self, admin: Asker, manager: Asker) -> None:
        assert admin.send("POST", "/members", key="k", json=self.ask()).status_code == 200
        answer = manager.send("DELETE", "/members/mem-x", key="k")
        assert code_of(answer) == "not-found"

    def test_a_refusal_is_not_remembered(self, admin: Asker) -> None:
        path = "/members/mem-" + "a" * 24
        assert admin.send("DELETE", path, key="k").status_code == 404
        assert admin.send("POST", "/members", key="k", json=self.ask()).status_code == 200

    def test_it_is_forgotten_after_a_day(self, admin: Asker) -> None:
        world = admin.wire.world
        assert admin.send("POST", "/members", key="old", json=self.ask()).status_code == 200
        world.watch.time += timedelta(days=1, seconds=1)
        admin._token = None
        assert admin.send("POST", "/members", key="old", json=self.ask()).status_code == 200
        with world.ledger.view() as kept:
            found = kept.answered(admin.subject, "old")
        assert found is not None
        assert found.at == world.watch.time

    def test_two_at_once_happen_once(self, admin: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
        """All have looked for an answer and found none, before the first of them acts."""
        together = threading.Barrier(3)
        members = type(admin.wire.broker.services.members)
        real = members.add

        def slow(service: Any, principal: Any, ask: Any) -> Any:
            together.wait(20)
            return real(service, principal, ask)

        monkeypatch.setattr(members, "add", slow)
        ask = self.ask()
        answers: list[bytes] = []

        def send(body: dict[str, str]) -> None:
            answers.append(admin.send("POST", "/members", key="k", json=body).content)

        with admin.wire.client:
            _ = admin.token
            threads = [threading.Thread(target=send, args=(ask,)) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(answers) == 3
        assert len(set(answers)) == 1
        assert b"b.second" in answers[0]
        assert len(admin.wire.world.records(json.loads(answers[0])["member"])) == 1

    def test_what_changed_nothing_takes_no_room(self, admin: Asker) -> None:
        ask = self.ask()
        first = admin.send("POST", "/members", json=ask)
        assert admin.send("POST", "/members", key="k", json=ask).content == first.content
        with admin.wire.world.ledger.view() as kept:
            assert kept.answered(admin.subject, "k") is None

    def test_an_answer_that_cannot_be_kept_takes_its_act_back(
        self, admin: Asker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise StorageUnavailable("full")

        monkeypatch.setattr(AnswerWriting, "remember_answer", full)
        assert admin.send("POST", "/members", key="k", json=self.ask()).status_code == 503
        monkeypatch.undo()
        assert self.count(admin) == 1


class TestWhatIsNamedByItsDocument:
    """It happens once, and no answer is kept: it takes no room, and gives nothing out again."""

    def send(self, asker: Asker, path: str, body: dict[str, Any]) -> None:
        first, again = (asker.send("POST", path, key="k", json=body) for _ in range(2))
        assert first.status_code == again.status_code == 200, again.text
        assert first.content == again.content
        with asker.wire.world.ledger.view() as kept:
            assert kept.answered(asker.subject, "k") is None

    def test_licenses(self, wire: Wire, clinic: Clinic, admin: Asker, manager: Asker) -> None:
        world = wire.world
        token = world.sign_license(clinic.party)
        self.send(admin, "/licenses", {"license": token})
        license = read_unverified(token, License).id
        self.send(manager, "/acceptances", {"acceptance": clinic.accept(license)})
        site = world.clinic("ward")
        self.send(manager, "/sublicenses", {"sublicense": clinic.narrow(license, site.party)})
        self.send(admin, "/revocations", {"revocation": world.revocation(license)})
        assert len(world.records(license)) == 4

    def test_packages(self, wire: Wire, admin: Asker) -> None:
        world = wire.world
        statement = world.statement()
        ask = world.package(statement)
        body = {"statement": ask.statement, "content_key": ask.content_key}
        self.send(admin, "/packages", body)
        self.send(admin, "/withdrawals", {"withdrawal": world.withdrawal(statement)})

    def test_usage_and_offline_files(self, wire: Wire, clinic: Clinic, runtime: Asker) -> None:
        machine = Machine.enrolled(wire.world, clinic, [Offline(hours=24, files=3)])
        self.send(runtime, "/checkouts", checkout(machine))
        machine.take()
        self.send(runtime, "/usage", {"usage": machine.report().token})

    def test_a_file_is_not_given_again_when_its_license_is_revoked(
        self, wire: Wire, clinic: Clinic, runtime: Asker
    ) -> None:
        machine = Machine.enrolled(wire.world, clinic, [Offline(hours=24, files=3)])
        body = checkout(machine)
        assert runtime.send("POST", "/checkouts", key="k", json=body).status_code == 200
        revocation = RevocationAsk(revocation=wire.world.revocation(machine.license))
        wire.world.licensing.revoke(wire.world.admin, revocation)
        again = runtime.send("POST", "/checkouts", key="k", json=body)
        assert (again.status_code, code_of(again)) == (403, "revoked")

    def test_the_same_acceptance_takes_no_room(
        self, wire: Wire, clinic: Clinic, manager: Asker, tmp_path: Path
    ) -> None:
        text = "x" * (1 << 19)
        digest = agreement_digest(text)
        license = wire.world.license(clinic, [Agreement(digest=digest)], text)
        body = {"acceptance": clinic.accept(license, digest)}
        assert manager.send("POST", "/acceptances", json=body).status_code == 200
        before = sum(each.stat().st_size for each in tmp_path.glob("broker.db*"))
        for _ in range(8):
            assert manager.send("POST", "/acceptances", json=body).status_code == 200
        assert sum(each.stat().st_size for each in tmp_path.glob("broker.db*")) - before < 1 << 20


def checkout(machine: Machine) -> dict[str, Any]:
    return {
        "license": machine.license,
        "package": machine.statement.package_digest,
        "nonce": secrets.token_hex(16),
        "until": None,
    }

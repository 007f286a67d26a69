"""Attacks that fill what others have to read. Each test is named after the claim it tries to break."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import msgspec
import pytest

from strongroom._limits import LIMITS
from strongroom.broker.ledger import Act
from strongroom.connection.https import HttpsTransport
from strongroom.connection.interface import Collect, Request, Response, Transport
from strongroom.errors import BrokerRefused
from strongroom.keys.identity import member_id, runtime_id
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.text import KeyKind
from strongroom.license.agreement import agreement_digest
from strongroom.license.documents import Party
from strongroom.license.terms import Agreement
from strongroom.log.entry import Kind
from strongroom.protocol.broker import AcceptanceAsk, SublicenseAsk
from tests.integration.served import Served, serving
from tests.unit.broker.services.hospital import Clinic, World, refused
from tests.unit.broker.services.machine import Desk, Machine


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A hospital with a broker."""
    world = World(tmp_path)
    yield world
    world.close()


def accepted(world: World, clinic: Clinic) -> str:
    """A license that its holder accepted."""
    license = world.license(clinic)
    world.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(license)))
    return license


def narrow(world: World, clinic: Clinic, parent: str, holder: Party) -> str:
    """Hand in a sub-license."""
    ask = SublicenseAsk(sublicense=clinic.narrow(parent, holder))
    return world.licensing.narrow(clinic.manager, ask).license


def stranger(name: str = "site") -> Party:
    """Somebody whom nobody has heard of."""
    return Party(name=name, organization=SigningKey.generate(KeyKind.ORGANIZATION).public_text)


class TestSublicenses:
    def test_a_partner_puts_a_bounded_number_on_the_list_of_whomever_it_names(self, world: World) -> None:
        clinic, victim = world.clinic(), world.clinic("victim")
        parent = accepted(world, clinic)
        signed = clinic.narrow(parent, victim.party)
        first = world.licensing.narrow(clinic.manager, SublicenseAsk(sublicense=signed)).license
        for _ in range(LIMITS.max_holder_sublicenses - 1):
            narrow(world, clinic, parent, victim.party)
        before = len(world.records())
        assert refused(lambda: narrow(world, clinic, parent, victim.party)) == "too-many-sublicenses"
        assert len(world.records()) == before
        # Another holder has room, the same one again changes nothing, and what is there works.
        narrow(world, clinic, parent, stranger())
        again = world.licensing.narrow(clinic.manager, SublicenseAsk(sublicense=signed))
        assert again.license == first
        world.licensing.accept(victim.manager, AcceptanceAsk(acceptance=victim.accept(first)))
        listed = world.licensing.page(victim.manager).licenses
        assert len(listed) == LIMITS.max_holder_sublicenses
        assert [each.license for each in listed if each.accepted_at is not None] == [first]

    def test_a_license_has_a_bounded_number_below_it_at_any_depth(self, world: World) -> None:
        clinic, site = world.clinic(), world.clinic("site")
        parent = accepted(world, clinic)
        sub = narrow(world, clinic, parent, site.party)
        world.licensing.accept(site.manager, AcceptanceAsk(acceptance=site.accept(sub)))

        def fill(act: Act) -> None:
            row = act.kept.license(sub)
            assert row is not None
            for number in range(LIMITS.max_sublicenses - 2):
                other = replace(row, license=f"sub-{number:024}", organization=f"org-{number:024}")
                act.kept.add_license(other)

        world.ledger.act(fill)
        below = narrow(world, site, sub, stranger())
        assert below.startswith("sub-")
        # Neither by the site nor by whoever gave it its part.
        assert refused(lambda: narrow(world, site, sub, stranger())) == "too-many-sublicenses"
        assert refused(lambda: narrow(world, clinic, parent, stranger())) == "too-many-sublicenses"

    def test_long_agreements_do_not_make_a_list_unreadable(self, world: World) -> None:
        clinic, victim = world.clinic(), world.clinic("victim")
        parent = accepted(world, clinic)
        # Nothing gets longer when it is quoted twice.
        text = '"' * (LIMITS.max_agreement_bytes - 1)
        made = set()
        for _ in range(5):
            signed = clinic.narrow(parent, victim.party, [Agreement(digest=agreement_digest(text))])
            ask = SublicenseAsk(sublicense=signed, agreement=text)
            made.add(world.licensing.narrow(clinic.manager, ask).license)
        for asker in (victim.manager, world.admin, clinic.manager):
            seen: list[str] = []
            after: str | None = ""
            while after is not None:
                page = world.licensing.page(asker, after=after)
                assert len(msgspec.json.encode(page)) < LIMITS.max_page_bytes + 100
                seen += [each.license for each in page.licenses]
                after = page.next
            assert made <= set(seen) or asker == clinic.manager
            assert len(seen) == len(set(seen))


class TestCopies:
    def test_a_copy_with_whatever_it_makes_up_fills_no_log(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        machine.take()
        before = len(world.records())
        fresh = replace(machine, lease=None)
        assert refused(fresh.take) == "clone-suspected"
        for letter in ascii_lowercase:
            previous = f"lea-{letter * 24}"
            assert refused(lambda previous=previous: fresh.take(previous=previous)) == "clone-suspected"  # type: ignore[misc] # bound early
        # Nor at another process of the broker, nor one that has just started.
        desk = Desk.at(world.ledger, world.keys)
        assert refused(replace(fresh, desk=desk).take) == "clone-suspected"
        assert [record.kind for record in world.records()[before:]] == [Kind.CLONE_ALARM]

    def test_copies_that_ask_at_the_same_time_fill_none(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        machine.take()
        start = threading.Barrier(3)

        def ask() -> None:
            start.wait()
            for _ in range(4):
                assert refused(replace(machine, lease=None).take) == "clone-suspected"

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        alarms = [record.kind for record in world.records(machine.lease_id)].count(Kind.CLONE_ALARM)
        assert alarms == 1


class Pocket(Transport):
    """Keeps what asks for licenses, with its good token and proof, instead of sending it."""

    def __init__(self, ca: str) -> None:
        self.wire = HttpsTransport(ca=ca)
        self.kept: list[bytes] = []

    def _send(self, request: Request, collect: Collect) -> Response:
        if not request.url.endswith("/v1/licenses"):
            return self.wire.send(request)
        head = ["GET /v1/licenses HTTP/1.1", "Host: broker"]
        head += [f"{name}: {value}" for name, value in request.headers.items()]
        self.kept.append("\r\n".join([*head, "", ""]).encode("ascii"))
        raise BrokerRefused("it is in the pocket")


class Mute:
    """A clinic that asks for the longest answer there is, over and over, and reads none."""

    def __init__(self, served: Served) -> None:
        self.served = served
        world = served.world
        for _ in range(3):
            world.grant_more(agreement="a" * (LIMITS.max_agreement_bytes // 2))
        self.pocket = Pocket(served.ca)
        device = world.clinic.keys.device(world.owner_id)
        self.line = served.client(runtime_id(device.public), device, self.pocket)
        # A nonce, and a token.
        self.line.revocations()

    def asks(self, number: int) -> bytes:
        self.pocket.kept.clear()
        for _ in range(number):
            with pytest.raises(BrokerRefused):
                self.line.licenses()
        return b"".join(self.pocket.kept)

    def connect(self, asks: int) -> ssl.SSLSocket:
        data = self.asks(asks)
        context = ssl.create_default_context(cadata=self.served.ca)
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        plain.settimeout(10)
        plain.connect(("127.0.0.1", self.served.port))
        connection = context.wrap_socket(plain, server_hostname="127.0.0.1")
        connection.sendall(data)
        return connection


@contextmanager
def mutes(
    folder: Path, *, connections: int, asks: int, **http: Any
) -> Iterator[tuple[Served, list[ssl.SSLSocket]]]:
    """A broker that is asked over so many connections, and whose answers nobody reads."""
    with serving(folder, **http) as served, ExitStack() as stack:
        mute = Mute(served)
        stack.callback(mute.pocket.wire.close)
        held = [stack.enter_context(mute.connect(asks)) for _ in range(connections)]
        # Until all of them are computed, and nothing more can be handed over.
        time.sleep(3)
        yield served, held


def owner_is_served(served: Served) -> float:
    """Ask as the owner over a new connection, once; returns the seconds."""
    key = served.world.hospital.keys.member()
    began = time.monotonic()
    with closing(served.client(member_id(key.public), key)) as owner:
        assert owner.members().members
    return time.monotonic() - began


class TestMutes:
    def test_whoever_reads_no_answer_holds_no_place(self, tmp_path: Path) -> None:
        patient = {"answer_seconds": 60.0, "keep_alive_seconds": 60}
        with mutes(tmp_path, connections=6, asks=4, max_requests=2, **patient) as (served, _):
            assert owner_is_served(served) < 5

    def test_whoever_reads_no_answer_loses_its_connection(self, tmp_path: Path) -> None:
        with mutes(tmp_path, connections=3, asks=2, answer_seconds=1.0, keep_alive_seconds=60) as (
            served,
            held,
        ):
            time.sleep(2)
            # It would still be told that more can be written, if it had not been cut off.
            for each in held:
                assert has_been_cut_off(each)
            assert owner_is_served(served) < 5

    def test_one_organization_that_holds_all_connections_keeps_nobody_out(self, tmp_path: Path) -> None:
        patient = {"answer_seconds": 60.0, "keep_alive_seconds": 60}
        with mutes(tmp_path, connections=12, asks=1, max_connections=8, **patient) as (served, _):
            assert owner_is_served(served) < 5
            # Neither idle nor read: the owner's own new connection is not what goes.
            assert owner_is_served(served) < 5


def has_been_cut_off(connection: ssl.SSLSocket) -> bool:
    """Read to where the other side went; an answer that is whole says nothing of the kind."""
    connection.settimeout(5)
    try:
        while connection.recv(1 << 16):
            continue
    except TimeoutError:
        return False
    except OSError:
        return True
    return True

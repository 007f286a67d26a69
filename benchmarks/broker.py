"""What a broker costs: durable lease grants against the bare limit, and licenses for many partners.

    .venv/bin/python -m benchmarks.broker                 # everything
    .venv/bin/python -m benchmarks.broker grants          # one part: grants, profile, partners

* ``grants``: renewals of leases under counted licenses, each with its usage report, by 1, 8 and 32
  clients in this process, on SQLite and on PostgreSQL, against ``bare_grants`` in turn. What clients
  sign is signed before, and not measured. Not counted on either side: the CPU of the PostgreSQL server.
* ``profile``: where the time of one grant goes, by cProfile, which makes Python look dearer than it is.
* ``partners``: a license for each of a thousand partners.
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.bare_grants import BareGrants, postgresql_commit, sqlite_commit
from benchmarks.timing import header, row
from strongroom.crypto import jws
from strongroom.license.documents import Lease, Usage
from strongroom.license.period import CounterName, Period
from strongroom.license.signing import read_unverified
from strongroom.license.terms import Predictions, Runtimes
from strongroom.protocol.broker import LeaseAnswer, LeaseAsk, LicenseAsk
from tests.broker_scene import Machine, Partner, Scene
from tests.servers.postgresql import PostgreSql

CLIENTS = (1, 8, 32)
CLINICS, MACHINES = 32, 8
"""Each clinic has one license for its machines."""
ROUNDS = 9
"""Renewals of every machine."""
PARTNERS = 1000

Grant = Callable[[], object]
"""One grant; everything that the client computes is ready."""
Take = Callable[[Machine, LeaseAsk], LeaseAnswer]
"""One way to take a lease."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement: CPU of a grant and its latency, in seconds, and grants in a second."""

    cpu: float
    rate: float
    p50: float
    p99: float


def _measure(grants: Sequence[Grant], clients: int) -> Measured:
    """Let so many clients take the grants, all at once."""
    latencies: list[float] = []

    def client(share: Sequence[Grant]) -> None:
        for grant in share:
            start = time.perf_counter()
            grant()
            latencies.append(time.perf_counter() - start)

    with ThreadPoolExecutor(clients) as pool:
        cpu, wall = time.process_time(), time.perf_counter()
        list(pool.map(client, [grants[number::clients] for number in range(clients)]))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    latencies.sort()
    count = len(latencies)
    return Measured(cpu / count, count / wall, latencies[count // 2], latencies[int(count * 0.99)])


def _middle(measured: Sequence[Measured]) -> Measured:
    return sorted(measured, key=lambda one: one.cpu)[len(measured) // 2]


class Renewals:
    """Machines of many clinics, each with a lease; every round renews all of them once."""

    def __init__(self, folder: Path, url: str, clinics: int = CLINICS) -> None:
        self.scene = Scene.build(folder, url)
        self.package = self.scene.publish()
        self._held = [
            (machine, license_id)
            for partner, license_id in map(self._clinic, range(clinics))
            for machine in partner.machines
        ]
        self.take: Take = self._take_here
        """How a lease is taken."""
        self._used = {(CounterName.PREDICTIONS, Period.MONTH.key(self.scene.now)): 3}
        self._answers: dict[str, tuple[LeaseAsk, LeaseAnswer]] = {}
        _measure(self.round(), 1)

    @property
    def first(self) -> Machine:
        """One machine."""
        return self._held[0][0]

    @property
    def answer(self) -> LeaseAnswer:
        """What one machine was answered last."""
        return self._answers[self.first.id][1]

    def _clinic(self, number: int) -> tuple[Partner, str]:
        partner = self.scene.add_partner(f"clinic-{number}", MACHINES)
        terms = Predictions(limit=1_000_000_000, per=Period.MONTH), Runtimes(limit=MACHINES)
        return partner, self.scene.grant(partner, *terms)

    def round(self) -> list[Grant]:
        """Sign the next request of each machine, with its report."""
        grants: list[Grant] = []
        for machine, license_id in self._held:
            if machine.id in self._answers:
                ask, answer = self._answers[machine.id]
                machine.previous = read_unverified(answer.lease, Lease).id
                machine.usage = None if ask.usage is None else read_unverified(ask.usage, Usage).id
            ask = self.scene.request(machine, license_id, self.package, used=self._used)
            grants.append(partial(self._take, machine, ask))
        return grants

    def _take(self, machine: Machine, ask: LeaseAsk) -> None:
        self._answers[machine.id] = ask, self.take(machine, ask)

    def _take_here(self, machine: Machine, ask: LeaseAsk) -> LeaseAnswer:
        return self.scene.services.leasing.take(machine.principal, ask)


def grants() -> None:
    """Print the ratio of broker and bare loop."""
    header(
        "database",
        "clients",
        "leases/s",
        "p50, ms",
        "p99, ms",
        "CPU, us",
        "bare, leases/s",
        "bare CPU, us",
        "ratio",
    )
    with PostgreSql.started() as server:
        for database in ("SQLite", "PostgreSQL"):
            with _both(database, server) as (renewals, bare):
                _compare(database, renewals, bare)


@contextmanager
def _both(database: str, server: PostgreSql | None) -> Iterator[tuple[Renewals, BareGrants]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if database == "SQLite" or server is None:
            url, commit = f"sqlite:///{folder / 'broker.db'}", sqlite_commit(str(folder / "bare.db"))
        else:
            url, commit = server.new_database(), postgresql_commit(server.new_database())
        renewals = Renewals(folder, url)
        machine = renewals.first
        bare = BareGrants(
            commit, machine.device.public, machine.worker.secret.public, machine.sealing.secret.public
        )
        # As ``broker run`` does; the limit shares the process, and what it gains.
        gc.collect()
        gc.freeze()
        try:
            yield renewals, bare
        finally:
            bare.close()
            renewals.scene.close()


def _compare(database: str, renewals: Renewals, bare: BareGrants) -> None:
    # Of the size of a request and of a report.
    tokens = [
        jws.sign("strongroom-bare+jws", bytes(size), renewals.first.device.secret) for size in (470, 325)
    ]
    count = CLINICS * MACHINES
    for clients in CLIENTS:
        ours, limits = [], []
        for _ in range(ROUNDS):
            ours.append(_measure(renewals.round(), clients))
            limits.append(_measure([partial(bare.grant, tokens)] * count, clients))
        mine, limit = _middle(ours), _middle(limits)
        row(
            database,
            clients,
            f"{mine.rate:.0f}",
            f"{mine.p50 * 1e3:.1f}",
            f"{mine.p99 * 1e3:.1f}",
            f"{mine.cpu * 1e6:.0f}",
            f"{limit.rate:.0f}",
            f"{limit.cpu * 1e6:.0f}",
            f"{limit.cpu / mine.cpu:.2f}",
        )


_PLACES = {
    "cryptography": ("cryptography", "joserfc", "blake3", "hashlib", "hazmat", "_hashlib"),
    "database driver": ("sqlite3", "psycopg"),
    "SQLAlchemy": ("sqlalchemy",),
    "JSON and base64": ("msgspec", "json", "base64", "binascii"),
    "waiting": ("lock", "acquire", "wait"),
}


def profile() -> None:
    """Print where the time of grants goes, in the client's thread and the ledger's."""
    profiles: list[cProfile.Profile] = []
    run = threading.Thread.run

    def profiled(self: threading.Thread) -> None:
        mine = cProfile.Profile()
        profiles.append(mine)
        mine.runcall(run, self)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        renewals = Renewals(folder, f"sqlite:///{folder / 'broker.db'}")
        renewals.scene.close()
        threading.Thread.run = profiled  # type: ignore[method-assign] # the ledger starts its own thread
        try:
            renewals.scene = renewals.scene.reopen()
            ready = renewals.round()
            mine = cProfile.Profile()
            for grant in ready:
                mine.runcall(grant)
            renewals.scene.close()
        finally:
            threading.Thread.run = run  # type: ignore[method-assign] # as it was
        _print_profile([mine, *profiles], len(ready))


def _print_profile(profiles: list[cProfile.Profile], count: int) -> None:
    stats = pstats.Stats(profiles[0])
    for other in profiles[1:]:
        stats.add(other)
    shares: dict[str, float] = defaultdict(float)
    tops: dict[str, tuple[float, int]] = {}
    for (file, line, function), (_, calls, own, _, _) in stats.stats.items():  # type: ignore[attr-defined] # untyped
        shares[_place(file, function)] += own
        tops[f"{Path(file).name}:{line} {function}"] = (own, calls)
    shares.pop("waiting", None)
    total = sum(shares.values())
    header("where", "us a grant", "share")
    for where, own in sorted(shares.items(), key=lambda item: -item[1])[:14]:
        row(where, f"{own / count * 1e6:.0f}", f"{own / total:.0%}")
    print()
    header("function", "us a grant", "calls a grant")
    for what, (own, calls) in sorted(tops.items(), key=lambda item: -item[1][0])[:25]:
        row(what, f"{own / count * 1e6:.0f}", f"{calls / count:.1f}")


def _place(file: str, function: str) -> str:
    text = f"{file} {function}".lower()
    for place, words in _PLACES.items():
        if any(word in text for word in words):
            return place
    if "/strongroom/" in file:
        return "strongroom/" + file.partition("/strongroom/")[2].partition("/")[0]
    return "other Python"


def partners() -> None:
    """Print the time to sign and hand in a license for each of a thousand partners."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = Scene.build(folder, f"sqlite:///{folder / 'broker.db'}")
        scene.publish()
        known = [scene.add_partner(f"clinic-{number}") for number in range(PARTNERS)]
        terms = Predictions(limit=1000, per=Period.DAY)
        start = time.perf_counter()
        signed = [scene.sign_license(partner, terms) for partner in known]
        middle = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda token: scene.services.licensing.grant(scene.admin, LicenseAsk(license=token)),
                    signed,
                )
            )
        end = time.perf_counter()
        header("partners", "signing, s", "handing in, s", "packages encrypted again")
        row(PARTNERS, f"{middle - start:.1f}", f"{end - middle:.1f}", 0)
        scene.close()


_PARTS = {"grants": grants, "profile": profile, "partners": partners}


def main() -> None:
    """Print all tables, or those that were asked for."""
    # Run by ``benchmarks.run``, the arguments are not for this script.
    for name in [word for word in sys.argv[1:] if word in _PARTS] or _PARTS:
        print(f"### {name}\n")
        _PARTS[name]()
        print()


if __name__ == "__main__":
    main()

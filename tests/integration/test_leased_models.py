"""``strongroom.open`` with a broker: real processes, real TLS, real outages."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.connection.https import HttpsTransport
from strongroom.connection.interface import Request
from strongroom.crypto import certificate
from strongroom.errors import BrokerUnavailable, LicenseDenied, VerificationError
from strongroom.home import tls
from strongroom.keys.invite import BrokerAddress
from strongroom.leasing import check_out, runtime_client
from strongroom.license.period import Period
from strongroom.license.request import Right
from strongroom.license.terms import Expires, Explanations, Grace, Offline, Predictions, Rate, Rights
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Kind
from strongroom.log.proof import Proof
from tests.integration.connect_proxy import proxying
from tests.integration.served import Served, serving
from tests.parties import right_now, sample

HUNDRED = Predictions(limit=100, per=Period.TOTAL)
END = datetime(2099, 1, 1, tzinfo=UTC)
GRACE = Grace(hours=24, predictions=20)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, HUNDRED, GRACE, Expires(at=END)) as served:
        yield served


def kinds_in_log(served: Served) -> list[Kind]:
    records = served.world.admin.records().records
    extras = [Proof.from_bytes(each.proof.encode("utf-8")).extra for each in records]
    return [Disclosure.from_bytes(extra).record.kind for extra in extras if extra is not None]


def test_a_model_is_opened_by_a_lease_without_any_change_in_the_program(served: Served) -> None:
    with served.open() as model:
        assert model.predict(sample()).shape == (8,)
        assert model.info.remaining is not None
        assert model.info.lease_ends is not None
        # The end of the license, and not that of a lease which is renewed by itself.
        assert model.info.expires == END
    assert served.world.used_at_broker() == 8


def test_a_table_with_more_rows_than_a_slice_is_answered(served: Served) -> None:
    with served.open() as model:
        assert model.info.remaining is not None
        assert model.info.remaining < 80
        assert model.predict(sample(80)).shape == (80,)
        with pytest.raises(LicenseDenied):
            model.predict(sample(21))
        assert model.predict(sample(19)).shape == (19,)
    assert served.world.used_at_broker() == 99


def test_a_rate_is_held_whichever_program_of_the_runtime_asks(tmp_path: Path) -> None:
    """The license comes from the broker, the window is the runtime's: a new program finds it as full."""
    with serving(tmp_path, HUNDRED, GRACE, Rate(limit=10, seconds=3600)) as served:
        with served.open() as model:
            assert model.predict(sample(7)).shape == (7,)
            with pytest.raises(LicenseDenied) as denied:
                model.predict(sample(4))
            assert denied.value.code == "rate-exceeded"
            assert model.predict(sample(2)).shape == (2,)
        with served.open() as model:
            with pytest.raises(LicenseDenied) as denied:
                model.predict(sample(2))
            assert denied.value.code == "rate-exceeded"
            assert model.predict(sample(1)).shape == (1,)
        # What was refused is not counted.
        assert served.world.used_at_broker() == 10


def test_a_model_opens_again_while_the_broker_is_down(served: Served) -> None:
    with served.open() as model:
        model.predict(sample())
    served.stop()
    with served.open() as model:
        assert model.predict(sample(3)).shape == (3,)
    served.start()
    with served.open() as model:
        model.predict(sample(1))
    assert served.world.used_at_broker() == 12


def test_a_model_goes_on_when_the_broker_goes_down_and_comes_back(served: Served) -> None:
    with served.open() as model:
        model.predict(sample(2))
        served.stop()
        model.predict(sample(2))
        served.start()
        model.predict(sample(2))
    with served.open():
        pass
    assert served.world.used_at_broker() == 6


def test_a_checked_out_file_works_where_the_broker_does_not_answer_and_a_lease_where_it_does(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, HUNDRED, Offline(hours=48, files=1)) as served:
        world = served.world
        opening = world.opening()
        with closing(runtime_client(world.clinic, world.owner_id, clock=right_now)) as client:
            file = check_out(
                world.clinic,
                client,
                world.owner_id,
                license=opening.chain.id,
                package=opening.statement.package_digest,
            )
        served.stop()
        with served.open() as model:
            assert model.predict(sample(3)).shape == (3,)
        assert [count for key, count in world.counts_here().items() if key.document == file.id] == [3]
        served.start()
        with served.open() as model:
            model.predict(sample(2))
        assert world.used_at_broker() == 2
        world.revoke()
        with pytest.raises(LicenseDenied):
            served.open()
        served.stop()
        # It stands for hours yet, and the broker was heard.
        with pytest.raises(LicenseDenied):
            served.open()


def test_a_revoked_license_opens_nothing(served: Served) -> None:
    with served.open() as model:
        model.predict(sample(1))
    served.world.revoke()
    with pytest.raises(LicenseDenied) as caught:
        served.open()
    assert caught.value.code == "revoked"
    served.stop()
    with pytest.raises(LicenseDenied):
        served.open()


def test_a_program_that_never_met_the_broker_hears_that_it_is_down(served: Served) -> None:
    served.stop()
    with pytest.raises(BrokerUnavailable):
        served.open()


@pytest.mark.parametrize("fatal", [1, 2])
def test_a_program_that_is_killed_while_it_renews_asks_the_same_again(served: Served, fatal: int) -> None:
    with served.open() as model:
        model.predict(sample(5))
    world = served.world
    program = textwrap.dedent(
        """
        import os, signal, sys
        from datetime import UTC, datetime
        from pathlib import Path
        from strongroom.home.boot_clock import OnlineClock, SystemBoot
        from strongroom.home.home import Home
        from strongroom.home.leases import Leases
        from strongroom.keys.key_pair import SealingKey
        from strongroom.leasing import Leaseholder, runtime_client
        from strongroom.opening import open_model

        fatal, write, done = int(sys.argv[2]), Leases.write, []

        def counted(self, place, record):
            done.append(1)
            if len(done) == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            write(self, place, record)

        Leases.write = counted
        wall = lambda: datetime.now(UTC)
        home = Home.open(Path(sys.argv[1]))
        opening = open_model(home, "risk", now=wall())
        client = runtime_client(home, opening.owner.id, clock=wall)
        holder = Leaseholder(home, opening, client, OnlineClock(wall=wall, boot=SystemBoot()))
        holder.take(SealingKey.generate().public_text)
        """
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(world.clinic.path), str(fatal)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    with served.open() as model:
        model.predict(sample(1))
    assert served.world.used_at_broker() == 6
    assert Kind.CLONE_ALARM not in kinds_in_log(served)


def test_who_has_another_certificate_is_not_the_broker(served: Served, tmp_path: Path) -> None:
    other = tls.OwnAuthority(tmp_path / "other", "mallory", ())
    other.ensure(right_now())
    address = BrokerAddress(url=served.world.url, ca=other.authority.decode("ascii"))
    served.world.clinic.brokers.keep(served.world.owner_id, address)
    with pytest.raises(VerificationError) as caught:
        served.open()
    assert caught.value.code == "broker-certificate"


def test_a_clock_that_makes_the_certificate_end_is_an_outage_with_a_name(served: Served) -> None:
    """Setting this machine's clock must not be what stops its models, nor what looks like an attack."""
    with served.open() as model:
        model.predict(sample(2))
    served.stop()
    folder = served.own.certificate_path.parent
    authority = certificate.Identity(
        (folder / "authority.pem").read_bytes(), (folder / "authority.key").read_bytes()
    )
    ended = certificate.issue(authority, hosts=(), now=right_now() - timedelta(days=certificate.SERVER_DAYS))
    served.own.certificate_path.write_bytes(ended.certificate + authority.certificate)
    served.own.key_path.write_bytes(ended.key)
    served.start()
    with served.open() as model:
        assert model.predict(sample(3)).shape == (3,)
    with pytest.raises(VerificationError) as caught:
        HttpsTransport(ca=served.own.authority.decode("ascii")).send(
            Request(method="GET", url=f"{served.world.url}/v1/owner")
        )
    assert caught.value.code == "broker-certificate-time"


def test_the_proxy_of_the_environment_is_used_and_sees_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        transport = HttpsTransport(ca=served.own.authority.decode("ascii"))
        assert transport.send(Request(method="GET", url=f"{served.world.url}/v1/owner")).is_success
        transport.close()
    assert proxy.asked == [f"127.0.0.1:{served.port}"]
    assert b"owner" not in b"".join(proxy.passed)


def test_a_broker_that_is_not_there_is_unavailable(served: Served) -> None:
    served.stop()
    transport = HttpsTransport(ca=served.own.authority.decode("ascii"), connect_seconds=1)
    with pytest.raises(BrokerUnavailable):
        transport.send(Request(method="GET", url=f"{served.world.url}/v1/owner"))


def test_explanations_under_a_lease_stop_at_their_own_budget(tmp_path: Path) -> None:
    terms = [Rights(rights=(Right.EXPLAIN, Right.PREDICT)), HUNDRED, Explanations(limit=9, per=Period.TOTAL)]
    with serving(tmp_path, *terms) as served:
        with served.open() as model:
            assert model.info.explains
            # Slice after slice, to the last row.
            for _ in range(9):
                model.explain(sample(1))
            with pytest.raises(LicenseDenied) as caught:
                model.explain(sample(1))
            assert caught.value.code == "explanations-used-up"
            assert model.predict(sample(80)).shape == (80,)
        usage = served.world.admin.usage().usage
        used = {each.counter: each.used for each in usage}
        assert used == {"explanations": 9, "predictions": 89}

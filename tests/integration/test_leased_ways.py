"""Whole models under leases by ways that partners have: through a proxy, and as plain files by a right."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.client.exporting import export
from strongroom.errors import BrokerUnavailable, LicenseDenied
from strongroom.license.period import Period
from strongroom.license.request import Right
from strongroom.license.terms import Grace, Predictions, Rights
from tests.integration.connect_proxy import proxying
from tests.integration.served import Served, serving
from tests.parties import sample

HUNDRED = Predictions(limit=100, per=Period.TOTAL)
VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def predict(served: Served, rows: int) -> None:
    with served.open() as model:
        assert model.predict(sample(rows)).shape == (rows,)


def test_a_model_predicts_under_a_lease_that_came_through_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path, HUNDRED) as served, proxying() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        predict(served, 8)
        assert served.world.used_at_broker() == 8
        assert set(proxy.asked) == {f"127.0.0.1:{served.port}"}
        seen = b"".join(proxy.passed)
        assert len(seen) > 1000
        # Of what it passes on it sees nothing but TLS.
        for word in (b"/v1/leases", b"DPoP", b"access_token", served.world.owner_id.encode()):
            assert word not in seen


def test_a_host_in_no_proxy_is_reached_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, HUNDRED) as served, proxying() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        predict(served, 8)
        assert served.world.used_at_broker() == 8
        assert proxy.asked == []


def test_a_proxy_that_is_down_is_an_outage_with_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path, HUNDRED, Grace(hours=24, predictions=20)) as served:
        with proxying() as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(BrokerUnavailable) as caught:
            served.open()
        assert "proxy" in f"{caught.value} {caught.value.hint}"
        monkeypatch.delenv("HTTPS_PROXY")
        predict(served, 2)
        # Once there was a lease, the proxy's end is what a broker's is: the lease goes on.
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        predict(served, 2)


def test_a_model_is_exported_under_a_lease_where_the_license_gives_the_right(tmp_path: Path) -> None:
    rights = Rights(rights=tuple(sorted({Right.PREDICT, Right.EXPORT})))
    with serving(tmp_path / "with", HUNDRED, rights) as served:
        exported = export("risk", tmp_path / "plain", home=served.world.clinic.path)
        assert any(each.stat().st_size for each in Path(exported.folder).rglob("*") if each.is_file())


def test_a_model_is_not_exported_under_a_lease_without_the_right(tmp_path: Path) -> None:
    with serving(tmp_path / "without", HUNDRED) as served:
        with pytest.raises(LicenseDenied):
            export("risk", tmp_path / "plain", home=served.world.clinic.path)
        assert not (tmp_path / "plain").exists()

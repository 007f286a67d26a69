"""``strongroom client``, and what ``strongroom run`` says to those who connect a network."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.cli._network import document_of, rows_of
from strongroom.cli._shared import Shared
from strongroom.cli.run import _renew
from strongroom.errors import StorageUnavailable
from strongroom.home.home import Home
from strongroom.home.tls import Material
from strongroom.serving.network import NetworkIdentity
from tests.unit.cli.conftest import Party


def test_a_token_is_shown_once_and_its_client_is_listed_until_it_is_removed(clinic: Party) -> None:
    assert clinic.run("client", "list", "--json").json == {"clients": []}
    made = clinic.run("client", "add", "ward-3", "--expires", "1y", "--json").json
    token = made["token"]
    assert token.startswith("srt_")
    assert made["expires_at"] > made["name"][:0]
    Home.open(clinic.home).client_tokens.note_use("ward-3")
    clinic.run("client", "add", "ward-4")
    text = clinic.run("client", "list").text
    assert "ward-3" in text
    assert token[4:] not in text
    listed = clinic.run("client", "list", "--json").json["clients"]
    assert [each["last_used_at"] is None for each in listed] == [False, True]
    assert [each["expires_at"] is None for each in listed] == [False, True]
    clinic.run("client", "remove", "ward-3")
    clinic.run("client", "remove", "ward-3", code=3)
    clinic.run("client", "add", "ward-4", code=2)


def test_one_that_has_expired_says_so(clinic: Party) -> None:
    now = datetime.now(UTC)
    tokens = Home.open(clinic.home).client_tokens
    tokens.add("ward-3", expires_at=now - timedelta(days=1), now=now)
    assert "(over)" in clinic.run("client", "list").text


@pytest.mark.parametrize(
    "options",
    [
        ["--socket", "a.sock", "--listen", "127.0.0.1:0"],
        ["--socket", "a.sock", "--name", "a"],
        ["--socket", "a.sock", "--new-token"],
        ["--socket-group", "users"],
        ["--listen", "0.0.0.0:0", "--new-token"],
        ["--name", "a", "--new-token"],
    ],
)
def test_options_that_do_not_fit_together(clinic: Party, options: list[str]) -> None:
    outcome = clinic.run("run", "risk", *options, code=2)
    assert "[listen-or-socket]" in outcome.stderr


def identity_of(authority: Path | None) -> NetworkIdentity:
    def refuse() -> bool:
        raise StorageUnavailable("cannot write: no space left", code="disk-full")

    material = Material(Path("server.pem"), Path("server.key"), b"", refuse)
    return NetworkIdentity(("risk.example", "192.0.2.1"), material, authority, "AB:CD")


def test_what_clients_trust_is_said_with_lines_to_paste() -> None:
    identity = identity_of(Path("/srv/strongroom-authority.crt"))
    rows = dict(rows_of(identity, "https://risk.example:8443", "risk"))
    assert rows["fingerprint"] == "SHA-256 AB:CD"
    target = "https://risk.example:8443/v2/models/risk"
    assert f"curl --cacert strongroom-authority.crt -H @- {target}" in rows["curl"]
    assert rows["Windows, once"].startswith("Import-Certificate -FilePath strongroom-authority.crt ")
    assert rows["PowerShell"].startswith(f"Invoke-RestMethod {target} ")
    assert document_of(identity)["authority_sha256"] == "AB:CD"


def test_a_certificate_of_the_operators_own_needs_no_file() -> None:
    rows = dict(rows_of(identity_of(None), "https://risk.example:8443", "risk"))
    assert rows["certificate"] == "SHA-256 AB:CD"
    assert "--cacert" not in rows["curl"]
    assert not {"authority", "Windows, once"} & set(rows)
    assert document_of(identity_of(None))["authority_file"] is None


def test_a_certificate_that_cannot_be_renewed_now_ends_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    _renew(Shared(), identity_of(None), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert (
        "the certificate was not renewed: cannot write: no space left [disk-full]" in capsys.readouterr().err
    )

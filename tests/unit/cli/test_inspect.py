"""Every kind of file is explained without a key, and marked as unverified."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom.cli.inspect.license import _budget
from strongroom.license.period import CounterName, Period
from strongroom.license.request import Budget
from tests.scenarios.command_line import run_in_process
from tests.unit.cli.conftest import Party, Scene


def inspect(path: Path, code: int = 0) -> str:
    outcome = run_in_process(["inspect", str(path)])
    assert outcome.code == code, outcome
    return outcome.text


@pytest.fixture
def folder(scene: Scene) -> Path:
    return scene.grant("--predictions", "1000/month", "--answers", "rounded:2")


def test_every_explanation_says_that_nothing_was_verified(scene: Scene, folder: Path) -> None:
    files = [
        folder / "clinic.license",
        folder / "risk-1.0.0.sealed",
        folder / "risk-1.0.0.sealed.sig",
        scene.enrollment,
        scene.hospital.path("clinic.invite"),
        scene.clinic.home / "keys" / "organization.key",
    ]
    kinds = []
    for path in files:
        assert "UNVERIFIED" in inspect(path)
        document = run_in_process(["inspect", str(path), "--json"]).json
        assert document["verified"] is False
        kinds.append(document["kind"])
    assert kinds == ["license", "package", "signature", "enrollment", "invite", "key"]


def test_a_license_is_told_in_sentences(folder: Path) -> None:
    text = inspect(folder / "clinic.license")
    assert "From hospital to clinic" in text
    assert "At most 1,000 in each month" in text
    assert "Numbers are rounded to 2 decimals" in text
    assert "A key for runtime run-" in text
    assert "1,000 predictions per month" in text


def test_a_narrowed_license_shows_both_documents(scene: Scene, tmp_path: Path) -> None:
    scene.accept(scene.grant("--right", "predict", "--right", "sublicense"))
    identity = scene.clinic.run("license", "list", "--json").json["licenses"][0]["license"]
    target = tmp_path / "site.license"
    scene.clinic.run(
        "license", "narrow", identity, scene.enrollment, "--expires", "30d", "-o", target,
        "--fingerprint", scene.fingerprint,
    )  # fmt: skip
    assert "Sub-license" in inspect(target)
    (child,) = run_in_process(["inspect", str(target), "--json"]).json["sublicenses"]
    assert child["parent"] == identity


def test_a_license_with_a_passphrase_and_an_agreement_says_so(scene: Scene, tmp_path: Path) -> None:
    agreement = tmp_path / "agreement.txt"
    agreement.write_text("Be kind.\n", encoding="utf-8")
    secret = tmp_path / "secret"
    secret.write_text("seven maple trams orbit quietly\n", encoding="utf-8")
    folder = scene.grant("--agreement", agreement, "--license-passphrase-file", secret)
    text = inspect(folder / "clinic.license")
    assert "A key under a pass-phrase until" in text
    assert "The text comes with the file, 9 characters" in text


def test_a_secret_key_is_named_and_not_shown(scene: Scene) -> None:
    path = scene.hospital.home / "keys" / "organization.key"
    secret = path.read_text(encoding="ascii").splitlines()[-1]
    text = inspect(path)
    assert "a secret key, organization" in text
    assert secret not in text
    assert secret.rpartition(".")[2][:8] not in text


def test_a_document_can_come_from_stdin(scene: Scene) -> None:
    outcome = run_in_process(["inspect", "-"], stdin=scene.enrollment.read_bytes())
    assert "a partner's answer to an invitation" in outcome.text
    assert scene.fingerprint in outcome.text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"{}",
        b"[]",
        b"7",
        b'{"format": "other/v1"}',
        b'{"format": 7}',
        b'{"format": "invite-file/v1"}',
        b'{"mediaType": 1, "dsseEnvelope": {}}',
        b"# strongroom",
        b"# strongroom key",
        b"strongroom package",
        b"[" * 100_000,
    ],
)
def test_what_is_no_file_of_ours_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert inspect(path, code=6) == ""


def test_a_cut_package_is_refused(folder: Path, tmp_path: Path) -> None:
    data = (folder / "risk-1.0.0.sealed").read_bytes()
    path = tmp_path / "cut.sealed"
    for size in (1, 32, 40, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        inspect(path, code=6)


def test_a_missing_file_is_not_found(hospital: Party, tmp_path: Path) -> None:
    assert "[not-found]" in hospital.run("inspect", tmp_path / "none", code=3).stderr


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_explained_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert run_in_process(["inspect", str(path)]).code in {0, 6}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_changed_license_is_explained_or_refused(
    tmp_path_factory: pytest.TempPathFactory, license_bytes: bytes, place: int, bit: int
) -> None:
    data = bytearray(license_bytes)
    data[place % len(data)] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "changed.license"
    path.write_bytes(data)
    assert run_in_process(["inspect", str(path)]).code in {0, 6}


@pytest.fixture
def license_bytes(folder: Path) -> bytes:
    return (folder / "clinic.license").read_bytes()


def test_the_key_under_which_content_keys_rest_is_explained_without_showing_it(scene: Scene) -> None:
    path = scene.hospital.home / "keys" / "kek.key"
    said = scene.hospital.run("inspect", path)
    assert "a secret key, key-encryption" in said.text
    secret = path.read_text(encoding="ascii").splitlines()[-1].rpartition(".")[2]
    assert secret not in said.text


def test_a_folder_is_answered_with_a_file_in_it(folder: Path, scene: Scene, tmp_path: Path) -> None:
    said = scene.clinic.run("inspect", folder, code=2).stderr
    assert "[is-folder]" in said
    assert ".license" in said
    (tmp_path / "empty").mkdir()
    assert "clinic.license" in scene.clinic.run("inspect", tmp_path / "empty", code=2).stderr


def test_a_limit_of_later_periods_is_shown() -> None:
    entry = Budget(counter=CounterName.PREDICTIONS, limit=2, per=Period.DAY, later=40)
    assert _budget(entry) == "2 predictions per day (40 in each later one)"
    alone = Budget(counter=CounterName.PREDICTIONS, limit=2, per=Period.DAY)
    assert _budget(alone) == "2 predictions per day"

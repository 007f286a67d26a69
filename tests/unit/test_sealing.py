"""Sealing into the owner's home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sklearn.base import BaseEstimator

from strongroom import sealing
from strongroom.errors import StorageUnavailable, UnsupportedError, UsageError, VerificationError
from strongroom.founding import own_owner
from strongroom.home.home import Home
from strongroom.home.packages import Packages
from strongroom.keys.owner import Role
from strongroom.package.inspect import verify_package
from strongroom.provenance.openssf import digest_file, verify_bundle
from strongroom.sealing import seal
from strongroom.storage.local import LocalSource
from tests.parties import found_owner, found_partner, right_now, sample, seal_model, trained_pipeline


@pytest.fixture
def hospital(tmp_path: Path) -> Home:
    return found_owner(tmp_path, "hospital")


def package_files(home: Home) -> list[str]:
    return sorted(path.name for path in (home.path / "packages").rglob("*") if path.is_file())


def test_a_sealed_package_verifies_with_the_owners_keys_and_has_a_bundle(hospital: Home) -> None:
    sealed = seal_model(hospital)
    owner = own_owner(hospital)
    keys = owner.keys_for(Role.PACKAGE, right_now())
    with LocalSource(sealed.path) as source:
        statement = verify_package(source, keys, owner=owner.id)
        verify_bundle(Path(f"{sealed.path}.sig").read_bytes(), digest_file(source), keys)
    assert statement.package_digest == sealed.package_digest
    assert (sealed.name, sealed.version, sealed.loader) == ("risk", "1.0.0", "skops")
    assert package_files(hospital) == ["risk-1.0.0.sealed", "risk-1.0.0.sealed.sig"]


def test_the_round_trip_is_proven_on_the_sample(hospital: Home) -> None:
    difference = seal_model(hospital).difference
    assert difference is not None
    assert difference.is_equal
    assert "predict_proba" in difference.methods


def test_without_a_sample_nothing_is_compared(hospital: Home) -> None:
    assert seal(trained_pipeline(), name="risk", home=hospital.path).difference is None


def test_a_converted_model_says_how_much_it_differs(hospital: Home) -> None:
    sealed = seal(trained_pipeline(), name="risk", sample=sample(), home=hospital, convert="onnx")
    assert sealed.loader == "onnx"
    assert sealed.difference is not None
    assert sealed.difference.labels == 0
    assert 0 < sealed.difference.largest < 1e-5


def test_versions_go_up_by_themselves_and_name_the_one_before(hospital: Home) -> None:
    first, second = seal_model(hospital), seal_model(hospital)
    assert (first.version, second.version) == ("1.0.0", "1.1.0")
    owner = own_owner(hospital)
    with LocalSource(second.path) as source:
        statement = verify_package(source, owner.keys_for(Role.PACKAGE, right_now()), owner=owner.id)
    assert statement.previous == first.package_digest


@pytest.mark.parametrize(("version", "code"), [("2.0.0", "version-exists"), ("1.9.9", "version-not-higher")])
def test_versions_never_go_down(hospital: Home, version: str, code: str) -> None:
    seal_model(hospital, version="2.0.0")
    with pytest.raises(UsageError) as caught:
        seal_model(hospital, version=version)
    assert caught.value.code == code


def test_a_copy_that_answers_otherwise_is_not_kept(hospital: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stubborn:
        def predict(self, inputs: dict[str, Any], method: str) -> dict[str, Any]:
            return {}

    monkeypatch.setattr(sealing, "load_model", lambda package: Stubborn())
    with pytest.raises(VerificationError) as caught:
        seal_model(hospital)
    assert caught.value.code == "round-trip"
    assert package_files(hospital) == []
    assert hospital.vault.seals.all() == []


def test_a_full_disk_leaves_nothing_under_the_final_name(
    hospital: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(home: Home, *arguments: object) -> None:
        raise StorageUnavailable("the disk is full", code="disk-full")

    monkeypatch.setattr("strongroom.home.content_keys.ContentKeys.save", full)
    with pytest.raises(StorageUnavailable):
        seal_model(hospital)
    assert package_files(hospital) == []
    monkeypatch.undo()
    assert seal_model(hospital).version == "1.0.0"


def test_what_a_killed_sealing_left_is_finished_by_the_next(
    hospital: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sealing, "record_seal", killed)
    with pytest.raises(KeyboardInterrupt):
        seal_model(hospital)
    monkeypatch.undo()
    assert package_files(hospital) == ["risk-1.0.0.sealed"]
    assert seal_model(hospital).version == "1.1.0"
    assert [seal.version for seal in hospital.vault.seals.all("risk")] == ["1.0.0", "1.1.0"]
    assert "risk-1.0.0.sealed.sig" in package_files(hospital)
    # Another model's leftover is its own business.
    assert seal_model(hospital, name="other").version == "1.0.0"


def test_progress_counts_up_to_the_size_of_the_model(hospital: Home) -> None:
    seen: list[tuple[int, int]] = []
    seal(
        trained_pipeline(),
        name="risk",
        home=hospital,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1] > 0


def test_a_partner_cannot_seal(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        seal_model(found_partner(tmp_path, "clinic"))
    assert caught.value.code == "not-an-owner"


def test_the_default_home_is_used(hospital: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_HOME", str(hospital.path))
    assert seal(trained_pipeline(), name="risk").path.is_relative_to(hospital.path)


def test_the_agreement_is_kept_for_later_licenses(hospital: Home) -> None:
    seal(trained_pipeline(), name="risk", home=hospital, agreement="Use with care.\n")
    digest = hospital.vault.seals.find("risk").agreement
    assert digest is not None
    assert hospital.vault.seals.agreement(digest) == "Use with care.\n"


class OwnTransformer(BaseEstimator):  # type: ignore[misc] # scikit-learn ships no types
    """A class that no partner has."""

    def __init__(self) -> None:
        self.fitted_ = True

    def fit(self, rows: Any, labels: Any = None) -> OwnTransformer:
        return self

    def predict(self, rows: Any) -> Any:
        return rows


def test_code_of_ones_own_is_named_with_its_remedy(hospital: Home) -> None:
    with pytest.raises(UnsupportedError) as caught:
        seal(OwnTransformer().fit(None), name="risk", home=hospital)
    assert "OwnTransformer" in str(caught.value)
    assert package_files(hospital) == []


def test_a_name_that_no_file_could_have_is_refused(hospital: Home) -> None:
    with pytest.raises(UsageError) as caught:
        seal(trained_pipeline(), name="../risk", home=hospital)
    assert caught.value.hint
    assert package_files(hospital) == []
    assert isinstance(hospital.catalog.packages, Packages)

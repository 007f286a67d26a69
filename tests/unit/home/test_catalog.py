from functools import partial
from pathlib import Path

import pytest

from strongroom.errors import FormatError, ObjectNotFound, StorageUnavailable, UsageError
from strongroom.home import Home
from strongroom.home.catalog import Candidate
from strongroom.home.reference import Reference
from strongroom.license.terms import PackageChoice, Packages
from strongroom.package.inspect import inspect
from strongroom.package.names import Version
from strongroom.storage.local import LocalSource
from tests.unit.home.world import (
    OWNER,
    add_license,
    add_package,
    clinic,
    license_bytes,
    other_chain,
    package_bytes,
    refused,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return clinic(tmp_path / "home")


def digest(path: Path) -> str:
    with LocalSource(path) as source:
        return inspect(source).unverified.package_digest


def test_a_package_is_written_once_and_found_by_name(home: Home) -> None:
    path = add_package(home)
    assert path.read_bytes()[:4] == package_bytes()[:4]
    assert path.stat().st_mode & 0o777 == 0o600
    assert home.catalog.packages.find(OWNER.id, "risk").path == path
    error = refused(lambda: add_package(home))
    assert isinstance(error, UsageError)
    assert error.code == "version-exists"


def test_a_package_whose_writing_fails_is_not_there(home: Home) -> None:
    def fail() -> None:
        with home.catalog.packages.create(OWNER.id, "risk", "1.0.0") as sink:
            sink.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert home.catalog.packages.all(OWNER.id) == []
    assert list((home.path / "packages" / OWNER.id).iterdir()) == []


def test_a_package_file_is_copied_in(home: Home, tmp_path: Path) -> None:
    data = package_bytes()
    (tmp_path / "risk-1.0.0.sealed").write_bytes(data)
    stored = home.catalog.packages.add(tmp_path / "risk-1.0.0.sealed", OWNER.id, "risk", "1.0.0")
    assert stored.path.read_bytes() == data
    assert (stored.name, stored.version) == ("risk", Version(1, 0, 0))
    for missing in (tmp_path / "no", tmp_path / "no" / "such"):
        add = partial(home.catalog.packages.add, missing, OWNER.id, "risk", "2.0.0")
        assert isinstance(refused(add), ObjectNotFound)
    add = partial(home.catalog.packages.add, tmp_path, OWNER.id, "risk", "2.0.0")
    assert isinstance(refused(add), StorageUnavailable)
    assert len(home.catalog.packages.all(OWNER.id)) == 1


def test_packages_are_listed_in_order_and_strange_files_are_not(home: Home) -> None:
    for version in ("1.9.0", "1.10.0"):
        add_package(home, version)
    folder = home.path / "packages" / OWNER.id
    for name in ("notes.txt", "risk.sealed", "risk-01.0.0.sealed", "risk-1.9.0.sealed.sig"):
        (folder / name).touch()
    assert [str(each.version) for each in home.catalog.packages.all(OWNER.id)] == ["1.9.0", "1.10.0"]
    assert home.catalog.packages.find(OWNER.id, "risk").version == Version(1, 10, 0)
    assert refused(lambda: home.catalog.packages.find(OWNER.id, "risk", "3.0.0")).code == "unknown-package"
    assert refused(lambda: home.catalog.packages.find(OWNER.id, "other")).code == "unknown-package"


@pytest.mark.parametrize(
    ("owner_id", "name", "version"),
    [("..", "risk", "1.0.0"), (OWNER.id, "../risk", "1.0.0"), (OWNER.id, "risk", "../1.0.0")],
)
def test_a_package_cannot_lead_out_of_its_folder(home: Home, owner_id: str, name: str, version: str) -> None:
    assert isinstance(refused(lambda: home.catalog.packages.path(owner_id, name, version)), FormatError)


def test_a_license_reads_back_with_what_it_speaks_of(home: Home) -> None:
    license_id = add_license(home, PackageChoice(name="risk", at_least="1.0.0", below="2.0.0"))
    stored = home.catalog.licenses.get(OWNER.id, license_id)
    assert stored.license_id == license_id
    assert stored.acceptance is None
    assert stored.names("risk")
    assert not stored.names("other")
    assert stored.covers("risk", "1.5.0", "ab" * 32)
    assert not stored.covers("risk", "2.0.0", "ab" * 32)
    assert [each.license_id for each in home.catalog.licenses.all()] == [license_id]


def test_a_sub_license_narrows_what_is_covered(home: Home) -> None:
    license_id, data = license_bytes(
        children=((Packages(packages=(PackageChoice(name="risk", below="1.5.0"),)),),)
    )
    home.catalog.licenses.add(OWNER.id, license_id, data)
    stored = home.catalog.licenses.get(OWNER.id, license_id)
    assert license_id.startswith("sub-")
    assert stored.covers("risk", "1.0.0", "ab" * 32)
    assert not stored.covers("risk", "1.5.0", "ab" * 32)


def test_an_acceptance_lies_beside_its_license(home: Home) -> None:
    save = partial(home.catalog.licenses.save_acceptance, OWNER.id)
    assert refused(lambda: save("lic-" + "a" * 24, "token")).code == "unknown-license"
    license_id = add_license(home)
    save(license_id, "token")
    assert home.catalog.licenses.get(OWNER.id, license_id).acceptance == "token"
    add_license(home)
    assert home.catalog.licenses.get(OWNER.id, license_id).acceptance == "token"


def test_what_is_no_license_is_neither_taken_in_nor_handed_out(home: Home) -> None:
    license_id, data = license_bytes()
    assert isinstance(refused(lambda: home.catalog.licenses.add(OWNER.id, license_id, b"{}")), FormatError)
    assert home.catalog.licenses.all() == []
    home.catalog.licenses.add(OWNER.id, license_id, data)
    folder = home.path / "licenses" / OWNER.id
    for broken in (b"{}", data.replace(b'"license":"e', b'"license":"f')):
        (folder / f"{license_id}.license").write_bytes(broken)
        error = refused(home.catalog.licenses.all)
        assert isinstance(error, FormatError)
        assert license_id in str(error)
    home.catalog.licenses.add(OWNER.id, license_id, data)
    (folder / f"{license_id}.acceptance").write_bytes(b"\xff")
    assert refused(home.catalog.licenses.all).code == "damaged-record"


def test_hidden_files_among_the_licenses_are_nothing(home: Home) -> None:
    add_license(home)
    (home.path / "licenses" / ".DS_Store").touch()
    assert len(home.catalog.licenses.all()) == 1


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("risk", Reference(name="risk")),
        ("north/risk", Reference(owner="north", name="risk")),
        ("risk@1.2.0", Reference(name="risk", version="1.2.0")),
        (f"{OWNER.id}/risk@1.2.0", Reference(owner=OWNER.id, name="risk", version="1.2.0")),
        ("/srv/risk-1.0.0.sealed", Reference(path=Path("/srv/risk-1.0.0.sealed"))),
        ("risk-1.0.0.sealed", Reference(path=Path("risk-1.0.0.sealed"))),
        ("../risk", Reference(path=Path("../risk"))),
    ],
)
def test_a_reference_reads_and_writes_as_people_do(text: str, reference: Reference) -> None:
    assert Reference.from_text(text) == reference
    assert reference.to_text() == text


def test_a_path_below_here_and_at_home_stays_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/nurse")
    assert Reference.from_text("~/risk.bin").path == Path("/home/nurse/risk.bin")
    assert Reference.from_text("./risk").to_text() == "./risk"


@pytest.mark.parametrize(
    "text", ["", "Risk", "risk@", "risk@1", "risk@latest", "/@1.0.0", "a/b/c", "a/", "risk 1", "risk\n"]
)
def test_what_names_nothing_is_refused_with_the_forms(text: str) -> None:
    error = refused(lambda: Reference.from_text(text) if text != "/@1.0.0" else Reference.from_text("@1.0.0"))
    assert isinstance(error, UsageError)
    assert error.code == "bad-reference"
    assert error.hint is not None


def test_a_name_means_the_highest_version_that_a_license_covers(home: Home) -> None:
    for version in ("1.9.0", "1.10.0", "2.0.0"):
        add_package(home, version)
    license_id = add_license(home, PackageChoice(name="risk", below="2.0.0"))
    for text in ("risk", "hospital/risk", f"{OWNER.id}/risk"):
        found = home.catalog.resolve(text)
        assert found.license.license_id == license_id
        assert found.package.version == Version(1, 10, 0)
        assert found.owner.id == OWNER.id
    assert home.catalog.resolve("risk@1.9.0").package.version == Version(1, 9, 0)
    assert refused(lambda: home.catalog.resolve("risk@2.0.0")).code == "unknown-package"
    assert [str(each.package.version) for each in home.catalog.candidates()] == ["1.9.0", "1.10.0"]


def test_a_license_for_one_digest_is_found_by_the_name_in_the_package(home: Home) -> None:
    path = add_package(home, "1.0.0")
    add_package(home, "2.0.0")
    add_license(home, PackageChoice(digest=digest(path)))
    assert home.catalog.resolve("risk").package.path == path


def test_a_path_means_that_file_and_the_license_that_covers_it(home: Home, tmp_path: Path) -> None:
    license_id = add_license(home)
    add_package(home, "1.0.0")
    path = tmp_path / "sent.sealed"
    path.write_bytes(package_bytes("3.0.0"))
    found = home.catalog.resolve(str(path))
    assert (found.package.path, found.package.version) == (path, Version(3, 0, 0))
    assert found.license.license_id == license_id


def test_a_path_to_nothing_or_to_no_package_says_so(home: Home, tmp_path: Path) -> None:
    assert isinstance(refused(lambda: home.catalog.resolve(str(tmp_path / "no.sealed"))), ObjectNotFound)
    (tmp_path / "plain.onnx").write_bytes(b"a plain model" * 100)
    error = refused(lambda: home.catalog.resolve(str(tmp_path / "plain.onnx")))
    assert isinstance(error, FormatError)
    assert error.code == "not-a-package"


def test_a_package_by_an_unknown_owner_says_so(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "sent.sealed"
    path.write_bytes(package_bytes(owner_id="own-" + "b" * 24))
    assert refused(lambda: home.catalog.resolve(str(path))).code == "unknown-owner"


def test_a_file_in_the_working_directory_never_takes_a_model_s_place(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = add_package(home)
    add_license(home)
    (tmp_path / "risk").write_bytes(b"a plain model")
    monkeypatch.chdir(tmp_path)
    assert home.catalog.resolve("risk").package.path == path


def test_what_nobody_licensed_is_not_found_and_what_is_missing_is_named(home: Home) -> None:
    error = refused(lambda: home.catalog.resolve("risk"))
    assert isinstance(error, ObjectNotFound)
    assert error.code == "unknown-model"
    add_package(home)
    assert refused(lambda: home.catalog.resolve("risk")).code == "unknown-model"
    add_license(home, PackageChoice(name="readmission"))
    assert refused(lambda: home.catalog.resolve("risk")).code == "unknown-model"
    assert refused(lambda: home.catalog.resolve("readmission")).code == "unknown-package"
    assert refused(lambda: home.catalog.resolve("south/risk")).code == "unknown-owner"


def test_two_owners_models_of_one_name_never_mix(home: Home) -> None:
    other = home.trust.pin(other_chain())
    add_package(home)
    add_package(home, owner_id=other.id)
    license_id, data = license_bytes()
    home.catalog.licenses.add(OWNER.id, license_id, data)
    assert home.catalog.resolve("risk").owner.id == OWNER.id
    home.catalog.licenses.add(other.id, license_id, data)
    error = refused(lambda: home.catalog.resolve("risk"))
    assert isinstance(error, ObjectNotFound)
    assert error.code == "ambiguous-model"
    assert OWNER.id in str(error)
    assert other.id in str(error)
    assert home.catalog.resolve(f"{other.id}/risk").owner.id == other.id


def test_several_licenses_that_fit_are_listed_and_one_can_be_chosen(home: Home) -> None:
    add_package(home)
    first, second = add_license(home), add_license(home, serial="11" * 16)
    error = refused(lambda: home.catalog.resolve("risk"))
    assert error.code == "ambiguous-model"
    assert first in str(error)
    assert second in str(error)
    assert home.catalog.resolve("risk", license_id=second).license.license_id == second


def test_what_cannot_be_opened_now_is_passed_over_if_something_else_can(home: Home) -> None:
    for version in ("1.0.0", "2.0.0"):
        add_package(home, version)
    first, second = add_license(home), add_license(home, serial="11" * 16)

    def fits(candidate: Candidate) -> bool:
        return candidate.license.license_id == first and str(candidate.package.version) == "1.0.0"

    found = home.catalog.resolve("risk", fits=fits)
    assert (found.license.license_id, str(found.package.version)) == (first, "1.0.0")
    # Nothing fits: the newest is returned, so that opening it says why.
    found = home.catalog.resolve("risk", fits=lambda _candidate: False)
    assert found.license.license_id == max(first, second)
    assert str(found.package.version) == "2.0.0"

from functools import partial
from pathlib import Path

import pytest

from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError, IntegrityError, ObjectNotFound, UsageError
from strongroom.home import Home
from strongroom.home.grants import Grant
from strongroom.home.seals import Seal
from strongroom.kms.software import SoftwareKeyProvider
from tests.unit.home.world import OWNER, license_bytes, refused

PACKAGE_ID = "0123456789abcdef0123456789abcdef"
OTHER_ID = "ff" * 16
KEY = bytes(range(32))
PROVIDER = SoftwareKeyProvider(bytes([9]) * 32)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create("hospital", tmp_path / "home")


def seal(version: str = "1.0.0", name: str = "risk") -> Seal:
    return Seal(
        name=name,
        version=version,
        package_id=PACKAGE_ID,
        package_digest="ab" * 32,
        file_sha256="cd" * 32,
        agreement=None,
        sealed_at="2026-11-24T03:00:00Z",
    )


def test_a_home_becomes_an_owner_once(home: Home) -> None:
    assert home.vault.owner_id is None
    assert refused(home.vault.verify_owner_id).code == "not-an-owner"
    home.vault.set_owner_id(OWNER.id)
    assert Home.open(home.path).vault.owner_id == OWNER.id == home.vault.verify_owner_id()
    error = refused(lambda: home.vault.set_owner_id("own-" + "b" * 24))
    assert isinstance(error, UsageError)
    assert error.code == "already-exists"
    assert home.vault.owner_id == OWNER.id


def test_only_an_owner_id_names_an_owner(home: Home) -> None:
    assert isinstance(refused(lambda: home.vault.set_owner_id("hospital")), FormatError)
    assert home.vault.owner_id is None


def test_a_content_key_reads_back_and_stands_nowhere_in_the_file(home: Home) -> None:
    home.vault.content_keys.save(PACKAGE_ID, KEY, PROVIDER)
    assert home.vault.content_keys.load(PACKAGE_ID, PROVIDER) == KEY
    (path,) = (home.path / "vault" / "keys").iterdir()
    assert path.name == f"{PACKAGE_ID}.json"
    assert b"AAECAwQF" not in path.read_bytes()


def test_a_content_key_is_never_replaced(home: Home) -> None:
    home.vault.content_keys.save(PACKAGE_ID, KEY, PROVIDER)
    error = refused(lambda: home.vault.content_keys.save(PACKAGE_ID, bytes(32), PROVIDER))
    assert error.code == "key-exists"
    assert home.vault.content_keys.load(PACKAGE_ID, PROVIDER) == KEY


def test_a_content_key_cannot_be_passed_off_as_another_package_s(home: Home) -> None:
    home.vault.content_keys.save(PACKAGE_ID, KEY, PROVIDER)
    folder = home.path / "vault" / "keys"
    (folder / f"{OTHER_ID}.json").write_bytes((folder / f"{PACKAGE_ID}.json").read_bytes())
    assert isinstance(refused(lambda: home.vault.content_keys.load(OTHER_ID, PROVIDER)), IntegrityError)


def test_another_key_encryption_key_does_not_open_it(home: Home) -> None:
    home.vault.content_keys.save(PACKAGE_ID, KEY, PROVIDER)
    other = SoftwareKeyProvider(bytes(32))
    assert isinstance(refused(lambda: home.vault.content_keys.load(PACKAGE_ID, other)), IntegrityError)


def test_a_missing_or_damaged_content_key_is_an_error_of_ours(home: Home) -> None:
    error = refused(lambda: home.vault.content_keys.load(PACKAGE_ID, PROVIDER))
    assert isinstance(error, ObjectNotFound)
    assert error.code == "no-content-key"
    home.vault.content_keys.save(PACKAGE_ID, KEY, PROVIDER)
    path = home.path / "vault" / "keys" / f"{PACKAGE_ID}.json"
    path.write_bytes(path.read_bytes().replace(b'"wrapped":"', b'"wrapped":"!'))
    assert isinstance(refused(lambda: home.vault.content_keys.load(PACKAGE_ID, PROVIDER)), FormatError)


@pytest.mark.parametrize("package_id", ["", "..", "../../keys/kek", PACKAGE_ID.upper(), PACKAGE_ID[:-2]])
def test_only_a_package_id_names_a_content_key(home: Home, package_id: str) -> None:
    for act in (
        partial(home.vault.content_keys.save, package_id, KEY, PROVIDER),
        partial(home.vault.content_keys.load, package_id, PROVIDER),
    ):
        assert isinstance(refused(act), FormatError)


def test_seals_are_found_by_name_and_version_the_highest_first(home: Home) -> None:
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        home.vault.seals.record(seal(version))
    home.vault.seals.record(seal("3.0.0", "readmission"))
    assert home.vault.seals.find("risk").version == "1.10.0"
    assert home.vault.seals.find("risk", "1.2.0") == seal("1.2.0")
    assert [each.version for each in home.vault.seals.all("risk")] == ["1.2.0", "1.9.0", "1.10.0"]
    assert len(home.vault.seals.all()) == 4


def test_a_version_is_sealed_once(home: Home) -> None:
    home.vault.seals.record(seal())
    assert refused(lambda: home.vault.seals.record(seal())).code == "version-exists"


def test_what_was_never_sealed_is_not_found(home: Home) -> None:
    home.vault.seals.record(seal())
    for act in (partial(home.vault.seals.find, "other"), partial(home.vault.seals.find, "risk", "2.0.0")):
        error = refused(act)
        assert isinstance(error, ObjectNotFound)
        assert error.code == "unknown-package"


@pytest.mark.parametrize(("name", "version"), [("../x", "1.0.0"), ("risk", "1"), ("risk", "../1.0.0")])
def test_a_seal_cannot_lead_out_of_its_folder(home: Home, name: str, version: str) -> None:
    assert isinstance(refused(lambda: home.vault.seals.record(seal(version, name))), FormatError)


def test_an_agreement_is_kept_under_its_digest(home: Home) -> None:
    digest = home.vault.seals.save_agreement("Use it well.\n")
    assert home.vault.seals.save_agreement("Use it well.\n") == digest
    assert home.vault.seals.agreement(digest) == "Use it well.\n"
    assert home.vault.seals.all() == []
    assert refused(lambda: home.vault.seals.agreement("00" * 32)).code == "unknown-agreement"
    assert isinstance(refused(lambda: home.vault.seals.save_agreement("")), FormatError)


def test_an_edited_agreement_is_refused(home: Home) -> None:
    digest = home.vault.seals.save_agreement("Use it well.\n")
    (home.path / "vault" / "seals" / f"{digest}.agreement").write_bytes(b"Use it at will.\n")
    assert refused(lambda: home.vault.seals.agreement(digest)).code == "agreement-changed"
    digest = sha256(b"\xff").hex()
    (home.path / "vault" / "seals" / f"{digest}.agreement").write_bytes(b"\xff")
    assert isinstance(refused(lambda: home.vault.seals.agreement(digest)), FormatError)


def test_grants_are_kept_with_their_files_as_issued(home: Home) -> None:
    first, data = license_bytes()
    second, _ = license_bytes(serial="11" * 16)
    home.vault.grants.record(Grant(license=first, partner="clinic", granted_at="2026-11-24T03:00:00Z"), data)
    home.vault.grants.record(
        Grant(license=second, partner="north", granted_at="2026-11-23T03:00:00Z"), b"two"
    )
    assert [grant.license for grant in home.vault.grants.all()] == [second, first]
    assert [grant.license for grant in home.vault.grants.all("clinic")] == [first]
    assert home.vault.grants.license_file(first) == data
    home.vault.grants.replace_file(first, b"more")
    assert home.vault.grants.license_file(first) == b"more"
    assert home.vault.grants.get(first).partner == "clinic"


def test_a_grant_is_noted_once(home: Home) -> None:
    grant = Grant(license="lic-" + "a" * 24, partner="clinic", granted_at="2026-11-24T03:00:00Z")
    home.vault.grants.record(grant, b"one")
    assert refused(lambda: home.vault.grants.record(grant, b"two")).code == "already-exists"
    assert home.vault.grants.license_file(grant.license) == b"one"


def test_an_unknown_grant_is_not_found(home: Home) -> None:
    for act in (
        partial(home.vault.grants.get, "lic-" + "a" * 24),
        partial(home.vault.grants.license_file, "lic-" + "a" * 24),
        partial(home.vault.grants.replace_file, "lic-" + "a" * 24, b""),
    ):
        assert refused(act).code == "unknown-license"
    assert home.vault.grants.all() == []


def test_withdrawals_are_kept_by_id(home: Home) -> None:
    assert home.vault.withdrawals.all() == []
    for letter in "ba":
        home.vault.withdrawals.add(f"wdr-{letter * 24}", f"token {letter}")
    home.vault.withdrawals.add("wdr-" + "b" * 24, "token b")
    assert home.vault.withdrawals.all() == ["token a", "token b"]
    assert refused(lambda: home.vault.withdrawals.add("../x", "token")).code == "unsafe-name"
    (home.path / "vault" / "withdrawals" / f"wdr-{'a' * 24}.jws").write_bytes(b"\xff")
    assert refused(home.vault.withdrawals.all).code == "damaged-record"

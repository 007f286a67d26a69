import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from strongroom.errors import FormatError, NoMatchingKey, UsageError
from strongroom.home import Home
from strongroom.keys import key_file
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.log_key import LogKey
from strongroom.keys.text import KeyKind
from tests.unit.home.world import NOW, OWNER, PASSPHRASE, refused

OTHER = "own-" + "b" * 24


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create("clinic", tmp_path / "home")


def counting(answer: str) -> tuple[Callable[[], str], list[str]]:
    asked: list[str] = []

    def ask() -> str:
        asked.append(answer)
        return answer

    return ask, asked


def test_own_keys_are_made_once_and_read_back(home: Home) -> None:
    made = home.keys.create_organization(NOW)
    member = home.keys.create_member(NOW)
    opened = Home.open(home.path)
    assert opened.keys.organization().public == made.public
    assert opened.keys.member().public == member.public
    assert opened.keys.has_member()
    for create in (opened.keys.create_organization, opened.keys.create_member):
        error = refused(partial(create, NOW))
        assert isinstance(error, UsageError)
        assert error.code == "key-exists"
    assert Home.open(home.path).keys.organization().public == made.public


def test_every_key_file_is_private(home: Home) -> None:
    home.keys.create_organization(NOW)
    home.keys.create_owner_key(KeyKind.OWNER_ROOT, NOW)
    home.keys.create_key_encryption_key(NOW)
    home.keys.ensure_runtime_keys(OWNER.id, NOW)
    paths = list((home.path / "keys").rglob("*.key"))
    assert len(paths) == 5
    assert {path.stat().st_mode & 0o7777 for path in paths} == {0o600}


def test_a_key_that_is_not_there_says_which_and_where_to_look(home: Home) -> None:
    for read in (
        home.keys.organization,
        home.keys.member,
        home.keys.key_provider,
        lambda: home.keys.device(OWNER.id),
        lambda: home.keys.sealing(OWNER.id),
        lambda: home.keys.open_sealing_file(OWNER.id),
        lambda: home.keys.owner_key(KeyKind.OWNER_LICENSE, []),
        lambda: home.keys.load_file(home.path / "no", KeyKind.OWNER_ROOT),
    ):
        error = refused(read)
        assert isinstance(error, NoMatchingKey)
        assert error.code == "no-key"
        assert error.hint is not None


def test_a_runtime_has_other_keys_toward_each_owner_and_keeps_them(home: Home) -> None:
    assert not home.keys.has_runtime_keys(OWNER.id)
    first = home.keys.ensure_runtime_keys(OWNER.id, NOW)
    other = home.keys.ensure_runtime_keys(OTHER, NOW)
    again = Home.open(home.path).keys.ensure_runtime_keys(OWNER.id, NOW)
    assert home.keys.has_runtime_keys(OWNER.id)
    assert first.device.public == again.device.public != other.device.public
    assert first.sealing.public == again.sealing.public != other.sealing.public
    assert home.keys.device(OWNER.id).public == first.device.public


def test_a_half_made_pair_of_runtime_keys_is_completed(home: Home) -> None:
    first = home.keys.ensure_runtime_keys(OWNER.id, NOW)
    (home.path / "keys" / OWNER.id / "sealing.key").unlink()
    assert not home.keys.has_runtime_keys(OWNER.id)
    again = Home.open(home.path).keys.ensure_runtime_keys(OWNER.id, NOW)
    assert again.device.public == first.device.public


def test_the_sealing_key_can_be_handed_on_unread(home: Home) -> None:
    keys = home.keys.ensure_runtime_keys(OWNER.id, NOW)
    fd = home.keys.open_sealing_file(OWNER.id)
    assert not os.get_inheritable(fd)
    with os.fdopen(fd, "rb") as file:
        key = key_file.from_bytes(file.read(), KeyKind.SEALING, passphrase=None)
    assert key.public_text == keys.sealing.public_text


def test_of_several_owner_keys_the_allowed_one_is_found(home: Home) -> None:
    old = home.keys.create_owner_key(KeyKind.OWNER_LICENSE, NOW)
    new = home.keys.create_owner_key(KeyKind.OWNER_LICENSE, NOW)
    home.keys.create_owner_key(KeyKind.OWNER_PACKAGE, NOW)
    stranger = SigningKey.generate(KeyKind.OWNER_LICENSE)
    assert home.keys.owner_key(KeyKind.OWNER_LICENSE, [stranger.public, new.public]).key_id == new.key_id
    assert home.keys.owner_key_ids(KeyKind.OWNER_LICENSE) == sorted([old.key_id, new.key_id])
    assert refused(lambda: home.keys.owner_key(KeyKind.OWNER_LICENSE, [stranger.public])).code == "no-key"


def test_only_kinds_that_owners_have_are_owner_keys(home: Home) -> None:
    for kind in (KeyKind.DEVICE, KeyKind.SEALING, KeyKind.OWNER_LOG, KeyKind.ORGANIZATION):
        assert refused(partial(home.keys.create_owner_key, kind, NOW)).code == "wrong-kind"


def test_a_log_key_is_kept_and_found(home: Home) -> None:
    assert refused(lambda: home.keys.log_key([LogKey.generate().public])).code == "no-key"
    old, new = home.keys.create_log_key(NOW), home.keys.create_log_key(NOW)
    assert Home.open(home.path).keys.log_key([new.public]).public == new.public
    assert home.keys.owner_key_ids(KeyKind.OWNER_LOG) == sorted([old.key_id, new.key_id])


def test_a_witness_key_is_kept_as_long_as_the_memory_names_it(home: Home) -> None:
    key = home.keys.witness(OWNER.id, NOW, known=None)
    keys = Home.open(home.path).keys
    assert keys.witness(OWNER.id, NOW, known=key.key_id).public == key.public
    assert keys.witness(OWNER.id, NOW, known=None).public != key.public


def test_a_root_key_can_lie_outside_the_home(home: Home, tmp_path: Path) -> None:
    root = home.keys.create_owner_key(KeyKind.OWNER_ROOT, NOW)
    (path,) = (home.path / "keys").glob("owner-root-*")
    path.rename(tmp_path / "stick.key")
    assert home.keys.load_file(tmp_path / "stick.key", KeyKind.OWNER_ROOT).public == root.public
    assert home.keys.owner_key_ids(KeyKind.OWNER_ROOT) == []


def test_the_key_encryption_key_is_made_once_and_wraps(home: Home) -> None:
    home.keys.create_key_encryption_key(NOW)
    blob = home.keys.key_provider().wrap(bytes(32), b"purpose")
    assert Home.open(home.path).keys.key_provider().unwrap(blob, b"purpose") == bytes(32)
    assert refused(lambda: home.keys.create_key_encryption_key(NOW)).code == "key-exists"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_touch_is_refused(home: Home, mode: int) -> None:
    home.keys.create_organization(NOW)
    home.keys.create_key_encryption_key(NOW)
    home.keys.ensure_runtime_keys(OWNER.id, NOW)
    for path in (home.path / "keys").rglob("*.key"):
        path.chmod(mode)
    opened = Home.open(home.path)
    for read in (
        opened.keys.organization,
        opened.keys.key_provider,
        lambda: opened.keys.device(OWNER.id),
        lambda: opened.keys.open_sealing_file(OWNER.id),
    ):
        assert refused(read).code == "key-file-mode"


def test_a_link_in_the_place_of_a_key_is_refused(home: Home, tmp_path: Path) -> None:
    home.keys.create_organization(NOW)
    path = home.path / "keys" / "organization.key"
    path.rename(tmp_path / "elsewhere.key")
    path.symlink_to(tmp_path / "elsewhere.key")
    assert refused(home.keys.organization).code == "key-file-link"


def test_a_damaged_or_exchanged_key_file_is_named(home: Home) -> None:
    home.keys.create_organization(NOW)
    home.keys.create_member(NOW)
    member, organization = (home.path / "keys" / f"{name}.key" for name in ("member", "organization"))
    organization.write_bytes(member.read_bytes())
    error = refused(home.keys.organization)
    assert isinstance(error, FormatError)
    assert error.code == "wrong-kind"
    assert "organization.key" in str(error)
    organization.write_bytes(b"")
    assert isinstance(refused(home.keys.organization), FormatError)


def test_an_owner_id_cannot_lead_out_of_the_folder(home: Home) -> None:
    for owner_id in ("../..", "/etc", "a/b", ""):
        error = refused(partial(home.keys.device, owner_id))
        assert error.code == "unsafe-name"


def test_with_a_passphrase_every_key_is_encrypted_and_it_is_asked_for_once(tmp_path: Path) -> None:
    ask, asked = counting(PASSPHRASE)
    home = Home.create("clinic", tmp_path / "home", passphrase=ask)
    made = home.keys.create_organization(NOW)
    home.keys.create_key_encryption_key(NOW)
    keys = home.keys.ensure_runtime_keys(OWNER.id, NOW)
    assert len(asked) == 1
    assert all(b"-secret." not in path.read_bytes() for path in home.path.rglob("*.key"))

    ask, asked = counting(PASSPHRASE)
    opened = Home.open(home.path, passphrase=ask)
    assert asked == []
    assert opened.keys.organization().public == made.public
    assert opened.keys.device(OWNER.id).public == keys.device.public
    assert opened.keys.sealing(OWNER.id).public == keys.sealing.public
    opened.keys.key_provider()
    opened.keys.create_member(NOW)
    assert len(asked) == 1


def test_without_or_with_another_passphrase_no_key_opens_and_none_is_added(tmp_path: Path) -> None:
    home = Home.create("clinic", tmp_path / "home", passphrase=lambda: PASSPHRASE)
    home.keys.create_key_encryption_key(NOW)
    for passphrase, code in ((None, "passphrase-required"), (lambda: "mistyped", "passphrase-wrong")):
        opened = Home.open(home.path, passphrase=passphrase)
        assert refused(opened.keys.key_provider).code == code
        # One mistyped pass-phrase must not split the home into two halves.
        error = refused(partial(opened.keys.create_member, NOW))
        assert error.code == code
    assert not home.keys.has_member()


@pytest.mark.parametrize("runtime", [True, False])
def test_the_passphrase_is_proven_on_whatever_key_is_there(tmp_path: Path, runtime: bool) -> None:
    home = Home.create("clinic", tmp_path / "home", passphrase=lambda: PASSPHRASE)
    if runtime:
        home.keys.ensure_runtime_keys(OWNER.id, NOW)
    else:
        home.keys.create_organization(NOW)
    opened = Home.open(home.path, passphrase=lambda: "mistyped")
    assert refused(lambda: opened.keys.create_member(NOW)).code == "passphrase-wrong"


def test_a_missing_passphrase_says_how_to_give_it(tmp_path: Path) -> None:
    Home.create("clinic", tmp_path / "home", passphrase=lambda: PASSPHRASE).keys.create_organization(NOW)
    error = refused(Home.open(tmp_path / "home").keys.organization)
    assert error.hint is not None
    assert "STRONGROOM_PASSPHRASE_FILE" in error.hint

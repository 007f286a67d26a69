import os
import threading
from functools import partial
from pathlib import Path

import pytest

from strongroom.errors import Error, FormatError, NoMatchingKey, ObjectNotFound, UsageError
from strongroom.home import Home, files
from strongroom.home.home import default_path
from tests.unit.home.world import PASSPHRASE, refused


def test_a_created_home_opens_with_its_name(tmp_path: Path) -> None:
    made = Home.create("clinic", tmp_path / "home")
    opened = Home.open(tmp_path / "home")
    assert (opened.name, opened.path) == ("clinic", tmp_path / "home") == (made.name, made.path)
    assert repr(opened) == f"Home({str(tmp_path / 'home')!r}, name='clinic')"


def test_everything_in_a_new_home_is_closed_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Home.create("clinic", tmp_path / "home")
    finally:
        os.umask(before)
    paths = [tmp_path / "home", *(tmp_path / "home").rglob("*")]
    assert {path.name for path in paths} >= {"keys", "trust", "packages", "licenses", "state", "vault"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in paths)


def test_the_place_comes_from_the_argument_else_the_environment_else_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_HOME", str(tmp_path / "env"))
    assert Home.create("env").path == tmp_path / "env"
    assert Home.open().name == "env"
    assert Home.create("argument", tmp_path / "arg").path == tmp_path / "arg"
    monkeypatch.setenv("STRONGROOM_HOME", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_path() == tmp_path / "data" / "strongroom"
    assert Home.create("user").path == tmp_path / "data" / "strongroom"


def test_a_relative_place_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home.create("clinic", Path("home"))
    monkeypatch.chdir("/")
    assert home.path == tmp_path / "home"
    assert home.keys.has_member() is False


def test_a_home_is_never_made_over_another(tmp_path: Path) -> None:
    Home.create("clinic", tmp_path / "home")
    error = refused(lambda: Home.create("clinic", tmp_path / "home"))
    assert isinstance(error, UsageError)
    assert error.code == "home-exists"
    assert error.hint is not None


def test_of_two_who_make_one_home_at_once_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "entries_of", lambda _folder: [])
    outcomes: list[str] = []
    barrier = threading.Barrier(2)

    def make(name: str) -> None:
        barrier.wait()
        try:
            Home.create(name, tmp_path / "home")
            outcomes.append("made")
        except UsageError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=make, args=(name,)) for name in ("north", "south")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["home-exists", "made"]


@pytest.mark.parametrize("name", ["", "Clinic", "a/b", "..", "-a", "a" * 65])
def test_a_bad_name_is_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    assert refused(lambda: Home.create(name, tmp_path / "home")).code == "name"
    assert not (tmp_path / "home").exists()


def test_a_weak_passphrase_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    error = refused(lambda: Home.create("clinic", tmp_path / "home", passphrase=lambda: "clinic1"))
    assert error.code == "passphrase-weak"
    assert not (tmp_path / "home").exists()


def test_a_home_with_a_passphrase_says_so_when_it_is_opened(tmp_path: Path) -> None:
    Home.create("clinic", tmp_path / "home", passphrase=lambda: PASSPHRASE)
    assert Home.open(tmp_path / "home").keys.encrypted
    assert not Home.create("ward", tmp_path / "other").keys.encrypted


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    tmp_path.chmod(0o755)
    assert refused(lambda: Home.create("clinic", tmp_path)).code == "home-not-empty"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_an_empty_directory_of_ones_own_becomes_a_home_and_is_closed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    Home.create("clinic", tmp_path / "home")
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_an_interrupted_creation_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "home" / "keys").mkdir(parents=True)
    (tmp_path / "home" / ".strongroom-0011223344556677.tmp").touch()
    Home.create("clinic", tmp_path / "home")
    assert Home.open(tmp_path / "home").name == "clinic"


def test_no_home_says_how_to_make_one(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no", tmp_path / "no" / "such"):
        error = refused(partial(Home.open, path))
        assert isinstance(error, ObjectNotFound)
        assert (error.code, error.hint) == ("no-home", "strongroom init NAME")


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o711, 0o777])
def test_a_home_that_others_can_enter_is_refused(tmp_path: Path, mode: int) -> None:
    Home.create("clinic", tmp_path / "home")
    (tmp_path / "home").chmod(mode)
    error = refused(lambda: Home.open(tmp_path / "home"))
    assert isinstance(error, NoMatchingKey)
    assert (error.code, error.hint) == ("home-mode", f"chmod 700 {tmp_path / 'home'}")


def test_a_home_of_another_user_is_neither_used_nor_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Home.create("clinic", tmp_path / "home")
    (tmp_path / "theirs").mkdir(mode=0o755)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert refused(lambda: Home.open(tmp_path / "home")).code == "home-mode"
    assert refused(lambda: Home.create("mine", tmp_path / "theirs")).code == "home-mode"
    assert (tmp_path / "theirs").stat().st_mode & 0o777 == 0o755


def test_a_home_that_vanishes_meanwhile_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Home.create("clinic", tmp_path / "home")
    real = Path.stat

    def gone(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path == tmp_path / "home":
            raise FileNotFoundError(2, "gone")
        return real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", gone)
    assert isinstance(refused(lambda: Home.open(tmp_path / "home")), Error)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"encrypted":false,"format":"home/v2","name":"clinic"}', b"\xff" * 10]
)
def test_a_damaged_home_is_named(tmp_path: Path, data: bytes) -> None:
    Home.create("clinic", tmp_path / "home")
    (tmp_path / "home" / "home.json").write_bytes(data)
    error = refused(lambda: Home.open(tmp_path / "home"))
    assert isinstance(error, FormatError)
    assert error.code == "damaged-record"
    assert "home.json" in str(error)

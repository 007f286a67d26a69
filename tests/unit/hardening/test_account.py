"""Whose account a process has, and who else can reach what it depends on."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from strongroom.hardening import account
from strongroom.hardening.account import Seen, Trait
from strongroom.hardening.kernel import Kernel

UID = 5
OTHER = 4711


class Asked(Kernel):
    """Answers one system call with a number."""

    def __init__(self, answer: int) -> None:
        super().__init__()
        self._answer = answer

    def call(self, name: str, *arguments: object) -> int:
        assert name == "prctl"
        return self._answer


def entry(shell: str, uid: int = UID) -> pwd.struct_passwd:
    return pwd.struct_passwd(("svc", "x", uid, uid, "", "/", shell))


def by_trait(seen: tuple[Seen, ...]) -> dict[Trait, Seen]:
    return {each.trait: each for each in seen}


def test_nothing_more_is_looked_at_where_somebody_logs_in() -> None:
    found = by_trait(account.look(None))
    assert set(found) == set(Trait) == set(account.REMEDIES)
    assert not found[Trait.OWN_ACCOUNT].holds
    assert found[Trait.PROGRAM].detail == "not looked at: it matters only under a service account"
    assert {trait for trait, each in found.items() if each.was_looked_at} == {
        Trait.OWN_ACCOUNT,
        Trait.NO_LOGIN,
    }
    assert not any(each.holds for each in found.values() if not each.was_looked_at)


def test_a_service_account_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "verify_own", lambda _: "own")
    monkeypatch.setattr(account, "verify_no_login", lambda _: "no login")
    tmp_path.chmod(0o700)
    found = by_trait(account.look(tmp_path, environment={}, places=[tmp_path], kernel=Asked(0)))
    assert [each for each in found.values() if not each.holds] == []
    found = by_trait(account.look(None, environment={"LD_PRELOAD": "x"}, kernel=Asked(1)))
    assert {trait for trait, each in found.items() if not each.holds} == {
        Trait.SUPERVISOR,
        Trait.HOME,
        Trait.PROGRAM,
    }
    assert by_trait(account.look(None, kernel=Asked(0)))[Trait.SUPERVISOR].holds


def test_a_traced_process_is_not_left_alone(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name: x\nTracerPid:\t12\n", "ascii")
    with pytest.raises(OSError, match="debugger"):
        account._verify_untraced(Asked(0), status)


@pytest.mark.parametrize(
    ("ids", "why"),
    [((0, 0, 0), "as root"), ((65534,) * 3, "nobody"), ((OTHER, UID, UID), "changed its user")],
)
def test_not_every_account_is_one_of_a_service(ids: tuple[int, int, int], why: str) -> None:
    with pytest.raises(OSError, match=why):
        account.verify_own(ids)
    assert account.verify_own((UID, UID, UID))


def test_a_shell_of_any_entry_is_a_login() -> None:
    closed = entry("/usr/sbin/nologin")
    assert account.verify_no_login(UID, lambda: [closed, entry("/bin/sh", OTHER)])
    for shell in ("/bin/bash", "", "/bin/nologin.sh"):
        with pytest.raises(OSError, match="people can log in as svc"):
            account.verify_no_login(UID, partial(list, [closed, entry(shell)]))
    with pytest.raises(OSError, match="no account"):
        account.verify_no_login(OTHER, list)


@pytest.mark.parametrize("text", ["0 4711 1\n", "5 0 4294967295\n", "0 0 4294967295\n1 1 1\n", ""])
def test_ids_of_a_namespace_are_not_the_machines(tmp_path: Path, text: str) -> None:
    path = tmp_path / "uid_map"
    path.write_text(text, "ascii")
    with pytest.raises(OSError, match="namespace"):
        account.verify_of_host(path)
    assert account.verify_of_host(Path("/proc/self/uid_map"))


def test_a_home_is_closed_and_nobody_can_exchange_it(tmp_path: Path) -> None:
    home = tmp_path / "above" / "home"
    home.mkdir(parents=True)
    home.chmod(0o700)
    os.chown(home, UID, UID)
    assert account.verify_home(home, UID)
    changes: list[Callable[[], None]] = [lambda: home.chmod(0o750), lambda: os.chown(home, OTHER, -1)]
    for change in changes:
        change()
        with pytest.raises(OSError, match="not this account's"):
            account.verify_home(home, UID)
    os.chown(home, UID, -1)
    home.chmod(0o700)
    os.chown(home.parent, OTHER, -1)
    with pytest.raises(OSError, match=f"belongs to user id {OTHER}"):
        account.verify_home(home, UID)


def _writable(path: Path) -> None:
    path.chmod(0o775)


def _foreign(path: Path) -> None:
    os.chown(path, OTHER, -1)


@pytest.mark.parametrize("spoil", [_writable, _foreign])
@pytest.mark.parametrize("place", ["", "lib", "lib/module.py", "../there", "../there/linked.py"])
def test_what_others_can_change_is_found(tmp_path: Path, place: str, spoil: Callable[[Path], None]) -> None:
    program, there = tmp_path / "program", tmp_path / "there"
    (program / "lib").mkdir(parents=True)
    there.mkdir()
    (program / "lib" / "module.py").touch(0o644)
    (there / "linked.py").touch(0o644)
    (program / "lib" / "relative.py").symlink_to("../../there/linked.py")
    (program / "lib" / "absolute.py").symlink_to(there / "linked.py")
    places = [program, program / "lib", program / "none", program / "lib" / "module.py"]
    assert account.verify_program(places, UID, {"PATH": "/bin"})
    spoil(program / place)
    with pytest.raises(OSError, match=r"can change it|changed by others"):
        account.verify_program(places, UID, {})


def test_a_shared_folder_on_the_way_takes_nothing_away(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "own").mkdir(parents=True)
    shared.chmod(0o1777)
    account.verify_fixed(shared / "own", UID)
    with pytest.raises(OSError, match="mode 1777"):
        account.verify_fixed(shared, UID)


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="circle"):
        account.verify_fixed(tmp_path / "a" / "x", UID)


def test_the_places_of_this_interpreter_are_known() -> None:
    places = account.program_places()
    assert Path(account.__file__).parent.parent in places
    assert any(place.name == "site-packages" for place in places)

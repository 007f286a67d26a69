"""Whose account this process has, and who else can reach its home and its program.

    for each in look(home.path):
        each.trait, each.holds, each.detail

A worker can be confined ever so well: whoever owns the account owns its keys. So that the people
who use a model are kept out, it runs under an account that nobody logs in to, out of files that
nobody but root and that account can change. All of it is read from the kernel and the list of
accounts; nothing that somebody configured is asked.

Of the installed libraries, the folders that modules are found in and what lies directly in them are
looked at, and every file of Strongroom itself; not every file of every library. A POSIX access
list shows in the permissions of the group and counts like those.
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from strongroom.hardening.kernel import Kernel

_ROOT: Final = 0
_NOBODY: Final = 65534
_NO_SHELLS: Final = frozenset(
    {
        "/usr/sbin/nologin",
        "/sbin/nologin",
        "/usr/bin/nologin",
        "/bin/false",
        "/usr/bin/false",
        "/run/current-system/sw/bin/nologin",
    }
)
_PR_GET_DUMPABLE: Final = 3
_EVERY_ID: Final = ["0", "0", "4294967295"]
_MAX_LINKS: Final = 40
_WRITABLE: Final = stat.S_IWGRP | stat.S_IWOTH


class Trait(StrEnum):
    """What can be true of the process that supervises a worker."""

    SUPERVISOR = "supervisor"
    OWN_ACCOUNT = "own account"
    NO_LOGIN = "no login"
    HOST_ACCOUNT = "host account"
    HOME = "home"
    PROGRAM = "program"


_DEPENDING: Final = (Trait.SUPERVISOR, Trait.HOST_ACCOUNT, Trait.HOME, Trait.PROGRAM)
_SERVICE: Final = "run it under a service account of its own"

REMEDIES: Final = {
    Trait.SUPERVISOR: "end the debugger; run a Linux kernel with prctl",
    Trait.OWN_ACCOUNT: f"{_SERVICE}: useradd --system --shell /usr/sbin/nologin strongroom",
    Trait.NO_LOGIN: f"{_SERVICE}, or take the login away: usermod --shell /usr/sbin/nologin ACCOUNT",
    Trait.HOST_ACCOUNT: "run it outside of user namespaces, so not in a rootless container",
    Trait.HOME: "keep it below folders of root, as /var/lib/strongroom, owned by the account, mode 0700",
    Trait.PROGRAM: "install it as root, as in /opt/strongroom, closed to changes by others: chmod -R go-w",
}
"""How to make a trait true."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Whether one trait is true, and why or why not."""

    trait: Trait
    holds: bool
    detail: str
    was_looked_at: bool = True
    """If not, it does not hold, and nobody knows what there is to mend."""


def look(
    home: Path | None,
    *,
    environment: Mapping[str, str] | None = None,
    places: Iterable[Path] | None = None,
    kernel: Kernel | None = None,
) -> tuple[Seen, ...]:
    """Look at this process and what it depends on. Nothing is changed.

    Args:
        home: The directory with its keys; None: there is none.
        environment: None: that of this process.
        places: Where programs and libraries come from; None: those of this interpreter.
        kernel: For tests.
    """
    uid = os.geteuid()
    variables = os.environ if environment is None else environment
    found = program_places() if places is None else places
    account = (
        _see(Trait.OWN_ACCOUNT, lambda: verify_own(os.getresuid())),
        _see(Trait.NO_LOGIN, lambda: verify_no_login(uid)),
    )
    if not all(each.holds for each in account):
        # Whoever opens a model on a laptop need not wait for a thousand files to be looked at.
        why = "not looked at: it matters only under a service account"
        return (*account, *(Seen(each, False, why, was_looked_at=False) for each in _DEPENDING))
    return (
        *account,
        _see(Trait.SUPERVISOR, lambda: _verify_untraced(kernel or Kernel(), Path("/proc/self/status"))),
        _see(Trait.HOST_ACCOUNT, lambda: verify_of_host(Path("/proc/self/uid_map"))),
        _see(Trait.HOME, lambda: verify_home(home, uid)),
        _see(Trait.PROGRAM, lambda: verify_program(found, uid, variables)),
    )


def _see(trait: Trait, step: Callable[[], str]) -> Seen:
    try:
        return Seen(trait, True, step())
    except (OSError, RuntimeError, ValueError) as error:
        return Seen(trait, False, str(error))


def _verify_untraced(kernel: Kernel, status: Path) -> str:
    if kernel.call("prctl", _PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError("other processes of this account may look into it")
    tracers = [
        line.split()[1] for line in status.read_text("ascii").splitlines() if line.startswith("TracerPid")
    ]
    if tracers != ["0"]:
        raise OSError("a debugger is attached")
    return "nobody looks into it"


def verify_own(ids: tuple[int, int, int]) -> str:
    """Check that this is one account, for one purpose.

    Raises:
        OSError: it is not; the text says why.
    """
    if len(set(ids)) != 1:
        raise OSError("the program has changed its user, so the one who started it can reach it")
    if ids[0] == _ROOT:
        raise OSError("it runs as root")
    if ids[0] == _NOBODY:
        raise OSError("it runs as 'nobody', which other programs do as well")
    return f"user id {ids[0]}"


def verify_no_login(uid: int, accounts: Callable[[], Iterable[pwd.struct_passwd]] = pwd.getpwall) -> str:
    """Check that no entry of this account has a shell.

    Raises:
        OSError: one has, or there is no entry.
    """
    entries = [entry for entry in accounts() if entry.pw_uid == uid]
    with suppress(KeyError):
        # Not every list of accounts can be read from end to end.
        entries.append(pwd.getpwuid(uid))
    if not entries:
        raise OSError(f"user id {uid} has no account")
    for entry in entries:
        if entry.pw_shell not in _NO_SHELLS:
            raise OSError(f"people can log in as {entry.pw_name}, with {entry.pw_shell or '/bin/sh'}")
    return f"nobody logs in as {entries[0].pw_name}"


def verify_of_host(uid_map: Path) -> str:
    """Check that user ids mean here what they mean on the machine.

    Raises:
        OSError: they are those of a namespace.
    """
    if [line.split() for line in uid_map.read_text("ascii").splitlines()] != [_EVERY_ID]:
        raise OSError("its user id is one of a user namespace, which any user can make")
    return "its user id is the machine's own"


def verify_home(home: Path | None, uid: int) -> str:
    """Check that nobody else can look into the home, or put another in its place.

    Raises:
        OSError: somebody can, or there is no home.
    """
    if home is None:
        raise OSError("there is no home")
    status = home.stat()
    if status.st_uid != uid or stat.S_IMODE(status.st_mode) & 0o077:
        raise OSError(f"{home} is not this account's, or is open to others")
    verify_fixed(home, uid)
    return f"{home} is closed to others"


def verify_program(places: Iterable[Path], uid: int, environment: Mapping[str, str]) -> str:
    """Check that nobody else decides what runs here.

    Raises:
        OSError: somebody can change it.
    """
    loaded = sorted(name for name in environment if name.startswith("LD_"))
    if loaded:
        raise OSError(f"{loaded[0]} is set, and may bring in other libraries")
    package = Path(__file__).resolve().parent.parent
    for place in places:
        verify_fixed(place, uid)
        # What lies in a folder on the way of which nothing can be changed is looked at by itself.
        for entry in _entries(place, deep=place == package):
            if entry.is_symlink():
                verify_fixed(Path(entry.path), uid)
            else:
                _verify_owned(entry.path, entry.stat(follow_symlinks=False), uid)
    return "only root and this account can change it"


def verify_fixed(path: Path, uid: int) -> None:
    """Check that only root and one account can change a file or folder, or what its path leads to.

    Raises:
        OSError: somebody else can; the text names the first place where.
    """
    steps = list(_steps(path))
    for number, (step, status) in enumerate(steps):
        # In a folder such as /tmp, nobody can take away what is another's.
        shared = number < len(steps) - 1 and bool(status.st_mode & stat.S_ISVTX)
        _verify_owned(step, status, uid, shared=shared)


def _verify_owned(path: str | Path, status: os.stat_result, uid: int, *, shared: bool = False) -> None:
    if status.st_uid not in (_ROOT, uid):
        raise OSError(f"{path} belongs to user id {status.st_uid}, who can change it")
    if not stat.S_ISLNK(status.st_mode) and status.st_mode & _WRITABLE and not shared:
        raise OSError(f"{path} can be changed by others (mode {stat.S_IMODE(status.st_mode):04o})")


def _entries(place: Path, *, deep: bool) -> Iterator[os.DirEntry[str]]:
    """Yield what lies in a folder, and with ``deep`` in those below it; nothing if it is none."""
    if not place.is_dir():
        return
    with os.scandir(place) as entries:
        for entry in entries:
            yield entry
            if deep and entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path), deep=True)


def _steps(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield every folder, link and file on the way to a path, as far as there are any."""
    waiting = list(reversed(path.absolute().parts[1:]))
    here = Path("/")
    links = 0
    yield here, here.lstat()
    while waiting:
        part = waiting.pop()
        if part == "..":
            here = here.parent
            continue
        step = here / part
        try:
            status = step.lstat()
        except FileNotFoundError:
            return
        yield step, status
        if not stat.S_ISLNK(status.st_mode):
            here = step
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(f"{path} leads in a circle")
        target = step.readlink()
        if target.is_absolute():
            here = Path("/")
        waiting += reversed([each for each in target.parts if each != "/"])


def program_places() -> list[Path]:
    """Return where this interpreter finds what it runs, without what is built in."""
    folders = [Path(entry) for entry in sys.path if entry]
    package = Path(__file__).resolve().parent.parent
    prefixes = [Path(sys.executable), Path(sys.prefix), Path(sys.base_prefix)]
    return list(dict.fromkeys([*prefixes, *folders, package]))

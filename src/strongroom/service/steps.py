"""What the service needs on this machine, one step at a time: each looks first, does, and can be undone.

    made = install(plan, program=sys.executable, run=run_command)       # the titles of what was not there
    remove(plan, purge=False, run=run_command)

A step that is done already is left alone, so that a call that failed is simply repeated. Nothing of
somebody else is taken over: neither an account that people use, nor a folder with something in it.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom.errors import Error, StorageUnavailable, UsageError
from strongroom.hardening.account import verify_fixed
from strongroom.home import files
from strongroom.service.unit import MARK, Plan, unit_of

Run = Callable[[Sequence[str]], None]

OURS: Final = "Strongroom service"
"""The comment of an account that was made here; nobody else's is changed or removed."""
_SHELL: Final = "/usr/sbin/nologin"
_CONFIGURATION: Final = "home.json"
_UNITS_OF_OTHERS: Final = tuple(
    map(Path, ("/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/system"))
)
_SYSTEMD: Final = Path("/run/systemd/system")
"""There while systemd runs."""
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that has to be there."""

    title: str
    is_there: Callable[[], bool]
    """Raises if something else is in its place."""
    do: Callable[[], None]
    back: str
    """The command that takes it away again."""


def run_command(words: Sequence[str]) -> None:
    """Run a program of the system.

    Raises:
        StorageUnavailable: It is not there, or refuses (code ``service-command``).
    """
    try:
        done = subprocess.run(  # noqa: S603 - never a shell, and the words come from a plan that was checked
            words, capture_output=True, text=True, env=_ENVIRONMENT, check=False
        )
    except OSError as error:
        raise StorageUnavailable(f"{words[0]}: {error.strerror}", code="service-command") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise StorageUnavailable(f"{words[0]}: {said[-1]}", code="service-command")


def steps_of(plan: Plan, *, program: str, run: Run) -> tuple[Step, ...]:
    """Return all steps, in their order.

    Raises:
        UsageError: The plan cannot stand in a unit.
    """
    plan.check()
    text = unit_of(plan, program)
    return (
        Step(
            f"group {plan.group}, whose members may use the socket",
            lambda: has_group(plan.group),
            lambda: run(["groupadd", "--system", plan.group]),
            f"groupdel {plan.group}",
        ),
        Step(
            f"account {plan.account}, that nobody logs in to",
            lambda: _has_account(plan),
            lambda: _make_account(plan, run),
            f"userdel {plan.account}",
        ),
        Step(
            f"folder {plan.home}, of that account alone",
            lambda: _has_home(plan),
            lambda: _make_home(plan),
            f"rmdir {plan.home}",
        ),
        Step(
            f"unit {plan.unit}",
            lambda: _read_unit(plan) == text,
            lambda: _write_unit(plan, text, run),
            f"rm {plan.unit}",
        ),
    )


def install(plan: Plan, *, program: str, run: Run = run_command) -> tuple[str, ...]:
    """Make whatever is not there yet; returns the titles of that.

    Raises:
        UsageError: It cannot stand in a unit, or something else is in the place of a step (code
            ``service-taken``).
        StorageUnavailable: A step failed (code ``service-install``); the text says what was made before.
    """
    steps = steps_of(plan, program=program, run=run)
    # Whatever is somebody else's is found before anything is made.
    missing = [step for step in steps if not step.is_there()]
    made: list[Step] = []
    for step in missing:
        try:
            step.do()
        except Error as error:
            before = ", ".join(each.title for each in made) or "nothing"
            back = "; ".join(each.back for each in reversed(made))
            raise StorageUnavailable(
                f"{step.title}: {error}. Made before that: {before}",
                code="service-install",
                hint="mend it and run the same again" + (f"; or go back as root: {back}" if back else ""),
            ) from error
        made.append(step)
    return tuple(step.title for step in made)


def remove(plan: Plan, *, purge: bool, run: Run = run_command) -> tuple[str, ...]:
    """Take the unit away, and with ``purge`` home, account and group as well; returns what went.

    The account stays as long as its home does: its number would be given to the next account.

    Raises:
        UsageError: Something there is not the service's (code ``service-taken``).
        StorageUnavailable: It could not be removed.
    """
    gone = []
    # Whatever is somebody else's is found before anything is removed.
    unit, account, home = _read_unit(plan), _has_account(plan), _has_home(plan)
    if unit is not None:
        if _SYSTEMD.exists():
            run(["systemctl", "disable", "--now", plan.unit.name])
        files.remove(plan.unit)
        reload_units(run)
        gone.append(f"unit {plan.unit}")
    if not purge:
        return tuple(gone)
    if home:
        try:
            shutil.rmtree(plan.home)
        except OSError as error:
            raise StorageUnavailable(f"cannot remove {plan.home}: {error.strerror}") from error
        gone.append(f"folder {plan.home}")
    if account:
        run(["userdel", plan.account])
        gone.append(f"account {plan.account}")
    # Never one whose account was not here: then somebody else made it.
    if account and has_group(plan.group) and _is_empty(grp.getgrnam(plan.group)):
        run(["groupdel", plan.group])
        gone.append(f"group {plan.group}")
    return tuple(gone)


def _is_empty(group: grp.struct_group) -> bool:
    return not group.gr_mem and all(each.pw_gid != group.gr_gid for each in pwd.getpwall())


def has_group(name: str) -> bool:
    """Say whether there is a group of that name."""
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def reload_units(run: Run) -> None:
    """Have systemd read its units again, if it runs."""
    if _SYSTEMD.exists():
        run(["systemctl", "daemon-reload"])


def has_unit(plan: Plan) -> bool:
    """Say whether the unit of the service is there.

    Raises:
        UsageError: Another one is in its place (code ``service-taken``).
        StorageUnavailable: It cannot be read.
    """
    return _read_unit(plan) is not None


def _has_account(plan: Plan) -> bool:
    try:
        entry = pwd.getpwnam(plan.account)
    except KeyError:
        return False
    if entry.pw_gecos.split(",")[0] != OURS or entry.pw_shell != _SHELL or entry.pw_uid == 0:
        raise UsageError(
            f"there is an account {plan.account} that was not made for this service",
            code="service-taken",
            hint="choose another name: --account NAME",
        )
    return has_group(plan.group) and plan.account in grp.getgrnam(plan.group).gr_mem


def _make_account(plan: Plan, run: Run) -> None:
    with suppress(KeyError):
        pwd.getpwnam(plan.account)
        run(["usermod", "--append", "--groups", plan.group, plan.account])
        return
    run(
        [
            "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(plan.home),
            "--shell", _SHELL, "--comment", OURS, "--groups", plan.group, plan.account,
        ]
    )  # fmt: skip


def _has_home(plan: Plan) -> bool:
    try:
        status = plan.home.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise files.storage_error(error, plan.home, "find") from error
    with suppress(KeyError):
        if stat.S_ISDIR(status.st_mode) and status.st_uid == pwd.getpwnam(plan.account).pw_uid:
            entries = files.entries_of(plan.home)
            if not entries or _CONFIGURATION in entries:
                return stat.S_IMODE(status.st_mode) == files.FOLDER_MODE
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not files.entries_of(plan.home):
        return False
    raise UsageError(
        f"{plan.home} is there and is not a home of the account {plan.account}",
        code="service-taken",
        hint="choose another folder: --service-home PATH; or move it away",
    )


def _make_home(plan: Plan) -> None:
    try:
        # Made and given away as root: on a way that others can change, that would be a gift to them.
        verify_fixed(plan.home.parent, 0)
        plan.home.mkdir(mode=files.FOLDER_MODE, parents=True, exist_ok=True)
        entry = pwd.getpwnam(plan.account)
        os.chown(plan.home, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
        plan.home.chmod(files.FOLDER_MODE)
    except (OSError, KeyError) as error:
        raise StorageUnavailable(f"cannot make {plan.home}: {error}") from error


def _verify_free(plan: Plan) -> None:
    # A unit in /etc takes the place of one that the system brings.
    for folder in _UNITS_OF_OTHERS:
        if (folder / plan.unit.name).exists():
            raise UsageError(
                f"there is a unit {folder / plan.unit.name} already",
                code="service-taken",
                hint="choose another name: --account NAME",
            )


def _read_unit(plan: Plan) -> str | None:
    try:
        text = plan.unit.read_text("utf-8")
    except FileNotFoundError:
        _verify_free(plan)
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StorageUnavailable(f"cannot read {plan.unit}") from error
    if not text.startswith(MARK):
        raise UsageError(
            f"{plan.unit} was not made by this command",
            code="service-taken",
            hint="move it away, or install under another name: --account NAME",
        )
    return text


def _write_unit(plan: Plan, text: str, run: Run) -> None:
    if not plan.unit.parent.is_dir():
        raise StorageUnavailable(f"there is no folder {plan.unit.parent}: systemd is not installed")
    files.write_atomic(plan.unit, text.encode("utf-8"), mode=files.PUBLIC_MODE)
    reload_units(run)

"""The service as ``service install`` makes it, with a real account; run as its unit would run it."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.errors import StorageUnavailable, UsageError
from strongroom.license.request import Level
from strongroom.license.terms import Levels
from strongroom.service import steps
from strongroom.service import steps as steps_module
from strongroom.service.steps import install, remove, run_command, steps_of
from strongroom.service.unit import Plan, command_of, unit_of
from tests.integration.parties import Parties
from tests.integration.service_account import as_uid
from tests.integration.serving import DATA, MODEL

PROGRAM = "/opt/strongroom/bin/python"


@pytest.fixture
def plan() -> Iterator[Plan]:
    """A plan of which nothing is there yet, and nothing is left."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom", dir="/tmp"))
    folder.chmod(0o755)
    name = f"srt-{os.getpid()}"
    made = Plan(
        models=("risk",),
        account=name,
        group=f"{name}-clients",
        home=folder / "home",
        unit=folder / f"{name}.service",
    )
    try:
        yield made
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(made.run_folder, ignore_errors=True)
        for words in (["userdel", made.account], ["groupdel", made.group]):
            with suppress(StorageUnavailable):
                run_command(words)


def there(plan: Plan) -> list[bool]:
    return [step.is_there() for step in steps_of(plan, program=PROGRAM, run=run_command)]


def test_systemd_finds_nothing_wrong_with_the_unit(plan: Plan) -> None:
    for each in (plan, replace(plan, listen="0.0.0.0:8443", names=("risk.clinic.example", "192.0.2.1"))):
        plan.unit.write_text(unit_of(each, "/usr/bin/python3"), "utf-8")
        words = ["systemd-analyze", "verify", "--man=no", str(plan.unit)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_installing_twice_changes_nothing_and_removing_leaves_the_home(plan: Plan) -> None:
    assert there(plan) == [False] * 4
    assert len(install(plan, program=PROGRAM)) == 4
    assert there(plan) == [True] * 4
    assert install(plan, program=PROGRAM) == ()
    entry = pwd.getpwnam(plan.account)
    assert (entry.pw_shell, entry.pw_uid < 1000) == ("/usr/sbin/nologin", True)
    assert grp.getgrnam(plan.group).gr_mem == [plan.account]
    status = plan.home.stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (entry.pw_uid, 0o700)
    assert stat.S_IMODE(plan.unit.stat().st_mode) == 0o644
    # Another model: the unit alone is written anew.
    assert install(replace(plan, models=("fraud",)), program=PROGRAM) == (f"unit {plan.unit}",)
    (plan.home / "home.json").write_text("{}")
    assert remove(plan, purge=False) == (f"unit {plan.unit}",)
    assert (plan.home / "home.json").exists()
    assert remove(plan, purge=False) == ()
    assert len(remove(plan, purge=True)) == 3
    assert there(plan) == [False] * 4


def test_what_was_half_there_is_completed(plan: Plan) -> None:
    install(plan, program=PROGRAM)
    run_command(["gpasswd", "--delete", plan.account, plan.group])
    plan.home.chmod(0o755)
    made = install(plan, program=PROGRAM)
    assert len(made) == 2
    assert there(plan) == [True] * 4


def test_a_step_that_fails_says_what_was_made_and_the_next_call_goes_on(plan: Plan) -> None:
    def refuse(words: Sequence[str]) -> None:
        if words[0] == "useradd":
            raise StorageUnavailable("useradd: the disk is full", code="service-command")
        run_command(words)

    with pytest.raises(
        StorageUnavailable, match=f"the disk is full. Made before that: group {plan.group}"
    ) as e:
        install(plan, program=PROGRAM, run=refuse)
    assert e.value.code == "service-install"
    assert e.value.hint is not None
    assert f"groupdel {plan.group}" in e.value.hint
    assert there(plan) == [True, False, False, False]
    assert len(install(plan, program=PROGRAM)) == 3


def test_nothing_of_somebody_else_is_taken_over(plan: Plan) -> None:
    plan.home.mkdir()
    (plan.home / "thesis.txt").write_text("mine")
    plan.unit.write_text("[Service]\n")
    for each in (
        replace(plan, account="games"),
        plan,
        replace(plan, home=plan.home / "other"),
    ):
        with pytest.raises(UsageError) as refused:
            install(each, program=PROGRAM)
        assert refused.value.code == "service-taken"
        with pytest.raises(UsageError) as refused:
            remove(each, purge=True)
        assert refused.value.code == "service-taken"
    assert (plan.home / "thesis.txt").exists()
    assert plan.unit.exists()
    with pytest.raises(KeyError):
        pwd.getpwnam(plan.account)


def test_a_unit_of_the_system_is_not_put_in_the_shade(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    others = plan.home.parent / "others"
    others.mkdir()
    (others / plan.unit.name).write_text("[Service]\n")
    monkeypatch.setattr(steps_module, "_UNITS_OF_OTHERS", (others,))
    with pytest.raises(UsageError) as refused:
        install(plan, program=PROGRAM)
    assert refused.value.code == "service-taken"


def test_a_group_that_somebody_else_made_stays(plan: Plan) -> None:
    run_command(["groupadd", "--system", plan.group])
    assert remove(plan, purge=True) == ()
    assert grp.getgrnam(plan.group)


def test_a_home_on_a_way_that_others_can_change_is_not_made(plan: Plan) -> None:
    plan.home.parent.chmod(0o777)
    with pytest.raises(StorageUnavailable, match="can be changed by others"):
        install(plan, program=PROGRAM)
    assert not plan.home.exists()


def test_without_systemd_there_is_nowhere_to_put_a_unit(plan: Plan) -> None:
    with pytest.raises(StorageUnavailable, match="systemd is not installed"):
        install(replace(plan, unit=plan.home.parent / "none" / plan.unit.name), program=PROGRAM)


def test_where_systemd_runs_it_is_told(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def note(words: Sequence[str]) -> None:
        told.append(words) if words[0] == "systemctl" else run_command(words)

    monkeypatch.setattr(steps, "_SYSTEMD", plan.unit.parent)
    install(plan, program=PROGRAM, run=note)
    remove(plan, purge=False, run=note)
    assert told == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "disable", "--now", plan.unit.name],
        ["systemctl", "daemon-reload"],
    ]


@pytest.mark.parametrize("words", [["no-such-program"], ["false"], ["groupdel", "no-such-group"]])
def test_a_program_of_the_system_that_refuses(words: list[str]) -> None:
    with pytest.raises(StorageUnavailable, match=words[0]) as refused:
        run_command(words)
    assert refused.value.code == "service-command"


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": ()},
        {"models": ("--help",)},
        {"models": ("risk\nExecStart=/bin/sh",)},
        {"account": "root; id"},
        {"home": Path("relative")},
        {"names": ("a b",)},
    ],
)
def test_words_that_cannot_stand_in_a_unit(plan: Plan, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        install(replace(plan, **wrong), program=PROGRAM)  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(UsageError):
        unit_of(plan, "/opt/my programs/python")


def test_the_line_of_the_unit_serves_at_level_sealed_as_the_account(
    plan: Plan, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The license asks for the level, so that an answer is its proof."""
    terms = [Levels(at_least=Level.SEALED)]
    parties = Parties.make(
        tmp_path_factory.mktemp("sealed"), MODEL, sample=DATA.data[:20, :6], convert="onnx", terms=terms
    )
    install(plan, program=sys.executable)
    entry, group = pwd.getpwnam(plan.account), grp.getgrnam(plan.group)
    shutil.copytree(parties.clinic.path, plan.home, dirs_exist_ok=True)
    # What systemd does for RuntimeDirectory=.
    plan.run_folder.mkdir(mode=0o755)
    for path in (plan.home, *plan.home.rglob("*"), plan.run_folder):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    (line,) = [each for each in plan.unit.read_text().splitlines() if each.startswith("ExecStart=")]
    words = line.removeprefix("ExecStart=").split()
    assert words == command_of(plan, sys.executable)
    user = ["setpriv", "--reuid=4711", "--regid=4711", f"--groups={group.gr_gid}", "--inh-caps=-all"]
    stranger = ["setpriv", "--reuid=4712", "--regid=4712", "--clear-groups", "--inh-caps=-all"]
    ask = ["curl", "-s", "--unix-socket", str(plan.socket), "http://localhost/v2/models/risk"]
    by = as_uid(entry.pw_uid, entry.pw_gid, group.gr_gid)
    with subprocess.Popen(
        [*by, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    ) as process:
        try:
            deadline = time.monotonic() + 120
            answer = b""
            while b"risk" not in answer and process.poll() is None and time.monotonic() < deadline:
                answer = subprocess.run([*user, *ask], capture_output=True, cwd="/", check=False).stdout
                time.sleep(0.2)
            assert b'"name":"risk"' in answer, process.poll()
            assert subprocess.run([*stranger, *ask], cwd="/", check=False).returncode == 7
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert not plan.socket.exists()

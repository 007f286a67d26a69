"""Attacks on level ``sealed``: by those who use a model, by those who only say it, without confinement."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.errors import LicenseDenied
from strongroom.license.request import Level
from strongroom.license.terms import Levels
from tests.integration.parties import Parties
from tests.integration.service_account import (
    ACCOUNT,
    AS_ACCOUNT,
    AS_STRANGER,
    AS_USER,
    USER_UID,
    Server,
    ServiceAccount,
    as_uid,
)
from tests.integration.serving import DATA, MODEL, ROWS

LOOK = """
for path in "$@"; do
    if head -c 1 "$path" >/dev/null 2>&1 || ls "$path/" >/dev/null 2>&1; then echo "$path"; fi
done
"""
AS_PERSON = as_uid(USER_UID, USER_UID)
IN_NAMESPACE = [*AS_PERSON, "unshare", "--user", f"--map-user={ACCOUNT.pw_uid}"]
"""Any user can be any user there, also the service account."""


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    terms = [Levels(at_least=Level.SEALED)]
    folder = tmp_path_factory.mktemp("sealed")
    return Parties.make(folder, MODEL, sample=DATA.data[:20, :6], convert="onnx", terms=terms)


@pytest.fixture(scope="module")
def account(parties: Parties) -> Iterator[ServiceAccount]:
    with ServiceAccount.make(parties) as made:
        yield made


@pytest.fixture(scope="module")
def server(account: ServiceAccount) -> Iterator[Server]:
    with account.serving() as running:
        yield running


@pytest.fixture(scope="module")
def persons(parties: Parties) -> Iterator[ServiceAccount]:
    """Make the same installation, but owned by somebody who uses the model."""
    with ServiceAccount.make(parties, _person()) as made:
        yield made


def _person() -> pwd.struct_passwd:
    return pwd.struct_passwd(("ann", "x", USER_UID, USER_UID, "", "/", "/bin/sh"))


def _seen(by: list[str], *paths: Path | str) -> list[str]:
    """Return which of these files or folders somebody can read."""
    done = subprocess.run(
        [*by, "sh", "-c", LOOK, "look", *map(str, paths)], capture_output=True, text=True, check=True, cwd="/"
    )
    return done.stdout.splitlines()


def test_a_group_of_users_is_answered_and_strangers_are_not(server: Server) -> None:
    given = {
        "name": "input", "shape": list(ROWS.shape), "datatype": "FP32", "data": ROWS.reshape(-1).tolist()
    }  # fmt: skip
    code, answer = server.ask("/v2/models/risk/infer", {"inputs": [given]})
    assert (code, answer["outputs"][0]["shape"]) == (0, [len(ROWS)])
    assert server.ask("/v2", by=AS_STRANGER) == (7, None)


def test_those_who_use_it_read_neither_home_nor_processes(account: ServiceAccount, server: Server) -> None:
    home = [account.home, *account.home.rglob("*")]
    processes = [
        f"/proc/{process}/{name}"
        for process in (server.process.pid, server.supervisor, server.worker)
        for name in ("mem", "maps", "environ", "auxv", "stack", "fd", "cwd/", "root/")
    ]
    assert len(home) > 10
    assert _seen(AS_USER, "/proc/self/status", account.socket_folder) != []
    assert _seen(AS_USER, *home, *processes) == []


def test_those_who_use_it_can_neither_trace_nor_stop_it(server: Server) -> None:
    for process in (server.process.pid, server.supervisor, server.worker):
        for words in (["strace", "-p", str(process)], ["kill", "-9", str(process)]):
            done = subprocess.run([*AS_USER, *words], capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode != 0
            assert "permitted" in done.stderr
    assert server.ask("/v2")[0] == 0


def test_those_who_use_it_cannot_put_another_socket_in_its_place(
    account: ServiceAccount, server: Server
) -> None:
    path = str(server.socket)
    for words in (["rm", "-f", path], ["mv", path, f"{path}.taken"], ["chmod", "666", path]):
        assert subprocess.run([*AS_USER, *words], capture_output=True, check=False).returncode != 0
    assert server.socket.stat().st_mode & 0o777 == 0o660
    assert server.ask("/v2")[0] == 0


def test_who_uses_a_model_under_the_own_account_does_not_reach_sealed(
    parties: Parties, persons: ServiceAccount
) -> None:
    with pytest.raises(LicenseDenied, match="own-account: it runs as root") as denied:
        parties.open()
    assert denied.value.code == "level-too-low"
    refused = persons.run("open", "risk", by=AS_PERSON)
    assert refused.returncode == 5
    assert f"no-login: user id {USER_UID} has no account" in refused.stderr
    assert "[level-too-low]" in refused.stderr


@pytest.mark.parametrize(
    "said",
    [
        {"STRONGROOM_LEVEL": "sealed", "LEVEL": "sealed"},
        {"USER": ACCOUNT.pw_name, "LOGNAME": ACCOUNT.pw_name, "SHELL": ACCOUNT.pw_shell},
        {"HOME": "/nonexistent", "INVOCATION_ID": "0" * 32, "NOTIFY_SOCKET": "/run/systemd/notify"},
    ],
)
def test_no_environment_makes_a_runtime_sealed(persons: ServiceAccount, said: dict[str, str]) -> None:
    refused = persons.run("open", "risk", by=AS_PERSON, **said)
    assert "[level-too-low]" in refused.stderr


def test_no_file_of_the_home_makes_a_runtime_sealed(persons: ServiceAccount) -> None:
    path = persons.home / "home.json"
    before = path.read_text("utf-8")
    try:
        path.write_text(json.dumps(json.loads(before) | {"level": "sealed"}), "utf-8")
        os.chown(path, USER_UID, USER_UID)
        refused = persons.run("open", "risk", by=AS_PERSON)
        assert refused.returncode != 0
    finally:
        path.write_text(before, "utf-8")


def test_no_namespace_makes_a_user_the_service_account(persons: ServiceAccount) -> None:
    refused = persons.run("open", "risk", by=IN_NAMESPACE)
    assert "[level-too-low]" in refused.stderr
    assert "own-account" not in refused.stderr, "there it does look like the account"
    assert "host-account: its user id is one of a user namespace" in refused.stderr


def test_an_account_whose_home_or_program_others_can_change_is_not_sealed(account: ServiceAccount) -> None:
    assert account.run("open", "risk").returncode == 0
    refused = account.run("open", "risk", LD_LIBRARY_PATH="/srv")
    assert "program: LD_LIBRARY_PATH is set" in refused.stderr
    folder = account.folder
    folder.chmod(0o777)
    try:
        refused = account.run("open", "risk")
        assert f"home: {folder} can be changed by others (mode 0777)" in refused.stderr
    finally:
        folder.chmod(0o755)


def test_a_supervisor_without_a_confined_worker_loads_nothing(account: ServiceAccount) -> None:
    """It can lock no page, so that a key would wait in ordinary memory: one measure of ten is missing."""
    narrow = [*AS_ACCOUNT, "prlimit", "--memlock=0:0"]
    rows = account.socket_folder / "rows.csv"
    rows.write_text("a,b,c,d,e,f\n1,2,3,4,5,6\n", "utf-8")
    refused = account.run("predict", "risk", str(rows), by=narrow)
    assert refused.returncode == 5
    assert "[level-too-low]" in refused.stderr
    assert "secret-memory: " in refused.stderr
    assert "own-account" not in refused.stderr
    assert "[level-too-low]" in account.run("open", "risk", by=narrow).stderr

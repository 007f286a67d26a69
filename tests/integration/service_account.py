"""A clinic whose model runs under a service account, and people of the same machine who use it.

with ServiceAccount.make(parties) as account, account.serving() as server:
    server.as_user("cat", str(account.home))          # refused

The account is one that every Debian has and nobody logs in to. Its home lies below a folder of root.
"""

from __future__ import annotations

import atexit
import grp
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.parties import Parties
from tests.integration.programs import children_of

ACCOUNT = pwd.getpwnam("games")
GROUP = grp.getgrnam("users")
"""Whose members may use the model."""
USER_UID = 4711
_SHOWN = """
set -e
mount --bind "$1" "$3"
mount -t tmpfs -o mode=755 none "$2"
mkdir -p "$1"
mount --bind "$3" "$1"
shift 3
exec "$@"
"""
AS_USER = [
    "setpriv", f"--reuid={USER_UID}", f"--regid={USER_UID}", f"--groups={GROUP.gr_gid}", "--inh-caps=-all"
]  # fmt: skip
AS_STRANGER = ["setpriv", "--reuid=4712", "--regid=4712", "--clear-groups", "--inh-caps=-all"]


def _reachable() -> list[str]:
    """Return what shows this interpreter to everybody, if it lies in a folder of root that is closed.

    It is shown to what runs under this prefix, at its own path, and nothing else of that folder is.
    """
    place = Path(sys.base_prefix).resolve()
    closed = next((each for each in reversed(place.parents) if not each.stat().st_mode & 1), None)
    if closed is None:
        return []
    bound = Path(tempfile.mkdtemp(prefix="strongroom", dir="/tmp"))
    atexit.register(bound.rmdir)
    words = ["sh", "-c", _SHOWN, "shown", str(place), str(closed), str(bound)]
    return ["unshare", "--mount", "--propagation=private", *words]


REACHABLE = _reachable()


def as_uid(uid: int, gid: int, *groups: int) -> list[str]:
    """Return what runs a program of this interpreter as somebody else, without any capability."""
    listed = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    return [*REACHABLE, "setpriv", f"--reuid={uid}", f"--regid={gid}", listed, "--inh-caps=-all"]


AS_ACCOUNT = as_uid(ACCOUNT.pw_uid, ACCOUNT.pw_gid, GROUP.gr_gid)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server of the account."""

    process: subprocess.Popen[str]
    socket: Path
    said: dict[str, Any]

    @property
    def supervisor(self) -> int:
        (supervisor,) = children_of(self.process.pid)
        return supervisor

    @property
    def worker(self) -> int:
        (worker,) = children_of(self.supervisor)
        return worker

    def ask(self, path: str, body: Any = None, *, by: Sequence[str] = AS_USER) -> tuple[int, Any]:
        """Ask it through its socket as another user does; returns curl's exit code and the answer."""
        data = [] if body is None else ["--json", json.dumps(body)]
        words = ["curl", "-s", "--unix-socket", str(self.socket), *data, f"http://localhost{path}"]
        done = subprocess.run(
            [*by, *words], capture_output=True, text=True, timeout=120, cwd="/", check=False
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else None


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The folder of one installation: the home, and the folder of the socket."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def socket_folder(self) -> Path:
        return self.folder / "run"

    @classmethod
    @contextmanager
    def make(cls, parties: Parties, owner: pwd.struct_passwd = ACCOUNT) -> Iterator[ServiceAccount]:
        """Give an account a copy of the clinic's home."""
        folder = Path(tempfile.mkdtemp(prefix="strongroom", dir="/tmp"))
        try:
            folder.chmod(0o755)
            made = cls(folder)
            shutil.copytree(parties.clinic.path, made.home)
            (folder / "run").mkdir(mode=0o755)
            for path in (made.home, *made.home.rglob("*"), folder / "run"):
                os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
            yield made
        finally:
            shutil.rmtree(folder)

    def run(
        self, *words: str, by: Sequence[str] = AS_ACCOUNT, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of the program, by default as the account."""
        return subprocess.run(
            [*by, sys.executable, "-I", "-B", "-m", "strongroom", "--home", str(self.home), *words],
            capture_output=True,
            text=True,
            timeout=300,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | environment,
            check=False,
        )

    @contextmanager
    def serving(self, *options: str, by: Sequence[str] = AS_ACCOUNT) -> Iterator[Server]:
        """Serve the model on a socket that a group may use."""
        path = self.socket_folder / "risk.sock"
        words = ["--home", str(self.home), "--json", "run", "risk", "--socket", str(path), *options]
        with subprocess.Popen(
            [*by, sys.executable, "-I", "-B", "-m", "strongroom", *words, "--socket-group", GROUP.gr_name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            lines: list[str] = []
            while not lines or lines[-1] not in ("}\n", ""):
                lines.append(process.stdout.readline())
            if lines == [""]:
                raise AssertionError(process.stderr.read())
            try:
                yield Server(process, path, json.loads("".join(lines)))
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.communicate(timeout=60)
                finally:
                    process.kill()

"""The real PostgreSQL server, started for a test run, in a directory of its own.

    with PostgreSql.started() as server:
        url = server.new_database()

It is Debian's, with its default of flushing every commit. It listens on a Unix socket and on no
port, so any number of runs, and a server of the machine, stand beside it. It ends with the process
that started it, also if that is killed. Root may not run a database: it becomes ``postgres``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

_START_SECONDS = 60
_USER = "strongroom"
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
}


class PostgreSql:
    """One server: its databases, and its life."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()

    @classmethod
    @contextmanager
    def started(cls, log: Path | None = None) -> Iterator[PostgreSql]:
        """Start one until the block ends; its write-ahead log lies where ``log`` says."""
        # A socket's path has at most 107 characters; pytest's own folders may be longer.
        folder = Path(tempfile.mkdtemp(prefix="strongroom-postgresql-"))
        server = cls(folder)
        try:
            if os.geteuid() == 0:
                shutil.chown(folder, _account().pw_uid, _account().pw_gid)
            server._make(log)
            server.start()
            yield server
        finally:
            # Nothing of it is wanted any more: an orderly end would write all of it out first.
            server.crash()
            shutil.rmtree(folder)

    def start(self) -> None:
        settings = [
            part
            for name, value in {**_SETTINGS, "unix_socket_directories": str(self._folder)}.items()
            for part in ("-c", f"{name}={value}")
        ]
        with (self._folder / "server.txt").open("ab") as log:
            self._process = subprocess.Popen(
                _as_account("postgres", "-D", str(self._data), *settings),
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=_environment(),
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """End it as an operator would: sessions are cut off, nothing is lost."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End it as a power failure would."""
        self._end(signal.SIGQUIT)

    def url(self, database: str) -> str:
        return f"postgresql://{_USER}:planted-password@/{database}?host={self._folder}"

    def new_database(self, template: str = "template1") -> str:
        """Make a database; returns its address."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def new_database_at(self, folder: Path, template: str) -> str:
        """Make a database whose tables lie in this folder, which is still to be made."""
        folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(folder, _account().pw_uid, _account().pw_gid)
        number = next(self._numbers)
        self.execute(f"CREATE TABLESPACE place_{number} LOCATION '{folder}'")
        self.execute(f"CREATE DATABASE test_{number} TEMPLATE {template} TABLESPACE place_{number}")
        return self.url(f"test_{number}")

    def drop(self, url: str) -> None:
        """Delete such a database, and let go of its folder."""
        name = urlsplit(url).path.removeprefix("/")
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")
        self.execute(f"DROP TABLESPACE {name.replace('test', 'place')}")

    def execute(self, command: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one command; returns its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def _make(self, log: Path | None) -> None:
        # Small pieces of log: a test that fills its disk is sooner done.
        elsewhere = [] if log is None else [f"--waldir={log / 'log'}", "--wal-segsize=1"]
        # Another order of letters than that of bytes, as most servers have it.
        subprocess.run(
            _as_account(
                "initdb",
                "--no-sync",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--locale-provider=icu",
                "--icu-locale=en",
                f"--username={_USER}",
                f"--pgdata={self._data}",
                *elsewhere,
            ),
            check=True,
            capture_output=True,
            cwd=self._folder,
            env=_environment(),
        )

    def _wait_until_it_answers(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > end:
                    raise AssertionError((self._folder / "server.txt").read_text()) from None
                time.sleep(0.05)
            else:
                return

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_START_SECONDS)
            self._process = None


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _as_account(program: str, *arguments: str) -> list[str]:
    # With the death of the test run the server gets the signal of a fast shutdown.
    command = ["setpriv", "--pdeathsig=INT"]
    if os.geteuid() == 0:
        command += [f"--reuid={_account().pw_uid}", f"--regid={_account().pw_gid}", "--clear-groups"]
    return [*command, "--", str(_programs() / program), *arguments]


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}


def _programs() -> Path:
    """Return the folder of the newest server that is installed."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parent.parent.name)
    )
    if found:
        return found[-1].parent
    asked = shutil.which("initdb")
    assert asked, "PostgreSQL is not installed: run `make setup` as root (Debian's package postgresql)"
    return Path(asked).resolve().parent

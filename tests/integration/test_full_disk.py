"""The disk under a broker's database is full: what it refuses, what it keeps, and how it goes on.

SQLite meets a limit on the size of files. PostgreSQL gets a disk of its own, a few megabytes in
memory, once for its tables and once for its write-ahead log: a server whose tables find no room
refuses, one whose log finds none ends itself. Only root mounts a disk.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from strongroom.broker.faults import Faults
from strongroom.errors import StorageUnavailable
from strongroom.protocol.broker import LeaseAsk
from tests.broker_scene import Scene, note
from tests.integration.broker_audit import audit
from tests.integration.broker_child import Mouth, play
from tests.integration.stage import Stage
from tests.servers.fixtures import WITH_TABLES
from tests.servers.postgresql import PostgreSql

CODE = "database-unavailable"
MEGABYTE = 2**20


class SmallDisk:
    """A disk that a test fills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room, to the last byte."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (MEGABYTE, 4096):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def make_room(self) -> None:
        """Delete what filled it."""
        self._ballast.unlink()


@contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk in memory until the block ends."""
    assert os.geteuid() == 0, "only root mounts a disk: run this test as root"
    folder = Path(mkdtemp(prefix="strongroom-disk-"))
    size = f"size={megabytes}m,mode=0777"
    try:
        _run("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder))
        try:
            yield SmallDisk(folder)
        finally:
            _run("umount", "--lazy", str(folder))
    finally:
        folder.rmdir()


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program)
    assert found, program
    subprocess.run([found, *arguments], check=True)


def fill(scene: Scene, stage: Stage) -> tuple[LeaseAsk, StorageUnavailable]:
    """Renew until the disk is full; returns the request that was refused, and how."""
    while True:
        ask = scene.request(stage.machine, stage.license, stage.package, used=stage.used(1))
        try:
            answer = scene.services.leasing.take(stage.machine.principal, ask)
        except StorageUnavailable as refused:
            return ask, refused
        note(stage.machine, ask, answer)


def ask_again(scene: Scene, stage: Stage, ask: LeaseAsk) -> None:
    """What was refused is asked again, and goes through; nothing was lost or counted twice."""
    note(stage.machine, ask, scene.services.leasing.take(stage.machine.principal, ask))
    audit(scene)


def test_sqlite_refuses_and_breaks_nothing(tmp_path: Path) -> None:
    scene = Scene.build(tmp_path, f"sqlite:///{tmp_path / 'broker.db'}")
    stage = Stage(scene)
    scene.close()

    def script(opened: Scene, mouth: Mouth, _: Faults) -> None:
        for round_ in range(5):
            log = tmp_path / "broker.db-wal"
            room = max(log.stat().st_size, (tmp_path / "broker.db").stat().st_size) + 40_000 * round_
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
            ask, refused = fill(opened, stage)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            mouth.say(0, "done", "full", refused.code)
            ask_again(opened, stage, ask)

    run = play(scene, script)
    assert [told[2:] for told in run.done] == [("full", CODE)] * 5
    opened = scene.reopen()
    audit(opened)
    opened.close()


def test_sqlite_on_a_disk_that_is_full(tmp_path: Path) -> None:
    with small_disk(4) as disk:
        scene = Scene.build(tmp_path, f"sqlite:///{disk.folder / 'broker.db'}")
        stage = Stage(scene)
        try:
            for _ in range(2):
                disk.fill()
                ask, refused = fill(scene, stage)
                assert refused.code == CODE
                assert "full" in str(refused)
                audit(scene)
                disk.make_room()
                ask_again(scene, stage, ask)
        finally:
            scene.close()


def test_postgresql_without_room_for_its_tables(postgresql: PostgreSql, tmp_path: Path) -> None:
    with small_disk(40) as disk:
        url = postgresql.new_database_at(disk.folder / "tables", WITH_TABLES)
        scene = Scene.build(tmp_path, url)
        stage = Stage(scene)
        try:
            for _ in range(2):
                disk.fill()
                ask, refused = fill(scene, stage)
                assert refused.code == CODE
                assert "full" in str(refused)
                audit(scene)
                disk.make_room()
                ask_again(scene, stage, ask)
        finally:
            scene.close()
            postgresql.drop(url)


def test_postgresql_without_room_for_its_log(tmp_path: Path) -> None:
    """It ends itself and comes back when there is room: all that it acknowledged is in its log."""
    with small_disk(64) as disk, PostgreSql.started(log=disk.folder) as server:
        scene = Scene.build(tmp_path, server.new_database())
        stage = Stage(scene)
        try:
            disk.fill()
            ask, refused = fill(scene, stage)
            assert refused.code == CODE
            server.crash()
            disk.make_room()
            server.start()
            ask_again(scene, stage, ask)
        finally:
            scene.close()

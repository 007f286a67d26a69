import errno
import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from strongroom.errors import (
    FormatError,
    NoMatchingKey,
    ObjectNotFound,
    StorageUnavailable,
    UsageError,
)
from strongroom.home import files

KILLS = int(os.environ.get("STRONGROOM_KILLS", "6"))
"""Larger for a soak; read before the fixtures clear the environment."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_written_file_reads_back_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write_atomic(path, b"content")
    assert files.read_private(path) == b"content"
    assert files.read_bytes(path) == b"content"
    assert mode_of(path) == 0o600


def test_a_write_replaces_by_default_and_leaves_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write_atomic(path, b"old")
    files.write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_a_write_that_may_not_replace_refuses_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write_atomic(path, b"old", replace=False)
    with pytest.raises(UsageError) as caught:
        files.write_atomic(path, b"new", replace=False)
    assert caught.value.code == "already-exists"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_write_replaces_a_link_and_not_what_it_points_at(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"theirs")
    link.symlink_to(target)
    files.write_atomic(link, b"ours")
    assert target.read_bytes() == b"theirs"
    assert not link.is_symlink()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_private_file_is_private_under_every_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with files.atomic_file(tmp_path / "a") as sink:
            (temporary,) = tmp_path.iterdir()
            assert mode_of(temporary) == 0o600
            sink.write(b"secret")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "a") == 0o600


def test_a_public_file_has_the_public_mode(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        files.write_atomic(tmp_path / "a", b"", mode=files.PUBLIC_MODE)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "a") == 0o644


def test_a_stream_takes_many_writes_of_every_buffer_type(tmp_path: Path) -> None:
    with files.atomic_file(tmp_path / "a") as sink:
        assert sink.write(b"one ") == 4
        assert sink.write(bytearray(b"two ")) == 4
        assert sink.write(memoryview(b"three")) == 5
    assert (tmp_path / "a").read_bytes() == b"one two three"


def test_what_was_written_can_be_read_back_before_it_has_a_name(tmp_path: Path) -> None:
    with files.atomic_file(tmp_path / "a") as sink:
        sink.write(b"content")
        assert os.pread(sink.fileno(), 100, 0) == b"content"
        assert not (tmp_path / "a").exists()


def test_short_writes_of_the_system_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[:3])))
    files.write_atomic(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_an_error_in_the_block_leaves_the_old_content_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write_atomic(path, b"old")

    def interrupted() -> None:
        with files.atomic_file(path) as sink:
            sink.write(b"half of the new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("call", ["write", "fsync", "open", "replace"])
def test_a_full_disk_leaves_the_old_content_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "a"
    files.write_atomic(path, b"old")

    def full(*_args: object, **_kwargs: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(Path if call == "replace" else os, call, full)
        with pytest.raises(StorageUnavailable) as caught:
            files.write_atomic(path, b"new")
    assert caught.value.code == "disk-full"
    assert caught.value.hint is not None
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_file_size_limit_of_the_system_counts_as_a_full_disk(tmp_path: Path) -> None:
    # A real refusal by the kernel in the middle of the data, without a mount.
    files.write_atomic(tmp_path / "a", b"old")
    program = (
        "import resource, sys; from pathlib import Path; from strongroom.home import files\n"
        "from strongroom.errors import StorageUnavailable\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: files.write_atomic(Path(sys.argv[1]), bytes(1_000_000))\n"
        "except StorageUnavailable as error: print(error.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "disk-full\n"
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_writer_killed_at_any_moment_leaves_old_or_new_and_no_lasting_litter(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write_atomic(path, b"a" * 400_000)
    program = (
        "import sys; from pathlib import Path; from strongroom.home import files\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for letter in (b'b', b'c'): files.write_atomic(Path(sys.argv[1]), letter * 400_000)\n"
    )
    for number in range(KILLS):
        with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            # Spread over the phases of a write; the scheduler adds the randomness.
            time.sleep(0.005 + 0.0017 * (number % 17))
            writer.send_signal(signal.SIGKILL)
        content = path.read_bytes()
        assert len(content) == 400_000
        assert content == content[:1] * 400_000
    files.write_atomic(path, b"done")
    assert names(tmp_path) == ["a"]


def test_what_a_killed_writer_left_goes_and_what_a_live_one_writes_stays(tmp_path: Path) -> None:
    (tmp_path / ".strongroom-0011223344556677.tmp").write_bytes(b"abandoned")
    (tmp_path / ".strongroom-notes").write_bytes(b"not ours")
    with files.atomic_file(tmp_path / "live") as sink:
        files.write_atomic(tmp_path / "other", b"x")
        sink.write(b"y")
    assert names(tmp_path) == [".strongroom-notes", "live", "other"]


def test_a_writer_whose_temporary_was_swept_too_early_starts_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock
    swept: list[Path] = []

    def sweep_first(fd: int, operation: int) -> None:
        if not swept:
            swept.extend(tmp_path.iterdir())
            swept[0].unlink()
        real(fd, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    files.write_atomic(tmp_path / "a", b"content")
    assert (tmp_path / "a").read_bytes() == b"content"
    assert len(swept) == 1


def test_a_file_system_without_locks_is_reported_and_gets_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_fd: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "none")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StorageUnavailable):
        files.write_atomic(tmp_path / "a", b"content")
    assert names(tmp_path) == []
    with pytest.raises(StorageUnavailable), files.locked(tmp_path / "lock"):
        pass


def test_writing_into_a_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        files.write_atomic(tmp_path / "no" / "a", b"")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o601, 0o644, 0o777])
def test_a_private_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    files.write_atomic(path, b"secret")
    path.chmod(mode)
    with pytest.raises(NoMatchingKey) as caught:
        files.read_private(path)
    assert caught.value.code == "key-file-mode"
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_private_file_with_a_tight_mode_is_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    files.write_atomic(path, b"secret")
    path.chmod(mode)
    assert files.read_private(path) == b"secret"


def test_a_private_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_atomic(tmp_path / "key", b"secret")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(NoMatchingKey) as caught:
        files.read_private(tmp_path / "key")
    assert caught.value.code == "key-file-mode"


def test_a_private_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    files.write_atomic(tmp_path / "key", b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    with pytest.raises(NoMatchingKey) as caught:
        files.read_private(tmp_path / "link")
    assert caught.value.code == "key-file-link"


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    for read in (files.read_bytes, files.read_private):
        for path in (tmp_path / "no", tmp_path / "no" / "such"):
            with pytest.raises(ObjectNotFound):
                read(path)
    files.write_atomic(tmp_path / "a", b"")
    with pytest.raises(ObjectNotFound):
        files.read_bytes(tmp_path / "a" / "b")


def test_reading_is_bounded(tmp_path: Path) -> None:
    files.write_atomic(tmp_path / "a", b"12345")
    assert files.read_bytes(tmp_path / "a", max_bytes=5) == b"12345"
    with pytest.raises(FormatError) as caught:
        files.read_bytes(tmp_path / "a", max_bytes=4)
    assert caught.value.code == "too-large"


def test_neither_a_folder_nor_a_pipe_in_a_file_s_place_hangs_or_crashes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(0o700)
    for name in ("pipe", "folder"):
        for read in (files.read_bytes, files.read_private):
            with pytest.raises(StorageUnavailable):
                read(tmp_path / name)


def test_an_error_while_reading_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_atomic(tmp_path / "a", b"12345")

    def broken(_fd: int, _count: int) -> bytes:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "read", broken)
    with pytest.raises(StorageUnavailable):
        files.read_bytes(tmp_path / "a")


def test_a_lock_excludes_threads(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with files.locked(tmp_path / "lock"):
            order.append("second")

    with files.locked(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def _count(path: Path, rounds: int) -> None:
    for _ in range(rounds):
        with files.locked(path.with_suffix(".lock")):
            files.write_atomic(path, str(int(files.read_bytes(path)) + 1).encode())


def test_a_lock_excludes_processes(tmp_path: Path) -> None:
    path = tmp_path / "count"
    files.write_atomic(path, b"0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count, args=(path, 25)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert path.read_bytes() == b"100"


def test_a_lock_that_is_never_released_is_reported(tmp_path: Path) -> None:
    with (
        files.locked(tmp_path / "lock"),
        pytest.raises(StorageUnavailable) as caught,
        files.locked(tmp_path / "lock", timeout_seconds=0.02),
    ):
        pass
    assert caught.value.code == "locked"


def test_a_lock_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable), files.locked(tmp_path / "no" / "lock"):
        pass


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from strongroom.home import files\n"
        "with files.locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "lock")], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
    with files.locked(tmp_path / "lock", timeout_seconds=5):
        pass


def test_folders_are_private_and_may_exist(tmp_path: Path) -> None:
    files.make_folder(tmp_path / "a" / "b")
    files.make_folder(tmp_path / "a" / "b")
    assert mode_of(tmp_path / "a" / "b") == 0o700
    (tmp_path / "a").chmod(0o755)
    files.close_folder(tmp_path / "a")
    assert mode_of(tmp_path / "a") == 0o700


def test_what_cannot_be_made_closed_or_listed_is_a_storage_error(tmp_path: Path) -> None:
    files.write_atomic(tmp_path / "file", b"")
    for act in (
        lambda: files.make_folder(tmp_path / "file" / "folder"),
        lambda: files.close_folder(tmp_path / "no"),
        lambda: files.entries_of(tmp_path / "file"),
    ):
        with pytest.raises(StorageUnavailable):
            act()


def test_names_come_sorted_without_suffix_and_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "c.txt", ".hidden.json"):
        (tmp_path / name).touch()
    assert files.names_in(tmp_path, ".json") == ["a", "b"]
    assert files.names_in(tmp_path / "no", ".json") == []


@pytest.mark.parametrize("text", ["a", "own-abc234", "risk-1.0.0", "0_x", "a" * 160])
def test_harmless_names_pass(text: str) -> None:
    assert files.verify_component(text) == text


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a/b", "/a", "../a", "A", "a\n", "a\0", "-a", ".a", "a\\b", "é", "a" * 161]
)
def test_names_that_could_leave_their_folder_are_refused(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        files.verify_component(text)
    assert caught.value.code == "unsafe-name"


def test_an_error_without_a_number_is_still_translated(tmp_path: Path) -> None:
    assert "unknown" in str(files.storage_error(OSError(), tmp_path, "read"))

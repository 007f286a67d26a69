"""Attacks from inside a worker, by a model that runs code of its own, and from outside on a worker.

Each attack runs in a process that the real launcher has confined. Beside each is what shows
that the attempt would succeed without confinement.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.runtime.worker_process import WorkerProcess
from tests.integration.confined import confined, running

PLAIN = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
"""The same user id, and no privilege that an ordinary account has not."""
OTHER = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
READS = "dac_read_search"
ORDINARY = [*OTHER, "--inh-caps", f"-all,+{READS}", "--ambient-caps", f"-all,+{READS}"]
"""Another user, who can read the interpreter of this one when it starts; the worker then drops that."""
CANARY = "canary-4711-of-the-weights"
PLANT = f"secret = bytearray(reversed({CANARY[::-1].encode()!r}))"
"""Turned around, so that the text of the program does not hold it."""


@pytest.fixture(scope="module", autouse=True)
def _root() -> None:
    # Root may do everything that is refused here: what refuses is the confinement.
    assert os.geteuid() == 0


class TestFiles:
    def test_none_of_the_partners_can_be_read(self, tmp_path: Path) -> None:
        record = tmp_path / "patients.csv"
        record.write_text("Ann, 1941", encoding="ascii")
        folders = [str(tmp_path), "/", "/root", "/home", "/etc", "/srv", "/proc"]
        said = confined(
            f"""
            files = ["/etc/passwd", "/etc/shadow", "/proc/1/status", "/proc/self/environ"]
            for path in [{str(record)!r}, *files]:
                attempt(lambda: open(path).read(1))
            for path in {folders!r}:
                attempt(lambda: os.listdir(path))
            """
        )
        assert said == ["PermissionError 13"] * 12

    def test_libraries_can_be_read_and_not_changed(self) -> None:
        said = confined(
            """
            attempt(lambda: len(open(os.__file__).read()) > 1000)
            attempt(lambda: open(os.__file__, "a"))
            attempt(lambda: os.remove(os.__file__))
            attempt(lambda: os.rename(os.__file__, os.__file__ + ".old"))
            import wave
            say(wave.__name__)
            """
        )
        assert said == ["done True", *["PermissionError 1"] * 3, "wave"]

    def test_none_can_be_made_or_filled(self, tmp_path: Path) -> None:
        free = tmp_path / "free"
        free.mkdir(mode=0o777)
        target = free / "written"
        target.touch()
        said = confined(
            f"""
            attempt(lambda: open({str(free / "new")!r}, "w"))
            attempt(lambda: open({str(target)!r}, "r+"))
            attempt(lambda: os.truncate({str(target)!r}, 1 << 20))
            attempt(lambda: os.mkdir({str(free / "folder")!r}))
            attempt(lambda: os.symlink("/etc/passwd", {str(free / "link")!r}))
            attempt(lambda: os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR))
            attempt(lambda: os.open("/dev/shm/left", os.O_CREAT | os.O_RDWR))
            attempt(lambda: os.memfd_create("program"))
            """
        )
        assert all(line.startswith("PermissionError") for line in said), said
        assert len(said) == 8
        assert [path.name for path in free.iterdir()] == ["written"]
        assert target.read_bytes() == b""

    def test_no_byte_goes_into_a_descriptor_that_was_left_open(self, tmp_path: Path) -> None:
        target = tmp_path / "log"
        with target.open("w", encoding="ascii") as file:
            os.set_inheritable(file.fileno(), True)
            said = confined(f"attempt(lambda: os.write({file.fileno()}, b'x'))", unmeant=[file.fileno()])
            assert said == ["OSError 9"]
            said = confined(f"attempt(lambda: os.write({file.fileno()}, b'x'))", inherited=[file.fileno()])
            assert said == ["OSError 27"]
        assert target.read_bytes() == b""


class TestNetwork:
    def test_there_is_none(self) -> None:
        said = confined(
            """
            for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, 16, 17):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
                    attempt(lambda: socket.socket(family, kind))
            attempt(lambda: socket.create_connection(("127.0.0.1", 22), timeout=5))
            attempt(lambda: connection.connect("/run/any.sock"))
            attempt(lambda: connection.sendmsg([b""], [], 0, "/run/any.sock"))
            attempt(lambda: socket.socketpair())
            attempt(lambda: socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM))
            """
        )
        refused = [line for line in said if line.startswith(("PermissionError 1", "OSError", "gaierror"))]
        assert len(said) == 20
        assert said == refused

    def test_the_hosts_interfaces_are_not_in_its_namespace(self) -> None:
        with running("say('ready'); connection.recv(1)") as worker:
            assert worker.line() == "ready"
            inside = Path(f"/proc/{worker.process.pid}/ns/net").readlink()
            assert inside != Path("/proc/self/ns/net").readlink()
            devices = Path(f"/proc/{worker.process.pid}/net/dev").read_text(encoding="ascii")
            assert {line.split(":")[0].strip() for line in devices.splitlines()[2:]} <= {
                "lo",
                "sit0",
                "tunl0",
            }


class TestOtherPrograms:
    def test_none_can_be_started(self) -> None:
        said = confined(
            """
            import subprocess
            attempt(lambda: subprocess.run(["/bin/true"]))
            attempt(lambda: os.system("true") and 1 / 0)
            attempt(lambda: os.fork())
            attempt(lambda: os.execv("/bin/true", ["true"]))
            attempt(lambda: os.posix_spawn("/bin/true", ["true"], {}))
            call(58)                              # vfork
            call(56, 17, 0, 0, 0, 0)              # clone of a process
            call(56, 0x10000000 | 17, 0, 0, 0, 0) # clone with a user namespace
            call(435, b"\\0" * 88, 88)             # clone3
            call(322, -1, b"/bin/true", 0, 0, 0)  # execveat
            """
        )
        # No system() without a process: its answer is an error status, and the division reports it.
        allowed = (
            "PermissionError 1",
            "ZeroDivisionError",
            "Operation not permitted",
            "Function not implemented",
        )
        assert len(said) == 10
        assert all(line.startswith(allowed) for line in said), said

    def test_threads_can(self) -> None:
        said = confined(
            """
            import threading
            thread = threading.Thread(target=lambda: say("a thread"))
            thread.start(); thread.join()
            """
        )
        assert said == ["a thread"]

    def test_none_can_be_signalled_or_hindered(self) -> None:
        said = confined(
            f"""
            attempt(lambda: os.kill({os.getpid()}, 0))
            attempt(lambda: os.kill(-1, 0))
            attempt(lambda: os.setpriority(os.PRIO_PROCESS, {os.getpid()}, 19))
            attempt(lambda: os.sched_setaffinity({os.getpid()}, {{0}}))
            import resource
            attempt(lambda: resource.prlimit({os.getpid()}, resource.RLIMIT_NOFILE))
            import fcntl
            attempt(lambda: fcntl.fcntl(connection, fcntl.F_SETOWN, {os.getpid()}))
            attempt(lambda: os.kill(os.getpid(), 0))
            """
        )
        assert said == [*["PermissionError 1"] * 6, "done None"]

    @pytest.mark.parametrize(
        ("name", "call"),
        [
            ("ptrace", "call(101, 16, os.getppid(), 0, 0)"),
            ("process_vm_readv", "call(310, os.getppid(), 0, 0, 0, 0, 0)"),
            ("bpf", "call(321, 0, 0, 0)"),
            ("userfaultfd", "call(323, 0)"),
            ("io_uring_setup", "call(425, 1, 0)"),
            ("keyctl", "call(250, 0, 0)"),
            ("mount", "call(165, 0, 0, 0, 0, 0)"),
            ("setns", "call(308, 0, 0)"),
            ("perf_event_open", "call(298, 0, 0, 0, 0, 0)"),
            ("open_by_handle_at", "call(304, 0, 0, 0)"),
            ("x32", "call(0x40000000 + 39)"),
        ],
    )
    def test_who_takes_the_system_apart_is_ended(self, name: str, call: str) -> None:
        with running(f"say('before'); {call}; say('after')") as worker:
            assert worker.lines() == ["before"]
            assert worker.process.wait(timeout=60) == -signal.SIGSYS

    def test_a_system_call_of_the_32_bit_table_ends_it(self) -> None:
        """``int 0x80`` reaches calls under other numbers: 20 is ``getpid`` there and ``writev`` here."""
        with running(
            r"""
            import mmap
            page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
            page.write(bytes.fromhex("b814000000cd80c3"))
            act = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
            say('before'); act(); say('after')
            """
        ) as worker:
            assert worker.lines() == ["before"]
            assert worker.process.wait(timeout=60) in (-signal.SIGSYS, -signal.SIGSEGV)

    def test_the_supervisors_memory_cannot_be_read(self) -> None:
        said = confined(
            f"""
            for name in ("mem", "maps", "environ", "fd/0", "root/etc/passwd"):
                attempt(lambda: open("/proc/{os.getpid()}/" + name, "rb").read(1))
            """
        )
        assert said == ["PermissionError 13"] * 5

    def test_it_has_no_way_back_to_privileges(self) -> None:
        with running("say('ready'); connection.recv(1)") as worker:
            assert worker.line() == "ready"
            status = Path(f"/proc/{worker.process.pid}/status").read_text(encoding="ascii")
        fields = dict(re.findall(r"^(\w+):\s+(\S+)$", status, re.MULTILINE))
        assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
        assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")

    def test_hardening_cannot_be_undone(self) -> None:
        said = confined(
            """
            import resource
            call(157, 4, 1, 0, 0, 0)       # dumpable
            attempt(lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30)))
            attempt(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30)))
            call(272, 0x10000000)          # unshare
            call(317, 1, 0, 0)             # another filter
            """
        )
        assert len(said) == 5
        assert all("done" not in line for line in said), said


class TestLimits:
    def test_memory_ends_with_an_error_and_not_with_the_machine(self) -> None:
        said = confined(
            """
            attempt(lambda: len(bytearray(64 << 20)))
            attempt(lambda: len(bytearray(2 << 30)))
            """,
            settings={"STRONGROOM_WORKER_MEMORY_MIB": "512"},
        )
        assert said == [f"done {64 << 20}", "MemoryError "]

    def test_processor_time_ends(self) -> None:
        body = "say('before')\nwhile True: pass"
        with running(body, settings={"STRONGROOM_WORKER_CPU_SECONDS": "1"}) as worker:
            assert worker.lines() == ["before"]
            assert worker.process.wait(timeout=60) in (-signal.SIGXCPU, -signal.SIGKILL)

    def test_threads_are_counted_for_an_ordinary_account(self) -> None:
        said = confined(
            """
            done, started = threading.Event(), 0
            try:
                for started in range(100_000):
                    threading.Thread(target=done.wait, daemon=True).start()
            except RuntimeError:
                pass
            done.set()
            say(started < 2000)
            """,
            prefix=ORDINARY,
        )
        assert said == ["True"]


class TestFromOutside:
    def test_no_program_of_the_same_account_or_another_attaches(self) -> None:
        body = f"{PLANT}; say(libc.prctl(3, 0, 0, 0, 0)); connection.recv(1)"
        with running(body, prefix=PLAIN) as worker:
            assert worker.line() == "0"
            number = str(worker.process.pid)
            for become in (PLAIN, OTHER):
                for command in (
                    ["gdb", "-p", number, "-batch", "-ex", "dump memory /dev/stdout 0x400000 0x400010"],
                    ["strace", "-p", number, "-e", "trace=none"],
                ):
                    done = subprocess.run(
                        [*become, *command], capture_output=True, text=True, check=False, timeout=60
                    )
                    assert "not permitted" in done.stdout + done.stderr, command
                for name in ("mem", "environ", "maps", "auxv", "stack", "fd/0", "map_files"):
                    done = subprocess.run(
                        [*become, "cat", f"/proc/{number}/{name}"],
                        capture_output=True,
                        text=True,
                        check=False,
                    )
                    assert done.returncode != 0, name

    def test_an_abort_leaves_no_core(self, tmp_path: Path) -> None:
        previous = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (previous[1], previous[1]))
        pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii")
        try:
            Path("/proc/sys/kernel/core_pattern").write_text(f"{tmp_path}/core.%p\n", encoding="ascii")
            plain = subprocess.run(
                ["/bin/sh", "-c", "ulimit -c unlimited; kill -ABRT $$"], cwd=tmp_path, check=False
            )
            assert plain.returncode == -signal.SIGABRT
            # Where the host forbids cores to everybody, there is none to compare with.
            assert list(tmp_path.glob("core.*")) or previous[1] == 0, "an ordinary program leaves one"
            for old in tmp_path.glob("core.*"):
                old.unlink()
            with running(f"{PLANT}; say('ready'); os.abort()") as worker:
                assert worker.line() == "ready"
                assert worker.process.wait(timeout=60) == -signal.SIGABRT
            assert not list(tmp_path.glob("core.*"))
        finally:
            Path("/proc/sys/kernel/core_pattern").write_text(pattern, encoding="ascii")
            resource.setrlimit(resource.RLIMIT_CORE, previous)

    def test_a_key_that_waits_is_seen_by_nobody_not_even_root(self) -> None:
        needle = CANARY.encode()
        with running(f"{PLANT}; say('ready'); connection.recv(1)") as worker:
            assert worker.line() == "ready"
            assert needle in readable_memory(worker.process.pid), "the search finds what is there"
        body = f"{PLANT}; memory.put(secret); say('ready'); connection.recv(1); say(memory.take().decode())"
        with running(body) as worker:
            assert worker.line() == "ready"
            assert needle not in readable_memory(worker.process.pid)
            worker.connection.sendall(b"x")
            assert worker.line() == CANARY

    def test_it_dies_with_the_supervisor(self) -> None:
        said = confined(
            """
            number = ctypes.c_int()
            libc.prctl(2, ctypes.byref(number), 0, 0, 0)
            say(number.value)
            """
        )
        assert said == [str(int(signal.SIGKILL))]


class TestPlants:
    def test_nothing_of_the_partners_environment_gets_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        marker = tmp_path / "was-here"
        for name in ("sitecustomize", "usercustomize", "numpy", "json"):
            (tmp_path / f"{name}.py").write_text(f"open({str(marker)!r}, 'w').close()", encoding="ascii")
        (library,) = Path("/usr/lib").glob("*/libseccomp.so.2")
        plants = {
            "PYTHONPATH": str(tmp_path),
            "PYTHONSTARTUP": str(tmp_path / "json.py"),
            "PYTHONUSERBASE": str(tmp_path),
            "LD_PRELOAD": str(library),
            "LD_LIBRARY_PATH": str(tmp_path),
            "LD_AUDIT": str(library),
        }
        plain = {**os.environ, "PYTHONPATH": str(tmp_path), "LD_PRELOAD": str(library)}
        loads = [sys.executable, "-c", "print(open('/proc/self/maps').read())"]
        done = subprocess.run(loads, env=plain, capture_output=True, text=True, check=True)
        assert "libseccomp" in done.stdout
        assert marker.exists(), "an ordinary program takes them up"
        marker.unlink()
        for name, value in plants.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        worker = WorkerProcess.start(pass_fds=[], waiter=lambda _, __: lambda: None)
        try:
            assert worker.prepare()
            maps = Path(f"/proc/{worker.process_id}/maps").read_text(encoding="utf-8")
            assert "libpython" in maps or "python3" in maps
            assert "libseccomp" not in maps
            assert str(tmp_path) not in maps
        finally:
            worker.end()
        assert not marker.exists()

    def test_the_one_time_key_lies_where_root_cannot_read_it(self) -> None:
        worker = WorkerProcess.start(pass_fds=[], waiter=lambda _, __: lambda: None)
        try:
            assert worker.prepare()
            maps = Path(f"/proc/{worker.process_id}/maps").read_text(encoding="utf-8")
            assert "/secretmem" in maps
        finally:
            worker.end()


def readable_memory(process_id: int) -> bytes:
    """Return all memory of a process that root can read."""
    pieces = []
    with Path(f"/proc/{process_id}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{process_id}/maps").read_text(encoding="utf-8").splitlines():
            span, flags = line.split()[:2]
            if not flags.startswith("rw"):
                continue
            start, end = (int(number, 16) for number in span.split("-"))
            try:
                memory.seek(start)
                pieces.append(memory.read(end - start))
            except OSError:
                continue
    return b"".join(pieces)

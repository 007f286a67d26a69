from __future__ import annotations

import errno
import resource
import struct
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from strongroom.hardening import landlock, limits, seccomp
from strongroom.hardening.confining import confine
from strongroom.hardening.kernel import Kernel
from strongroom.hardening.limits import WorkerLimits
from strongroom.hardening.numbers import Machine
from strongroom.hardening.report import REMEDIES, Measure, Outcome, Report
from strongroom.hardening.secret_memory import SecretMemory, wipe
from tests.unit.hardening.kernels import RecordingKernel

SMALL = WorkerLimits(memory_bytes=512 << 20, cpu_seconds=3600, threads=200)


def run(kernel: RecordingKernel, *, worker: WorkerLimits = SMALL, keep: tuple[int, ...] = (5, 9)) -> Report:
    return confine(
        keep=keep, limits=worker, memory=SecretMemory.reserve(kernel), harden=lambda: None, kernel=kernel
    )


def detail(report: Report, measure: Measure) -> str:
    return next(outcome.detail for outcome in report.outcomes if outcome.measure is measure)


def test_a_kernel_that_has_everything_gives_everything() -> None:
    kernel = RecordingKernel(swap=[])
    report = run(kernel)
    assert report.lacking == ()
    assert report.isolates
    order = [name for name, _ in kernel.calls]
    assert order.index("unshare") < order.index("prctl") < order.index("capset")
    assert order.index("capset") < order.index("landlock_restrict_self") < order.index("seccomp")
    assert order[-1] == "seccomp"


def test_descriptors_are_closed_between_those_that_are_meant() -> None:
    kernel = RecordingKernel(swap=[])
    run(kernel)
    assert kernel.named("close_range") == [(3, 4, 0), (6, 8, 0), (10, 0xFFFFFFFF, 0)]


def test_limits_are_set_for_good() -> None:
    kernel = RecordingKernel(swap=[])
    run(kernel)
    assert kernel.limited == {
        resource.RLIMIT_DATA: 512 << 20,
        resource.RLIMIT_AS: (512 << 20) + (64 << 30),
        resource.RLIMIT_NOFILE: 1024,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CPU: 3600,
        resource.RLIMIT_NPROC: 200,
    }


def test_threads_are_not_limited_where_they_are_counted_with_those_of_the_account() -> None:
    kernel = RecordingKernel(["unshare"], code=errno.EPERM, swap=[])
    report = run(kernel, worker=WorkerLimits(1 << 30, None, 200))
    assert resource.RLIMIT_NPROC not in kernel.limited
    assert kernel.limited[resource.RLIMIT_DATA] == 1 << 30
    assert report.lacking == (Measure.NAMESPACES,)
    assert "not permitted" in detail(report, Measure.NAMESPACES)


def test_a_hard_limit_that_is_lower_stays() -> None:
    kernel = RecordingKernel(swap=[], hard=100)
    run(kernel)
    assert kernel.limited[resource.RLIMIT_DATA] == 100


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
@pytest.mark.parametrize(
    ("call", "measures", "isolates"),
    [
        ("close_range", {Measure.DESCRIPTORS}, True),
        ("unshare", {Measure.NAMESPACES}, True),
        ("capset", {Measure.PRIVILEGES}, False),
        ("landlock_create_ruleset", {Measure.FILES}, False),
        ("landlock_restrict_self", {Measure.FILES}, False),
        ("memfd_secret", {Measure.SECRET_MEMORY}, True),
        ("seccomp", {Measure.PROGRAMS, Measure.NETWORK}, False),
    ],
)
def test_a_host_that_lacks_one_takes_the_others_and_says_so(
    call: str, measures: set[Measure], isolates: bool, code: int
) -> None:
    kernel = RecordingKernel([call], code=code, swap=[])
    report = run(kernel)
    assert set(report.lacking) == measures
    assert report.isolates is isolates
    assert kernel.calls[-1][0] == "seccomp"


def test_an_unknown_architecture_has_no_filter() -> None:
    report = run(RecordingKernel(machine=None, swap=[]))
    assert set(report.lacking) == {Measure.PROGRAMS, Measure.NETWORK}
    with pytest.raises(OSError, match="architecture"):
        seccomp.install(RecordingKernel(machine=None))


@pytest.mark.parametrize(
    ("swap", "locked", "holds"),
    [
        ([], 8 << 20, True),
        (["/dev/zram0"], 8 << 20, True),
        (["/dev/zram0", "/dev/sda2"], 8 << 20, False),
        (None, 8 << 20, False),
        (["/dev/sda2"], resource.RLIM_INFINITY, True),
    ],
)
def test_pages_stay_in_memory_if_there_is_no_swap_or_all_may_be_locked(
    swap: list[str] | None, locked: int, holds: bool
) -> None:
    kernel = RecordingKernel(swap=swap, locked=locked)
    assert (Measure.NO_SWAP not in run(kernel).lacking) is holds
    assert bool(kernel.named("mlockall")) is (locked == resource.RLIM_INFINITY)


def test_a_process_with_threads_is_not_confined() -> None:
    with pytest.raises(OSError, match="before it has threads"):
        run(RecordingKernel(threads=2))


@pytest.mark.parametrize(
    ("version", "rights", "sizes"),
    [(1, 13, 8), (2, 14, 8), (3, 15, 8), (4, 15, 16), (5, 16, 16), (6, 16, 24), (9, 16, 24)],
)
def test_landlock_takes_away_what_the_kernels_version_can(version: int, rights: int, sizes: int) -> None:
    kernel = RecordingKernel(landlock=version)
    said = landlock.confine(kernel, ["/usr/lib", "/dev/null", "/no/such/path"])
    attributes = kernel.named("landlock_create_ruleset")[1][0]
    assert isinstance(attributes, bytes)
    assert len(attributes) == sizes
    assert struct.unpack_from("=Q", attributes)[0] == (1 << rights) - 1
    assert [struct.unpack("=Qi", rule[2])[0] for rule in kernel.named("landlock_add_rule")] == [12, 4]  # type: ignore[arg-type]  # bytes
    assert "2 paths" in said
    assert ("no TCP" in said) is (version >= 4)


def test_neither_the_disk_nor_a_home_is_ever_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import pwd

    home = pwd.getpwuid(os.getuid()).pw_dir
    monkeypatch.setattr("sys.path", ["", "/", home, str(Path(home).parent), f"{home}/venv/site-packages"])
    paths = landlock.library_paths()
    assert f"{home}/venv/site-packages" in paths
    assert not {"", "/", home, str(Path(home).parent)} & set(paths)


class TestLimits:
    def test_settings_are_read_and_passed_on(self) -> None:
        read = WorkerLimits.from_environment(
            {"STRONGROOM_WORKER_MEMORY_MIB": "64", "STRONGROOM_WORKER_CPU_SECONDS": "7"}
        )
        assert (read.memory_bytes, read.cpu_seconds) == (64 << 20, 7)
        assert WorkerLimits.from_text(read.to_text()) == read
        default = WorkerLimits.from_environment({})
        assert default.memory_bytes > 1 << 28
        assert default.cpu_seconds is None
        assert WorkerLimits.from_text(default.to_text()) == default

    @pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "\u0664"])
    def test_a_setting_that_is_no_number_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="STRONGROOM_WORKER_MEMORY_MIB"):
            WorkerLimits.from_environment({"STRONGROOM_WORKER_MEMORY_MIB": text})

    @pytest.mark.parametrize("text", ["", "1,2", "1,2,x"])
    def test_other_text_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            WorkerLimits.from_text(text)


class TestSecretMemory:
    @pytest.mark.parametrize("lacking", [(), ("memfd_secret",), ("memfd_secret", "mlock")])
    def test_a_secret_is_moved_in_and_out(self, lacking: tuple[str, ...]) -> None:
        memory = SecretMemory.reserve(RecordingKernel(lacking))
        assert memory.is_secret is not bool(lacking)
        assert memory.take() is None
        secret = bytearray(b"secret")
        memory.put(secret)
        assert secret == bytes(6)
        assert b"secret" not in repr(memory).encode()
        assert memory.take() == bytearray(b"secret")
        assert memory.take() is None

    def test_a_real_kernel_gives_a_page(self) -> None:
        memory = SecretMemory.reserve()
        memory.put(bytearray(b"secret"))
        assert memory.take() == bytearray(b"secret")

    def test_more_than_a_page_is_refused(self) -> None:
        with pytest.raises(ValueError, match="page"):
            SecretMemory.reserve().put(bytearray(1 << 20))

    def test_wiping_leaves_zeros_in_place(self) -> None:
        buffer = bytearray(b"plain")
        wipe(buffer)
        assert buffer == bytes(5)
        wipe(bytearray())


class TestReport:
    def test_goes_to_json_and_back(self) -> None:
        report = run(RecordingKernel(["unshare"], swap=[]))
        assert Report.from_json(report.to_json()) == report

    @pytest.mark.parametrize("document", [[{"measure": "luck", "holds": True, "detail": ""}], [{}]])
    def test_refuses_other_json(self, document: list[Any]) -> None:
        with pytest.raises((ValueError, KeyError)):
            Report.from_json(document)

    def test_what_was_never_taken_does_not_hold(self) -> None:
        assert Report(()).lacking == tuple(Measure)
        assert not Report((Outcome(Measure.FILES, True, ""),)).isolates

    def test_every_measure_has_a_remedy(self) -> None:
        assert set(REMEDIES) == set(Measure)


class TestKernel:
    def test_answers_and_refuses_by_name(self) -> None:
        kernel = Kernel()
        assert kernel.call("getpid") > 1
        with pytest.raises(OSError, match="close_range: Invalid argument") as caught:
            kernel.call("close_range", 9, 3, 0)
        assert caught.value.errno == errno.EINVAL

    def test_a_call_that_the_architecture_lacks_is_missing(self) -> None:
        kernel = Kernel()
        kernel.machine = Machine.AARCH64
        with pytest.raises(OSError, match="open") as caught:
            kernel.call("open", b"/", 0)
        assert caught.value.errno == errno.ENOSYS

    def test_tells_threads_swap_and_limits(self) -> None:
        kernel = Kernel()
        assert kernel.thread_count() >= 1
        assert isinstance(kernel.swap_areas(), list)
        soft, hard = kernel.limits(resource.RLIMIT_NOFILE)
        assert soft <= hard

    def test_sets_limits(self) -> None:
        # In a process of its own: a hard limit never goes up again, and other tests need theirs.
        program = """
            import resource
            from strongroom.hardening.kernel import Kernel
            Kernel().limit(resource.RLIMIT_CORE, 0)
            print(Kernel().limits(resource.RLIMIT_CORE))
            """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
        )
        assert done.stdout == "(0, 0)\n"


def test_applying_says_what_holds() -> None:
    said = limits.apply(RecordingKernel(), SMALL, own_namespace=True)
    assert said == "512 MiB of memory, no byte into files, 3600 s of processor time, 200 threads"

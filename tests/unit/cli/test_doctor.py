"""``doctor`` and ``env`` say true things."""

from __future__ import annotations

import getpass
import platform
import resource
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.cli._shared import Shared
from strongroom.cli.doctor import kernel, library, party, protection
from strongroom.cli.doctor.finding import Finding, Level
from strongroom.license.protection import Fact
from tests.scenarios.command_line import run_in_process
from tests.unit.cli.conftest import Party, Scene


def by_check(home: Path, now: datetime | None = None) -> dict[str, Finding]:
    shared = Shared(home=home)
    if now is not None:
        shared.__dict__["now"] = now
    return {finding.check: finding for finding in party.findings(shared)}


def test_every_line_has_a_verdict_and_every_fault_a_fix(hospital: Party) -> None:
    outcome = hospital.run("doctor", "--json", code=None)
    checks = outcome.json["checks"]
    assert {check["level"] for check in checks} <= {"pass", "warn", "fail"}
    assert all(check["fix"] for check in checks if check["level"] != "pass")
    assert outcome.code == (1 if outcome.json["failed"] else 0)
    lines = hospital.run("doctor", code=None).text.splitlines()
    assert all(line.startswith(("pass", "warn", "fail", "      fix:")) for line in lines)


def test_a_missing_home_is_a_warning(tmp_path: Path) -> None:
    finding = by_check(tmp_path / "none")["home"]
    assert finding.level is Level.WARN
    assert "strongroom init" in str(finding.fix)


def test_a_damaged_home_is_a_failure(hospital: Party) -> None:
    (hospital.home / "home.json").write_text("{", encoding="utf-8")
    assert by_check(hospital.home)["home"].level is Level.FAIL


def test_a_key_that_others_can_read_is_a_failure(hospital: Party) -> None:
    assert by_check(hospital.home)["modes"].level is Level.PASS
    (hospital.home / "keys" / "organization.key").chmod(0o644)
    finding = by_check(hospital.home)["modes"]
    assert finding.level is Level.FAIL
    assert "organization.key" in finding.message
    assert hospital.run("doctor", code=1).code == 1


def test_a_confirmed_owner_and_a_pending_one_are_told_apart(scene: Scene) -> None:
    assert by_check(scene.clinic.home)["owner hospital"].level is Level.WARN
    scene.accept(scene.grant())
    assert by_check(scene.clinic.home)["owner hospital"].level is Level.PASS


def test_a_waiting_partner_is_named(scene: Scene) -> None:
    scene.hospital.run("partner", "approve", scene.enrollment, code=2)
    assert "clinic" in by_check(scene.hospital.home)["partners"].message


def test_the_days_of_a_license_are_counted(scene: Scene) -> None:
    scene.accept(scene.grant("--expires", "90d"))
    identity = scene.clinic.run("license", "list", "--json").json["licenses"][0]["license"]
    now = datetime.now(UTC)
    check = f"license {identity}"
    assert by_check(scene.clinic.home)[check].message == "89 days left"
    assert by_check(scene.clinic.home, now + timedelta(days=80))[check].level is Level.WARN
    assert by_check(scene.clinic.home, now + timedelta(days=91))[check].level is Level.FAIL


def test_a_clock_that_was_set_back_is_a_failure(scene: Scene) -> None:
    scene.accept(scene.grant("--predictions", "100/total"))
    scene.clinic.run("predict", "risk", scene.table, "--id-column", "patient")
    assert "clock" not in by_check(scene.clinic.home)
    finding = by_check(scene.clinic.home, datetime.now(UTC) - timedelta(days=2))["clock"]
    assert finding.level is Level.FAIL


def test_damage_is_reported_and_the_other_checks_go_on(scene: Scene) -> None:
    scene.accept(scene.grant())
    (license_file,) = (scene.clinic.home / "licenses").glob("*/*.license")
    license_file.write_text("{", encoding="utf-8")
    found = by_check(scene.clinic.home)
    assert found["licenses"].level is Level.FAIL
    assert found["owner hospital"].level is Level.PASS


def test_a_home_under_a_passphrase_passes(tmp_path: Path) -> None:
    home = Party("safe", tmp_path)
    home.run(
        "init", "safe", "--encrypt", "--passphrase-file", "-", stdin=b"seven maple trams orbit quietly\n"
    )
    assert by_check(home.home)["keys"].level is Level.PASS


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        (kernel._core_dumps(0), Level.PASS),
        (kernel._core_dumps(resource.RLIM_INFINITY), Level.WARN),
        (kernel._swap([]), Level.PASS),
        (kernel._swap(["/dev/zram0 partition 1 0 1"]), Level.PASS),
        (kernel._swap(["/dev/sda2 partition 1 0 1"]), Level.WARN),
        (kernel._locked_memory(resource.RLIM_INFINITY), Level.PASS),
        (kernel._locked_memory(64 << 10), Level.WARN),
        (kernel._user_namespaces(["1000"], False), Level.PASS),
        (kernel._user_namespaces(["1000"], True), Level.WARN),
        (kernel._user_namespaces(["0"], False), Level.WARN),
        (kernel._user_namespaces([], False), Level.WARN),
        (kernel._clock(0x2001), Level.PASS),
        (kernel._clock(0x40), Level.WARN),
        (kernel._clock(None), Level.WARN),
        (library._extra("onnx", {"onnx": "1.0"}), Level.PASS),
        (library._extra("onnx", {"onnx": None}), Level.WARN),
        (library._python((3, 11, 7)), Level.PASS),
        (library._python((3, 10, 9)), Level.FAIL),
        (library._telemetry("1"), Level.PASS),
        (library._telemetry(None), Level.WARN),
    ],
)
def test_facts_become_verdicts(finding: Finding, level: Level) -> None:
    assert finding.level is level


def open_descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def test_the_probes_leave_nothing_behind() -> None:
    before = open_descriptors()
    assert len(list(kernel.findings())) == 5
    assert open_descriptors() == before


def test_nothing_is_told_twice(hospital: Party) -> None:
    checks = hospital.run("doctor", "--json", code=None).json["checks"]
    names = [check["check"] for check in checks]
    assert sorted(names) == sorted(set(names))
    assert not {"landlock", "memfd_secret"} & set(names)
    assert {"fact, files", "fact, secret-memory"} <= set(names)
    fixes = [check["fix"] for check in checks if check["check"].startswith("fact, ") and check["fix"]]
    assert not set(fixes) & {check["fix"] for check in checks if not check["check"].startswith("fact, ")}


def test_the_kernel_is_asked_and_not_guessed() -> None:
    found = {finding.check: finding for finding in kernel.findings()}
    limit = resource.getrlimit(resource.RLIMIT_CORE)[0]
    assert (found["core dumps"].level is Level.PASS) == (limit == 0)


def test_the_level_of_this_machine_is_said() -> None:
    finding = next(iter(protection.findings(Shared())))
    assert finding.message.startswith("local: a model runs under a user's own account")
    assert "for sealed there is missing: own-account" in finding.message


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "version_of", lambda name: None if name == "skops" else "1.0")
    found = {finding.check: finding for finding in library.findings()}
    assert "skops" in found["extra sklearn"].message
    assert found["extra sklearn"].fix == "pip install 'strongroom[sklearn]'"


def test_no_library_is_imported_to_tell_its_version() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom strongroom.cli import main\nmain(['env'])\nmain(['doctor'])\n"
        "assert not {'onnxruntime', 'sklearn', 'pandas', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def secrets_of_this_machine() -> Iterator[str]:
    yield socket.gethostname()
    yield platform.node()
    yield str(Path.home())
    if getpass.getuser() != "root":
        yield getpass.getuser()


def test_env_gives_no_secret_and_no_name_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", "seven maple trams")
    monkeypatch.setenv("STRONGROOM_HOME", "/srv/someone")
    text = run_in_process(["env"]).text
    assert "STRONGROOM_PASSPHRASE" in text
    assert "seven maple trams" not in text
    assert "/srv/someone" not in text
    assert not [secret for secret in secrets_of_this_machine() if secret and secret in text]


def test_env_names_what_a_bug_report_needs() -> None:
    document = run_in_process(["env", "--json"]).json
    assert {"strongroom", "python", "system", "cryptography", "onnxruntime"} <= document.keys()
    assert document["python"].endswith(platform.python_version())
    assert run_in_process(["env", "--home", "x", "--json"]).json["home"] == "given with --home"


def test_the_clock_of_a_command_line_is_read_once() -> None:
    shared = Shared()
    first = shared.now
    time.sleep(0.001)
    assert shared.now == first


def test_the_facts_are_told_each_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {each.check: each for each in protection.findings(Shared())}
    assert held["fact, programs"].level is Level.PASS
    monkeypatch.setattr("sys.executable", "/bin/false")
    lacking = [each for each in protection.findings(Shared()) if each.check.startswith("fact, ")]
    assert len(lacking) == len(Fact)
    unseen = {each.check for each in lacking if each.message.startswith("not looked at")}
    # The tests run as root, which people log in as.
    assert unseen == {"fact, host-account", "fact, home", "fact, program"}
    assert all((each.level is Level.WARN) == bool(each.fix) == (each.check not in unseen) for each in lacking)

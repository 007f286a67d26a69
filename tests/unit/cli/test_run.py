"""What comes out of a command line: exit codes, documents, and silence where silence belongs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from strongroom import __version__, errors
from strongroom.cli import _run
from strongroom.cli._run import move_shared_options
from strongroom.cli._shared import Shared
from strongroom.cli._usage import explain_os_error
from strongroom.errors import Error
from tests.scenarios.command_line import Outcome, run_in_process


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch, *flags: str) -> Outcome:
    """Run a command that fails in this way."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Shared, "terminal", property(fail))
    return run_in_process(["version", "--yes", *flags])


def every_error() -> list[type[Error]]:
    found = [Error]
    for error in found:
        found.extend(error.__subclasses__())
    # Classes of one module's own, as of an answer that is silence, are raised as their parent is.
    public = {error for error in found if error.__module__ == Error.__module__}
    return sorted(public, key=lambda error: error.__name__)


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_its_exit_code(kind: type[Error], monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = raising(kind("it says no", hint="do this"), monkeypatch)
    assert outcome.code == kind.exit_code
    assert outcome.stdout == b""
    assert outcome.stderr == (
        f"strongroom: error: it says no [{kind.default_code}]\nstrongroom: hint: do this\n"
    )


@pytest.mark.parametrize("kind", every_error())
def test_every_error_is_a_document_under_json(kind: type[Error], monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = raising(kind("it says no"), monkeypatch, "--json")
    assert outcome.code == kind.exit_code
    error = outcome.json["error"]
    assert (error["code"], error["message"]) == (kind.default_code, "it says no")
    assert outcome.stderr == ""


@pytest.mark.parametrize("kind", [errors.FormatError, errors.IntegrityError, errors.VerificationError])
def test_a_file_that_does_not_hold_always_comes_with_advice(
    kind: type[Error], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "strongroom: hint: " in raising(kind("it does not hold"), monkeypatch).stderr
    assert "better advice" in raising(kind("no", hint="better advice"), monkeypatch).stderr


def test_the_exit_codes_are_those_of_the_documentation() -> None:
    codes = {kind.__name__: kind.exit_code for kind in every_error()}
    assert codes["Error"] == 1
    assert codes["UsageError"] == 2
    assert codes["ObjectNotFound"] == 3
    assert codes["NoMatchingKey"] == 4
    assert codes["LicenseDenied"] == 5
    assert codes["IntegrityError"] == codes["VerificationError"] == codes["FormatError"] == 6
    assert codes["BrokerUnavailable"] == 7


def test_an_interruption_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = raising(KeyboardInterrupt(), monkeypatch)
    assert outcome.code == 130
    assert "Traceback" not in outcome.stderr


def test_a_defect_shows_its_type_and_not_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = raising(ZeroDivisionError("patient 4711"), monkeypatch)
    assert outcome.code == 1
    assert "ZeroDivisionError" in outcome.stderr
    assert "4711" not in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (ZeroDivisionError("why"), errors.FormatError("bad")):
        outcome = raising(error, monkeypatch, "--debug")
        assert "Traceback" in outcome.stderr
        assert outcome.stdout == b""


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (FileNotFoundError(2, "No such file", "a.csv"), "not-found", 3),
        (PermissionError(13, "Permission denied", "a.csv"), "storage-unavailable", 1),
        (OSError(28, "No space left", "a.csv"), "storage-unavailable", 1),
        (IsADirectoryError(21, "Is a directory", "a.csv"), "storage-unavailable", 1),
    ],
)
def test_an_error_of_the_system_names_the_file(error: OSError, code: str, exit_code: int) -> None:
    explained = explain_os_error(error)
    assert "a.csv" in str(explained)
    assert (explained.code, explained.exit_code) == (code, exit_code)


def test_an_error_of_the_system_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert raising(FileNotFoundError(2, "No such file", "a.csv"), monkeypatch).code == 3
    assert explain_os_error(OSError("no name")).code == "storage-unavailable"


def test_a_reader_that_leaves_is_no_error() -> None:
    # The overview is written into a pipe that nobody reads.
    process = subprocess.Popen(
        [sys.executable, "-m", "strongroom", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, stderr = process.communicate()
    assert process.returncode == _run.BROKEN_PIPE
    assert stderr == b""


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        (["--json", "models"], ["models", "--json"]),
        (["--home", "x", "models", "--yes"], ["models", "--yes", "--home", "x"]),
        (["--home=x", "-y", "predict", "--", "-f"], ["predict", "--home=x", "-y", "--", "-f"]),
        (["models", "--json"], ["models", "--json"]),
        (["--json"], ["--json"]),
        (["--json", "--help"], ["--json", "--help"]),
        (["--home"], ["--home"]),
        ([], []),
    ],
)
def test_shared_options_may_come_first(given: list[str], moved: list[str]) -> None:
    assert move_shared_options(given) == moved


def test_the_version_is_the_same_on_every_path() -> None:
    line = f"strongroom {__version__}\n"
    assert run_in_process(["version"]).text == line
    assert run_in_process(["--version"]).text == line
    assert run_in_process(["version", "--yes"]).text == line
    assert run_in_process(["version", "--json"]).json == {"version": __version__}


def test_the_quick_path_imports_no_command_line_library() -> None:
    code = (
        "import sys; sys.argv = ['strongroom', 'version']\n"
        "from strongroom.cli import main; main()\n"
        "assert not {'cyclopts', 'rich', 'cryptography', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_help_imports_no_command_and_no_heavy_library() -> None:
    code = (
        "import sys\nfrom strongroom.cli import main; main(['--help'])\n"
        "assert 'strongroom.cli.seal' not in sys.modules\n"
        "assert not {'cryptography', 'numpy', 'onnxruntime', 'pandas', 'msgspec'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

"""The layers of ARCHITECTURE.md, enforced by reading every import of ``src`` with ``ast``.

An import counts wherever it stands: at the top, inside a function, or under
``TYPE_CHECKING``. What this test does not know (a new folder, a new library) fails
it, so that each addition is placed once, here, on purpose.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "strongroom"

RANKS = {
    "cli": 90,
    "demo": 85,
    "runtime": 80,
    "broker": 80,
    "sealing": 70,
    "opening": 70,
    "leasing": 75,
    "granting": 70,
    "deriving": 72,
    "publishing": 70,
    "revoking": 70,
    "sending": 70,
    "resending": 72,
    "witnessing": 70,
    "accepting": 70,
    "enrolling": 70,
    "founding": 65,
    "client": 70,
    "listening": 12,
    "serving": 75,
    "service": 70,
    "evaluation": 70,
    "intake": 65,
    "worker": 60,
    "metering": 60,
    "home": 50,
    "connection": 48,
    "protocol": 45,
    "receipts": 42,
    "package": 40,
    "license": 40,
    "provenance": 40,
    "log": 40,
    "keys": 30,
    "kms": 25,
    "crypto": 20,
    "storage": 15,
    "loaders": 15,
    "hardening": 12,
    "_encoding": 10,
    "_limits": 5,
    "errors": 5,
}
"""The layers, highest first. A module imports from its own part or from a lower rank."""

PURE = {"receipts", "package", "license", "provenance", "log", "keys", "crypto"}
"""Bytes and ``now`` in, values or errors out."""

PURE_FORBIDDEN = {
    "asyncio", "ctypes", "fcntl", "glob", "http", "io", "logging", "mmap", "multiprocessing", "os",
    "pathlib", "random", "select", "shutil", "signal", "socket", "ssl", "subprocess", "sys", "tempfile",
    "time", "urllib",
}  # fmt: skip
"""Standard modules that reach a disk, a network, a clock, a process or chance that is not secret."""

CLOCK_CALLS = {"now", "utcnow", "today"}

SEAMS = {"storage", "loaders"}
MACHINE_LEARNING = {
    "catboost", "lightgbm", "numpy", "onnx", "onnxruntime", "pandas", "polars", "pyarrow", "safetensors",
    "scipy", "skl2onnx", "sklearn", "skops", "torch", "transformers", "xgboost",
}  # fmt: skip

TECHNOLOGY_HOME = {
    "cryptography": {"crypto"},
    "joserfc": {"crypto"},
    "blake3": {"crypto/digest.py"},
    "zxcvbn": {"keys/strength.py"},
    "platformdirs": {"home/home.py"},
    "google": {"intake/onnx_graph.py"},
    "joblib": {"loaders/skops_threads.py"},
    "onnx": {"intake/onnx_graph.py"},
    "onnxruntime": {"loaders/onnx.py", "cli/demo/material.py"},
    "skl2onnx": {"intake/convert.py", "cli/demo/material.py"},
    "httpcore2": {"connection/https.py", "connection/deadline.py"},
    "fastapi": {"broker/http"},
    "starlette": {"broker/http"},
    "uvicorn": {"listening.py"},
    "h11": {"listening.py"},
    "pydantic": {"broker/http"},
    "prometheus_client": {"broker/http/metrics.py"},
    "structlog": {"broker/http/request_log.py"},
    "sqlalchemy": {"broker/sql", "broker/migrations"},
    "alembic": {"broker/sql", "broker/migrations"},
    "psycopg": {"broker/sql/libpq.py"},
    "pkcs11": {"kms/pkcs11.py"},
    "cyclopts": {"cli"},
    "rich": {"cli"},
}
"""Where a library may be imported: a layer, or one file."""

EVERYWHERE = {"msgspec"}
"""Wire documents are typed in every layer (docs/adr/0006)."""


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, as a dotted name, and where it stands."""

    file: str
    line: int
    target: str

    @property
    def top(self) -> str:
        """Return the distribution-level name."""
        return self.target.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.target}"


def _files() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def _module(file: str) -> str:
    dotted = file.removesuffix(".py").replace("/", ".").removesuffix("__init__").rstrip(".")
    return f"strongroom.{dotted}".rstrip(".")


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse((SOURCE / file).read_text(encoding="utf-8"), file)


@cache
def _modules() -> frozenset[str]:
    return frozenset(_module(_name(path)) for path in _files())


def _targets(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports hide the layer"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            # `from package import module` is an edge to the module, not to its folder.
            yield inner if inner in _modules() else str(node.module)


def _imports(file: str) -> Iterator[Import]:
    for node in ast.walk(_tree(file)):
        for target in dict.fromkeys(_targets(node)):
            yield Import(file, getattr(node, "lineno", 0), target)
    yield from _lazy_command_strings(file)


def _lazy_command_strings(file: str) -> Iterator[Import]:
    # cyclopts loads a command from "strongroom.cli.seal:seal" when it is called.
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            module, colon, name = node.value.partition(":")
            if colon and "." in module and name.isidentifier() and module in _modules():
                yield Import(file, node.lineno, module)


def _all_imports() -> list[Import]:
    return [found for path in _files() for found in _imports(_name(path))]


def _part(dotted_or_file: str) -> str:
    """Return the part of the program: the first folder or module below ``strongroom``."""
    if dotted_or_file.endswith(".py"):
        return dotted_or_file.partition("/")[0].removesuffix(".py")
    pieces = dotted_or_file.split(".")
    return pieces[1] if len(pieces) > 1 else "__init__"


def _external() -> list[Import]:
    skip = sys.stdlib_module_names | {"strongroom", "__future__"}
    return [found for found in _all_imports() if found.top not in skip]


def test_every_part_has_a_layer() -> None:
    parts = {_part(_name(path)) for path in _files()} - {"__init__", "__main__"}
    assert parts <= set(RANKS), (
        f"give these a rank in RANKS and a line in ARCHITECTURE.md: {parts - set(RANKS)}"
    )


def test_imports_go_down_only() -> None:
    wrong = []
    for found in _all_imports():
        if found.top != "strongroom":
            continue
        source, target = _part(found.file), _part(found.target)
        if source in ("__init__", "__main__") or target in (source, "__init__"):
            continue
        if RANKS[target] >= RANKS[source]:
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


def test_nothing_below_the_programs_imports_the_public_front() -> None:
    """``strongroom/__init__`` pulls in the use cases: whoever imports it from below makes a cycle."""
    wrong = [
        str(found)
        for found in _all_imports()
        if found.target == "strongroom"
        and RANKS.get(_part(found.file), 99) < RANKS["demo"]
        and not _only_reads_version(found)
    ]
    assert not wrong, "\n".join(wrong)


def _only_reads_version(found: Import) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.lineno == found.line
        and [alias.name for alias in node.names] == ["__version__"]
        for node in ast.walk(_tree(found.file))
    )


def test_there_are_no_cycles() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for path in _files():
        file = _name(path)
        for found in _imports(file):
            if found.target in _modules() and found.target != _module(file):
                graph[_module(file)].add(found.target)
    assert _cycle(graph) is None, " -> ".join(_cycle(graph) or [])


def _cycle(graph: dict[str, set[str]]) -> list[str] | None:
    done: set[str] = set()

    def visit(node: str, trail: list[str]) -> list[str] | None:
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return None
        for following in sorted(graph.get(node, ())):
            found = visit(following, [*trail, node])
            if found is not None:
                return found
        done.add(node)
        return None

    return next((found for start in sorted(graph) if (found := visit(start, [])) is not None), None)


def test_servers_do_not_import_one_another() -> None:
    servers = {"broker", "gateway", "runtime"}
    wrong = [
        str(found)
        for found in _all_imports()
        if found.top == "strongroom"
        and _part(found.file) in servers
        and _part(found.target) in servers - {_part(found.file)}
    ]
    assert not wrong, "\n".join(wrong)


def test_seams_see_only_what_lies_below_them() -> None:
    allowed = {"errors", "_limits", "_encoding"}
    wrong = [
        str(found)
        for found in _all_imports()
        if found.top == "strongroom"
        and _part(found.file) in SEAMS
        and _part(found.target) not in allowed | {_part(found.file)}
    ]
    assert not wrong, "\n".join(wrong)


def test_the_pure_core_sees_of_a_seam_only_its_interface() -> None:
    wrong = [
        str(found)
        for found in _all_imports()
        if _part(found.file) in PURE
        and found.top == "strongroom"
        and _part(found.target) in SEAMS
        and not found.target.endswith(".interface")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_pure_core_reaches_no_disk_network_clock_or_process() -> None:
    wrong = [
        str(found) for found in _all_imports() if _part(found.file) in PURE and found.top in PURE_FORBIDDEN
    ]
    assert not wrong, "\n".join(wrong)


def test_the_pure_core_calls_no_clock_and_opens_nothing() -> None:
    wrong = []
    for path in _files():
        file = _name(path)
        if _part(file) not in PURE | {"_encoding", "_limits", "errors"}:
            continue
        for node in ast.walk(_tree(file)):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in CLOCK_CALLS:
                wrong.append(f"{file}:{node.lineno} calls .{called.attr}()")
            if isinstance(called, ast.Name) and called.id in ("open", "print", "input"):
                wrong.append(f"{file}:{node.lineno} calls {called.id}()")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", sorted(TECHNOLOGY_HOME))
def test_a_library_stays_at_home(library: str) -> None:
    homes = TECHNOLOGY_HOME[library]
    wrong = [
        str(found)
        for found in _external()
        if found.top == library and not any(_is_in(found.file, home) for home in homes)
    ]
    assert not wrong, "\n".join(wrong)


def _is_in(file: str, home: str) -> bool:
    return file == home or file.startswith(f"{home}/")


def test_one_technology_of_a_seam_is_one_file() -> None:
    """In the seams a file imports one library (numpy beside it), and no other file imports the same."""
    used_by: dict[str, set[str]] = defaultdict(set)
    uses: dict[str, set[str]] = defaultdict(set)
    for found in _external():
        if _part(found.file) in SEAMS and found.top not in {"numpy"} | EVERYWHERE:
            used_by[found.top].add(found.file)
            uses[found.file].add(found.top)
    assert all(len(files) == 1 for files in used_by.values()), dict(used_by)
    assert all(len(libraries) == 1 for libraries in uses.values()), dict(uses)


def test_no_machine_learning_library_in_the_core_layers() -> None:
    core = PURE | {"home", "storage", "metering", "_encoding", "_limits", "errors", "granting", "opening"}
    wrong = [
        str(found) for found in _external() if _part(found.file) in core and found.top in MACHINE_LEARNING
    ]
    assert not wrong, "\n".join(wrong)


def test_every_library_is_known_here() -> None:
    known = set(TECHNOLOGY_HOME) | EVERYWHERE | MACHINE_LEARNING
    assert {found.top for found in _external()} <= known, (
        "say in TECHNOLOGY_HOME where the new library may be used"
    )

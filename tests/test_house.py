"""The house style that a program can check: sizes, names, docstrings, errors, leftovers."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from strongroom._limits import Limits
from strongroom.crypto import labels

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "strongroom"

MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 80
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "core", "misc"}

BROAD_EXCEPT = {
    "broker/ledger.py": 2,
    "broker/http/middleware/edge.py": 1,
    "cli/_run.py": 1,
    "leasing/session.py": 1,
    "storage/interface.py": 1,
    "loaders/interface.py": 2,
    "loaders/skops.py": 2,
    "serving/app.py": 1,
    "intake/convert.py": 1,
    "intake/estimator.py": 1,
    "intake/boosted_source.py": 1,
}
"""The edges that may catch anything, and how often: the command line, a thread that nobody would begin
again, and where somebody else's code is called (a seam's wrapper). A handler that ends in a bare
``raise`` only cleans up and does not count."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def _tests() -> list[Path]:
    return sorted((ROOT / "tests").rglob("*.py"))


def _scripts() -> list[Path]:
    return sorted((ROOT / "benchmarks").rglob("*.py"))


def _all() -> list[Path]:
    return [*_sources(), *_tests(), *_scripts()]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _where(path: Path, node: ast.AST | None = None) -> str:
    line = f":{getattr(node, 'lineno', 1)}" if node is not None else ""
    return f"{path.relative_to(ROOT)}{line}"


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _public_nodes(tree: ast.Module) -> Iterator[Function | ast.ClassDef]:
    """Yield what a reader of the module may call: not private, not inside a function."""
    stack: list[ast.AST] = [tree]
    while stack:
        for node in ast.iter_child_nodes(stack.pop()):
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                yield node
                if isinstance(node, ast.ClassDef):
                    stack.append(node)


def test_modules_are_short() -> None:
    lengths = {_where(path): len(path.read_text(encoding="utf-8").splitlines()) for path in _all()}
    assert not {where: lines for where, lines in lengths.items() if lines > MAX_MODULE_LINES}


def test_functions_are_short() -> None:
    long = {
        f"{_where(path, node)} {node.name}": lines
        for path in _all()
        for node in _functions(_tree(path))
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert not long


def test_names_say_what_a_module_is_for() -> None:
    parts = {part for path in _sources() for part in path.relative_to(SOURCE).with_suffix("").parts}
    assert not parts & FORBIDDEN_NAMES


@pytest.mark.parametrize("path", _sources(), ids=_where)
def test_every_public_name_has_a_docstring(path: Path) -> None:
    tree = _tree(path)
    assert ast.get_docstring(tree), "a module says what it is for"
    bare = [
        f"{_where(path, node)} {node.name}"
        for node in _public_nodes(tree)
        if not ast.get_docstring(node) and not _overrides_or_overloads(node)
    ]
    assert not bare


def _overrides_or_overloads(node: Function | ast.ClassDef) -> bool:
    names = {getattr(item, "id", getattr(item, "attr", "")) for item in node.decorator_list}
    return bool(names & {"overload", "override", "setter"})


@pytest.mark.parametrize("path", _sources(), ids=_where)
def test_public_functions_that_raise_say_so(path: Path) -> None:
    """What a function raises itself stands under ``Raises``: by that name, or all of it as ``Error``."""
    silent = []
    for node in _public_nodes(_tree(path)):
        if isinstance(node, ast.ClassDef) or _overrides_or_overloads(node):
            continue
        documented = (ast.get_docstring(node) or "").partition("Raises:")[2]
        silent += [
            f"{_where(path, node)} {node.name} raises {name}"
            for name in sorted(_raised_names(node))
            if not re.search(rf"\b(Error|{name})\b", documented)
        ]
    assert not silent, "\n".join(silent)


def _raised_names(function: Function) -> set[str]:
    """Return the error classes that the body raises, but not what an inner function raises."""
    names: set[str] = set()
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = raised.attr if isinstance(raised, ast.Attribute) else getattr(raised, "id", "")
            if name[:1].isupper() and name not in ("AssertionError", "KeyboardInterrupt"):
                names.add(name)
        stack.extend(ast.iter_child_nodes(node))
    return names


def test_only_the_edges_catch_everything() -> None:
    broad = Counter(
        path.relative_to(SOURCE).as_posix()
        for path in _sources()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises_again(node)
    )
    assert broad == BROAD_EXCEPT


def _is_broad(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(isinstance(name, ast.Name) and name.id in ("Exception", "BaseException") for name in names)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_nothing_is_left_unfinished() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    found = [
        f"{_where(path)}:{number}"
        for path in _all()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    ]
    assert not found


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    marks = re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b|unittest\.skip")
    found = [
        _where(path)
        for path in _tests()
        if path != Path(__file__) and marks.search(path.read_text(encoding="utf-8"))
    ]
    assert not found


def test_nothing_unpickles_or_evaluates() -> None:
    """Model files come from strangers: nothing that runs code on load is even imported."""
    modules = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    calls = {"eval", "exec"}
    found = []
    for path in _sources():
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Import):
                imported = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported = {str(node.module).partition(".")[0]}
            else:
                imported = set()
            if imported & modules and not _only_sets_joblib_to_threads(node):
                found.append(_where(path, node))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in calls:
                found.append(_where(path, node))
    assert not found


def _only_sets_joblib_to_threads(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and [alias.name for alias in node.names] == ["parallel_config"]


def test_the_library_is_silent() -> None:
    """Only the command line writes to the terminal."""
    found = [
        _where(path, node)
        for path in _sources()
        if path.relative_to(SOURCE).parts[0] != "cli"
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("print", "input")
    ]
    assert not found


def test_every_ignore_has_a_reason() -> None:
    bare = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no cover|nosec)(?P<rest>.*)$")
    reasonless = []
    for path in _all():
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = bare.search(line)
            if found and not re.search(r"( - |# )\w", found["rest"]):
                reasonless.append(f"{_where(path)}:{number} {line.strip()}")
    assert not reasonless, "\n".join(reasonless)


def test_domain_labels_are_used_once_each() -> None:
    """Each label of crypto/labels.py is a distinct string and has a use (or waits for its issue)."""
    assert len(set(labels.ALL)) == len(labels.ALL)
    assert all(label.startswith(b"strongroom/") for label in labels.ALL)


def test_limits_carry_units() -> None:
    units = (
        "acts",
        "bytes",
        "chars",
        "days",
        "depth",
        "dimensions",
        "factor",
        "files",
        "keys",
        "length",
        "roots",
        "runtimes",
        "seconds",
        "sublicenses",
        "tensors",
        "terms",
        "versions",
    )
    assert not [field.name for field in fields(Limits) if not field.name.endswith(units)]

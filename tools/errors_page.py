"""Write docs/errors.md: every error code that the source can raise, with its message and hint.

    python -m tools.errors_page            # writes the page
    python -m tools.errors_page --print

Codes are read from the source, so the page cannot forget one; a test compares. Where a
message holds a value, the page shows an ellipsis.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from strongroom import errors
from strongroom.license.codes import MEANINGS

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "strongroom"
PAGE = ROOT / "docs" / "errors.md"

CLASSES: dict[str, type[errors.Error]] = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.Error)
}

SPECIAL: dict[str, str] = {"SilentBroker": "BrokerUnavailable"}
"""Classes of single modules, by the one that their callers catch."""

_HEAD = """\
# Errors

Every failure that Strongroom reports on purpose is an `Error` with a message, a stable `code` for
programs, and, where a user can do something, a `hint`. The classes say what the caller should do; the
command line turns them into exit codes, and with `--json` prints
`{"error": {"code": ..., "message": ..., "hint": ...}}`.

A code is never renamed and never reused. `python -m tools.errors_page` writes this page from the source;
`...` stands for a value. No message holds key material, tokens, model inputs or plaintext.

| exit code | meaning |
|---|---|
| 0 | ok |
| 1 | unexpected: a defect, a disk, a worker that died |
| 2 | usage: the call itself makes no sense, or needs something that is not installed |
| 3 | not found |
| 4 | authentication or permission: no key at hand opens this |
| 5 | the license or a quota says no |
| 6 | integrity or signature: malformed, altered, or signed by somebody else |
| 7 | broker or network unreachable |
| 130 | interrupted |
"""


@dataclass(frozen=True, slots=True, order=True)
class Raised:
    """One place in the source that gives an error a code."""

    code: str
    kind: str
    message: str
    hint: str


def collect() -> list[Raised]:
    """Return every code of the source, license codes and default codes included."""
    found = {Raised(code.value, "LicenseDenied", meaning, "") for code, meaning in MEANINGS.items()}
    for name, kind in CLASSES.items():
        found.add(Raised(kind.default_code, name, _summary(kind), ""))
    for path in sorted(SOURCE.rglob("*.py")):
        found.update(_in_module(ast.parse(path.read_text(encoding="utf-8"))))
    return sorted(found)


def _summary(kind: type[errors.Error]) -> str:
    return (kind.__doc__ or "").partition("\n")[0].rstrip(".")


def _in_module(tree: ast.Module) -> Iterator[Raised]:
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    makers = _makers(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        code = given.get("code")
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        name = SPECIAL.get(name, name)
        kind = name if name in CLASSES else makers.get(name, "")
        if isinstance(code, ast.Constant) and isinstance(code.value, str) and kind:
            message = _text(node.args[0], constants) if node.args else ""
            yield Raised(code.value, kind, message, _text(given.get("hint"), constants))


def _makers(tree: ast.Module) -> dict[str, str]:
    """Return the functions of the module that make one class of error for their callers."""
    makers = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            made = {
                getattr(call.func, "id", "")
                for call in ast.walk(node)
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") in CLASSES
            }
            if len(made) == 1:
                makers[node.name] = made.pop()
    return makers


def _text(node: ast.expr | None, constants: dict[str, ast.expr]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, constants) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, constants) + _text(node.right, constants)
    if isinstance(node, ast.Name) and node.id in constants:
        return _text(constants[node.id], constants)
    return "" if node is None else "..."


def page() -> str:
    """Return the whole page."""
    by_kind: dict[str, dict[str, list[Raised]]] = defaultdict(lambda: defaultdict(list))
    for raised in collect():
        by_kind[raised.kind][raised.code].append(raised)
    parts = [_HEAD]
    for name, kind in CLASSES.items():
        rows = by_kind.get(name)
        if not rows:
            continue
        parts.append(f"\n## {name}\n\n{_paragraph(kind)} Exit code {kind.exit_code}.\n")
        parts.append("| code | what was refused | what to do |\n|---|---|---|")
        parts.extend(_row(code, places) for code, places in sorted(rows.items()))
    return "\n".join(parts) + "\n"


def _paragraph(kind: type[errors.Error]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _row(code: str, places: list[Raised]) -> str:
    messages = dict.fromkeys(place.message for place in places if place.message)
    hints = dict.fromkeys(place.hint for place in places if place.hint not in ("", "..."))
    return f"| `{code}` | {_cell(messages)} | {_cell(hints)} |"


def _cell(texts: dict[str, None]) -> str:
    return "; ".join(text.replace("|", "\\|").replace("\n", " ") for text in texts)


def main() -> None:
    """Write the page, or print it."""
    if "--print" in sys.argv:
        print(page(), end="")
    else:
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

"""The documents are tested like code: links, claims, error codes, commands, the README's example."""

from __future__ import annotations

import ast
import doctest
import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from strongroom.cli._app import COMMANDS, build
from strongroom.cli._run import normalize
from tools import errors_page

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "strongroom"
_NO_DOCUMENTS = {
    ".venv",
    ".git",
    ".pytest_cache",
    ".hypothesis",
    "node_modules",
    "build",
    "dist",
    "fuzz-corpus",
}


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _documents() -> list[Path]:
    found = (path for path in ROOT.rglob("*.md") if not _NO_DOCUMENTS & set(path.relative_to(ROOT).parts))
    return sorted(found)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", _documents(), ids=_name)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert not [target for target in local if not (path.parent / target).exists()]


def test_paths_named_in_docstrings_and_comments_exist() -> None:
    named = re.compile(r"\b((?:spec|docs|tests|benchmarks|tools)/[\w./-]+\.(?:md|py|toml|txt))\b")
    missing = [
        f"{_name(path)}: {target}"
        for path in [*SOURCE.rglob("*.py"), *_documents(), ROOT / "Makefile"]
        for target in named.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / target).exists()
    ]
    assert not missing, "\n".join(missing)


# --- promises --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of docs/claims.toml."""

    id: str
    level: str
    text: str
    tests: tuple[str, ...]
    documents: tuple[str, ...]


def _claims() -> list[Claim]:
    table = tomllib.loads(_read("docs/claims.toml"))["claim"]
    return [
        Claim(
            entry["id"],
            entry["level"],
            entry["text"],
            tuple(entry["tests"]),
            tuple(entry.get("documents", ["README.md"])),
        )
        for entry in table
    ]


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("|", " "))


def _attack_tests() -> set[str]:
    found: set[str] = set()
    for path in sorted((ROOT / "tests" / "attacks").rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            inside = node.body if isinstance(node, ast.ClassDef) else [node]
            prefix = f"{_name(path)}::{node.name}" if isinstance(node, ast.ClassDef) else _name(path)
            found.update(
                f"{prefix}::{test.name}"
                for test in inside
                if isinstance(test, ast.FunctionDef) and test.name.startswith("test_")
            )
    return found


def test_every_claim_names_tests_that_exist() -> None:
    known = _attack_tests()
    missing = [f"{claim.id}: {test}" for claim in _claims() for test in claim.tests if test not in known]
    assert not missing, "\n".join(missing)


def test_every_attack_backs_a_claim() -> None:
    listed = {test for claim in _claims() for test in claim.tests}
    assert not _attack_tests() - listed


def test_claims_have_distinct_names() -> None:
    names = [claim.id for claim in _claims()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("claim", _claims(), ids=lambda claim: claim.id)
def test_a_claim_stands_in_the_documents_with_its_state(claim: Claim) -> None:
    for name in claim.documents:
        assert _flat(claim.text) in _flat(_read(name)), f"{name} does not say: {claim.text}"
    rows = [line for line in _read("README.md").splitlines() if f"| {_flat(claim.text)} |" in line]
    for row in rows:
        assert ("*not yet*" in row) is (not claim.tests), row
        for test in claim.tests:
            assert test.partition("::")[0].removeprefix("tests/attacks/") in row, row


def test_the_readme_table_claims_nothing_else() -> None:
    texts = {_flat(claim.text).strip() for claim in _claims()}
    section = _read("README.md").partition("## What is promised")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    rows = [line for line in table if re.search(r"\.py|\*not yet\*", line)]
    assert rows
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert _flat(cells[-2]).strip() in texts, f"not in docs/claims.toml: {cells[-2]}"


# --- errors ----------------------------------------------------------------------------------


def test_the_page_of_errors_lists_what_the_code_can_raise() -> None:
    assert _read("docs/errors.md") == errors_page.page(), "run: python -m tools.errors_page"


def test_error_codes_are_kebab_case() -> None:
    assert not [
        found.code
        for found in errors_page.collect()
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found.code)
    ]


# --- commands --------------------------------------------------------------------------------


def test_every_command_that_a_document_shows_exists() -> None:
    known = {command.name for command in COMMANDS}
    shown = re.compile(r"(?:^|`|\$ )strongroom ([a-z][a-z-]+)\b", re.MULTILINE)
    wrong = [
        f"{_name(path)}: strongroom {name}"
        for path in _documents()
        for name in shown.findall(path.read_text(encoding="utf-8"))
        if name not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_every_command_of_the_runbook_can_be_typed_as_it_stands() -> None:
    """Whoever follows it does not know the program: a wrong option ends the day."""
    program = r"^    (?:sr|/opt/strongroom/bin/strongroom) ((?!\().*)$"
    lines = re.findall(program, _read("docs/clinic.md"), re.MULTILINE)
    assert len(lines) >= 15
    for line in lines:
        words = normalize(shlex.split(line))
        command, _, _ = build().parse_args(words, print_error=False, exit_on_error=False)
        assert command.__module__.startswith("strongroom.cli."), line


def test_every_message_of_the_runbook_exists() -> None:
    table = _read("docs/clinic.md").partition("## What a message means")[2]
    shown = [
        word
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for word in re.findall(r"`(.*?)`", row)
    ]
    assert len(shown) > 10
    pages = _read("docs/errors.md")
    # What a server says to a client is of a class of its own, which the page does not list.
    server = _read("src/strongroom/serving/admission.py")
    said = [f"| `{word}` |" in pages or f'code="{word}"' in server for word in shown]
    assert all(said), shown[said.index(False)]


def test_every_make_target_that_a_document_shows_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _read("Makefile"), re.MULTILINE))
    shown = re.compile(r"(?:`|^ {4}|sudo )make ([a-z-]+(?: [a-z-]+)*)", re.MULTILINE)
    for path in [*_documents(), ROOT / ".ci" / "run"]:
        named = {name for group in shown.findall(path.read_text(encoding="utf-8")) for name in group.split()}
        assert named <= targets, f"{_name(path)}: {named - targets}"


def test_every_make_target_has_help() -> None:
    phony = set(re.findall(r"^\.PHONY: ([a-z-]+)$", _read("Makefile"), re.MULTILINE))
    helped = set(re.findall(r"^([a-z-]+):.*## ", _read("Makefile"), re.MULTILINE))
    assert phony == helped


# --- the example -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced example of the README, and who runs it."""

    language: str
    text: str

    @property
    def party(self) -> str:
        """Return ``owner`` or ``partner``, from the block's first line."""
        found = re.match(r"# at the (owner|partner)\b", self.text)
        assert found, "an example begins by saying who runs it"
        return found[1]


def _blocks() -> list[Block]:
    found = re.findall(r"^```(sh|python)\n(.*?)^```", _read("README.md"), re.DOTALL | re.MULTILINE)
    return [Block(language, text) for language, text in found]


def test_the_readme_example_is_short() -> None:
    lines = [line for block in _blocks() if block.language == "python" for line in block.text.splitlines()]
    assert 0 < len([line for line in lines if line.strip() and not line.startswith("#")]) <= 15


@pytest.mark.slow
def test_the_readme_example_runs_as_it_stands(tmp_path: Path) -> None:
    """Block for block, each party with a home of its own; only the comparison by telephone is played."""
    said: list[str] = []
    for block in _blocks():
        text = block.text
        if block.language == "sh":
            heard = re.findall(r"\b(?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}\b", "\n".join(said))
            spoken = f" --fingerprint {heard[-1]} --yes" if heard else ""
            text = re.sub(r"^(strongroom (?:grant|accept) .*)$", rf"\1{spoken}", text, flags=re.MULTILINE)
        said.append(_play(block, text, tmp_path))
    assert len(re.findall(r"^\d+ +0\.\d+ ", said[-1], re.MULTILINE)) == 5, said[-1]


def _play(block: Block, text: str, folder: Path) -> str:
    tools = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "STRONGROOM_HOME": str(folder / "homes" / block.party),
    }
    program = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
    done = subprocess.run(
        [*program, text], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


# --- examples in docstrings ------------------------------------------------------------------


def _modules() -> list[str]:
    return sorted(
        ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in SOURCE.rglob("*.py")
        if path.name != "__main__.py" and ">>>" in path.read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("name", _modules())
def test_examples_in_docstrings_hold(name: str) -> None:
    module: Any = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    assert doctest.testmod(module, optionflags=flags).failed == 0


# --- form ------------------------------------------------------------------------------------


def test_records_are_short_complete_and_listed() -> None:
    folder = ROOT / "docs" / "adr"
    records = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert [path.name[:4] for path in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    index = (folder / "README.md").read_text(encoding="utf-8")
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) < 140, path.name
        assert f"({path.name})" in index, path.name
        for part in ("\nStatus: ", "\n## Drivers\n", "\n## Outcome\n", "\n## Downsides\n"):
            assert part in text, f"{path.name} lacks {part.strip()}"
        assert "\n## Options" in text, path.name


def test_records_named_in_the_code_exist() -> None:
    numbers = {path.name[:4] for path in (ROOT / "docs" / "adr").glob("0*.md")}
    for path in [*SOURCE.rglob("*.py"), *_documents()]:
        named = set(re.findall(r"\b(?:ADR |docs/adr/)(\d{4})", path.read_text(encoding="utf-8")))
        assert named <= numbers, f"{_name(path)}: {named - numbers}"


@pytest.mark.parametrize(
    ("name", "lines"), [("CONTRIBUTING.md", 150), ("ARCHITECTURE.md", 100), ("README.md", 200)]
)
def test_pages_stay_short(name: str, lines: int) -> None:
    assert len(_read(name).splitlines()) <= lines


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    assert "\n## Unreleased\n" in _read("CHANGELOG.md")


def test_every_part_of_the_source_is_on_the_map() -> None:
    parts = {path.relative_to(SOURCE).parts[0] for path in SOURCE.rglob("*.py")}
    text = _read("ARCHITECTURE.md")
    assert not [part for part in parts if not part.startswith("__") and part not in text]


def test_constraints_are_names_and_versions_only() -> None:
    lines = [line for line in _read("constraints.txt").splitlines() if not line.startswith("#")]
    assert not [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", line)]


def test_constraints_pin_everything_that_the_project_asks_for() -> None:
    project = tomllib.loads(_read("pyproject.toml"))["project"]
    asked = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    names = {re.split(r"[\[<>=!~; ]", item)[0].lower() for item in asked} - {"strongroom"}
    pinned = {line.partition("==")[0].lower() for line in _read("constraints.txt").splitlines()}
    assert not names - pinned


_BRITISH = (
    r"\b(licen[c]e[ds]?|organi[s]ation\w*|enrol[m]ent\w*|behavi[o]ur\w*|col[o]ur\w*"
    r"|seriali[s]\w*|recogni[s]e\w*)\b"
)


def test_spelling_is_american() -> None:
    british = re.compile(_BRITISH, re.IGNORECASE)
    places = [*SOURCE.rglob("*.py"), *_documents()]
    found = [
        f"{_name(path)}:{number} {match[0]}"
        for path in places
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in british.finditer(line)
        # A synonym that the command line offers a correction for.
        if not (path.name == "_app.py" and match[0] == "licence")
    ]
    assert not found, "\n".join(found)

"""The table of codes in the source and the one in spec/license.md are the same."""

from __future__ import annotations

import re
from pathlib import Path

from strongroom.license.codes import MEANINGS, Code
from strongroom.license.documents import KINDS
from strongroom.license.terms import REGISTRY

SPEC = Path(__file__).parents[3] / "spec" / "license.md"


def _rows(heading: str) -> list[list[str]]:
    text = SPEC.read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def test_every_code_has_a_meaning_and_is_kebab_case() -> None:
    assert list(MEANINGS) == list(Code)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code.value) for code in Code)


def test_the_specification_has_the_same_codes() -> None:
    rows = {row[0].strip("`"): row[1] for row in _rows("Codes")}
    assert rows == {code.value: meaning for code, meaning in MEANINGS.items()}


def test_the_specification_has_the_same_kinds_and_signers() -> None:
    # Five columns; the table of common members in the same section has three.
    rows = [[cell.replace("`", "") for cell in row] for row in _rows("Documents") if len(row) == 5]
    assert [row[:4] for row in rows] == [
        [kind.NAME, kind.typ(), kind.PREFIX, ", ".join(kind.SIGNERS)] for kind in KINDS
    ]


def test_the_specification_has_the_same_terms() -> None:
    assert [row[0].strip("`") for row in _rows("Terms")] == list(REGISTRY)

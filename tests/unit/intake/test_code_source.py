from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from strongroom.errors import Error
from strongroom.intake.source import read_source

GOOD = """
entry = "scorer.py:Scorer"
imports = ["numpy"]
inputs = [{ name = "x", datatype = "FP64", shape = [-1, 2] }]
outputs = [{ name = "y", datatype = "FP64", shape = [-1] }]
"""
SOURCE = """
import numpy as np
import os
from rules import age
from . import other
class Scorer: pass
raise SystemExit
"""


def folder(path: Path, description: str | None = GOOD, source: str = SOURCE) -> Path:
    path.mkdir(exist_ok=True)
    (path / "scorer.py").write_text(source, encoding="utf-8")
    (path / "rules").mkdir(exist_ok=True)
    (path / "rules" / "age.py").write_text("", encoding="utf-8")
    (path / "weights.bin").write_bytes(b"1234")
    if description is not None:
        (path / "strongroom.toml").write_text(description, encoding="utf-8")
    return path


def test_a_folder_is_read_and_not_run(tmp_path: Path) -> None:
    source = read_source(folder(tmp_path / "code"), name="risk", loader="python")
    assert [file.name for file in source.files] == ["rules/age.py", "scorer.py", "weights.bin"]
    here = ".".join(map(str, sys.version_info[:2]))
    assert source.loader.options == {"class": "Scorer", "imports": ["numpy"], "python": here}
    assert (source.loader.name, source.loader.entry) == ("python", "scorer.py")
    assert (source.schema.methods, source.reference) == (["predict"], None)
    assert "numpy" in source.libraries
    assert "strongroom.toml" in [left.name for left in source.left]


def test_a_class_of_another_module_may_be_the_entry(tmp_path: Path) -> None:
    code = folder(tmp_path / "code", source="from rules.age import Age as Scorer\n")
    assert read_source(code, name="risk", loader="python").loader.options["class"] == "Scorer"


@pytest.mark.parametrize(
    ("description", "source", "code"),
    [
        (None, SOURCE, "code-description"),
        ("entry = 1", SOURCE, "code-description"),
        ("entry = ", SOURCE, "code-description"),
        (GOOD.replace('["numpy"]', '["numpy", "a-b"]'), SOURCE, "code-description"),
        (GOOD.replace('["numpy"]', '["numpy", "rules"]'), SOURCE, "code-description"),
        (GOOD + 'python = "three"\n', SOURCE, "code-description"),
        (GOOD + 'methods = ["fit"]\n', SOURCE, "code-description"),
        (GOOD.replace("FP64", "FP65"), SOURCE, "code-description"),
        (GOOD.replace("scorer.py:", "absent.py:"), SOURCE, "code-entry"),
        (GOOD.replace(":Scorer", ":Other"), SOURCE, "code-entry"),
        (GOOD, "class Scorer(:\n", "code-syntax"),
        (GOOD, "import pandas.io\nclass Scorer: pass\n", "import-undeclared"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, description: str | None, source: str, code: str) -> None:
    with pytest.raises(Error) as caught:
        read_source(folder(tmp_path / "code", description, source), name="risk", loader="python")
    assert caught.value.code == code


@pytest.mark.parametrize(("name", "code"), [("json.py", "module-name"), ("model.pkl", "runs-code-on-load")])
def test_other_files_are_checked(tmp_path: Path, name: str, code: str) -> None:
    place = folder(tmp_path / "code")
    (place / name).write_bytes(b"")
    with pytest.raises(Error) as caught:
        read_source(place, name="risk", loader="python")
    assert caught.value.code == code


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(Error) as caught:
        read_source(folder(tmp_path / "code") / "scorer.py", name="risk", loader="python")
    assert caught.value.code == "code-description"


def test_code_is_sealed_only_if_the_owner_says_so_and_never_with_a_sample(tmp_path: Path) -> None:
    code = folder(tmp_path / "code")
    for options, expected in (
        ({}, "runs-code-on-load"),
        ({"loader": "onnx"}, "loader-choice"),
        ({"loader": "python", "sample": np.zeros((1, 2))}, "loader-choice"),
    ):
        with pytest.raises(Error) as caught:
            read_source(code, name="risk", **options)
        assert caught.value.code == expected

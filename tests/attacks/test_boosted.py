"""Attacks by hostile boosted trees: numbers that lead out of them, names of files, endless nesting."""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from strongroom.errors import FormatError
from strongroom.intake.source import read_source
from strongroom.loaders import registry
from strongroom.loaders.lightgbm_text import read_text
from strongroom.loaders.xgboost_form import read_form
from strongroom.loaders.xgboost_ubj import read_ubj
from tests.unit.intake import boosted_models

_IN_OPEN, _IN_CREATE, _IN_MODIFY = 0x20, 0x100, 0x2

Edit = Callable[[dict[str, Any]], object]


def _text(library: str = "lightgbm") -> str:
    return boosted_models.data(library).decode()


def _with(old: str, new: str) -> bytes:
    changed, count = re.subn(old, new, _text(), count=1, flags=re.MULTILINE)
    assert count == 1
    # Without the sizes of its trees, so that the one number alone is what is wrong.
    return re.sub(r"^tree_sizes=.*\n", "", changed, flags=re.MULTILINE).encode()


def test_the_unchanged_text_is_read() -> None:
    assert read_text(_with(r"^num_leaves=", "num_leaves=")).width == 30


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"^num_leaves=\d+", "num_leaves=9"),
        (r"^num_leaves=\d+", "num_leaves=2000000000"),
        (r"^num_leaves=\d+", "num_leaves=-1"),
        (r"^left_child=-?\d+", "left_child=0"),
        (r"^left_child=-?\d+", "left_child=4000"),
        (r"^right_child=-?\d+", "right_child=-4000"),
        (r"^split_feature=\d+", "split_feature=30"),
        (r"^split_feature=\d+", "split_feature=-1"),
        (r"^decision_type=\d+", "decision_type=3"),
        (r"^num_cat=0", "num_cat=2000000000"),
        (r"^num_class=3", "num_class=300"),
        (r"^num_tree_per_iteration=3", "num_tree_per_iteration=0"),
        (r"num_class:3", "num_class:4"),
        (r"^max_feature_idx=29", "max_feature_idx=2147483646"),
        (r"^leaf_value=\S+", "leaf_value="),
        (r"^is_linear=0", "is_linear=1"),
        (r"^num_leaves=", "num_leaves=2\nnum_leaves="),
        (r"^end of trees", "end of tree"),
    ],
)
def test_a_hand_made_lightgbm_tree_is_refused_before_it_can_lead_out_of_itself(old: str, new: str) -> None:
    with pytest.raises(FormatError) as raised:
        read_text(_with(old, new))
    assert raised.value.code in ("model-bounds", "model-unreadable")


def test_a_size_that_points_beside_a_lightgbm_tree_is_refused() -> None:
    changed = re.sub(r"^tree_sizes=\d+", "tree_sizes=99999999999", _text(), flags=re.MULTILINE)
    with pytest.raises(FormatError) as raised:
        read_text(changed.encode())
    assert raised.value.code == "model-bounds"


def _document(kind: str = "many") -> dict[str, Any]:
    fitted = (
        boosted_models.categorical("xgboost")
        if kind == "categorical"
        else boosted_models.model("xgboost", kind)
    )
    document: dict[str, Any] = json.loads(bytes(fitted.get_booster().save_raw("json")))
    return document


def _trees(document: dict[str, Any]) -> dict[str, Any]:
    model: dict[str, Any] = document["learner"]["gradient_booster"]["model"]
    return model


def _first(document: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = _trees(document)["trees"][0]
    return tree


@pytest.mark.parametrize(
    "edit",
    [
        lambda document: _first(document)["left_children"].__setitem__(0, 0),
        lambda document: _first(document)["left_children"].__setitem__(0, 4000),
        lambda document: _first(document)["right_children"].__setitem__(
            0, _first(document)["left_children"][0]
        ),
        lambda document: _first(document)["right_children"].__setitem__(0, -1),
        lambda document: _first(document)["split_indices"].__setitem__(0, 30),
        lambda document: _first(document)["split_conditions"].pop(),
        lambda document: _first(document)["split_type"].__setitem__(0, 1),
        lambda document: _first(document)["tree_param"].update(num_nodes="2000000000"),
        lambda document: _first(document)["tree_param"].update(size_leaf_vector="9"),
        lambda document: _trees(document)["tree_info"].__setitem__(0, 3),
        lambda document: _trees(document)["iteration_indptr"].__setitem__(-1, 4000),
        lambda document: _trees(document)["gbtree_model_param"].update(num_trees="4000"),
        lambda document: document["learner"]["learner_model_param"].update(num_feature="4000000000"),
        lambda document: document["learner"]["learner_model_param"].update(num_class="4000000000"),
        lambda document: document["learner"]["gradient_booster"].update(name="gblinear"),
        lambda document: document["learner"].pop("objective"),
        lambda document: document["learner"].update(feature_names=["one"]),
    ],
)
def test_a_hand_made_xgboost_tree_is_refused_before_it_can_lead_out_of_itself(edit: Edit) -> None:
    document = _document()
    read_form(json.dumps(document).encode())
    edit(document)
    with pytest.raises(FormatError) as raised:
        read_form(json.dumps(document).encode())
    assert raised.value.code in ("model-bounds", "model-unreadable")


@pytest.mark.parametrize(
    ("key", "value"),
    [("categories", -1), ("categories", 1 << 30), ("categories_segments", 4000), ("categories_sizes", 0),
     ("categories_nodes", 4000)],
)  # fmt: skip
def test_categories_that_lead_out_of_an_xgboost_tree_are_refused(key: str, value: int) -> None:
    document = _document("categorical")
    tree = next(each for each in _trees(document)["trees"] if each["categories"])
    read_form(json.dumps(document).encode())
    tree[key][0] = value
    with pytest.raises(FormatError) as raised:
        read_form(json.dumps(document).encode())
    assert raised.value.code == "model-bounds"


@pytest.mark.parametrize(
    "data",
    [
        b'{"learner":' + b"[" * 1_000_000,
        b"{L\0\0\0\0\0\0\0\x07learner" + b"[" * 1_000_000,
        b"{L\0\0\0\0\0\0\0\x07learner[$L#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"{L\0\0\0\0\0\0\0\x07learner[$L#L\xff\xff\xff\xff\xff\xff\xff\xff",
        b"{L\x7f\xff\xff\xff\xff\xff\xff\xfflearner",
        b"{d\0\0\0\0learner",
        b"{i\x01aZi\x01aZ}",
        b"{i\x01a[$L]}",
        b"{i\x01aSd\0\0\0\0}",
        b"{}}",
        b"[]",
    ],
)
def test_sizes_and_nesting_of_an_xgboost_file_are_not_believed(data: bytes) -> None:
    with pytest.raises(FormatError) as raised:
        read_form(data)
    assert raised.value.code == "model-unreadable"


def test_ubjson_is_read_as_json_is() -> None:
    booster: xgboost.Booster = boosted_models.categorical("xgboost").get_booster()
    read = read_ubj(bytes(booster.save_raw("ubj")))
    plain = json.loads(bytes(booster.save_raw("json")))
    np.testing.assert_array_equal(_first(read)["left_children"], _first(plain)["left_children"])
    assert read["learner"]["learner_model_param"] == plain["learner"]["learner_model_param"]
    assert read_ubj(b"{i\x01a[TFZi\x02]}") == {"a": [True, False, None, 2]}


def _opened(folder: Path, act: Callable[[], object]) -> bytes:
    """Return what the kernel saw of the folder while something ran, native code included."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        assert libc.inotify_add_watch(watch, os.fsencode(folder), _IN_OPEN | _IN_CREATE | _IN_MODIFY) >= 0
        act()
        try:
            return os.read(watch, 4096)
        except BlockingIOError:
            return b""
    finally:
        os.close(watch)


def test_a_boosted_model_cannot_make_its_loader_open_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of LightGBM holds parameters that name files; XGBoost and CatBoost know paths with queries."""
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    monkeypatch.chdir(tmp_path)
    names = (
        "forcedsplits_filename|forcedbins_filename|parser_config_file|data|input_model|machine_list_filename"
    )
    text = re.sub(rf"^\[({names}): .*\]$", rf"[\1: {secret}]", _text(), flags=re.MULTILINE)
    assert text.count(str(secret)) > 2
    document = _document()
    document["learner"]["attributes"] = {"cache": f"{secret}?format=libsvm#cache", "uri": f"file://{secret}"}
    given = {
        "lightgbm": [text.encode()],
        "xgboost": [json.dumps(document).encode(), f"{secret}?format=libsvm#cache".encode()],
        "catboost": [boosted_models.data("catboost"), f"libsvm://{secret}".encode()],
    }

    def load() -> None:
        for library, (good, *bad) in given.items():
            source = read_source(boosted_models.model(library, "many"), name="risk")
            loader = registry.find(library)
            model = loader.load({source.loader.entry: good}, source.loader, source.schema)
            model.predict({"input": boosted_models.rows()})
            for data in bad:
                with pytest.raises(FormatError):
                    loader.load({source.loader.entry: data}, source.loader, source.schema)

    assert _opened(tmp_path, secret.read_text) != b""
    assert _opened(tmp_path, load) == b""
    assert list(tmp_path.iterdir()) == [secret]


_WRITELESS = """
import resource, sys
import numpy as np
from strongroom.loaders import registry
from strongroom.package.contents import Field, Loader, Schema

library = sys.argv[1]
data = sys.stdin.buffer.read()
loader = registry.find(library)
# From here on the kernel ends whoever writes one byte to a file, native code included.
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
options = {"answers": "labels"}
spec = Loader(name=library, entry="m", options=options)
schema = Schema(inputs=[Field(name="input", datatype="FP64", shape=[-1, 30])], outputs=[], classes=[0, 1, 2],
                methods=["predict", "predict_proba", "decision_function"])
model = loader.load({"m": data}, spec, schema, threads=2)
for method in schema.methods:
    model.predict({"input": np.ones((4, 30))}, method)
model.explain({"input": np.ones((4, 30))})
try:
    loader.load({"m": data[:-40] + bytes(40)}, spec, schema)
except Exception as error:
    assert getattr(error, "code", ""), error
# What measures this program may write when it ends.
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
"""


@pytest.mark.parametrize("library", boosted_models.LIBRARIES)
def test_a_boosted_model_writes_nothing_and_says_nothing(library: str, tmp_path: Path) -> None:
    homes = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "MPLCONFIGDIR")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", _WRITELESS, library],
        input=boosted_models.data(library),
        capture_output=True,
        timeout=120,
        cwd=tmp_path,
        env=homes | {"PATH": os.environ["PATH"]},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(tmp_path.iterdir()) == []

"""A refusal says where the code is, what it is, and what to use instead."""

from __future__ import annotations

import contextlib
import gzip
import io
import pickle
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import UnsupportedError
from strongroom.intake.refuse import verify_harmless, verify_head


def _zip(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


PICKLE = pickle.dumps(complex)


@pytest.mark.parametrize(
    ("name", "data", "message", "hint"),
    [
        ("m.pkl", b"", "m.pkl is a pickle", "skops"),
        ("m.bin", PICKLE, "m.bin is a pickle", "skops"),
        ("m.pt", b"", "m.pt is a PyTorch file", "torch.onnx.export"),
        ("m.bin", _zip("a/data.pkl", PICKLE), "m.bin, a/data.pkl is a PyTorch file", "torch.onnx.export"),
        ("a/m.keras", b"", "a/m.keras is a Keras or HDF5 file", "ONNX"),
        ("m.zip", _zip("x/setup.py", b""), "m.zip, x/setup.py is Python code", "leave it out"),
        ("m.gz", gzip.compress(_zip("x", PICKLE)), "m.gz, x is a pickle", "skops"),
        ("libm.so.2", b"", "libm.so.2 is a program or library", "leave it out"),
        ("m.npy", b"\x93NUMPY\1\0\1\0x", "m.npy is a numpy file of Python objects", "allow_pickle=False"),
    ],
)  # fmt: skip
def test_the_message_names_place_kind_and_remedy(name: str, data: bytes, message: str, hint: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        verify_harmless(name, io.BytesIO(data))
    assert raised.value.code == "runs-code-on-load"
    assert str(raised.value) == f"{message}, which can run code when it is loaded"
    assert raised.value.hint is not None
    assert hint in raised.value.hint


def test_an_archive_that_cannot_be_read_says_why() -> None:
    with pytest.raises(UnsupportedError) as raised:
        verify_harmless("m.gz", io.BytesIO(gzip.compress(b"abc" * 99)[:-9]))
    assert raised.value.code == "archive-unchecked"
    assert "m.gz cannot be looked into: it is damaged" in str(raised.value)
    nested = b"x"
    for _ in range(5):
        nested = gzip.compress(nested)
    with pytest.raises(UnsupportedError, match="nested too deeply"):
        verify_harmless("m.gz", io.BytesIO(nested))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("readme.md", b"# Model\n"),
        ("data.csv.gz", gzip.compress(b"a,b\n1,2\n")),
        ("tables.zip", _zip("a.csv", b"a\n1\n")),
        ("config.json", b"{}"),
        ("weights", bytes(100)),
    ],
    ids=["text", "gzip", "zip", "json", "bytes"],
)
def test_data_passes(name: str, data: bytes) -> None:
    verify_harmless(name, io.BytesIO(data))
    verify_head(name, data)


def test_the_head_alone_is_enough_for_a_model_file() -> None:
    for name in ("m.onnx", "m.skops"):
        with pytest.raises(UnsupportedError, match="is a pickle"):
            verify_head(name, PICKLE)
    with pytest.raises(UnsupportedError):
        verify_head("m.joblib", b"")


@given(st.binary(max_size=300))
def test_any_bytes_pass_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(UnsupportedError):
        verify_harmless("x", io.BytesIO(data))

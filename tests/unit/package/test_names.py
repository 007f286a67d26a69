from __future__ import annotations

import unicodedata

import pytest

from strongroom.errors import FormatError
from strongroom.package.names import Version, verify_file_name, verify_file_names, verify_model_name


@pytest.mark.parametrize("text", ["0.0.0", "1.0.0", "1.10.0", "999999.999999.999999"])
def test_version_round_trip(text: str) -> None:
    version = Version.from_text(text)
    assert version.to_text() == str(version) == text
    assert Version.from_text(version.to_text()) == version


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.0", "1.0.0.0", "01.0.0", "1.-1.0", "1.+1.0", "1. 1.0", "1.0.0\n", "v1.0.0", "1.0.1000000",
     "1.0.\u0661", "1.0.0-rc1", "1..0"],
)  # fmt: skip
def test_other_forms_of_version_are_refused(text: str) -> None:
    with pytest.raises(FormatError) as refused:
        Version.from_text(text)
    assert refused.value.code == "version"
    assert refused.value.hint is not None


@pytest.mark.parametrize("number", [-1, 1_000_000])
def test_a_version_number_has_bounds(number: int) -> None:
    with pytest.raises(FormatError):
        Version(0, number, 0)


def test_versions_compare_by_number_and_not_by_text() -> None:
    texts = ["0.9.9", "1.2.0", "1.10.0", "1.10.1", "2.0.0"]
    versions = [Version.from_text(text) for text in texts]
    shuffled = [versions[place] for place in (3, 0, 4, 2, 1)]
    assert sorted(shuffled) == versions


@pytest.mark.parametrize("name", ["risk", "a", "0", "readmission-risk_2.1", "a" * 64])
def test_model_names(name: str) -> None:
    verify_model_name(name)


@pytest.mark.parametrize(
    "name", ["", "Risk", "risk ", "-risk", "risk.", "a/b", "a@1", "r\u00efsk", "risk\n", "a" * 65]
)
def test_other_model_names_are_refused(name: str) -> None:
    with pytest.raises(FormatError) as refused:
        verify_model_name(name)
    assert refused.value.code == "model-name"


@pytest.mark.parametrize(
    "name",
    ["model.onnx", "a/b/c", "with space", "...", ".hidden", "a..b", "mod\u00e8le", "\u6a21\u578b", "a" * 255,
     "/".join(["a" * 204] * 5)],
)  # fmt: skip
def test_file_names(name: str) -> None:
    verify_file_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "a/..", "../a", "a/../b", "a\\b", "a\0", "a\tb",
     "a\nb", "\x1b[2J", "\x7f", "a\u0085", "a\u200b", "a\u202eb", "\ufeffa", "\ud800", "\ue000", "\u0378",
     "a\u2028b", "a\u2029b", unicodedata.normalize("NFD", "\u00e8"), "\u212b", "a" * 256, "\u00e8" * 128,
     "/".join(["a" * 204] * 5) + "b"],
)  # fmt: skip
def test_other_file_names_are_refused(name: str) -> None:
    with pytest.raises(FormatError) as refused:
        verify_file_name(name)
    assert refused.value.code == "file-name"


def test_file_names_together() -> None:
    verify_file_names([])
    verify_file_names(["a", "a.b", "a0/b", "ab"])


@pytest.mark.parametrize("names", [["b", "a"], ["a", "a"], ["Z", "A"], ["\U00010000", "\uffee"]])
def test_names_out_of_order_are_refused(names: list[str]) -> None:
    with pytest.raises(FormatError) as refused:
        verify_file_names(names)
    assert refused.value.code == "file-order"


@pytest.mark.parametrize(
    "names",
    [
        ["A", "a"],
        ["STRASSE", "stra\u00dfe"],
        ["a", "a/b"],
        ["A/b", "a"],
        ["A", "a/b/c"],
        ["a/b", "a/b/c"],
        ["\u00c9", "\u00e9"],
    ],
)
def test_names_that_a_file_system_could_mix_up_are_refused(names: list[str]) -> None:
    with pytest.raises(FormatError) as refused:
        verify_file_names(names)
    assert refused.value.code == "file-name-clash"


def test_a_single_bad_name_among_good_ones_is_refused() -> None:
    with pytest.raises(FormatError):
        verify_file_names(["a", "b/../c"])

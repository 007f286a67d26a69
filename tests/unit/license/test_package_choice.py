from __future__ import annotations

import pytest

from strongroom.errors import FormatError
from strongroom.license.package_choice import PackageChoice
from strongroom.license.version import next_version, version_number, version_text


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("risk", PackageChoice(name="risk")),
        ("risk@1.2.0", PackageChoice(name="risk", at_least="1.2.0", below="1.2.1")),
        ("risk@>=1.2.0", PackageChoice(name="risk", at_least="1.2.0")),
        ("risk@<2.0.0", PackageChoice(name="risk", below="2.0.0")),
        ("risk@>=1.2.0,<2.0.0", PackageChoice(name="risk", at_least="1.2.0", below="2.0.0")),
        ("risk@1.2.999999", PackageChoice(name="risk", at_least="1.2.999999", below="1.3.0")),
        ("sha256:" + "ab" * 32, PackageChoice(digest="ab" * 32)),
    ],
)
def test_how_people_write_it(text: str, choice: PackageChoice) -> None:
    assert PackageChoice.from_text(text) == choice
    assert choice.to_text() == str(choice) == choice.sort_key == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@1.2.0",
        "risk@",
        "risk@1.2",
        "risk@01.2.0",
        "risk@<2.0.0,>=1.0.0",
        "risk@>=1.0.0,>=2.0.0",
        "risk@<1.0.0,<2.0.0",
        "risk@>=1.0.0,1.5.0",
        "risk@>=2.0.0,<1.0.0",
        "risk@=1.0.0",
        "Risk",
        "sha256:",
        "sha256:abc",
        "risk@999999.999999.999999",
    ],
)
def test_what_nobody_means(text: str) -> None:
    with pytest.raises(FormatError):
        PackageChoice.from_text(text)


def test_an_exact_version_is_that_version_only() -> None:
    choice = PackageChoice.from_text("risk@1.2.0")
    assert choice.covers("risk", "1.2.0", "")
    assert not choice.covers("risk", "1.2.1", "")
    assert not choice.covers("risk", "1.1.9", "")


def test_versions_are_numbers() -> None:
    assert version_number("1.10.0") > version_number("1.9.999999")
    assert version_text((1, 2, 3)) == "1.2.3"
    assert next_version((1, 2, 3)) == (1, 2, 4)
    assert next_version((1, 2, 999_999)) == (1, 3, 0)
    assert next_version((1, 999_999, 999_999)) == (2, 0, 0)
    with pytest.raises(FormatError):
        next_version((999_999, 999_999, 999_999))
    for text in (
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "1.2.x",
        "1.2.-3",
        "1.2.03",
        "1.2.1000000",
        "1.2.3 ",
        "\uff11.2.3",
    ):
        with pytest.raises(FormatError):
            version_number(text)


def test_the_highest_version_can_be_a_lower_bound() -> None:
    choice = PackageChoice(name="risk", at_least="999999.999999.999999")
    assert choice.to_text() == "risk@>=999999.999999.999999"
    assert choice.covers("risk", "999999.999999.999999", "")

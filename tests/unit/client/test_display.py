from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from strongroom.client import display
from strongroom.client.info import info_of
from strongroom.package.contents import Field, Schema
from strongroom.worker.messages import Opened

OPENED = Opened(
    name="risk",
    version="1.2.0",
    owner="own-" + "a" * 24,
    owner_name="hospital",
    package="ab" * 32,
    license="lic-" + "b" * 24,
    level="local",
    schema=Schema(
        inputs=[Field(name="X", datatype="FP32", shape=[-1, 2])],
        outputs=[],
        classes=["ill", "well"],
        methods=["predict", "predict_proba"],
    ),
    expires="2027-06-30T22:00:00Z",
    remaining=12345,
)
INFO = info_of(OPENED)


def test_info_says_what_was_opened() -> None:
    assert INFO.expires == datetime(2027, 6, 30, 22, tzinfo=UTC)
    assert INFO.classes == ("ill", "well")
    assert INFO.remaining == 12345


def test_a_line_for_the_prompt() -> None:
    assert display.as_text(INFO, closed=False) == (
        f"Model('risk', version='1.2.0', owner='hospital', license='lic-{'b' * 24}', level='local')"
    )
    assert display.as_text(INFO, closed=True).endswith(", closed)")


def test_a_table_for_a_notebook() -> None:
    page = display.as_html(INFO, closed=False)
    for text in (
        "risk 1.2.0",
        "12,345",
        "2027-06-30T22:00:00Z",
        "ill, well",
        ">X<",
        "predict, predict_proba",
    ):
        assert text in page
    assert "(closed)" in display.as_html(INFO, closed=True)


def test_what_is_not_known_is_said_or_left_out() -> None:
    page = display.as_html(replace(INFO, expires=None, remaining=None, classes=()), closed=False)
    assert "never by itself" in page
    assert "not counted" in page
    assert "classes" not in page


def test_long_lists_are_cut() -> None:
    page = display.as_html(replace(INFO, columns=tuple(f"c{number}" for number in range(20))), closed=False)
    assert "c11 and 8 more" in page


def test_names_of_strangers_are_shown_as_text() -> None:
    hostile = "<script>alert('x')</script>\"&"
    info = replace(
        INFO, owner=hostile, name=hostile, columns=(hostile,), classes=(hostile,), methods=(hostile,)
    )
    page = display.as_html(info, closed=False)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 5

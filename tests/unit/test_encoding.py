from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

import msgspec
import pytest

from strongroom._encoding import (
    canonical_json,
    from_base32,
    from_base64,
    from_base64url,
    from_hex,
    from_instant,
    from_json_value,
    from_wire,
    is_encoded,
    parse_canonical_json,
    parse_json,
    to_base32,
    to_base64,
    to_base64url,
    to_hex,
    to_instant,
    to_wire,
)
from strongroom.errors import FormatError

PAIRS: dict[str, tuple[Callable[[bytes], str], Callable[[str], bytes]]] = {
    "base64": (to_base64, from_base64),
    "base64url": (to_base64url, from_base64url),
    "base32": (to_base32, from_base32),
    "hex": (to_hex, from_hex),
}

RFC_4648 = {
    # RFC 4648 section 10, each in the spelling of ours: base64, base64url without
    # padding, base32 in lower case without padding, base16 in lower case.
    b"": ("", "", "", ""),
    b"f": ("Zg==", "Zg", "my", "66"),
    b"fo": ("Zm8=", "Zm8", "mzxq", "666f"),
    b"foo": ("Zm9v", "Zm9v", "mzxw6", "666f6f"),
    b"foob": ("Zm9vYg==", "Zm9vYg", "mzxw6yq", "666f6f62"),
    b"fooba": ("Zm9vYmE=", "Zm9vYmE", "mzxw6ytb", "666f6f6261"),
    b"foobar": ("Zm9vYmFy", "Zm9vYmFy", "mzxw6ytboi", "666f6f626172"),
}


@pytest.mark.parametrize("data", RFC_4648)
def test_the_vectors_of_rfc_4648(data: bytes) -> None:
    for (write, read), text in zip(PAIRS.values(), RFC_4648[data], strict=True):
        assert write(data) == text
        assert read(text) == data


@pytest.mark.parametrize("name", PAIRS)
def test_every_length_round_trips(name: str) -> None:
    write, read = PAIRS[name]
    for size in range(40):
        assert read(write(bytes(range(size)))) == bytes(range(size))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("base64", "Zg"),
        ("base64", "Zg="),
        ("base64", "Zg==="),
        ("base64", "Zh=="),  # stray bits
        ("base64", "Zm 9v"),
        ("base64", "Zm9v\n"),
        ("base64", "Zm-v"),
        ("base64", "Zm9v="),
        ("base64", "\u0417m9v"),
        ("base64url", "Zg=="),
        ("base64url", "Z"),
        ("base64url", "Zh"),  # stray bits
        ("base64url", "Zm+v"),
        ("base64url", "Zm 9v"),
        ("base64url", "Zm9v!"),
        ("base64url", "Zm\x009v"),
        ("base32", "MY"),
        ("base32", "my======"),
        ("base32", "mz"),  # stray bits
        ("base32", "m"),
        ("base32", "m1"),
        ("base32", "m y"),
        ("hex", "6"),
        ("hex", "6F"),
        ("hex", "6g"),
        ("hex", " 66"),
        ("hex", "\uff16\uff16"),
    ],
)
def test_another_spelling_is_refused(name: str, text: str) -> None:
    with pytest.raises(FormatError, match="not canonical") as caught:
        PAIRS[name][1](text)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_size_of_hexadecimal() -> None:
    assert from_hex("00ff", size=2) == b"\x00\xff"
    with pytest.raises(FormatError, match="expected 3 bytes of hexadecimal, got 2"):
        from_hex("00ff", size=3)


class TestInstant:
    @pytest.mark.parametrize(
        ("moment", "text"),
        [
            (datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC), "2026-11-24T03:00:00Z"),
            (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
            (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "9999-12-31T23:59:59Z"),
            (datetime(2024, 2, 29, tzinfo=UTC), "2024-02-29T00:00:00Z"),
        ],
    )
    def test_it_round_trips(self, moment: datetime, text: str) -> None:
        assert to_instant(moment) == text
        assert from_instant(text) == moment

    def test_zones_and_fractions_are_dropped(self) -> None:
        vienna = timezone(timedelta(hours=1))
        assert to_instant(datetime(2026, 11, 24, 4, 0, 0, 999_999, vienna)) == "2026-11-24T03:00:00Z"

    def test_a_moment_that_cannot_be_written_is_refused(self) -> None:
        with pytest.raises(FormatError, match="time zone"):
            to_instant(datetime(2026, 11, 24))
        with pytest.raises(FormatError, match="years"):
            to_instant(datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=5))))

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2026-11-24",
            "2026-11-24T03:00:00",
            "2026-11-24T03:00:00z",
            "2026-11-24t03:00:00Z",
            "2026-11-24 03:00:00Z",
            "2026-11-24T03:00:00.0Z",
            "2026-11-24T03:00:00+00:00",
            "2026-11-24T03:00:60Z",
            "2026-11-24T24:00:00Z",
            "2026-02-29T03:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-1-24T03:00:00Z",
            " 2026-11-24T03:00:00Z",
            "2026-11-24T03:00:00Z\n",
            "\u0662026-11-24T03:00:00Z",
            "10000-01-01T00:00:00Z",
        ],
    )
    def test_another_spelling_is_refused(self, text: str) -> None:
        with pytest.raises(FormatError) as caught:
            from_instant(text)
        assert caught.value.__context__ is None


class TestCanonicalJson:
    def test_the_form_is_pinned(self) -> None:
        value = {"b": [1, -2, True, False, None], "a": {"z": 'é\n\u2028\\"', "B": (), "_": ""}}
        assert canonical_json(value) == (
            '{"a":{"B":[],"_":"","z":"é\\n\u2028\\\\\\""},"b":[1,-2,true,false,null]}'.encode()
        )

    @pytest.mark.parametrize(
        "data",
        [
            b'{"a":[1,null,true,"\xc3\xa9"],"b":{}}',
            b'{"a":1,"a":1}',
            b'{"a":1,"a":2}',
            b'{"b":1,"a":2}',
            b"[1.0]",
            b"[1e2]",
            b"[-0]",
            b"[01]",
            b"[9007199254740992]",
            b"[" + b"1" * 5000 + b"]",
            b'["\\ud800"]',
            b'["\\u0041"]',
            b'["\xed\xa0\x80"]',
            b'["\xff"]',
            b"[NaN]",
            b'{"\xc3\xa9":1}',
            b"[" * 40 + b"]" * 40,
            b"[" * 9000,
            b" []",
            b"[] ",
            b"",
        ],
    )
    def test_the_fast_reader_says_no_more_and_no_less_than_the_strict_one(self, data: bytes) -> None:
        try:
            value = parse_json(data)
            strict = (value,) if canonical_json(value) == data else None
        except FormatError:
            strict = None
        try:
            fast = (parse_canonical_json(data),)
        except FormatError:
            fast = None
        assert fast == strict

    def test_another_spelling_is_not_what_a_value_says(self) -> None:
        value = {"a": [1, None], "b": "x"}
        assert is_encoded(value, canonical_json(value))
        for other in (b'{"b":"x","a":[1,null]}', b'{"a": [1,null],"b":"x"}', b'{"a":[1],"b":"x"}', b""):
            assert not is_encoded(value, other)

    def test_it_is_the_integer_part_of_rfc_8785(self) -> None:
        # RFC 8785 section 3.2.3, the strings of its example: control characters in short
        # form or as lower-case \u00xx, everything else as it is.
        assert canonical_json('\u20ac$\u000f\nA\'B"\\\\"/') == b'"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'
        assert canonical_json("\b\t\n\f\r\x1f\x7f") == b'"\\b\\t\\n\\f\\r\\u001f\x7f"'

    def test_every_character_has_the_spelling_of_the_standard_library(self) -> None:
        library = json.JSONEncoder(ensure_ascii=False)
        for start in range(0, 0x110000, 0x800):
            if start == 0xD800:
                continue
            text = "".join(map(chr, range(start, start + 0x800)))
            assert canonical_json(text) == library.encode(text).encode()

    def test_a_string_of_a_type_of_its_own_is_refused(self) -> None:
        class Loud(str):
            __slots__ = ()

        with pytest.raises(FormatError, match="without canonical JSON form"):
            canonical_json({"a": Loud("b")})

    @pytest.mark.parametrize("number", [0, -1, (1 << 53) - 1, -(1 << 53) + 1])
    def test_integers(self, number: int) -> None:
        assert parse_canonical_json(canonical_json(number)) == number

    @pytest.mark.parametrize(
        "value",
        [1.0, float("nan"), 1 << 53, -(1 << 53), "\ud800", {"é": 1}, {1: 2}, {1}, b"", object(), [1.5]],
    )
    def test_what_has_no_form_is_refused(self, value: Any) -> None:
        with pytest.raises(FormatError):
            canonical_json(value)

    def test_depth_is_bounded(self) -> None:
        value: Any = 1
        for _ in range(100):
            value = [value]
        with pytest.raises(FormatError, match="deep"):
            canonical_json(value)

    @pytest.mark.parametrize(
        "data",
        [
            b'{"a": 1}',
            b'{"b":1,"a":2}',
            b"[1]\n",
            b" [1]",
            b'"\\u0041"',
            b'"\\/"',
            b"-0",
            b"[01]",
            b'"\\u000F"',
        ],
    )
    def test_another_spelling_is_refused(self, data: bytes) -> None:
        with pytest.raises(FormatError):
            parse_canonical_json(data)


class TestParseJson:
    def test_white_space_and_order_are_free(self) -> None:
        assert parse_json(b' {"b" : 1,\n"a": [] } ') == {"a": [], "b": 1}

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "not valid"),
            (b"\xff", "not valid"),
            (b"\xef\xbb\xbf{}", "not valid"),
            (b"{}{}", "not valid"),
            (b'{"a":1,"a":1}', "twice"),
            (b'{"a":{"b":1,"b":2}}', "twice"),
            (b"1.0", "no integer"),
            (b"1e2", "no integer"),
            (b"NaN", "no integer"),
            (b"Infinity", "no integer"),
            (b"-Infinity", "no integer"),
            (b"9007199254740992", "2\\*\\*53"),
            (b"-9007199254740992", "2\\*\\*53"),
            (b"1" * 5000, "2\\*\\*53"),
            ('{"é":1}'.encode(), "not ASCII"),
            (b"[" * 18 + b"]" * 18, "deep"),
            (b"[" * 200_000, "deep|not valid"),
        ],
    )
    def test_the_rest_is_strict(self, data: bytes, message: str) -> None:
        with pytest.raises(FormatError, match=message):
            parse_json(data)

    def test_a_lone_surrogate_is_no_text(self) -> None:
        assert parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"
        with pytest.raises(FormatError, match="surrogate"):
            parse_json(b'"\\ud800"')

    def test_size_is_bounded_before_anything_is_parsed(self) -> None:
        with pytest.raises(FormatError, match="larger than 4 bytes"):
            parse_json(b"[1,2]", max_bytes=4)
        assert parse_json(b"[1,2]", max_bytes=5) == [1, 2]

    def test_depth_is_a_choice(self) -> None:
        assert parse_json(b"[[1]]", max_depth=2) == [[1]]
        with pytest.raises(FormatError, match="deep"):
            parse_json(b"[[1]]", max_depth=1)


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    counts: tuple[int, ...]
    note: str | None = None


class TestWire:
    def test_a_struct_round_trips(self) -> None:
        sample = Sample("a", (1, 2), "n")
        assert to_wire(sample) == b'{"counts":[1,2],"name":"a","note":"n"}'
        assert from_wire(to_wire(sample), Sample) == sample

    @pytest.mark.parametrize(
        "data",
        [
            b'{"counts":[],"name":"a"}',  # a default left out
            b'{"counts":[],"name":1,"note":null}',
            b'{"counts":["1"],"name":"a","note":null}',
            b'{"counts":[true],"name":"a","note":null}',
            b'{"counts":[],"extra":1,"name":"a","note":null}',
            b'{"name":"a","note":null}',
            b'{"counts": [],"name":"a","note":null}',
            b"[]",
            b"null",
        ],
    )
    def test_anything_else_is_refused(self, data: bytes) -> None:
        with pytest.raises(FormatError):
            from_wire(data, Sample)

    def test_a_struct_without_a_canonical_form_is_refused(self) -> None:
        with pytest.raises(FormatError):
            to_wire(Sample("\ud800", ()))

    def test_a_strangers_text_does_not_repaint_the_terminal(self) -> None:
        data = json.dumps({"counts": [], "name": "a", "note": None, "\x1b[31m" + "x" * 1000: 1})
        with pytest.raises(FormatError) as caught:
            from_json_value(json.loads(data), Sample)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300

    def test_limits_are_passed_on(self) -> None:
        data = to_wire(Sample("a", ()))
        with pytest.raises(FormatError, match="larger"):
            from_wire(data, Sample, max_bytes=10)
        with pytest.raises(FormatError, match="deep"):
            from_wire(data, Sample, max_depth=0)


def test_base64_agrees_with_the_standard_library() -> None:
    data = bytes(range(256))
    assert to_base64(data) == base64.standard_b64encode(data).decode()
    assert base64.urlsafe_b64decode(to_base64url(data) + "=" * (-len(to_base64url(data)) % 4)) == data


class _Letter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["letter/v1"]
    text: str


def test_a_document_of_another_kind_is_called_by_its_kind() -> None:
    with pytest.raises(FormatError, match=r"invite-file/v1, and letter/v1 is expected") as caught:
        from_wire(b'{"format":"invite-file/v1","owner":[]}', _Letter)
    assert caught.value.code == "wrong-kind"
    with pytest.raises(FormatError) as hostile:
        from_wire(canonical_json({"format": "\x1b[2J" * 40}), _Letter)
    assert "\x1b" not in str(hostile.value)


def test_a_traceback_shows_code_and_hint() -> None:
    assert FormatError("no", code="bad", hint="do that").__notes__ == ["[bad] hint: do that"]
    assert FormatError("no").__notes__ == ["[malformed]"]

r"""Strict text encodings: the only decoders of text that comes from outside.

    >>> canonical_json({"b": 1, "a": "é"})
    b'{"a":"\xc3\xa9","b":1}'
    >>> parse_canonical_json(b'{"a": 1}')
    Traceback (most recent call last):
    strongroom.errors.FormatError: JSON is not in canonical form

Canonical JSON here is the part of RFC 8785 (JCS) that needs no floating point:
UTF-8, no white space, members sorted, integers within 2**53, ASCII member names.
Decoding accepts exactly the bytes that encoding gives, so a document has one
spelling and a signature covers what was read. ``from_wire`` and ``to_wire`` add
types: a frozen msgspec struct on one side, canonical bytes on the other.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, TypeVar, get_args

import msgspec

from strongroom._limits import LIMITS
from strongroom.errors import FormatError

_MAX_INT = (1 << 53) - 1
_INSTANT_CHARS = len("2026-11-24T03:00:00")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ENCODER = msgspec.json.Encoder(order="sorted")
"""Its spelling of strings is that of RFC 8785, as a test compares for every character."""

JSON = None | bool | int | str | list["JSON"] | dict[str, "JSON"]
S = TypeVar("S")


def to_base64(data: bytes) -> str:
    """Encode bytes as standard base64 with padding (RFC 4648 section 4)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def from_base64(text: str) -> bytes:
    """Decode standard base64, refusing every spelling but the canonical one.

    Raises:
        FormatError: other alphabet, missing padding, white space or stray bits.
    """
    return _decode_exactly(text, to_base64, binascii.a2b_base64, "base64")


def to_base64url(data: bytes) -> str:
    """Encode bytes as URL-safe base64 without padding (RFC 4648 section 5, RFC 7515)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """Decode URL-safe base64 without padding, refusing every other spelling.

    Raises:
        FormatError: other alphabet, padding, white space or stray bits.
    """

    def decode(text: str) -> bytes:
        raw = text.encode("ascii").translate(_FROM_URL)
        return binascii.a2b_base64(raw + b"=" * (-len(raw) % 4))

    return _decode_exactly(text, to_base64url, decode, "base64url")


def to_base32(data: bytes) -> str:
    """Encode bytes as lower-case base32 without padding: safe in file names and to read aloud."""
    return base64.b32encode(data).rstrip(b"=").decode("ascii").lower()


def from_base32(text: str) -> bytes:
    """Decode lower-case base32 without padding, refusing every other spelling.

    Raises:
        FormatError: other alphabet, padding, upper case or stray bits.
    """

    def decode(text: str) -> bytes:
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8))

    return _decode_exactly(text, to_base32, decode, "base32")


def to_hex(data: bytes) -> str:
    """Encode bytes as lower-case hexadecimal."""
    return data.hex()


def from_hex(text: str, *, size: int | None = None) -> bytes:
    """Decode lower-case hexadecimal of ``size`` bytes (any size if None).

    Raises:
        FormatError: upper case, white space, odd length or another size.
    """
    data = _decode_exactly(text, to_hex, bytes.fromhex, "hexadecimal")
    if size is not None and len(data) != size:
        raise FormatError(f"expected {size} bytes of hexadecimal, got {len(data)}")
    return data


def _decode_exactly(
    text: str, encode: Callable[[bytes], str], decode: Callable[[str], bytes], what: str
) -> bytes:
    # The comparison with the re-encoded value closes every gap of the standard
    # library's decoders: ignored characters, stray bits, mixed case.
    # The error is raised outside of the handler: the library's own error holds the
    # text, which may be a secret, and would stay reachable as the context.
    try:
        data: bytes | None = decode(text)
    except ValueError:
        data = None
    if data is None or encode(data) != text:
        raise FormatError(f"not canonical {what}")
    return data


def to_instant(moment: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with whole seconds: ``2026-11-24T03:00:00Z``.

    Raises:
        FormatError: the moment has no time zone, or lies outside of the years 1 to 9999.
    """
    if moment.tzinfo is None:
        raise FormatError("an instant without a time zone")
    try:
        return _universal_to_instant(moment if moment.tzinfo is UTC else moment.astimezone(UTC))
    except OverflowError as error:
        raise FormatError("an instant outside of the years 1 to 9999") from error


# A broker writes the second of an act and the ends of a lease some twenty times. In one and the same
# zone without summer time, equal instants have equal texts.
@lru_cache(maxsize=256)
def _universal_to_instant(moment: datetime) -> str:
    return moment.isoformat()[:_INSTANT_CHARS] + "Z"


def from_instant(text: str) -> datetime:
    """Read an instant in exactly the form that ``to_instant`` writes.

    Raises:
        FormatError: any other spelling, or no such date.
    """
    # Raised outside of the handler, so that no error holds the text: see _decode_exactly.
    try:
        # It reads far more than the one form, and the comparison refuses that.
        moment: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not UTC or to_instant(moment) != text:
        raise FormatError("not an instant of the form 2026-11-24T03:00:00Z")
    return moment


def canonical_json(value: Any) -> bytes:
    """Encode a value of dicts, lists, tuples, strings, integers, booleans and None.

    Raises:
        FormatError: a float, an integer beyond 2**53, a lone surrogate, a member
            name that is not ASCII, or any other type.
    """
    _check_encodable(value, LIMITS.max_contents_depth)
    return _encode(value)


def is_encoded(value: Any, data: bytes) -> bool:
    """Tell whether a value is what canonical JSON says: ``data``, which was read as such.

    What is equal to it keeps every rule, so none is checked again.

    Raises:
        FormatError: the value has a type without canonical JSON form.
    """
    return _encode(value) == data


def _encode(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value)
    except TypeError as error:
        # A kind of string or integer of somebody's own, which may say something else than it is.
        raise FormatError("a value of a type without canonical JSON form") from error


def _check_encodable(value: Any, depth: int) -> None:
    items: Iterable[Any] = ()
    if isinstance(value, str):
        # Python knows of each string whether it is ASCII, without looking at it.
        if not value.isascii() and _SURROGATE.search(value):
            raise FormatError("a string holds a lone surrogate")
    elif isinstance(value, dict):
        for name in value:
            if not isinstance(name, str) or not name.isascii():
                raise FormatError("a JSON member name is not ASCII")
        items = value.values()
    elif isinstance(value, list | tuple):
        items = value
    elif value is None or isinstance(value, bool):
        return
    elif not isinstance(value, int):
        raise FormatError(f"a {type(value).__name__} has no canonical JSON form")
    elif abs(value) > _MAX_INT:
        raise FormatError("an integer is beyond 2**53")
    for item in items:
        if not depth:
            raise FormatError("JSON nests too deeply")
        # Most of all values are plain text, which is not worth a call.
        if type(item) is not str or not item.isascii():
            _check_encodable(item, depth - 1)


def parse_json(
    data: bytes, *, max_bytes: int = LIMITS.max_json_bytes, max_depth: int = LIMITS.max_json_depth
) -> Any:
    """Parse JSON of somebody else's spelling: white space and order are free, the rest is strict.

    Raises:
        FormatError: too large, too deep, not UTF-8, doubled members, floats,
            integers beyond 2**53, lone surrogates, or not JSON.
    """
    _check_size(data, max_bytes)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique_members,
            parse_float=_refuse_number,
            parse_int=_bounded_int,
            parse_constant=_refuse_number,
        )
    except RecursionError as error:
        raise FormatError("JSON nests too deeply") from error
    except ValueError as error:
        raise FormatError("not valid JSON") from error
    _check_encodable(value, max_depth)
    return value


def parse_canonical_json(
    data: bytes, *, max_bytes: int = LIMITS.max_json_bytes, max_depth: int = LIMITS.max_json_depth
) -> Any:
    """Parse JSON and refuse every spelling but the one that ``canonical_json`` gives.

    Raises:
        FormatError: as ``parse_json``, or not canonical.
    """
    _check_size(data, max_bytes)
    try:
        # This reader is faster, and only ever says yes. What is written as it was read has no other
        # reading: of a doubled member, one would be missing. The rest is checked as always.
        value = msgspec.json.decode(data)
        if _encode(value) == data:
            _check_encodable(value, max_depth)
            return value
    except (msgspec.DecodeError, ValueError, RecursionError, FormatError):
        pass
    value = parse_json(data, max_bytes=max_bytes, max_depth=max_depth)
    if _encode(value) != data:
        raise FormatError("JSON is not in canonical form")
    return value


def _check_size(data: bytes, max_bytes: int) -> None:
    if len(data) > max_bytes:
        raise FormatError(f"JSON is larger than {max_bytes} bytes")


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise FormatError("a JSON object has the same member twice")
    return members


def _bounded_int(text: str) -> int:
    # Checked as text: int() of a million digits takes seconds.
    if len(text) > 17 or abs(int(text)) > _MAX_INT:
        raise FormatError("an integer is beyond 2**53")
    return int(text)


def _refuse_number(text: str) -> Any:
    raise FormatError("JSON holds a number that is no integer")


def to_wire(document: msgspec.Struct) -> bytes:
    """Encode a msgspec struct as canonical JSON.

    Raises:
        FormatError: a field has no canonical JSON form.
    """
    return canonical_json(msgspec.to_builtins(document))


def from_wire(
    data: bytes,
    kind: type[S],
    *,
    max_bytes: int = LIMITS.max_json_bytes,
    max_depth: int = LIMITS.max_json_depth,
) -> S:
    """Decode canonical JSON into a msgspec struct of the given kind.

    The result encodes to the same bytes again, so nothing that was signed can be
    lost between reading and re-writing.

    Raises:
        FormatError: not canonical, unknown or missing members, or wrong types.
    """
    document = from_json_value(parse_canonical_json(data, max_bytes=max_bytes, max_depth=max_depth), kind)
    if not is_encoded(msgspec.to_builtins(document), data):
        # A default written out, or a number in another spelling.
        raise FormatError(f"not the canonical form of {kind.__name__.lstrip('_')}")
    return document


def _verify_format(value: Any, kind: Any) -> None:
    """Say of a document of another kind that it is one, before its members are compared."""
    said = value.get("format") if isinstance(value, dict) else None
    wanted = _formats_of(kind)
    if isinstance(said, str) and wanted and said not in wanted:
        raise FormatError(
            f"this is of the kind {ascii(said)[1:-1][:40]}, and {wanted[0]} is expected", code="wrong-kind"
        )


@cache
def _formats_of(kind: Any) -> tuple[Any, ...]:
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return ()
    return next(
        (get_args(field.type) for field in msgspec.structs.fields(kind) if field.name == "format"), ()
    )


def from_json_value(value: Any, kind: type[S]) -> S:
    """Convert parsed JSON into a msgspec struct, strictly.

    Raises:
        FormatError: unknown or missing members, or wrong types.
    """
    _verify_format(value, kind)
    try:
        return msgspec.convert(value, type=kind, strict=True)
    except msgspec.ValidationError as error:
        # The library quotes names of members: a stranger's text, which must not repaint a terminal.
        raise FormatError(
            f"not a valid {kind.__name__.lstrip('_')}: {ascii(str(error))[1:-1][:200]}"
        ) from error

"""How a document becomes the bytes that are signed, and how bytes become a document.

    payload = to_payload(license)
    license = from_payload(payload, License)          # to_payload(license) == payload

Canonical JSON, one spelling only. Terms go through the registry; a term of a later
version is kept as it is, so that what was signed is never lost on the way.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from strongroom._encoding import JSON, canonical_json, is_encoded, parse_canonical_json
from strongroom.errors import FormatError
from strongroom.license.fields import Fields
from strongroom.license.terms import decode_term, encode_term

D = TypeVar("D", bound=Fields)


def to_payload(document: Fields) -> bytes:
    """Encode a document.

    Raises:
        FormatError: a field has no canonical JSON form.
    """
    return canonical_json(_to_value(document))


def from_payload(data: bytes, kind: type[D]) -> D:
    """Decode a document of the given kind.

    Raises:
        FormatError: not canonical, unknown or missing members, or a value that its
            specification refuses.
    """
    value = parse_canonical_json(data)
    try:
        document = msgspec.convert(value, type=kind, strict=True, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise FormatError(f"not a valid {kind.__name__}: {error}") from error
    if not is_encoded(_to_value(document), data):
        # A default written out, or an instant in another spelling.
        raise FormatError(f"not the canonical form of {kind.__name__}")
    return document


def _to_value(document: Fields) -> JSON:
    # By way of msgspec's JSON, which turns tuples, instants and enums into JSON values.
    value: JSON = msgspec.json.decode(msgspec.json.encode(document, enc_hook=encode_term))
    return value


def _decode(_: type[Any], value: Any) -> Any:
    # Asked for the one type that msgspec does not know, ``Term``.
    return decode_term(value)

"""JSON documents: told apart by their member ``format``, or by what standard they follow."""

from __future__ import annotations

import json
from typing import Any

from strongroom.cli.inspect import introduction, license, provenance
from strongroom.cli.inspect.explanation import Explanation

_BY_FORMAT = {
    "invite-file/v1": introduction.explain_invite,
    "enrollment-file/v1": introduction.explain_enrollment,
    "license-file/v1": license.explain_license,
    "export/v1": provenance.explain_manifest,
}


def explain(data: bytes) -> Explanation | None:
    """Explain a JSON document; None if it is none that Strongroom knows.

    Raises:
        FormatError: it calls itself one of ours, and is damaged.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        return introduction.explain_owner(data)
    if not isinstance(value, dict):
        return None
    if "mediaType" in value and "dsseEnvelope" in value:
        return provenance.explain_bundle(value)
    return _explain_ours(value, data)


def _explain_ours(value: dict[str, Any], data: bytes) -> Explanation | None:
    name = value.get("format")
    explain_as = _BY_FORMAT.get(name) if isinstance(name, str) else None
    return None if explain_as is None else explain_as(data)

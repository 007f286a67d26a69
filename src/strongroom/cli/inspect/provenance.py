"""Files for strangers: the OpenSSF signature beside a package, and the manifest of an export."""

from __future__ import annotations

import base64
import json
from typing import Any

from strongroom._encoding import from_wire
from strongroom.cli.inspect.explanation import Explanation
from strongroom.client.exporting import Manifest
from strongroom.errors import FormatError


def explain_bundle(value: dict[str, Any]) -> Explanation:
    """Explain an OpenSSF Model Signing bundle, ours or another's.

    Raises:
        FormatError: it is damaged.
    """
    try:
        statement = json.loads(base64.b64decode(value["dsseEnvelope"]["payload"], validate=True))
        resources = statement["predicate"]["resources"]
        rows = [(str(each["algorithm"]), str(each["digest"]), str(each["name"])) for each in resources]
        predicate = str(statement["predicateType"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise FormatError("a signature bundle is damaged") from error
    return Explanation(
        kind="signature",
        title="a signature for strangers (OpenSSF Model Signing)",
        lines=(
            ("says", predicate),
            *(
                (algorithm, f"{digest}{'' if name == '.' else ' ' + name}")
                for algorithm, digest, name in rows
            ),
            ("verify", "strongroom verify FILE.sealed, or model_signing verify key FILE.sealed ..."),
        ),
        document={
            "predicate_type": predicate,
            "resources": [
                {"name": name, "algorithm": algorithm, "digest": digest} for algorithm, digest, name in rows
            ],
        },
    )


def explain_manifest(data: bytes) -> Explanation:
    """Explain the manifest of an export.

    Raises:
        FormatError: it is damaged.
    """
    said = from_wire(data, Manifest)
    return Explanation(
        kind="export",
        title="the manifest of an exported model",
        lines=(
            ("model", f"{said.name}, version {said.version}"),
            ("owner", said.owner),
            ("license", said.license),
            ("package", said.package),
            *(("file", f"{file.name}, {file.size:,} bytes, SHA-256 {file.sha256}") for file in said.files),
        ),
        document={
            "name": said.name,
            "version": said.version,
            "owner": said.owner,
            "license": said.license,
            "package": said.package,
            "files": [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in said.files],
        },
    )

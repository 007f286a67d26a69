"""What ``strongroom run`` tells whoever is to connect clients of a network to it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strongroom.serving.network import NetworkIdentity

_TOKEN_FILE = "token.txt"  # noqa: S105 - the name of a file
_HEADER = f'"Authorization: Bearer $(cat {_TOKEN_FILE})"'


def document_of(identity: NetworkIdentity) -> dict[str, Any]:
    """Return what a program needs to know."""
    return {
        "names": list(identity.names),
        "authority_file": None if identity.authority is None else str(identity.authority),
        "authority_sha256": identity.fingerprint,
    }


def rows_of(identity: NetworkIdentity, url: str, model: str) -> list[tuple[str, str]]:
    """Return what people need to know, ready to be pasted; no line holds a token."""
    target = f"{url}/v2/models/{model}"
    rows = [("names", ", ".join(identity.names))]
    trusting, importing = "", ""
    if identity.authority is None:
        rows.append(("certificate", f"SHA-256 {identity.fingerprint}"))
    else:
        name = identity.authority.name
        rows.append(("authority", f"{identity.authority}"))
        rows.append(("fingerprint", f"SHA-256 {identity.fingerprint}"))
        trusting = f"--cacert {shlex.quote(name)} "
        importing = f"Import-Certificate -FilePath {name} -CertStoreLocation Cert:\\LocalMachine\\Root"
    rows.append(("curl", f"printf %s {_HEADER} | curl {trusting}-H @- {target}"))
    if importing:
        rows.append(("Windows, once", importing))
    rows.append(
        (
            "PowerShell",
            f'Invoke-RestMethod {target} -Headers @{{Authorization="Bearer $(Get-Content {_TOKEN_FILE})"}}',
        )
    )
    return rows

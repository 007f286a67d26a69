"""Files that are lines of text: keys, and single signed documents."""

from __future__ import annotations

from strongroom._encoding import to_instant
from strongroom.cli.inspect.explanation import Explanation
from strongroom.cli.inspect.license import explain_acceptance
from strongroom.crypto import jws
from strongroom.errors import FormatError
from strongroom.keys.key_file import KeyFile
from strongroom.license.documents import Acceptance

_KEY_START = b"# strongroom "
_KEK_START = b"# strongroom key-encryption key"


def explain(data: bytes) -> Explanation | None:
    """Explain a text file; None if it is none that Strongroom knows.

    Raises:
        FormatError: it calls itself one of ours, and is damaged.
    """
    if data.startswith(_KEK_START):
        return Explanation(
            kind="key",
            title="a secret key, key-encryption",
            lines=(("note", "the owner's content keys rest under it; back it up and send it to nobody"),),
            document={"key_kind": "key-encryption"},
        )
    if data.startswith(_KEY_START):
        return _explain_key(KeyFile.from_bytes(data))
    token = data.decode("ascii", "replace").strip()
    try:
        typ = jws.read_unverified(token).typ
    except FormatError:
        return None
    return explain_acceptance(token) if typ == Acceptance.typ() else None


def _explain_key(key: KeyFile) -> Explanation:
    # Never the secret line, encrypted or not.
    return Explanation(
        kind="key",
        title=f"a secret key, {key.kind.value}",
        lines=(
            ("made", to_instant(key.created_at)),
            ("public", key.unverified_public_text),
            ("protected", "by a pass-phrase" if key.encrypted else "by the permissions of this file only"),
            ("note", "never send this file to anybody; nobody needs it but this home"),
        ),
        document={
            "key_kind": key.kind.value,
            "created_at": to_instant(key.created_at),
            "public": key.unverified_public_text,
            "encrypted": key.encrypted,
        },
    )

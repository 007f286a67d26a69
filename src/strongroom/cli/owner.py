"""``strongroom owner``: show, rotate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared

if TYPE_CHECKING:
    from strongroom.home.trust import PinnedOwner

Renewable = Literal["package", "license", "broker", "log"]


def show(
    owner: Annotated[
        str | None, Parameter(help="A pinned owner, by alias, name or id (else the owner that this home is).")
    ] = None,
    /,
    *,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="Also write the owner document, for `verify --owner`.")
    ] = None,
    shared: Shared = SHARED,
) -> None:
    """Show an owner document: who it is, and which keys sign what.

    Examples:
        $ strongroom owner show
        $ strongroom owner show hospital
        $ strongroom owner show -o hospital.owner

    Raises:
        ObjectNotFound: no such owner is pinned.
        UsageError: this home owns no models, or the file exists.
        VerificationError: the stored chain does not verify.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom.cli._file import write_output

    home = shared.open_home()
    pinned = home.trust.get(home.vault.verify_owner_id()) if owner is None else home.trust.find(owner)
    if output is not None:
        write_output(shared.terminal, pinned.owner.chain.to_bytes(), output, replace=shared.yes)
    _show(shared, pinned)


def rotate(
    *,
    renew: Annotated[
        tuple[Renewable, ...], Parameter(help="A role that gets a fresh key; the one it had retires.")
    ] = (),
    retire: Annotated[
        tuple[str, ...], Parameter(help="The id of a key that retires without a successor.")
    ] = (),
    new_root: Annotated[bool, Parameter(help="Replace the root keys by a fresh one.")] = False,
    root: Annotated[tuple[Path, ...], Parameter(help="A root key file that does not lie in the home.")] = (),
    shared: Shared = SHARED,
) -> None:
    """Make the next version of this owner's document, signed by the roots of the old one and the new.

    Partners take it up with the next license or invite that you send. A retired key stays good for what it
    signed before.

    Examples:
        $ strongroom owner rotate --renew license
        $ strongroom owner rotate --new-root --root /media/stick/root.key

    Raises:
        UsageError: nothing to change, an unknown key, or not an owner.
        NoMatchingKey: no root key is at hand, or the pass-phrase is wrong.
        VerificationError: too few root keys are at hand.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import founding
    from strongroom.keys.owner import Role

    pinned = founding.rotate(
        shared.open_home(),
        now=shared.now,
        renew=[Role(role) for role in renew],
        retire=retire,
        new_root=new_root,
        root_files=root,
    )
    _show(shared, pinned)


def _show(shared: Shared, pinned: PinnedOwner) -> None:
    document = describe(pinned)
    rows = [
        ("owner", pinned.label),
        ("id", pinned.id),
        ("version", f"{document['version']}, issued {document['issued_at']}"),
        ("status", document["status"]),
        ("roots", f"{document['threshold']} of {len(document['roots'])} must sign the next version"),
        *(("", key_id) for key_id in document["roots"]),
    ]
    for role, keys in document["roles"].items():
        shown = [f"{key['id']}{' retired ' + key['retired_at'] if key['retired_at'] else ''}" for key in keys]
        rows += [(role if place == 0 else "", text) for place, text in enumerate(shown or ["none"])]
    rows += [("cut off", f"{entry['id']}: {entry['reason']}") for entry in document["cut_off"]]
    shared.terminal.fields(document, rows)


def describe(pinned: PinnedOwner) -> dict[str, Any]:
    """Return an owner as JSON values."""
    from strongroom.keys.key_pair import role_public_from_text
    from strongroom.keys.owner import Role
    from strongroom.keys.owner_document import ROLE_KINDS
    from strongroom.keys.text import KeyKind

    document = pinned.owner.document
    return {
        "owner": pinned.id,
        "name": pinned.owner.name,
        "alias": pinned.alias,
        "status": pinned.status.value,
        "version": pinned.owner.version,
        "issued_at": document.issued_at,
        "threshold": document.roots.threshold,
        "roots": [role_public_from_text(text, KeyKind.OWNER_ROOT).key_id for text in document.roots.keys],
        "roles": {
            role.value: [
                {
                    "id": role_public_from_text(key.key, ROLE_KINDS[role]).key_id,
                    "retired_at": key.retired_at,
                }
                for key in document.roles.of(role)
            ]
            for role in Role
        },
        "cut_off": [{"id": entry.key_id, "reason": entry.reason} for entry in document.cut_off],
    }


app = noun(
    "owner",
    "Show and rotate the owner document, which partners pin.",
    page(show, "show"),
    page(rotate, "rotate"),
)

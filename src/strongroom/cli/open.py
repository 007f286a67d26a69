"""``strongroom open``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared

if TYPE_CHECKING:
    from strongroom.opening import Opening


def open_(
    model: Annotated[str, Parameter(help="[OWNER/]NAME[@VERSION], or the path of a .sealed file.")],
    /,
    *,
    license: Annotated[str | None, Parameter(help="The id of the license, where several fit.")] = None,
    purpose: Annotated[str | None, Parameter(help="What for, where the license asks.")] = None,
    shared: Shared = SHARED,
) -> None:
    """Check everything about a model and say what would run; run nothing.

    Owner, license, acceptance, package signature, key, counts and clock are checked as `predict` does.
    Nothing is decrypted and nothing is counted.

    Examples:
        $ strongroom open risk
        $ strongroom open hospital/risk@1.0.0
        $ strongroom open ./risk-1.0.0.sealed --json

    Raises:
        ObjectNotFound: no license covers it, it is not here, or several fit.
        VerificationError: a signature does not hold, or nobody has confirmed the owner.
        IntegrityError: the package is not what was signed.
        LicenseDenied: the license says no.
        NoMatchingKey: this installation has no key for it.
    """
    from strongroom import opening

    opened = opening.open_model(
        shared.open_home(), model, license_id=license, purpose=purpose, now=shared.now
    )
    shared.terminal.fields(_document(opened), _lines(opened))
    if not shared.json:
        shared.terminal.note("Everything is in order. Nothing was run.")


def _lines(opened: Opening) -> list[tuple[str, str]]:
    from strongroom.cli._moment import shown
    from strongroom.license.describe import describe_license

    statement, allowed = opened.statement, opened.allowed
    left = min(allowed.remaining.values(), default=None)
    return [
        ("model", f"{statement.name} {statement.version}"),
        ("owner", f"{opened.pinned.label} ({opened.owner.id})"),
        ("package", str(opened.package_path)),
        ("digest", statement.package_digest),
        ("license", opened.chain.id),
        ("key", f"{opened.release.id}, until {shown(opened.release.document.not_after)}"),
        ("until", "no end" if allowed.until is None else shown(allowed.until)),
        ("predictions", "not counted" if left is None else f"{left:,} left"),
        *((label.lower(), sentence) for label, sentence in describe_license(opened.chain)[1:]),
    ]


def _document(opened: Opening) -> dict[str, Any]:
    from strongroom._encoding import to_instant

    allowed = opened.allowed
    return {
        "name": opened.statement.name,
        "version": str(opened.statement.version),
        "owner": opened.owner.id,
        "owner_name": opened.pinned.label,
        "package": str(opened.package_path),
        "package_digest": opened.statement.package_digest,
        "license": opened.chain.id,
        "key_file": opened.release.id,
        "until": None if allowed.until is None else to_instant(allowed.until),
        "remaining": {key.to_text(): left for key, left in allowed.remaining.items()},
        "answers": {
            "decimals": allowed.output.decimals,
            "top_k": allowed.output.top_k,
            "label_only": allowed.output.label_only,
        },
        "standing": allowed.standing.value,
    }


app = page(open_, "open")

"""``strongroom open``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._code import CODE_LABEL, CODE_NOTE
from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared

if TYPE_CHECKING:
    from datetime import datetime

    from strongroom.home import Home
    from strongroom.license.documents import Lease
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
    Nothing is decrypted and nothing is counted; no lease is taken, and the one that is held is shown.

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
    from strongroom.cli._broker import ask_withdrawals
    from strongroom.cli._level import open_here

    home = shared.open_home()
    opened = open_here(
        shared,
        home,
        model,
        certain=True,
        license_id=license,
        purpose=purpose,
        ask_withdrawals=ask_withdrawals,
    )
    lease = _lease(home, opened)
    shared.terminal.fields(_document(opened, lease), _lines(home, opened, lease, shared.now))
    if shared.json:
        return
    refusal = None if opened.release is not None else home.leases.read(opened.place).refusal
    if refusal is not None and refusal.is_final:
        shared.terminal.warning(
            f"the broker has refused the last lease: {refusal.message} [{refusal.code}]; predict asks again"
        )
    else:
        shared.terminal.note("Everything is in order. Nothing was run.")


def _lease(home: Home, opened: Opening) -> Lease | None:
    """Return the lease that this installation has from the broker, if any."""
    from strongroom.license.documents import Lease
    from strongroom.license.signing import read_unverified

    token = None if opened.release is not None else home.leases.read(opened.place).lease
    return None if token is None else read_unverified(token, Lease)


def _key(home: Home, opened: Opening, lease: Lease | None, now: datetime) -> str:
    from strongroom.cli._meanwhile import without_broker
    from strongroom.cli._moment import shown

    if opened.release is not None:
        return f"{opened.release.id}, until {shown(opened.release.document.not_after)}"
    if opened.spare is not None and opened.spare.document.not_after > now:
        end = shown(opened.spare.document.not_after)
        return f"a lease of the broker; while it is silent {opened.spare.id}, until {end}"
    if lease is None:
        return "a lease of the broker, taken when it runs"
    if lease.not_after > now:
        return f"a lease of the broker, in force until {shown(lease.not_after)}, renewed by itself"
    said = without_broker(home, opened, now)
    after = "" if said is None else f"; it {said}"
    return f"a lease of the broker; the last one ended {shown(lease.not_after)}{after}"


def _lines(home: Home, opened: Opening, lease: Lease | None, now: datetime) -> list[tuple[str, str]]:
    from strongroom.cli._moment import shown
    from strongroom.license.describe import describe_license

    statement, allowed = opened.statement, opened.allowed
    left = min(allowed.remaining.values(), default=None)
    return [
        ("model", f"{statement.name} {statement.version}"),
        ("owner", f"{opened.pinned.label} ({opened.owner.id})"),
        ("package", str(opened.package_path)),
        ("digest", statement.package_digest),
        *(((CODE_LABEL, CODE_NOTE),) if statement.carries_code else ()),
        ("license", opened.chain.id),
        ("key", _key(home, opened, lease, now)),
        ("until", "no end" if allowed.until is None else shown(allowed.until)),
        ("predictions", "not counted" if left is None else f"{left:,} left"),
        *((label.lower(), sentence) for label, sentence in describe_license(opened.chain)[1:]),
    ]


def _document(opened: Opening, lease: Lease | None) -> dict[str, Any]:
    from strongroom._encoding import to_instant

    allowed, release = opened.allowed, opened.release or opened.spare
    return {
        "name": opened.statement.name,
        "version": str(opened.statement.version),
        "owner": opened.owner.id,
        "owner_name": opened.pinned.label,
        "package": str(opened.package_path),
        "package_digest": opened.statement.package_digest,
        "carries_code": opened.statement.carries_code,
        "license": opened.chain.id,
        "key_file": None if release is None else release.id,
        "lease_ends_at": None if lease is None else to_instant(lease.not_after),
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

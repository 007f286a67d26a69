"""On what ground the keys are used: a lease, grace, break-glass, an offline or pass-phrase file.

    standing = find_standing(chain, request, facts, now)      # Standing or Denied
    grace_of(chain)                                           # timedelta
    last_instant(chain, facts, standing)                      # when the ground ends

Grace, break-glass and offline use are exceptions that the license itself must name. A
term in a sub-license makes an exception smaller and can never make one
(spec/license.md, "Leases, grace and break-glass").
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, assert_never

from strongroom._encoding import to_instant
from strongroom.license.chain import LicenseChain
from strongroom.license.codes import Code
from strongroom.license.fields import hours
from strongroom.license.request import AtOwner, Authority, AuthorityKind, Facts, Level, Request
from strongroom.license.terms import BreakGlass, Counted, Grace, Offline, Rate, Runtimes, Term
from strongroom.license.verdict import Denied, Standing

_NOTHING: Final = timedelta(0)


def find_standing(chain: LicenseChain, request: Request, facts: Facts, now: datetime) -> Standing | Denied:
    """Decide whether what released the keys still holds, and in which way."""
    authority = facts.authority
    if isinstance(authority, AtOwner):
        return Standing.NORMAL
    if authority is None:
        return Denied(
            code=Code.NO_AUTHORITY,
            reason="no lease, offline file or pass-phrase file for this runtime and package is here",
            hint=f"Ask {chain.license.issuer} for an offline file for this runtime.",
        )
    if not _is_for(authority, chain, request):
        return Denied(
            code=Code.WRONG_AUTHORITY,
            reason=f"the {authority.kind} is for another license, runtime or package",
            hint=f"Open the model under the license it is for; or ask {chain.license.issuer} for a file.",
        )
    match authority.kind:
        case AuthorityKind.LEASE:
            return _under_lease(chain, authority, facts, now)
        case AuthorityKind.OFFLINE:
            denied = _check_offline(chain, authority, now) or _check_offline_level(request)
            return denied or Standing.NORMAL
        case AuthorityKind.PASSPHRASE:
            denied = _check_offline(chain, authority, now) or _check_passphrase(chain, request)
            return denied or Standing.NORMAL
        case _ as other:
            assert_never(other)


def _is_for(authority: Authority, chain: LicenseChain, request: Request) -> bool:
    return (
        authority.license == chain.id
        and authority.package == request.package_digest
        and authority.runtime in (None, request.runtime)
    )


def _under_lease(chain: LicenseChain, lease: Authority, facts: Facts, now: datetime) -> Standing | Denied:
    if now < lease.not_after:
        return Standing.NORMAL
    ended = f"the lease ended {to_instant(lease.not_after)}"
    if facts.outage_since is None:
        return Denied(
            code=Code.LEASE_ENDED,
            reason=ended,
            hint="Open the model again: the broker answers, and gives a new one.",
        )
    if facts.break_glass is not None:
        if _has(chain, BreakGlass):
            return Standing.BREAK_GLASS
        return Denied(
            code=Code.BREAK_GLASS_NOT_ALLOWED,
            reason=f"{ended}, and the license has no break-glass",
            hint="Restore the way to the broker: strongroom doctor.",
        )
    if _has(chain, Grace):
        return Standing.GRACE
    return Denied(
        code=Code.GRACE_NOT_ALLOWED,
        reason=f"{ended}, and the license gives no grace",
        hint="Restore the way to the broker: strongroom doctor.",
    )


def _check_offline(chain: LicenseChain, authority: Authority, now: datetime) -> Denied | None:
    if not _has(chain, Offline):
        return Denied(
            code=Code.OFFLINE_NOT_ALLOWED,
            reason="the license does not allow use without a broker",
            hint=f"Ask {chain.license.issuer} for a license with the term 'offline'.",
        )
    if now < authority.not_after:
        return None
    return Denied(
        code=Code.OFFLINE_ENDED,
        reason=f"the {authority.kind} file ended {to_instant(authority.not_after)}",
        hint=f"Ask {chain.license.issuer} for a new one.",
    )


def _check_offline_level(request: Request) -> Denied | None:
    if request.level in (Level.LOCAL, Level.SEALED):
        return None
    return Denied(
        code=Code.OFFLINE_LEVEL,
        reason=f"level {request.level} does not exist without a broker that checks it",
        hint="Use a lease.",
    )


def _check_passphrase(chain: LicenseChain, request: Request) -> Denied | None:
    if request.level is not Level.LOCAL:
        return Denied(
            code=Code.PASSPHRASE_LEVEL,
            reason=f"a pass-phrase file is for level {Level.LOCAL} only; this is {request.level}",
            hint="Use an offline file or a lease.",
        )
    counted = counted_term(chain)
    if counted is None:
        return None
    return Denied(
        code=Code.PASSPHRASE_COUNTED,
        reason=f"the license counts ('{counted.tag}'), and nobody counts what many know the pass-phrase of",
        hint="Use an offline file or a lease.",
        term=counted.tag,
    )


def counted_term(chain: LicenseChain) -> Counted | Rate | Runtimes | None:
    """Return a term of the chain that needs state of one machine, or None."""
    return next((term for _, term in chain.terms() if isinstance(term, Counted | Rate | Runtimes)), None)


def _has(chain: LicenseChain, kind: type[Term]) -> bool:
    return any(isinstance(term, kind) for term in chain.license.terms)


def grace_of(chain: LicenseChain) -> timedelta:
    """Return how long use goes on after a lease in an outage: nothing, unless the license says so."""
    if not _has(chain, Grace):
        return _NOTHING
    return min(hours(term.hours) for _, term in chain.terms_of(Grace))


def break_glass_of(chain: LicenseChain) -> timedelta:
    """Return how long all uses of break-glass together can last."""
    if not _has(chain, BreakGlass):
        return _NOTHING
    return min(hours(term.hours * term.uses) for _, term in chain.terms_of(BreakGlass))


def last_instant(chain: LicenseChain, facts: Facts, standing: Standing) -> datetime | None:
    """Return when the ground ends by itself; None: at the owner it does not."""
    authority = facts.authority
    if not isinstance(authority, Authority):
        return None
    match standing:
        case Standing.NORMAL:
            return authority.not_after
        case Standing.GRACE:
            return authority.not_after + grace_of(chain)
        case Standing.BREAK_GLASS:
            return authority.not_after + grace_of(chain) + break_glass_of(chain)
        case _ as other:
            assert_never(other)

"""The decision: may this request be served, under this chain, with these facts, now?

    verdict = evaluate(chain, request, facts, now)
    if isinstance(verdict, Denied):
        raise_denied(verdict)
    restrict(answer, verdict.output)

One pure function for runtime, gateway and broker. Every document of the chain is
checked with every term, so adding a term or a document never allows more; the first
refusal is returned, in the order in which a person would want to hear of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from strongroom.license.chain import LicenseChain
from strongroom.license.codes import Code
from strongroom.license.counters import charge, charges, limits_of, remaining
from strongroom.license.marks import check_clock, check_version, latest_of
from strongroom.license.period import CounterName
from strongroom.license.request import Authority, Facts, Request
from strongroom.license.standing import find_standing, grace_of, last_instant
from strongroom.license.term import Case
from strongroom.license.terms import Counted, Expires, Explanations, Output, Predictions, Tokens
from strongroom.license.verdict import Allowed, Denied, OutputPolicy, Standing

_COUNTED: Final[dict[CounterName, type[Counted]]] = {
    kind.counter: kind for kind in (Predictions, Tokens, Explanations)
}

_MAX_REASON_CHARS: Final = 200
"""What a refusal quotes of the reason for a revocation."""


def evaluate(chain: LicenseChain, request: Request, facts: Facts, now: datetime) -> Allowed | Denied:
    """Decide about one request.

    Args:
        chain: The verified license with the sub-licenses under it.
        request: What is asked for; the package in it must be verified.
        facts: What is known: acceptances, authority, counts, marks.
        now: What the clock says, with a time zone.
    """
    passed = [facts.clock_mark, *_signed_at(chain, facts)]
    denied = (
        _check_owner(chain, request)
        or _check_revoked(chain, facts)
        or check_clock(now, *passed)
        or _check_accepted(chain, facts)
    )
    if denied is not None:
        return denied
    now = latest_of(now, *passed)
    standing = find_standing(chain, request, facts, now)
    if isinstance(standing, Denied):
        # A key file ends with its license at the latest; that the license ended is what
        # its holder has to hear.
        return _check_ended(chain, request, facts, now) or standing
    denied = (
        check_version(request, facts.version_mark, facts.withdrawals)
        or next(_refusals(chain, request, facts, now, standing), None)
        or _check_has_budget(chain, request, facts, now)
    )
    return denied or _allow(chain, request, facts, now, standing)


def _signed_at(chain: LicenseChain, facts: Facts) -> list[datetime]:
    # What is signed at an instant proves that the instant has passed: a fresh state
    # with a clock set back is still refused.
    instants = [document.issued_at for document in chain.documents]
    if isinstance(facts.authority, Authority):
        instants.append(facts.authority.issued_at)
    return instants


def _check_owner(chain: LicenseChain, request: Request) -> Denied | None:
    if request.owner == chain.owner:
        return None
    return Denied(
        code=Code.WRONG_OWNER,
        reason=f"the package is by another owner than the license, which is by {chain.owner_name}",
        hint=f"Get the package from {chain.owner_name}.",
    )


def _check_revoked(chain: LicenseChain, facts: Facts) -> Denied | None:
    ids = list(chain.ids)
    if isinstance(facts.authority, Authority):
        ids.append(facts.authority.id)
    revoked = next((each for each in ids if each in facts.revoked), None)
    if revoked is None:
        return None
    above = next((each.issuer for each in chain.documents[1:] if each.id == revoked), None)
    if above is None:
        whom = f"{chain.owner_name} for another license, with strongroom request"
    else:
        whom = f"{above} for another sub-license"
    return Denied(
        code=Code.REVOKED,
        reason=f"{revoked} is revoked{_because(facts.why_revoked.get(revoked))}",
        hint=f"It does not come back: ask {whom}.",
        document=revoked,
    )


def _because(reason: str | None) -> str:
    # The owner's words stand in a signed document of one line; this holds for a caller that has them
    # from elsewhere too: nothing drives a terminal, and no text buries the rest of the message.
    if not reason:
        return ""
    shown = "".join(each if each.isprintable() else " " for each in reason)
    return f": {shown if len(shown) <= _MAX_REASON_CHARS else shown[:_MAX_REASON_CHARS] + '...'}"


def _check_accepted(chain: LicenseChain, facts: Facts) -> Denied | None:
    missing = next((document for document in chain.documents if document.id not in facts.accepted), None)
    if missing is None:
        return None
    return Denied(
        code=Code.NOT_ACCEPTED,
        reason=f"{missing.holder.name} has not accepted {missing.id}",
        hint="Read and accept the license first: strongroom accept.",
        document=missing.id,
    )


def _check_ended(chain: LicenseChain, request: Request, facts: Facts, now: datetime) -> Denied | None:
    case = _case(chain, request, facts, now, Standing.NORMAL)
    for document, term in chain.terms_of(Expires):
        denied = term.check(replace(case, document=document.id, issuer=document.issuer))
        if denied is not None:
            return denied
    return None


def _case(chain: LicenseChain, request: Request, facts: Facts, now: datetime, standing: Standing) -> Case:
    return Case(
        request=request,
        facts=facts,
        now=now,
        document=chain.license.id,
        issuer=chain.owner_name,
        standing=standing,
        authority=facts.authority if isinstance(facts.authority, Authority) else None,
        grace=grace_of(chain),
    )


def _refusals(
    chain: LicenseChain, request: Request, facts: Facts, now: datetime, standing: Standing
) -> Iterator[Denied]:
    case = _case(chain, request, facts, now, standing)
    authority = case.authority
    for document in chain.documents:
        of_document = replace(case, document=document.id, issuer=document.issuer)
        for term in document.terms:
            denied = term.check(of_document)
            if denied is not None:
                yield denied
    if authority is None:
        return
    for entry in authority.budget_at(now):
        # A budget is a counted term of the document that released the keys.
        budget = _COUNTED[entry.counter](limit=entry.limit, per=entry.per)
        denied = budget.check(replace(case, document=authority.id))
        if denied is not None:
            yield denied


def _check_has_budget(chain: LicenseChain, request: Request, facts: Facts, now: datetime) -> Denied | None:
    # Without it, each of several runtimes would use up the whole of what the license
    # gives to all of them together. A budget leaves out what is used up: a lease can then
    # still serve the rest.
    authority = facts.authority
    if not isinstance(authority, Authority):
        return None
    given = {entry.counter for entry in authority.budget_at(now)}
    counted = [(document.id, term.counter) for document, term in chain.terms_of(Counted)]
    # What only the budget counts is spent all the same in a period in which it gives nothing.
    counted += [(authority.id, entry.counter) for entry in authority.budget]
    for document, counter in counted:
        if counter not in given and request.amount(counter):
            return Denied(
                code=Code.NO_BUDGET,
                reason=f"the {authority.kind} has no {counter} left, which the license counts",
                hint=f"Wait for the next period, or ask {chain.owner_name} for more.",
                term=counter.value,
                document=document,
            )
    return None


def _allow(chain: LicenseChain, request: Request, facts: Facts, now: datetime, standing: Standing) -> Allowed:
    limits = limits_of(chain, facts, now, standing)
    output = OutputPolicy()
    for _, term in chain.terms_of(Output):
        output = term.narrow(output)
    ends = [term.at for _, term in chain.terms_of(Expires)]
    ground = last_instant(chain, facts, standing)
    return Allowed(
        output=output,
        remaining=remaining(limits, charge(facts.used, charges(limits, request))),
        until=min([*ends, *([] if ground is None else [ground])], default=None),
        standing=standing,
    )

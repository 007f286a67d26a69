from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from strongroom._encoding import to_base64
from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError, LicenseDenied, VerificationError
from strongroom.keys.key_pair import sealing_public_to_text
from strongroom.license.chain import LicenseChain
from strongroom.license.derivation import (
    DerivationRecord,
    Parent,
    decide_modify,
    derivations_of,
    verify_derivation,
)
from strongroom.license.documents import Derivation
from strongroom.license.request import Level, Right, Withdrawn
from strongroom.license.signing import sign_document
from strongroom.license.term import Term
from strongroom.license.terms import Derivations, Expires, Levels, Purpose, Rights
from tests.unit.license.world import (
    BASE,
    CLINIC,
    DAY,
    NOW,
    OWNER,
    PACKAGE,
    PACKAGE_ID,
    SEALING,
    SERIAL,
    WARD,
    acceptance_of,
    chain_of,
    code_of,
    refusal,
    signed_chain,
)

STATEMENT = b"the statement of the package to be"
BACK = Derivations(to=sealing_public_to_text(SEALING.public))
MODIFY = Rights(rights=(Right.MODIFY, Right.SUBLICENSE))
PARENT = Parent(owner=OWNER.id, name="risk", version="1.2.0", package=PACKAGE)


def record_of(chain: LicenseChain, signer: Any = CLINIC, **changes: Any) -> DerivationRecord:
    """Return a record under a chain, with a derivation that can be changed."""
    fields: dict[str, Any] = {
        "owner": OWNER.id,
        "license": chain.id,
        "parent": PACKAGE,
        "package": sha256(STATEMENT).hex(),
        "package_id": PACKAGE_ID,
        "name": "risk",
        "version": "1.3.0",
        "serial": SERIAL,
        "wrapped_key": "AAAA",
        "issued_at": NOW,
    }
    return DerivationRecord(
        license=chain.license.token,
        sublicenses=tuple(document.token for document in chain.documents[1:]),
        acceptances=(acceptance_of(chain),),
        statement=to_base64(STATEMENT),
        derivation=sign_document(Derivation(**(fields | changes)), signer).token,
    )


def test_a_record_is_read_back_as_it_was_written() -> None:
    record = record_of(signed_chain(BACK))
    assert DerivationRecord.from_bytes(record.to_bytes()) == record
    with pytest.raises(FormatError):
        DerivationRecord.from_bytes(record.to_bytes() + b" ")
    with pytest.raises(FormatError):
        DerivationRecord.from_bytes(b"{}")
    many = msgspec.structs.replace(record, acceptances=record.acceptances * 257)
    with pytest.raises(FormatError):
        DerivationRecord.from_bytes(many.to_bytes())


def test_a_derivation_by_the_holder_is_verified() -> None:
    chain = signed_chain(BACK)
    verified = verify_derivation(record_of(chain), OWNER)
    assert verified.chain.ids == chain.ids
    assert verified.statement == STATEMENT
    assert verified.document.version == "1.3.0"
    assert set(verified.accepted) == {chain.id}


def test_a_site_hands_in_for_itself_and_its_partner_does_not() -> None:
    chain = signed_chain(BACK, children=[[]])
    assert verify_derivation(record_of(chain, WARD), OWNER).chain.holder.name == "ward"
    with pytest.raises(VerificationError):
        verify_derivation(record_of(chain, CLINIC), OWNER)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"owner": "own-" + "b" * 24}, "wrong-owner"),
        ({"license": "lic-" + "b" * 24}, "wrong-license"),
        ({"package": "00" * 32}, "wrong-package"),
    ],
)
def test_a_derivation_for_something_else_is_refused(changes: dict[str, str], code: str) -> None:
    record = record_of(signed_chain(BACK), **changes)
    assert refusal(lambda: verify_derivation(record, OWNER)).code == code


def test_another_statement_than_the_signed_one_is_refused() -> None:
    record = msgspec.structs.replace(record_of(signed_chain(BACK)), statement=to_base64(STATEMENT + b" "))
    assert refusal(lambda: verify_derivation(record, OWNER)).code == "wrong-package"


NO_RIGHTS = tuple(term for term in BASE if not isinstance(term, Rights))


def decide_for(*terms: Term, **changes: Any) -> str:
    """Return what is decided about a derivation under a license with these terms."""
    chain = chain_of(*terms, base=NO_RIGHTS)
    known: dict[str, Any] = {
        "accepted": {chain.id: None},
        "withdrawals": (),
        "revoked": {},
        "at": NOW,
    }
    known |= changes
    return code_of(decide_modify(chain, known.pop("parent", PARENT), **known))


GONE = Withdrawn(owner=OWNER.id, name="risk", version="1.2.0", permits=None)
RESEARCH, TRIAGE = Purpose(purposes=("research",)), Purpose(purposes=("triage",))


@pytest.mark.parametrize(
    ("terms", "changes", "code"),
    [
        ([MODIFY], {}, "allowed"),
        ([Rights(rights=(Right.EXPORT, Right.PREDICT))], {}, "right-not-granted"),
        ([MODIFY], {"accepted": {}}, "not-accepted"),
        ([MODIFY], {"revoked": {"lic-" + "a" * 24: "over"}}, "revoked"),
        ([MODIFY], {"at": NOW - 30 * DAY}, "clock-set-back"),
        ([MODIFY, Expires(at=NOW)], {}, "expired"),
        ([MODIFY, RESEARCH], {}, "allowed"),
        ([MODIFY, RESEARCH, TRIAGE], {}, "purpose-missing"),
        ([MODIFY, Levels(at_least=Level.HOSTED)], {}, "allowed"),
        ([MODIFY], {"withdrawals": (GONE,)}, "version-withdrawn"),
        ([MODIFY], {"parent": replace(PARENT, name="fraud")}, "package-not-licensed"),
        ([MODIFY], {"parent": replace(PARENT, owner="own-" + "b" * 24)}, "wrong-owner"),
    ],
)
def test_who_may_derive(terms: list[Term], changes: dict[str, Any], code: str) -> None:
    assert decide_for(*terms, **changes) == code


def test_a_license_without_the_term_takes_no_derivations() -> None:
    assert derivations_of(signed_chain(BACK)) == BACK
    with pytest.raises(LicenseDenied) as refused:
        derivations_of(signed_chain())
    assert refused.value.code == "no-derivations"

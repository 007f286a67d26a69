from __future__ import annotations

from typing import Any

import msgspec
import pytest

from strongroom._encoding import canonical_json
from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.license.agreement import agreement_digest, verify_agreement_text
from strongroom.license.documents import Withdrawal
from strongroom.license.license_file import LicenseFile, VerifiedLicense, verify_license_file
from strongroom.license.signing import sign_document
from strongroom.license.terms import Agreement
from tests.unit.license.world import (
    CLINIC,
    DAY,
    LICENSE_KEY,
    NOW,
    OTHER_RUNTIME,
    OWNER,
    PACKAGE,
    RUNTIME,
    WARD,
    acceptance_of,
    chain_of,
    license_of,
    offline_of,
    owner_chain,
    passphrase_of,
    refusal,
    signed_chain,
    sublicense_of,
)

TEXT = "The clinic uses the model for triage only.\n"
AGREEMENT = Agreement(digest=agreement_digest(TEXT))
SIGNED = sign_document(license_of(AGREEMENT), LICENSE_KEY)
WITHDRAWAL = Withdrawal(
    owner=OWNER.id,
    owner_version=1,
    issued_at=NOW,
    name="risk",
    version="1.3.0",
    package=PACKAGE,
    permits="1.2.0",
    reason="wrong unit",
)


def file_of(**changes: Any) -> LicenseFile:
    fields: dict[str, Any] = {
        "owner": tuple(owner_chain().to_json()),
        "license": SIGNED.token,
        "offline": (sign_document(offline_of(SIGNED.id), LICENSE_KEY).token,),
        "passphrase": (sign_document(passphrase_of(SIGNED.id), LICENSE_KEY).token,),
        "withdrawals": (sign_document(WITHDRAWAL, LICENSE_KEY).token,),
        "agreement": TEXT,
    }
    return LicenseFile(**(fields | changes))


def verified(**changes: Any) -> VerifiedLicense:
    return verify_license_file(LicenseFile.from_bytes(file_of(**changes).to_bytes()), OWNER)


def test_a_file_holds_everything_that_a_partner_needs() -> None:
    found = verified()
    assert found.chain.id == SIGNED.id
    assert found.agreement == TEXT
    assert found.accepted == {}
    assert [each.document for each in found.withdrawals] == [WITHDRAWAL]
    offline = found.offline_for(RUNTIME, PACKAGE)
    assert offline is not None
    assert offline.document.runtime == RUNTIME
    assert found.offline_for(OTHER_RUNTIME, PACKAGE) is None
    assert found.offline_for(RUNTIME, "cd" * 32) is None
    assert found.passphrase_for(PACKAGE) is not None
    assert found.passphrase_for("cd" * 32) is None


def test_of_several_offline_files_the_last_to_end_is_taken() -> None:
    files = [offline_of(SIGNED.id, not_after=NOW + days * DAY) for days in (3, 9, 5)]
    tokens = tuple(sign_document(each, LICENSE_KEY).token for each in files)
    found = verified(offline=tokens).offline_for(RUNTIME, PACKAGE)
    assert found is not None
    assert found.document.not_after == NOW + 9 * DAY


def test_bytes_and_back() -> None:
    data = file_of().to_bytes()
    assert LicenseFile.from_bytes(data).to_bytes() == data
    assert LicenseFile.from_bytes(data).owner_chain() == owner_chain()


def test_a_file_may_hold_a_chain_with_the_acceptances_above() -> None:
    child = sign_document(sublicense_of(SIGNED.id), CLINIC)
    acceptance = acceptance_of(signed_chain(AGREEMENT))
    changes: dict[str, Any] = {
        "sublicenses": (child.token,),
        "acceptances": (acceptance,),
        "offline": (sign_document(offline_of(child.id), LICENSE_KEY).token,),
        "passphrase": (),
        "agreement": None,
    }
    found = verified(**changes)
    assert found.chain.ids == (SIGNED.id, child.id)
    assert found.accepted == {SIGNED.id: AGREEMENT.digest}
    assert refusal(lambda: verified(**(changes | {"agreement": TEXT}))).code == "wrong-agreement"
    by_other = acceptance_of(signed_chain(AGREEMENT), signer=WARD)
    assert refusal(lambda: verified(**(changes | {"acceptances": (by_other,)}))).code == "wrong-signer"


def test_the_agreement_is_the_one_that_the_license_names() -> None:
    other = refusal(lambda: verified(agreement=TEXT + " "))
    assert other.code == "wrong-agreement"
    assert other.hint == "Ask hospital for the complete file."
    missing = refusal(lambda: verified(agreement=None))
    assert missing.code == "wrong-agreement"
    assert "without" in str(missing)
    plain = sign_document(license_of(), LICENSE_KEY)
    rest: dict[str, Any] = {"license": plain.token, "offline": (), "passphrase": ()}
    assert verified(**rest, agreement=None).agreement is None
    assert refusal(lambda: verified(**rest)).code == "wrong-agreement"


@pytest.mark.parametrize(("member", "make"), [("offline", offline_of), ("passphrase", passphrase_of)])
def test_a_key_for_another_license_is_refused(member: str, make: Any) -> None:
    other = sign_document(make("lic-" + "z" * 24), LICENSE_KEY).token
    assert refusal(lambda: verified(**{member: (other,)})).code == "wrong-license"


def test_every_document_in_a_file_is_verified() -> None:
    for member in ("offline", "passphrase", "withdrawals"):
        token = getattr(file_of(), member)[0]
        head, _, signature = token.rpartition(".")
        broken = head + "." + ("A" if signature[0] != "A" else "B") + signature[1:]
        assert refusal(lambda m=member, t=broken: verified(**{m: (t,)})).exit_code == 6  # type: ignore[misc]  # bound early


@pytest.mark.parametrize("member", ["acceptances", "offline", "passphrase", "withdrawals"])
def test_a_file_has_a_bounded_number_of_documents(member: str) -> None:
    data = file_of(**{member: ("x",) * (LIMITS.max_license_files + 1)}).to_bytes()
    with pytest.raises(FormatError):
        LicenseFile.from_bytes(data)


def test_what_no_license_file_is() -> None:
    members = msgspec.to_builtins(file_of())
    for broken in (
        {**members, "more": 1},
        {**members, "format": "license-file/v2"},
        {name: value for name, value in members.items() if name != "license"},
        {**members, "offline": None},
        {**members, "agreement": "a\x00b"},
        {**members, "agreement": ""},
    ):
        with pytest.raises(FormatError):
            LicenseFile.from_bytes(canonical_json(broken))
    with pytest.raises(FormatError):
        LicenseFile.from_bytes(b" " + file_of().to_bytes())
    with pytest.raises(FormatError):
        LicenseFile.from_bytes(b"{" * (LIMITS.max_license_file_bytes + 1))
    with pytest.raises(FormatError):
        file_of(owner=("AAAA",)).owner_chain()


def test_an_agreement_is_digested_as_it_is() -> None:
    assert agreement_digest("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert agreement_digest("a\n") != agreement_digest("a\r\n")
    assert verify_agreement_text("Größe\tµ\u200f\r\n").decode() == "Größe\tµ\u200f\r\n"


@pytest.mark.parametrize(
    "text",
    ["", "\ud800", "a\x1b[2J", "a\x7f", "a\x9b", "a\u202eb", "a" * (LIMITS.max_agreement_bytes + 1)],
    ids=repr,
)
def test_an_agreement_shows_what_it_holds(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        agreement_digest(text)
    assert caught.value.code == "agreement-text"


def test_unsigned_chains_of_the_other_tests_have_the_shape_of_real_ones() -> None:
    real, unsigned = signed_chain(children=[[]]), chain_of(children=[[]])
    assert [(each.holder, each.issuer, each.terms) for each in real.documents] == [
        (each.holder, each.issuer, each.terms) for each in unsigned.documents
    ]

from __future__ import annotations

import pytest

from strongroom.errors import FormatError, VerificationError
from strongroom.license.chain import verify_acceptance, verify_acceptances, verify_chain
from strongroom.license.period import Period
from strongroom.license.request import Right
from strongroom.license.signing import sign_document
from strongroom.license.terms import Agreement, Levels, Packages, Predictions, Rights
from tests.unit.license.world import (
    BASE,
    BED,
    CLINIC,
    LICENSE_KEY,
    OWNER,
    WARD,
    acceptance_of,
    license_of,
    party,
    refusal,
    signed_chain,
    sublicense_of,
)

LIMIT = Predictions(limit=5, per=Period.DAY)


def test_a_license_alone_is_a_chain() -> None:
    chain = signed_chain(LIMIT)
    assert chain.owner == OWNER.id
    assert chain.owner_name == "hospital"
    assert chain.id == chain.license.id == chain.last.id
    assert chain.id.startswith("lic-")
    assert chain.holder.name == "clinic"
    assert chain.license.issuer == "hospital"
    assert [term for _, term in chain.terms()] == [*BASE, LIMIT]


def test_a_chain_goes_from_holder_to_holder() -> None:
    chain = signed_chain(children=[[LIMIT], []])
    assert [document.holder.name for document in chain.documents] == ["clinic", "ward", "bed"]
    assert [document.issuer for document in chain.documents] == ["hospital", "clinic", "ward"]
    assert chain.id == chain.ids[2]
    assert chain.id.startswith("sub-")
    assert [(document.id, term) for document, term in chain.terms()][-1] == (chain.ids[1], LIMIT)


def test_depth_is_limited() -> None:
    assert len(signed_chain(children=[[], [], []]).documents) == 4
    token = sign_document(license_of(), LICENSE_KEY).token
    assert refusal(lambda: verify_chain(token, [token] * 4, OWNER)).code == "chain-too-long"


def test_only_the_holder_named_above_may_sign() -> None:
    parent = sign_document(license_of(), LICENSE_KEY)
    for signer in (WARD, BED):
        child = sign_document(sublicense_of(parent.id), signer).token
        error = refusal(lambda token=child: verify_chain(parent.token, [token], OWNER))  # type: ignore[misc]  # bound early
        assert error.code == "wrong-signer"


def test_a_child_belongs_to_one_parent() -> None:
    one, other = (sign_document(license_of(serial=serial * 16), LICENSE_KEY) for serial in ("aa", "bb"))
    child = sign_document(sublicense_of(one.id), CLINIC)
    assert verify_chain(one.token, [child.token], OWNER).id == child.id
    assert refusal(lambda: verify_chain(other.token, [child.token], OWNER)).code == "wrong-parent"
    grandchild = sign_document(sublicense_of(child.id, holder=party("bed", BED)), WARD)
    assert refusal(lambda: verify_chain(one.token, [grandchild.token], OWNER)).code == "wrong-parent"
    assert (
        refusal(lambda: verify_chain(one.token, [grandchild.token, child.token], OWNER)).code
        == "wrong-parent"
    )


def test_every_document_above_must_give_the_right_to_sublicense() -> None:
    packages, _, levels = BASE
    assert isinstance(packages, Packages)
    assert isinstance(levels, Levels)
    without = sign_document(license_of(base=[packages, Rights(rights=(Right.PREDICT,)), levels]), LICENSE_KEY)
    child = sign_document(sublicense_of(without.id), CLINIC)
    error = refusal(lambda: verify_chain(without.token, [child.token], OWNER))
    assert error.code == "sublicense-not-permitted"
    assert error.hint == "Ask hospital for the right 'sublicense'."

    parent = sign_document(license_of(), LICENSE_KEY)
    child = sign_document(sublicense_of(parent.id, Rights(rights=(Right.PREDICT,))), CLINIC)
    verify_chain(parent.token, [child.token], OWNER)
    grandchild = sign_document(sublicense_of(child.id, holder=party("bed", BED)), WARD)
    error = refusal(lambda: verify_chain(parent.token, [child.token, grandchild.token], OWNER))
    assert error.code == "sublicense-not-permitted"
    assert error.hint == "Ask clinic for the right 'sublicense'."


def test_a_license_is_no_sublicense_and_the_other_way_round() -> None:
    parent = sign_document(license_of(), LICENSE_KEY)
    child = sign_document(sublicense_of(parent.id), CLINIC)
    with pytest.raises(FormatError):
        verify_chain(child.token, [], OWNER)
    with pytest.raises(FormatError):
        verify_chain(parent.token, [parent.token], OWNER)


def test_an_acceptance_is_by_the_holder_for_this_document_and_agreement() -> None:
    chain = signed_chain(Agreement(digest="ab" * 32))
    signed = verify_acceptance(acceptance_of(chain), chain)
    assert signed.document.license == chain.id
    assert signed.document.agreement == "ab" * 32
    for token, code in [
        (acceptance_of(chain, license="lic-" + "z" * 24), "wrong-license"),
        (acceptance_of(chain, agreement=None), "wrong-agreement"),
        (acceptance_of(chain, agreement="cd" * 32), "wrong-agreement"),
        (acceptance_of(chain, signer=WARD), "wrong-signer"),
        (acceptance_of(chain, organization=WARD.public_text), "wrong-signer"),
    ]:
        with pytest.raises(VerificationError) as caught:
            verify_acceptance(token, chain)
        assert caught.value.code == code


def test_each_holder_accepts_its_own_document() -> None:
    chain = signed_chain(Agreement(digest="ab" * 32), children=[[]])
    by_clinic = acceptance_of(chain)
    by_ward = acceptance_of(chain, signer=WARD, license=chain.id, agreement=None)
    assert verify_acceptances([by_clinic, by_ward], chain) == {chain.ids[0]: "ab" * 32, chain.ids[1]: None}
    assert verify_acceptances([], chain) == {}
    stolen = acceptance_of(chain, signer=CLINIC, license=chain.id, agreement=None)
    assert refusal(lambda: verify_acceptances([stolen], chain)).code == "wrong-signer"

"""Making an owner, and its next version (spec/keys.md, "Writing an owner document").

    chain = make_owner(name="hospital", roots=[root], roles={Role.PACKAGE: [package.public_text]}, now=now)
    chain = rotate_owner(owner, retire={old.key_id: now}, add={Role.PACKAGE: [new.public_text]},
                         signers=[root], now=now)
    chain = countersign(chain, second_root)        # elsewhere, by whoever holds that root

Root keys may lie in different places: the chain is passed on as a file and each holder
adds a signature, until the threshold is reached and the chain verifies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from strongroom._encoding import to_instant
from strongroom.crypto import dsse
from strongroom.errors import UsageError
from strongroom.keys.key_pair import SigningKey, role_public_from_text
from strongroom.keys.name import verify_chosen_name
from strongroom.keys.owner_chain import Owner, OwnerChain, verify_owner_chain, verify_succession
from strongroom.keys.owner_document import (
    PAYLOAD_TYPE,
    ROLE_KINDS,
    CutOff,
    OwnerDocument,
    Role,
    RoleKey,
    Roles,
    Roots,
)
from strongroom.keys.text import KeyKind


def make_owner(
    *,
    name: str,
    roots: Sequence[SigningKey],
    threshold: int = 1,
    roles: Mapping[Role, Sequence[str]],
    now: datetime,
    other_roots: Sequence[str] = (),
) -> OwnerChain:
    """Make version 1, signed by each of ``roots``.

    Args:
        name: What the owner calls itself; constant for ever.
        roots: The root keys at hand; they sign.
        threshold: How many roots must sign this and every later version.
        roles: The public texts of the keys of each role.
        now: The time of issue.
        other_roots: Public texts of root keys that lie elsewhere and countersign later.

    Raises:
        UsageError: a name that is not allowed, or a signer that is no root key.
        FormatError: the document would break a rule of spec/keys.md.
    """
    verify_chosen_name(name)
    document = OwnerDocument(
        format="owner/v1",
        version=1,
        name=name,
        owner=None,
        issued_at=to_instant(now),
        roots=Roots(keys=_sorted([*(root.public_text for root in roots), *other_roots]), threshold=threshold),
        roles=_with_added(Roles(package=(), license=(), broker=(), log=()), roles),
        cut_off=(),
    )
    return _append((), document, roots)


def rotate_owner(
    owner: Owner,
    *,
    signers: Sequence[SigningKey],
    now: datetime,
    roots: Sequence[str] | None = None,
    threshold: int | None = None,
    add: Mapping[Role, Sequence[str]] | None = None,
    retire: Mapping[str, datetime] | None = None,
    cut_off: Iterable[CutOff] = (),
) -> OwnerChain:
    """Make the next version; what is not given stays as it is.

    Args:
        owner: The verified owner.
        signers: Root keys at hand, old and new.
        now: The time of issue.
        roots: Public texts of all roots from now on.
        threshold: How many roots must sign from now on.
        add: Public texts of new keys of each role.
        retire: Key ids, and from when each signs nothing new.
        cut_off: Keys found compromised.

    Raises:
        UsageError: a key id that is in no role, or a signer that is no root key.
        FormatError: the document would break a rule of spec/keys.md.
        VerificationError: it would not follow from the version before.
    """
    before = owner.document
    document = msgspec.structs.replace(
        before,
        version=before.version + 1,
        owner=owner.id,
        issued_at=to_instant(now),
        roots=Roots(
            keys=before.roots.keys if roots is None else _sorted(roots),
            threshold=before.roots.threshold if threshold is None else threshold,
        ),
        roles=_with_added(_with_retired(before.roles, retire or {}), add or {}),
        cut_off=_with_cut_off(before.cut_off, cut_off),
    )
    return _append(owner.chain.envelopes, document, signers)


def countersign(chain: OwnerChain, *roots: SigningKey) -> OwnerChain:
    """Add signatures to the newest version, which may not have reached its threshold yet.

    The earlier versions must verify already; nobody should sign on top of a history
    that does not hold.

    Raises:
        UsageError: a signer that is no root of the newest version or the one before.
        VerificationError: an earlier version does not verify, or the newest does not
            follow from the one before.
    """
    if len(chain.envelopes) > 1:
        verify_owner_chain(OwnerChain.from_envelopes(chain.envelopes[:-1]))
    verify_succession(chain)
    newest = chain.envelopes[-1]
    _verify_signers(chain.documents[-2:], roots)
    added = dsse.sign(newest.unverified_payload, PAYLOAD_TYPE, [root.secret for root in roots])
    # A root that signed before keeps its first signature: doing it twice changes nothing.
    signatures = tuple(sorted({**dict(added.signatures), **dict(newest.signatures)}.items()))
    return OwnerChain.from_envelopes([*chain.envelopes[:-1], replace(newest, signatures=signatures)])


def _append(
    envelopes: tuple[dsse.Envelope, ...], document: OwnerDocument, signers: Sequence[SigningKey]
) -> OwnerChain:
    envelope = dsse.sign(document.to_bytes(), PAYLOAD_TYPE, [signer.secret for signer in signers])
    chain = OwnerChain.from_envelopes([*envelopes, envelope])
    verify_succession(chain)
    _verify_signers(chain.documents[-2:], signers)
    # Read as everybody else will read it, so that no chain is made that nobody takes.
    return OwnerChain.from_bytes(chain.to_bytes())


def _verify_signers(documents: Sequence[OwnerDocument], signers: Sequence[SigningKey]) -> None:
    if not signers:
        raise UsageError("a version of an owner document needs a signature", code="no-signer")
    roots = {text for document in documents for text in document.roots.keys}
    for signer in signers:
        if signer.kind is not KeyKind.OWNER_ROOT or signer.public_text not in roots:
            raise UsageError("a signer is no root key of this owner", code="wrong-signer")


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(texts))


def _with_added(roles: Roles, added: Mapping[Role, Sequence[str]]) -> Roles:
    changed = {
        role.value: _by_key([*roles.of(role), *(RoleKey(key=text, retired_at=None) for text in texts)])
        for role, texts in added.items()
    }
    return msgspec.structs.replace(roles, **changed)


def _with_retired(roles: Roles, retire: Mapping[str, datetime]) -> Roles:
    found: set[str] = set()
    changed: dict[str, tuple[RoleKey, ...]] = {}
    for role in Role:
        entries = []
        for entry in roles.of(role):
            key_id = role_public_from_text(entry.key, ROLE_KINDS[role]).key_id
            if key_id in retire:
                found.add(key_id)
                entry = RoleKey(key=entry.key, retired_at=to_instant(retire[key_id]))
            entries.append(entry)
        changed[role.value] = tuple(entries)
    if found != set(retire):
        raise UsageError("a key to retire is in no role of this owner", code="unknown-key")
    return msgspec.structs.replace(roles, **changed)


def _by_key(entries: Iterable[RoleKey]) -> tuple[RoleKey, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.key))


def _with_cut_off(before: Sequence[CutOff], added: Iterable[CutOff]) -> tuple[CutOff, ...]:
    entries = {entry.key_id: entry for entry in (*before, *added)}
    return tuple(entries[key_id] for key_id in sorted(entries))

"""Invites, enrollments and owner documents: how an owner and a partner meet."""

from __future__ import annotations

from strongroom.cli.inspect.explanation import Explanation
from strongroom.keys.identity import organization_id, owner_id
from strongroom.keys.introduction import Enrollment, EnrollmentFile, Invite, InviteFile, fingerprint
from strongroom.keys.key_pair import signing_public_from_text
from strongroom.keys.owner import OwnerChain
from strongroom.keys.owner_document import Role
from strongroom.keys.signed_document import read_unverified
from strongroom.keys.text import KeyKind


def explain_invite(data: bytes) -> Explanation:
    """Explain an ``.invite`` file.

    Raises:
        FormatError: it is damaged.
    """
    file = InviteFile.from_bytes(data)
    said = read_unverified(file.invite, Invite)
    chain = OwnerChain.from_json(list(file.owner))
    name = chain.documents[-1].name
    return Explanation(
        kind="invite",
        title="an invitation",
        lines=(
            ("from", f"{name} ({said.owner})"),
            ("to", said.partner),
            ("valid", f"from {said.issued_at} to {said.expires_at}"),
            ("next", f"the partner answers: strongroom join {said.partner}.invite"),
        ),
        document={
            "owner": said.owner,
            "owner_name": name,
            "owner_version": said.owner_version,
            "partner": said.partner,
            "issued_at": said.issued_at,
            "expires_at": said.expires_at,
        },
    )


def explain_enrollment(data: bytes) -> Explanation:
    """Explain an ``.enrollment`` file.

    Raises:
        FormatError: it is damaged.
    """
    token = EnrollmentFile.from_bytes(data).enrollment
    said = read_unverified(token, Enrollment)
    organization = organization_id(signing_public_from_text(said.organization, KeyKind.ORGANIZATION))
    return Explanation(
        kind="enrollment",
        title="a partner's answer to an invitation",
        lines=(
            ("partner", said.partner),
            ("for owner", said.owner),
            ("fingerprint", f"{fingerprint(token)} (to be compared on the telephone)"),
            ("organization", organization),
            ("runtime", said.runtime),
            ("made", said.issued_at),
            ("next", f"the owner approves: strongroom partner approve {said.partner}.enrollment"),
        ),
        document={
            "partner": said.partner,
            "owner": said.owner,
            "organization": organization,
            "runtime": said.runtime,
            "fingerprint": fingerprint(token),
            "issued_at": said.issued_at,
        },
    )


def explain_owner(data: bytes) -> Explanation:
    """Explain an owner document.

    Raises:
        FormatError: it is damaged.
    """
    chain = OwnerChain.from_bytes(data)
    newest = chain.documents[-1]
    identity = owner_id(chain.payloads[0])
    roles = {role.value: len(newest.roles.of(role)) for role in Role}
    return Explanation(
        kind="owner",
        title="an owner document",
        lines=(
            ("owner", f"{newest.name} ({identity})"),
            ("version", f"{newest.version}, issued {newest.issued_at}"),
            ("roots", f"{newest.roots.threshold} of {len(newest.roots.keys)} sign the next version"),
            ("keys", ", ".join(f"{count} {role}" for role, count in roles.items() if count)),
        ),
        document={
            "owner": identity,
            "name": newest.name,
            "version": newest.version,
            "issued_at": newest.issued_at,
            "threshold": newest.roots.threshold,
            "roots": len(newest.roots.keys),
            "roles": roles,
        },
    )

"""License files and acceptances: the sentences that a lawyer reads, and what else the file carries."""

from __future__ import annotations

from typing import Any

from strongroom._encoding import to_instant
from strongroom.cli.inspect.explanation import Explanation
from strongroom.license.describe import describe_terms
from strongroom.license.documents import Acceptance, License, Sublicense
from strongroom.license.license_file import LicenseFile
from strongroom.license.release_documents import OfflineFile, PassphraseFile
from strongroom.license.request import Budget
from strongroom.license.signing import read_unverified
from strongroom.license.terms import encode_term


def explain_license(data: bytes) -> Explanation:
    """Explain a ``.license`` file.

    Raises:
        FormatError: it is damaged.
    """
    file = LicenseFile.from_bytes(data)
    said = read_unverified(file.license, License)
    owner = file.owner_chain().documents[-1].name
    lines: list[tuple[str, str]] = [
        (
            "License",
            f"From {owner} to {said.partner.name}, signed {to_instant(said.issued_at)}; id {said.id}.",
        ),
        *describe_terms(said.terms),
    ]
    children = [read_unverified(token, Sublicense) for token in file.sublicenses]
    for child in children:
        lines.append(
            ("Sub-license", f"For {child.holder.name}, signed {to_instant(child.issued_at)}; id {child.id}.")
        )
        lines += describe_terms(child.terms, is_license=False)
    lines += _releases(file)
    if file.agreement is not None:
        lines.append(("Agreement", f"The text comes with the file, {len(file.agreement):,} characters."))
    return Explanation(
        kind="license",
        title="a license",
        lines=lines,
        document={
            "owner": said.owner,
            "owner_name": owner,
            "partner": said.partner.name,
            "license": said.id,
            "issued_at": to_instant(said.issued_at),
            "terms": [encode_term(term) for term in said.terms],
            "sublicenses": [_child(child) for child in children],
            "offline_files": len(file.offline),
            "passphrase_files": len(file.passphrase),
            "agreement": file.agreement,
        },
    )


def _child(child: Sublicense) -> dict[str, Any]:
    return {
        "license": child.id,
        "parent": child.parent,
        "holder": child.holder.name,
        "terms": [encode_term(term) for term in child.terms],
    }


def _releases(file: LicenseFile) -> list[tuple[str, str]]:
    lines = []
    for token in file.offline:
        key = read_unverified(token, OfflineFile)
        counts = ", ".join(_budget(each) for each in key.budget)
        budget = f", for {counts}" if counts else ""
        lines.append(
            ("Offline", f"A key for runtime {key.runtime} until {to_instant(key.not_after)}{budget}.")
        )
    for token in file.passphrase:
        secret = read_unverified(token, PassphraseFile)
        lines.append(("Pass-phrase", f"A key under a pass-phrase until {to_instant(secret.not_after)}."))
    return lines


def _budget(entry: Budget) -> str:
    later = "" if entry.later is None else f" ({entry.later:,} in each later one)"
    return f"{entry.limit:,} {entry.counter} per {entry.per}{later}"


def explain_acceptance(token: str) -> Explanation:
    """Explain an acceptance.

    Raises:
        FormatError: it is damaged.
    """
    said = read_unverified(token, Acceptance)
    agreement = (
        "no agreement text" if said.agreement is None else f"the agreement with SHA-256 {said.agreement}"
    )
    return Explanation(
        kind="acceptance",
        title="an acceptance",
        lines=(
            ("license", said.license),
            ("agreement", agreement),
            ("accepted", to_instant(said.accepted_at)),
        ),
        document={
            "license": said.license,
            "agreement": said.agreement,
            "accepted_at": to_instant(said.accepted_at),
        },
    )

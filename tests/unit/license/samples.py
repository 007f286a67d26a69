"""One sample of every term and of every kind of document, always the same bytes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from strongroom.keys.key_pair import sealing_public_to_text
from strongroom.license.documents import (
    Acceptance,
    BreakGlassReport,
    Count,
    Derivation,
    Document,
    Lease,
    LeaseRequest,
    OfflineFile,
    PassphraseFile,
    Receipt,
    ReceiptBatch,
    Revocation,
    RuntimeCertificate,
    Usage,
    Withdrawal,
)
from strongroom.license.period import CounterName, Period
from strongroom.license.request import Budget, Level, Right
from strongroom.license.term import Term
from strongroom.license.terms import (
    Agreement,
    BreakGlass,
    Derivations,
    Expires,
    Explanations,
    Grace,
    Levels,
    NotBefore,
    Offline,
    Output,
    OutputKind,
    PackageChoice,
    Packages,
    Predictions,
    Purpose,
    Rate,
    Rights,
    Runtimes,
    Tokens,
)
from tests.unit.license.world import (
    CLINIC,
    DEVICE,
    NONCE,
    PACKAGE,
    PACKAGE_ID,
    RUNTIME,
    SEALING,
    SERIAL,
    SIGNED,
    license_of,
    sublicense_of,
)

END: Final = datetime.fromisoformat("2027-06-30T22:00:00Z")
DIGEST: Final = "cd" * 32
SEALING_TEXT: Final = sealing_public_to_text(SEALING.public)
"""1216 bytes as text: too long to stand here."""

TERMS: Final[dict[str, Term]] = {
    "not-before": NotBefore(at=SIGNED),
    "expires": Expires(at=END),
    "packages": Packages(
        packages=(
            PackageChoice(name="risk", at_least="1.2.0", below="2.0.0"),
            PackageChoice(digest=PACKAGE),
        )
    ),
    "rights": Rights(
        rights=(
            Right.EVALUATE,
            Right.EXPLAIN,
            Right.EXPORT,
            Right.MODIFY,
            Right.PREDICT,
            Right.SUBLICENSE,
        )
    ),
    "levels": Levels(at_least=Level.SEALED),
    "predictions": Predictions(limit=1000, per=Period.DAY),
    "tokens": Tokens(limit=1_000_000, per=Period.MONTH),
    "explanations": Explanations(limit=100, per=Period.YEAR),
    "rate": Rate(limit=50, seconds=1),
    "runtimes": Runtimes(limit=3),
    "output": Output(policy=OutputKind.ROUNDED, decimals=2),
    "purpose": Purpose(purposes=("research", "triage")),
    "grace": Grace(hours=72, predictions=5000),
    "break-glass": BreakGlass(hours=24, uses=2),
    "offline": Offline(hours=720, files=3),
    "agreement": Agreement(digest=DIGEST),
    "derivations": Derivations(to=SEALING_TEXT),
}

# Not computed: what other layers derive may change without changing these bytes.
_OWNER: Final = "own-" + "o" * 24
_RUNTIME: Final = "run-" + "r" * 24
LICENSE_ID: Final = "lic-" + "l" * 24
_BUDGET: Final = (Budget(counter=CounterName.PREDICTIONS, limit=500, per=Period.DAY),)

DOCUMENTS: Final[dict[str, Document]] = {
    "license": license_of(TERMS["expires"], owner=_OWNER),
    "sublicense": sublicense_of(LICENSE_ID, TERMS["predictions"]),
    "acceptance": Acceptance(
        license=LICENSE_ID, agreement=DIGEST, organization=CLINIC.public_text, accepted_at=SIGNED
    ),
    "offline": OfflineFile(
        owner=_OWNER,
        owner_version=1,
        issued_at=SIGNED,
        license=LICENSE_ID,
        package=PACKAGE,
        package_id=PACKAGE_ID,
        serial=SERIAL,
        wrapped_key="AAAA",
        not_after=END,
        runtime=_RUNTIME,
        budget=_BUDGET,
    ),
    "passphrase": PassphraseFile(
        owner=_OWNER,
        owner_version=1,
        issued_at=SIGNED,
        license=LICENSE_ID,
        package=PACKAGE,
        package_id=PACKAGE_ID,
        serial=SERIAL,
        wrapped_key="AAAA",
        not_after=END,
    ),
    "lease": Lease(
        owner=_OWNER,
        owner_version=1,
        issued_at=SIGNED,
        license=LICENSE_ID,
        package=PACKAGE,
        package_id=PACKAGE_ID,
        serial=SERIAL,
        wrapped_key="AAAA",
        not_after=SIGNED + timedelta(minutes=15),
        runtime=_RUNTIME,
        budget=_BUDGET,
        nonce=NONCE,
        previous="lea-" + "a" * 24,
        restart_key="BBBB",
    ),
    "withdrawal": Withdrawal(
        owner=_OWNER,
        owner_version=1,
        issued_at=SIGNED,
        name="risk",
        version="1.3.0",
        package=PACKAGE,
        permits="1.2.0",
        reason="wrong unit of creatinine",
    ),
    "revocation": Revocation(
        owner=_OWNER,
        owner_version=1,
        issued_at=SIGNED,
        target=LICENSE_ID,
        reason="the contract ended",
    ),
    "usage": Usage(
        license=LICENSE_ID,
        runtime=_RUNTIME,
        authority="off-" + "a" * 24,
        previous=None,
        counts=(Count(document=LICENSE_ID, counter=CounterName.PREDICTIONS, period="2026-11-23", count=12),),
        break_glass=(BreakGlassReport(started_at=SIGNED, reason="network of the ward is down"),),
        issued_at=SIGNED,
    ),
    "receipt": Receipt(
        license=LICENSE_ID,
        runtime=_RUNTIME,
        package=PACKAGE,
        part=None,
        right=Right.PREDICT,
        input="11" * 32,
        output="22" * 32,
        issued_at=SIGNED,
    ),
    "lease-request": LeaseRequest(
        owner=_OWNER,
        license=LICENSE_ID,
        runtime=_RUNTIME,
        package=PACKAGE,
        level=Level.SEALED,
        worker_key="33" * 32,
        nonce=NONCE,
        previous="lea-" + "a" * 24,
        predictions=500,
        issued_at=SIGNED,
    ),
    "derivation": Derivation(
        owner=_OWNER,
        license=LICENSE_ID,
        parent=PACKAGE,
        package=DIGEST,
        package_id=PACKAGE_ID,
        name="risk",
        version="1.3.0",
        serial=SERIAL,
        wrapped_key="AAAA",
        issued_at=SIGNED,
    ),
    "runtime-certificate": RuntimeCertificate(
        owner=_OWNER, device=DEVICE.public_text, runtime=RUNTIME, issued_at=SIGNED
    ),
    "receipt-batch": ReceiptBatch(
        license=LICENSE_ID,
        authority="off-" + "a" * 24,
        runtime=_RUNTIME,
        package=PACKAGE,
        part=None,
        level=Level.SEALED,
        right=Right.PREDICT,
        method="predict",
        session=NONCE,
        first=12,
        predictions=3,
        size=3,
        root="44" * 32,
        issued_at=SIGNED,
    ),
}

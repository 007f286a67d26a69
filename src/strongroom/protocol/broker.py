"""Messages between a broker, its owner's members and its partners (spec/broker-api.md).

    LeaseAsk(request=token, worker_key="strongroom-sealing-public.Ab3...", usage=None, log_size=812)
    LeaseAnswer(lease=token, proof=text, offer=text, revocations=(), withdrawals=(), time=text)

Bodies are JSON objects. A request with a member that is not listed here is refused; an answer
may gain members, and readers leave aside what they do not know. Instants are text in
the form ``2026-11-24T08:00:00Z``. Tokens are compact JWS, whose own rules stand in
spec/license.md and spec/keys.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

API_PREFIX: Final = "/v1"
PROBLEM_TYPE: Final = "application/problem+json"
PROOF_TYPE: Final = "DPoP"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_INTEGER: Final = (1 << 53) - 1
"""The largest that JSON carries exactly everywhere."""


class Asked:
    """What all requests have in common: unknown members are refused."""

    __slots__ = ()
    # Read by FastAPI's validator; named here so that it needs no import.
    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error (RFC 9457)."""

    type: str
    """A URI reference that names the kind of error and ends in the code."""
    title: str
    status: int
    code: str
    """Stable kebab-case name of the rule that refused; docs/errors.md lists them."""
    detail: str
    hint: str | None = None


# -- meeting --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerAnswer:
    """Who the broker works for."""

    owner: tuple[str, ...]
    """The owner chain, as ``OwnerChain.to_json`` writes it."""
    intake: str
    """Token by which the broker key certifies the key that content keys are wrapped to."""
    checkpoint: str
    """The newest checkpoint of the log, a signed note."""
    lease_seconds: int
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentAsk(Asked):
    """One runtime of a partner enrolls; the invite inside is its ticket."""

    enrollment: str
    """Token of the enrollment."""
    member: str | None = None
    """Token by which the organization key certifies a first member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentAnswer:
    """The enrollment was taken in."""

    partner: str
    organization: str
    runtime: str
    status: str
    """``pending`` until the owner has compared the fingerprint, then ``approved``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """An access token (RFC 6749 section 5.1), bound to the key of the proof (RFC 9449)."""

    access_token: str
    token_type: str
    expires_in: int


# -- parties --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeAnswer:
    """One enrolled runtime."""

    runtime: str
    enrolled_at: str
    status: str
    fingerprint: str
    enrollment: str
    """Token of the enrollment; the owner's home keeps it, to make offline files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerAnswer:
    """One partner, as the owner sees it."""

    organization: str
    name: str
    status: str
    runtimes: tuple[RuntimeAnswer, ...]
    enrolled_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerPage:
    """Partners in the order of their ids."""

    partners: tuple[PartnerAnswer, ...]
    next: str | None = None
    """What to give as ``after`` for the next page; None: this was the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsk(Asked):
    """People have compared this fingerprint."""

    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonAsk(Asked):
    """Why something is suspended or removed; it stands in the log."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAsk(Asked):
    """A person gets access."""

    member: str | None = None
    """At a partner: token by which its organization key certifies the member."""
    key: str | None = None
    """At the owner: public text of the member's key."""
    name: str | None = None
    """At the owner: who it is."""
    role: str | None = None
    """At the owner: the role."""
    expires_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAnswer:
    """One person with access."""

    member: str
    name: str
    role: str
    added_at: str
    expires_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPage:
    """Members in the order of their ids."""

    members: tuple[MemberAnswer, ...]
    next: str | None = None


# -- packages -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageAsk(Asked):
    """The owner publishes a package: what it is, and its content key."""

    statement: str
    """The signed statement, base64 of its bytes in the package."""
    content_key: str
    """Base64: the content key, wrapped to the broker's intake key for this package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageAnswer:
    """One published package."""

    package: str
    """Package digest."""
    package_id: str
    name: str
    version: str
    statement: str
    published_at: str
    withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagePage:
    """Packages in the order of their digests."""

    packages: tuple[PackageAnswer, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalAsk(Asked):
    """The owner takes a version back."""

    withdrawal: str


# -- licenses -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseAsk(Asked):
    """The owner hands in a license that it signed."""

    license: str
    agreement: str | None = None
    """The text whose digest the license names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SublicenseAsk(Asked):
    """A holder hands in a sub-license that it signed."""

    sublicense: str
    agreement: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptanceAsk(Asked):
    """A holder accepts a license and its agreement."""

    acceptance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationAsk(Asked):
    """The owner ends a license, and with it what hangs from it."""

    revocation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseAnswer:
    """One license or sub-license."""

    license: str
    parent: str | None
    organization: str
    """Organization id of the holder."""
    holder: str
    status: str
    """``requested``, ``refused``, ``granted``, ``suspended`` or ``revoked``."""
    granted_at: str
    accepted_at: str | None
    expires_at: str | None
    file: str
    """The license file, as ``LicenseFile.to_bytes`` writes it: every document of the chain."""
    worst_case_seconds: int
    """How long use can go on after a revocation, if no news reaches the runtime."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LicensePage:
    """Licenses in the order of their ids."""

    licenses: tuple[LicenseAnswer, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SublicenseAnswer:
    """One sub-license, for whoever gave it."""

    license: LicenseAnswer
    runtimes: tuple[str, ...]
    """Ids of those that may use it now, or what hangs from it."""
    held: dict[str, int]
    """What is held for it of what is above it in the periods of now, by ``COUNTER/PERIOD``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SublicensePage:
    """Sub-licenses in the order of their ids."""

    sublicenses: tuple[SublicenseAnswer, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseRequestAsk(Asked):
    """A partner asks for a license."""

    model: str
    """What it wants to use, in its own words; nothing is looked up."""
    purpose: str
    """What for, for the people who decide."""
    predictions: str | None = None
    """``LIMIT/PERIOD``, as in ``1000000/month``."""
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestGrantAsk(Asked):
    """The owner says which license answers a request."""

    license: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseRequestAnswer:
    """One request, and what came of it."""

    request: str
    organization: str
    partner: str
    model: str
    purpose: str
    predictions: str | None
    until: str | None
    asked_at: str
    asked_by: str
    """Member id."""
    status: str
    """``open``, ``granted`` or ``refused``."""
    license: str | None
    """The license that answers it, once it is granted; the owner sees it before."""
    reason: str | None
    """Why it was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseRequestPage:
    """Requests in the order of their ids."""

    requests: tuple[LicenseRequestAnswer, ...]
    next: str | None = None


# -- leases ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseAsk(Asked):
    """A runtime takes or renews a lease, and says what it used."""

    request: str
    """Token of the lease request, signed by the device key."""
    worker_key: str
    """Public text of the worker's one-time key, whose digest the request names."""
    usage: str | None = None
    """Token of the usage under the lease before."""
    log_size: int = field(default=0, metadata={"ge": 0, "le": _MAX_INTEGER})
    """The size of the log that the runtime has seen; 0: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseAnswer:
    """A lease, and the proof that the log has it."""

    lease: str
    proof: str
    """tlog-proof of the lease's entry, with its disclosure, under the newest checkpoint."""
    offer: str
    """That checkpoint, and the proof that it continues the log of ``log_size``."""
    revocations: tuple[str, ...]
    """Every revocation that concerns the runtime's licenses."""
    withdrawals: tuple[str, ...]
    """Every withdrawal of the package's model."""
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnAsk(Asked):
    """A runtime gives a lease back, and says what it used under it."""

    usage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageAsk(Asked):
    """A runtime says what it used, under a lease or an offline file."""

    usage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutAsk(Asked):
    """A runtime asks for an offline file."""

    license: str
    package: str
    nonce: str
    """16 random bytes, hexadecimal: the serial of the file. The same again gives the same file."""
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutAnswer:
    """The license file with an offline file for the runtime in it."""

    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSummary:
    """One lease or offline file that may still be in use."""

    lease: str
    license: str
    runtime: str
    organization: str
    package: str
    issued_at: str
    ends_at: str
    last_use_at: str
    """With grace and break-glass; a file has neither."""
    budget: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasePage:
    """Leases, then offline files, each in the order of their ids."""

    leases: tuple[LeaseSummary, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSummary:
    """One count of one document."""

    document: str
    counter: str
    period: str
    used: int
    reserved: int
    """Handed out in leases and offline files that have not reported yet."""
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePage:
    """Counts in the order of document, counter and period."""

    usage: tuple[UsageSummary, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationPage:
    """Revocations that concern the caller, oldest first."""

    revocations: tuple[str, ...]
    next: str | None = None
    """The last that the caller has seen, to go on from later; null while there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It is done; the act stands in the log."""

    entry: int
    """Index of its entry in the log."""


# -- log ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAnswer:
    """One record of the log, for those whom it concerns."""

    index: int
    proof: str
    """tlog-proof of its entry, with its disclosure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """Records in the order of the log."""

    records: tuple[RecordAnswer, ...]
    next: str | None = None

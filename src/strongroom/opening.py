"""Opening: everything that must hold before a worker is told to decrypt, and nothing decrypted.

    opening = open_model(home, "risk", now=now)
    opening.statement.version, opening.chain.id, opening.allowed.remaining
    opening.package_path, opening.release                 # what the worker needs; None: take a lease

In this order: the owner is pinned and confirmed, and the license file tells no other
history of it; the license, its sub-licenses and this party's acceptance are signed by whom they
must be; the package is signed by that very owner; a broker that gives leases is known, or a
key file for this runtime and package is at hand; the license allows the use now,
with the counts and marks of this runtime. A plain model, an unsigned package or another
owner's is refused before any of its bytes reach a loader.

Where a lease is to be taken, the time is that of the broker's last answer, and what only a
wrong clock would refuse is left to the broker. A file that was checked out waits for the case that
the broker is silent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from strongroom.errors import Error, LicenseDenied, VerificationError
from strongroom.home.boot_clock import Boot, OnlineClock, SystemBoot
from strongroom.home.catalog import Candidate
from strongroom.home.home import Home
from strongroom.home.leases import LeasePlace
from strongroom.home.trust import PinnedOwner, TrustStatus
from strongroom.keys.identity import runtime_id
from strongroom.keys.owner import Owner, Role, verify_consistent
from strongroom.license.announced import read_kept
from strongroom.license.chain import LicenseChain, verify_acceptance
from strongroom.license.codes import Code
from strongroom.license.documents import OfflineFile, PassphraseFile
from strongroom.license.evaluate import evaluate
from strongroom.license.license_file import VerifiedLicense, verify_license_file
from strongroom.license.marks import withdrawn
from strongroom.license.request import AtOwner, Facts, Level, Request, Right
from strongroom.license.signing import Signed
from strongroom.license.verdict import Allowed, Denied, OutputPolicy, raise_denied
from strongroom.package.reader import PackageReader
from strongroom.package.statement import Statement
from strongroom.storage.local import LocalSource

Release = Signed[OfflineFile] | Signed[PassphraseFile]
AskWithdrawals = Callable[[Home, Owner, str], None]
"""Takes in which versions the broker knows to be withdrawn, for the license of that id."""

_OF_THE_CLOCK: Final = frozenset({Code.CLOCK_SET_BACK, Code.NOT_YET_VALID, Code.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A model that may be opened: who, what, under which license, with which key file."""

    pinned: PinnedOwner
    owner: Owner
    """The newest verified chain, of the home or of the license file."""
    license: VerifiedLicense
    statement: Statement
    package_path: Path
    release: Release | None
    """The key file: signed by the owner, for this license and package. None: a lease is to be taken."""
    spare: Signed[OfflineFile] | None
    """Where a lease is to be taken: the offline file that stands meanwhile, for when no lease can be had."""
    request: Request
    facts: Facts
    """What is known but for counts and marks, which ``home.marks`` adds under its lock."""
    allowed: Allowed
    """The verdict at the time of opening; every use is decided anew."""
    shown: tuple[str, ...] = ()
    """The facts from which the level follows (``license.protection``), for a broker."""

    def at(self, level: Level, shown: tuple[str, ...]) -> Opening:
        """Return it with the level that the worker turned out to have."""
        return replace(self, request=replace(self.request, level=level), shown=shown)

    @property
    def place(self) -> LeasePlace:
        """Which lease it would be."""
        return LeasePlace(owner=self.owner.id, license=self.chain.id, package=self.statement.package_digest)

    @property
    def chain(self) -> LicenseChain:
        """The license with the sub-licenses under it."""
        return self.license.chain


def open_model(
    home: Home,
    reference: str,
    *,
    now: datetime,
    right: Right = Right.PREDICT,
    level: Level = Level.LOCAL,
    purpose: str | None = None,
    license_id: str | None = None,
    boot: Boot | None = None,
    ask_withdrawals: AskWithdrawals | None = None,
) -> Opening:
    """Check everything about a model that can be checked without its key.

    Args:
        home: The partner's home.
        reference: A path, or ``[owner/]name[@version]``.
        now: What the clock says.
        right: What the model is opened for.
        level: The protection level that the worker will have. Whoever starts one sees to it that it has.
        purpose: What the answers are for, where the license asks.
        license_id: Which license to use, where several fit.
        boot: The boot clock; None: the kernel's.
        ask_withdrawals: Asked before an older version is refused, whose newer one may be withdrawn by now.

    Raises:
        ObjectNotFound: no license covers it, it is not here, or several fit.
        UsageError: the reference is neither a path nor a name.
        VerificationError: the owner is pending, or a signature or signer does not hold.
        IntegrityError: the package or this runtime's state is not what it was.
        LicenseDenied: the license says no; the code names the rule.
        NoMatchingKey: this runtime has no keys toward the owner, or they cannot be opened.
        FormatError: a file is damaged, or no package.
        UnsupportedError: the package needs a later version of the format.
        StorageUnavailable: a file cannot be read.
    """
    attempt = _Attempt(home, now, right, level, purpose, boot or SystemBoot(), ask_withdrawals)
    candidate = home.catalog.resolve(reference, license_id=license_id, fits=attempt.fits)
    return attempt.open(candidate)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One wish to open, tried on each candidate."""

    home: Home
    now: datetime
    right: Right
    level: Level
    purpose: str | None
    boot: Boot
    ask_withdrawals: AskWithdrawals | None

    def fits(self, candidate: Candidate) -> bool:
        try:
            opening = self.open(candidate, exactly=True)
        except Error:
            # Why it does not fit is told when it is the one that is opened.
            return False
        # Neither does a license that is used up for now stand in the way of one that is not, or one that
        # its broker has refused: if no other is there it is opened all the same, and the broker asked again.
        return 0 not in opening.allowed.remaining.values() and not self._was_refused(opening)

    def _was_refused(self, opening: Opening) -> bool:
        if opening.release is not None:
            return False
        refusal = self.home.leases.read(opening.place).refusal
        return refusal is not None and refusal.is_final

    def open(self, candidate: Candidate, *, exactly: bool = False) -> Opening:
        pinned = candidate.owner
        _verify_confirmed(pinned)
        owner = verify_consistent(pinned.owner, candidate.license.file.owner_chain())
        license = verify_license_file(candidate.license.file, owner)
        statement = _verify_package(candidate.package.path, owner)
        request = self._request(statement, runtime_id(self.home.keys.device(owner.id).public))
        is_online, release, spare = self._find_release(license, request)

        def verify_allowed() -> tuple[Facts, Allowed]:
            facts = self._facts(candidate, owner, license, release)
            return facts, self._verify_allowed(license.chain, request, facts, is_online, exactly=exactly)

        try:
            facts, allowed = verify_allowed()
        except LicenseDenied as denied:
            if exactly or self.ask_withdrawals is None or denied.code != Code.VERSION_ROLLBACK:
                raise
            # The version that was seen here may be withdrawn, which permits this one.
            self.ask_withdrawals(self.home, owner, license.chain.id)
            facts, allowed = verify_allowed()
        return Opening(
            pinned=pinned,
            owner=owner,
            license=license,
            statement=statement,
            package_path=candidate.package.path,
            release=release,
            spare=spare,
            request=request,
            facts=facts,
            allowed=allowed,
        )

    def _find_release(
        self, license: VerifiedLicense, request: Request
    ) -> tuple[bool, Release | None, Signed[OfflineFile] | None]:
        """Return whether a lease is to be taken, the key file that does instead, and the spare one."""
        offline = license.offline_for(request.runtime, request.package_digest)
        if self.home.brokers.address(request.owner) is not None:
            return True, None, offline
        return False, offline or license.passphrase_for(request.package_digest), None

    def _verify_allowed(
        self, chain: LicenseChain, request: Request, facts: Facts, is_online: bool, *, exactly: bool
    ) -> Allowed:
        state = self.home.marks.read(request.owner)
        now = self.now
        if is_online:
            # The broker decides what it gives; all that can be said here is what no lease would change.
            facts = replace(facts, authority=AtOwner())
            clock = OnlineClock(wall=lambda: self.now, boot=self.boot)
            now = clock.now(state.anchor, state.clock)
        verdict = evaluate(chain, request, state.facts(facts, request.name), now)
        if isinstance(verdict, Denied):
            if not is_online or exactly or verdict.code not in _OF_THE_CLOCK:
                raise_denied(verdict)
            return Allowed(output=OutputPolicy())
        return verdict

    def _facts(
        self, candidate: Candidate, owner: Owner, license: VerifiedLicense, release: Release | None
    ) -> Facts:
        accepted = dict(license.accepted)
        if candidate.license.acceptance is not None:
            signed = verify_acceptance(candidate.license.acceptance, license.chain)
            accepted[signed.document.license] = signed.document.agreement
        notices = self.home.leases.notices(owner.id)
        announced = read_kept(notices.revocations, notices.withdrawals, owner)
        return Facts(
            authority=None if release is None else release.document.authority,
            accepted=accepted,
            revoked=frozenset(announced.revoked),
            why_revoked=announced.revoked,
            withdrawals=(*(withdrawn(each.document) for each in license.withdrawals), *announced.withdrawals),
        )

    def _request(self, statement: Statement, runtime: str) -> Request:
        return Request(
            right=self.right,
            owner=statement.owner,
            name=statement.name,
            version=str(statement.version),
            package_digest=statement.package_digest,
            level=self.level,
            runtime=runtime,
            purpose=self.purpose,
        )


def _verify_confirmed(pinned: PinnedOwner) -> None:
    if pinned.status is not TrustStatus.CONFIRMED:
        raise VerificationError(
            f"nobody has confirmed yet that {pinned.label} is who it says it is",
            code="owner-pending",
            hint="compare the fingerprint with the owner, then: strongroom accept FILE.license",
        )


def _verify_package(path: Path, owner: Owner) -> Statement:
    with LocalSource(path) as source:
        reader = PackageReader.open(
            source, lambda said: owner.keys_for(Role.PACKAGE, said.created_at), owner=owner.id
        )
    return reader.statement

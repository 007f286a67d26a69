"""Which package and license are meant by what somebody typed.

    found = home.catalog.resolve("st-georg/risk@1.2.0")
    found.package.path, found.license.file, found.owner.status

    home.catalog.candidates()                     # every model that a license here covers
    home.catalog.packages, home.catalog.licenses  # the two folders behind it

Finding proves nothing: names and versions come from files that nobody has verified yet.
Whoever opens a model verifies the owner, the license and the package that were found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from strongroom._encoding import to_instant
from strongroom.errors import ObjectNotFound
from strongroom.home.licenses import Licenses, StoredLicense
from strongroom.home.packages import Packages, StoredPackage
from strongroom.home.reference import Reference
from strongroom.home.trust import PinnedOwner, Trust
from strongroom.package.inspect import inspect
from strongroom.package.statement import Statement
from strongroom.storage.local import LocalSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A package and a license that covers it. Nothing in it is verified but the owner's chain."""

    owner: PinnedOwner
    license: StoredLicense
    package: StoredPackage


Fits = Callable[[Candidate], bool]
"""Says whether a candidate could be opened now."""


class Catalog:
    """Packages and licenses of a home, by name."""

    __slots__ = ("_trust", "licenses", "packages")

    def __init__(self, path: Path, lock: Path, trust: Trust) -> None:
        self._trust = trust
        self.packages = Packages(path / "packages")
        self.licenses = Licenses(path / "licenses", lock)

    def resolve(
        self, reference: str, *, license_id: str | None = None, fits: Fits = lambda _candidate: True
    ) -> Candidate:
        """Return the one package and license that a reference means.

        Of several versions the highest that fits is taken. If nothing fits, the newest
        license and highest version are returned, so that opening says what refuses them.

        Args:
            reference: A path, or ``[owner/]name[@version]``.
            license_id: Look at this license only.
            fits: Says whether a candidate could be opened now.

        Raises:
            UsageError: the reference is neither a path nor a name (code ``bad-reference``).
            ObjectNotFound: no license covers it (code ``unknown-model``), the package is
                not here (code ``unknown-package``), several owners or licenses fit (code
                ``ambiguous-model``; the message lists them), or there is no such file.
            FormatError: a file is damaged, or the path leads to no package.
            StorageUnavailable: a folder cannot be read.
        """
        wanted = Reference.from_text(reference)
        found = [
            candidate
            for candidate in self._matching(wanted)
            if license_id in (None, candidate.license.license_id)
        ]
        if not found and license_id is not None:
            raise self._not_by_license(wanted, license_id)
        if not found:
            raise self._nothing(wanted)
        owners = {candidate.owner.id: candidate.owner for candidate in found}
        if len(owners) > 1:
            raise _ambiguous(
                wanted,
                "owners",
                [f"{owner.label}/{found[0].package.name} ({owner.id})" for owner in owners.values()],
                "write OWNER/NAME, with the owner's id or alias",
            )
        return _choose(wanted, found, fits)

    def candidates(self) -> list[Candidate]:
        """Return every package here with each license that covers it.

        Raises:
            FormatError: a file is damaged.
            VerificationError: a stored owner chain does not verify.
            StorageUnavailable: a folder cannot be read.
        """
        return [
            candidate
            for owner in self._trust.all()
            for candidate in self._covering(owner, self.packages.all(owner.id))
        ]

    def _matching(self, wanted: Reference) -> list[Candidate]:
        if wanted.path is not None:
            return self._at_path(wanted.path)
        owners = self._trust.all() if wanted.owner is None else [self._trust.find(wanted.owner)]
        return [
            candidate
            for owner in owners
            for candidate in self._covering(
                owner,
                [
                    package
                    for package in self.packages.all(owner.id)
                    if package.name == wanted.name and wanted.version in (None, str(package.version))
                ],
            )
        ]

    def _at_path(self, path: Path) -> list[Candidate]:
        claimed = _claimed(path)
        owner = self._trust.get(claimed.owner)
        package = StoredPackage(
            owner_id=owner.id, name=claimed.name, version=claimed.version, path=path.absolute()
        )
        return self._covering(owner, [package])

    def _covering(self, owner: PinnedOwner, packages: list[StoredPackage]) -> list[Candidate]:
        licenses = self.licenses.all(owner.id) if packages else []
        return [
            Candidate(owner=owner, license=license, package=package)
            for package in (packages if licenses else [])
            for digest in [_claimed(package.path).package_digest]
            for license in licenses
            if license.covers(package.name, str(package.version), digest)
        ]

    def _not_by_license(self, wanted: Reference, license_id: str) -> ObjectNotFound:
        if all(stored.license_id != license_id for stored in self.licenses.all()):
            return ObjectNotFound(
                f"there is no license {license_id} in this home",
                code="unknown-license",
                hint="strongroom models",
            )
        return ObjectNotFound(
            f"the license {license_id} does not cover {wanted.to_text()}",
            code="unknown-model",
            hint="strongroom models lists what each license covers",
        )

    def _nothing(self, wanted: Reference) -> ObjectNotFound:
        name = wanted.name
        if name is not None and any(stored.names(name) for stored in self.licenses.all()):
            return ObjectNotFound(
                f"there is a license for {name}, but no package {wanted.to_text()} that it covers is here",
                code="unknown-package",
                hint="get the .sealed file from the owner and give its path",
            )
        return ObjectNotFound(
            f"no license in this home covers {wanted.to_text()}",
            code="unknown-model",
            hint="strongroom models lists what is licensed; strongroom accept FILE takes a license in",
        )


def _choose(wanted: Reference, found: list[Candidate], fits: Fits) -> Candidate:
    # Newest license first, and for each its highest version that fits, else its highest.
    best = []
    for license_id in dict.fromkeys(candidate.license.license_id for candidate in _newest_first(found)):
        versions = [each for each in _newest_first(found) if each.license.license_id == license_id]
        fitting = next((each for each in versions if fits(each)), None)
        best.append((fitting or versions[0], fitting is not None))
    fitting_ones = [candidate for candidate, does_fit in best if does_fit]
    if len(fitting_ones) > 1:
        raise _ambiguous(
            wanted,
            "licenses",
            [
                f"{candidate.license.license_id} (signed {to_instant(candidate.license.issued_at)})"
                for candidate in fitting_ones
            ],
            "choose one: --license ID on the command line, license=ID in Python",
        )
    return fitting_ones[0] if fitting_ones else best[0][0]


def _newest_first(found: Iterable[Candidate]) -> list[Candidate]:
    return sorted(
        found,
        key=lambda each: (each.license.issued_at, each.license.license_id, each.package.version),
        reverse=True,
    )


def _ambiguous(wanted: Reference, what: str, listed: list[str], hint: str) -> ObjectNotFound:
    return ObjectNotFound(
        f"several {what} fit {wanted.to_text()}: {', '.join(listed)}", code="ambiguous-model", hint=hint
    )


def _claimed(path: Path) -> Statement:
    with closing(LocalSource(path)) as source:
        return inspect(source).unverified

"""Homes of a hospital and a clinic, and what lies in them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from strongroom.errors import Error
from strongroom.home import Home
from strongroom.keys.owner import OwnerChain
from strongroom.license.chain import LicenseChain, verify_chain
from strongroom.license.license_file import LicenseFile
from strongroom.license.signing import sign_document
from strongroom.license.term import Term
from strongroom.license.terms import PackageChoice, Packages
from tests.unit.keys.parties import Hospital
from tests.unit.license import world as licensing
from tests.unit.package.making import write

NOW = licensing.NOW
OWNER = licensing.OWNER
PASSPHRASE = "five wards north of the river 1891"


def refused(call: Callable[[], object]) -> Error:
    """Return the error that a call raises."""
    return licensing.refusal(call)


def clinic(path: Path) -> Home:
    """Make the home of a partner that has pinned the hospital and has keys toward it."""
    home = Home.create("clinic", path)
    home.keys.create_organization(NOW)
    home.trust.pin(licensing.owner_chain())
    home.keys.ensure_runtime_keys(OWNER.id, NOW)
    return home


def package_bytes(version: str = "1.0.0", owner_id: str = OWNER.id) -> bytes:
    """Return a package of the model ``risk``."""
    sink = io.BytesIO()
    write(sink, version=version, owner=owner_id, package_id=None)
    return sink.getvalue()


def add_package(home: Home, version: str = "1.0.0", owner_id: str = OWNER.id) -> Path:
    """Put a package of the model ``risk`` into a home."""
    with home.catalog.packages.create(owner_id, "risk", version) as sink:
        sink.write(package_bytes(version, owner_id))
    return home.catalog.packages.path(owner_id, "risk", version)


def license_bytes(
    *choices: PackageChoice, serial: str = licensing.SERIAL, children: tuple[tuple[Term, ...], ...] = ()
) -> tuple[str, bytes]:
    """Return id and file of a license for some packages, by the hospital."""
    packages = Packages(packages=choices or (PackageChoice(name="risk"),))
    base = (packages, *licensing.BASE[1:])
    signed = sign_document(licensing.license_of(base=base, serial=serial), licensing.LICENSE_KEY)
    tokens, last, signer = [], signed.id, licensing.CLINIC
    for terms in children:
        child = sign_document(licensing.sublicense_of(last, *terms), signer)
        tokens.append(child.token)
        last = child.id
    file = LicenseFile(
        owner=tuple(licensing.owner_chain().to_json()), license=signed.token, sublicenses=tuple(tokens)
    )
    return last, file.to_bytes()


def add_license(home: Home, *choices: PackageChoice, serial: str = licensing.SERIAL) -> str:
    """Put a license by the hospital into a home; returns its id."""
    license_id, data = license_bytes(*choices, serial=serial)
    home.catalog.licenses.add(OWNER.id, license_id, data)
    return license_id


def other_chain(name: str = "hospital") -> OwnerChain:
    """Return the chain of another owner, by default of the same name."""
    return Hospital(name=name).chain()


def verified(data: bytes) -> LicenseChain:
    """Verify a license file as its holder would."""
    file = LicenseFile.from_bytes(data)
    return verify_chain(file.license, file.sublicenses, OWNER)

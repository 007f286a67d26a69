"""Derived models for tests: made as ``derive`` makes them, or by a partner that breaks any rule.

scene = DerivingScene(tmp_path)
path = scene.derive()                                              # an honest file
path = scene.forge(files={"risk.pkl": data}, document={"version": "9.0.0"})
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import skops.io

from strongroom._encoding import to_base64
from strongroom.crypto import segment
from strongroom.deriving import Countersigned, countersign, derive
from strongroom.founding import own_owner
from strongroom.granting import Granted
from strongroom.home.home import Home
from strongroom.home.seals import Seal
from strongroom.keys.key_pair import SigningKey
from strongroom.license.chain import LicenseChain
from strongroom.license.derivation import DerivationRecord, derivations_of
from strongroom.license.documents import Derivation
from strongroom.license.fields import new_serial
from strongroom.license.key_binding import KeyBinding, wrap_for_owner
from strongroom.license.license_file import LicenseFile
from strongroom.license.request import Right
from strongroom.license.signing import sign_document
from strongroom.license.term import Term
from strongroom.license.terms import PackageChoice, Packages, Rights
from strongroom.package.contents import Field, Loader, Schema
from strongroom.package.layout import FileKind
from strongroom.package.names import Version
from strongroom.package.statement import Statement
from strongroom.package.writer import PackageWriter
from strongroom.sealing import Sealed
from tests.parties import (
    COLUMNS,
    accept_at,
    enroll,
    found_owner,
    found_partner,
    grant_to,
    right_now,
    sample,
    seal_model,
    trained_pipeline,
)

MODIFY = Rights(rights=(Right.MODIFY, Right.PREDICT))
EVERY_VERSION = Packages(packages=(PackageChoice(name="risk"),))
SCHEMA = Schema(
    inputs=[Field(name="input", datatype="FP64", shape=[-1, COLUMNS])],
    outputs=[Field(name="predict", datatype="INT64", shape=[-1])],
    methods=["predict"],
)


def skops_bytes() -> bytes:
    """Return the small pipeline as a skops file."""
    data: bytes = skops.io.dumps(trained_pipeline())
    return data


class DerivingScene:
    """A hospital with a sealed model, and a clinic that may modify it."""

    def __init__(self, folder: Path, *terms: Term) -> None:
        self.folder = folder
        self.hospital = found_owner(folder, "hospital")
        self.clinic = found_partner(folder, "clinic")
        enroll(self.hospital, self.clinic)
        self.sealed: Sealed = seal_model(self.hospital)
        self.granted: Granted = grant_to(self.hospital, "clinic", terms=terms or (MODIFY, EVERY_VERSION))
        accept_at(self.clinic, self.granted)

    @property
    def owner_id(self) -> str:
        return own_owner(self.hospital).id

    @property
    def seal(self) -> Seal:
        return self.hospital.vault.seals.find("risk", "1.0.0")

    def derive(self, home: Home | None = None, **options: Any) -> Path:
        """Derive honestly; returns the file."""
        given: dict[str, Any] = {
            "parent": "risk@1.0.0",
            "output": self.folder / f"{secrets.token_hex(4)}.derived",
            "sample": sample(),
            "now": right_now(),
        }
        return derive(home or self.clinic, options.pop("model", trained_pipeline()), **(given | options)).path

    def countersign(self, path: Path, **options: Any) -> Countersigned:
        """Countersign at the hospital."""
        return countersign(self.hospital, path, **({"now": right_now()} | options))

    def forge(
        self,
        *,
        files: Mapping[str, bytes] | None = None,
        loader: Loader | None = None,
        schema: Schema = SCHEMA,
        statement: Mapping[str, Any] | None = None,
        document: Mapping[str, Any] | None = None,
        record: Mapping[str, Any] | None = None,
        granted: Granted | None = None,
        signer: SigningKey | None = None,
        said: Statement | None = None,
    ) -> Path:
        """Write what a partner with its own program could hand in; every part can be changed."""
        granted = granted or self.granted
        files = {"risk.skops": skops_bytes()} if files is None else files
        key, seal, now = segment.generate_key(), self.seal, right_now()
        facts: dict[str, Any] = {
            "name": "risk",
            "version": Version(1, 1, 0),
            "owner": self.owner_id,
            "created_at": now,
            "previous": seal.package_digest,
            "parent": seal.package_digest,
            "agreement": seal.agreement,
        }
        path = self.folder / f"{secrets.token_hex(4)}.derived"
        with path.open("wb") as sink:
            writer = PackageWriter(
                sink, content_key=key, kind=FileKind.DERIVED, **(facts | dict(statement or {}))
            )
            for name in sorted(files):
                with writer.file(name, len(files[name])) as target:
                    target.write(files[name])

            def tail(made: Statement) -> bytes:
                return self._record(said or made, key, granted, signer, document or {}, record or {})

            writer.finish_derived(
                loader=loader or Loader(name="skops", entry=next(iter(sorted(files)))),
                schema=schema,
                bom={},
                record=tail,
            )
        return path

    def _record(
        self,
        said: Statement,
        key: bytes,
        granted: Granted,
        signer: SigningKey | None,
        document: Mapping[str, Any],
        record: Mapping[str, Any],
    ) -> bytes:
        chain: LicenseChain = granted.chain
        stored = self.clinic.catalog.licenses.get(self.owner_id, chain.id)
        file = LicenseFile.from_bytes(granted.file)
        serial, digest = new_serial(), said.package_digest
        binding = KeyBinding(license=chain.id, runtime=None, package=digest, package_id=said.package_id)
        fields: dict[str, Any] = {
            "owner": said.owner,
            "license": chain.id,
            "parent": said.parent,
            "package": digest,
            "package_id": said.package_id,
            "name": said.name,
            "version": str(said.version),
            "serial": serial,
            "wrapped_key": wrap_for_owner(key, self._back(chain), binding, serial=serial),
            "issued_at": said.created_at,
        }
        signed = sign_document(
            Derivation(**(fields | dict(document))), signer or self.clinic.keys.organization()
        )
        made = DerivationRecord(
            license=file.license,
            sublicenses=file.sublicenses,
            acceptances=() if stored.acceptance is None else (stored.acceptance,),
            statement=to_base64(said.to_bytes()),
            derivation=signed.token,
        )
        return msgspec.structs.replace(made, **record).to_bytes()

    def _back(self, chain: LicenseChain) -> Any:
        if any(term.tag == "derivations" for term in chain.license.terms):
            return derivations_of(chain).public
        return self.hospital.keys.ensure_derivation(right_now()).public

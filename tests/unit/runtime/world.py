"""A hospital with a small real model, a clinic that licensed it, and every document between them.

    world = World.make(tmp_path, terms=[Predictions(limit=100, per=Period.TOTAL)])
    world.load()                     # what a supervisor would send to its worker
    world.data[:5], world.expected   # rows, and what the model itself answers

Documents are made here with keys at hand, without any home, so that the tests of the
worker need nothing of the layers above it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier

from strongroom._encoding import to_base64
from strongroom.crypto import segment
from strongroom.keys import key_file
from strongroom.keys.identity import runtime_id
from strongroom.keys.key_pair import SealingKey
from strongroom.keys.owner import Owner
from strongroom.license.chain import LicenseChain, verify_chain
from strongroom.license.documents import (
    Acceptance,
    License,
    OfflineFile,
    Party,
    PassphraseFile,
    RuntimeCertificate,
)
from strongroom.license.fields import new_serial
from strongroom.license.key_binding import KeyBinding, wrap_for_runtime, wrap_with_passphrase
from strongroom.license.request import Budget, Level, Right
from strongroom.license.signing import sign_document
from strongroom.license.term import Term
from strongroom.license.terms import Expires, Levels, Offline, PackageChoice, Packages, Rights
from strongroom.package.contents import Field, Loader, Schema
from strongroom.package.names import Version
from strongroom.package.statement import Statement, signer
from strongroom.package.tail import read_signed_statement
from strongroom.package.writer import PackageWriter
from strongroom.receipts.receipt_file import Warrant
from strongroom.storage.local import LocalSource
from strongroom.worker.messages import Load, Pipes
from tests.unit.keys.parties import Clinic, Hospital

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
PASSPHRASE = "five wards north of the river 1891"
CANARY = b"canary of the weights: " + bytes(range(200, 232))
"""Stands in a file of the package beside the model: whoever holds the files holds this."""


@dataclass(frozen=True, slots=True)
class SmallModel:
    """A fitted classifier and the bytes that skops writes of it."""

    data: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    probabilities: np.ndarray[Any, Any]
    files: Mapping[str, bytes]
    loader: Loader
    schema: Schema


@cache
def small_model() -> SmallModel:
    """Fit a gradient boosting model on the data that scikit-learn ships."""
    rows, diagnosis = load_breast_cancer(return_X_y=True)
    labels = np.where(diagnosis == 0, "malignant", "benign")
    model = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(rows[:, :4], labels)
    data = skops.io.dumps(model)
    return SmallModel(
        data=rows[:, :4],
        labels=model.predict(rows[:, :4]),
        probabilities=model.predict_proba(rows[:, :4]),
        files={"canary.bin": CANARY, "model.skops": data},
        loader=Loader(
            name="skops",
            entry="model.skops",
            options={"trust": sorted(skops.io.get_untrusted_types(data=data))},
        ),
        schema=Schema(
            inputs=[Field(name="input", datatype="FP64", shape=[-1, 4])],
            outputs=[
                Field(name="predict", datatype="BYTES", shape=[-1]),
                Field(name="predict_proba", datatype="FP64", shape=[-1, 2]),
            ],
            columns=["radius", "texture", "perimeter", "area"],
            classes=["benign", "malignant"],
            methods=["predict", "predict_proba"],
        ),
    )


@dataclass(frozen=True, slots=True)
class World:
    """One package, one license, one runtime."""

    hospital: Hospital
    clinic: Clinic
    owner: Owner
    statement: Statement
    package_path: Path
    content_key: bytes
    chain: LicenseChain
    acceptance: str
    offline: str
    model: SmallModel = field(default_factory=small_model)

    @classmethod
    def make(
        cls,
        folder: Path,
        *,
        terms: Sequence[Term] = (),
        rights: Sequence[Right] = (Right.PREDICT,),
        budget: Sequence[Budget] = (),
        now: datetime = NOW,
        model: SmallModel | None = None,
    ) -> World:
        """Seal, grant and accept."""
        hospital, clinic = Hospital(), Clinic()
        owner = hospital.owner()
        model = model or small_model()
        content_key = segment.generate_key()
        path = folder / "risk-1.0.0.sealed"
        statement = write_package(path, model, hospital, owner, content_key, now)
        organization = clinic.organization.public_text
        license_ = License(
            owner=owner.id,
            owner_version=owner.version,
            partner=Party(name="clinic", organization=organization),
            serial=new_serial(),
            issued_at=now,
            terms=(
                Packages(packages=(PackageChoice(name="risk"),)),
                Rights(rights=tuple(sorted(rights))),
                Levels(at_least=Level.LOCAL),
                Offline(hours=24 * 30, files=3),
                Expires(at=now + timedelta(days=365)),
                *terms,
            ),
        )
        token = sign_document(license_, hospital.license).token
        chain = verify_chain(token, [], owner)
        acceptance = Acceptance(license=chain.id, agreement=None, organization=organization, accepted_at=now)
        return cls(
            hospital,
            clinic,
            owner,
            statement,
            path,
            content_key,
            chain,
            sign_document(acceptance, clinic.organization).token,
            offline=_offline(hospital, clinic, chain, statement, content_key, budget, now),
            model=model,
        )

    @property
    def runtime(self) -> str:
        """Id of the clinic's runtime."""
        return runtime_id(self.clinic.device.public)

    @property
    def warrant(self) -> Warrant:
        """The public documents from the hospital down to the clinic's device key."""
        certificate = RuntimeCertificate(
            owner=self.owner.id, device=self.clinic.device.public_text, runtime=self.runtime, issued_at=NOW
        )
        with LocalSource(self.package_path) as source:
            statement = read_signed_statement(source)
        return Warrant(
            owner=tuple(self.owner.chain.to_json()),
            license=self.chain.license.token,
            sublicenses=(),
            runtime=sign_document(certificate, self.clinic.organization).token,
            statement=to_base64(statement),
        )

    def sealing_fd(self, key: SealingKey | None = None, *, passphrase: str | None = None) -> int:
        """Return a descriptor of a sealing key's file, as the keystore opens it."""
        data = key_file.to_bytes(key or self.clinic.sealing, passphrase=passphrase, created_at=NOW)
        return pipe_with(data)

    def load(self, **changes: Any) -> Load:
        """Return what a supervisor would send for the offline file."""
        members: dict[str, Any] = {
            "right": "predict",
            "owner": self.owner.chain.to_json(),
            "license": self.chain.id,
            "runtime": self.runtime,
            "package": self.statement.package_digest,
            "release": self.offline,
            "pipes": Pipes(),
            **changes,
        }
        members.setdefault("package_fd", os.open(self.package_path, os.O_RDONLY))
        members.setdefault("sealing_key_fd", self.sealing_fd())
        return Load(**members)

    @property
    def passphrase_file(self) -> str:
        """A pass-phrase file for the same license; takes a while to make."""
        return _passphrase_file(self.hospital, self.chain, self.statement, self.content_key, NOW)

    def load_by_passphrase(self, passphrase: str = PASSPHRASE) -> Load:
        """Return what a supervisor would send for the pass-phrase file."""
        return self.load(
            release=self.passphrase_file,
            sealing_key_fd=None,
            pipes=Pipes(passphrase=pipe_with(passphrase.encode())),
        )


def write_package(
    path: Path, model: SmallModel, hospital: Hospital, owner: Owner, content_key: bytes, now: datetime
) -> Statement:
    """Seal the files of a model."""
    with (
        path.open("wb") as sink,
        PackageWriter(
            sink,
            name="risk",
            version=Version.from_text("1.0.0"),
            owner=owner.id,
            created_at=now,
            content_key=content_key,
        ) as writer,
    ):
        for name in sorted(model.files):
            with writer.file(name, len(model.files[name])) as file:
                file.write(model.files[name])
        return writer.finish(
            loader=model.loader, schema=model.schema, bom={}, sign=signer(hospital.package.secret)
        ).statement


def pipe_with(data: bytes) -> int:
    """Return the reading end of a pipe that holds these bytes."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


def _release(chain: LicenseChain, statement: Statement, now: datetime) -> dict[str, Any]:
    return {
        "owner": chain.owner,
        "owner_version": 1,
        "license": chain.id,
        "package": statement.package_digest,
        "package_id": statement.package_id,
        "serial": new_serial(),
        "issued_at": now,
        "not_after": now + timedelta(days=30),
    }


def _offline(
    hospital: Hospital,
    clinic: Clinic,
    chain: LicenseChain,
    statement: Statement,
    content_key: bytes,
    budget: Sequence[Budget],
    now: datetime,
) -> str:
    members = _release(chain, statement, now)
    runtime = runtime_id(clinic.device.public)
    binding = KeyBinding(
        license=chain.id,
        runtime=runtime,
        package=statement.package_digest,
        package_id=statement.package_id,
    )
    wrapped = wrap_for_runtime(content_key, clinic.sealing.public, binding, serial=members["serial"])
    document = OfflineFile(
        **members, runtime=runtime, budget=tuple(sorted(budget, key=_order)), wrapped_key=wrapped
    )
    return sign_document(document, hospital.license).token


def _order(entry: Budget) -> tuple[str, str]:
    return entry.counter, entry.per


def _passphrase_file(
    hospital: Hospital, chain: LicenseChain, statement: Statement, content_key: bytes, now: datetime
) -> str:
    members = _release(chain, statement, now)
    binding = KeyBinding(
        license=chain.id, runtime=None, package=statement.package_digest, package_id=statement.package_id
    )
    wrapped = wrap_with_passphrase(content_key, PASSPHRASE, binding, serial=members["serial"])
    return sign_document(PassphraseFile(**members, wrapped_key=wrapped), hospital.license).token

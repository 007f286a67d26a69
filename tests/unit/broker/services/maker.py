"""A clinic that derives: a license for it, and what it hands in, of which every part can be changed.

maker = Maker.make(world)                            # a partner, a published parent, a license
answer = maker.hand_in()
code = maker.refusal(version="9.0.0")
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from strongroom._encoding import to_base64
from strongroom.crypto.hpke import SealingSecret
from strongroom.keys import owner as owners
from strongroom.keys.key_pair import SigningKey, sealing_public_to_text
from strongroom.license.documents import Derivation
from strongroom.license.fields import new_serial
from strongroom.license.request import Right
from strongroom.license.signing import sign_document
from strongroom.license.term import Term
from strongroom.license.terms import Derivations
from strongroom.package.statement import Statement, sign_statement, signer
from strongroom.protocol.broker import AcceptanceAsk, LicenseAsk
from strongroom.protocol.derivation import CountersignatureAsk, DerivationAnswer, DerivationAsk
from tests.unit.broker.services.hospital import Clinic, World, refused

BACK = sealing_public_to_text(SealingSecret.generate().public)
BOTH = (Right.MODIFY, Right.PREDICT, Right.SUBLICENSE)


@dataclass
class Maker:
    """A clinic with a license that lets it derive from a published model."""

    world: World
    clinic: Clinic
    parent: Statement
    license: str

    @classmethod
    def make(
        cls,
        world: World,
        name: str = "clinic",
        *terms: Term,
        rights: tuple[Right, ...] = BOTH,
        version: str = "1.0.0",
    ) -> Maker:
        """Make a partner, publish a parent, grant and accept."""
        parent = world.statement(version=version)
        world.publishing.publish(world.admin, world.package(parent))
        return cls.of(world, world.clinic(name), parent, *terms, rights=rights)

    @classmethod
    def of(
        cls, world: World, clinic: Clinic, parent: Statement, *terms: Term, rights: tuple[Right, ...] = BOTH
    ) -> Maker:
        """Grant and accept a license for a partner that is there."""
        signed = world.sign_license(clinic.party, (Derivations(to=BACK), *terms), rights=rights)
        license = world.licensing.grant(world.admin, LicenseAsk(license=signed)).license
        world.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(license)))
        return cls(world, clinic, parent, license)

    def said(self, **changes: Any) -> Statement:
        """Return the statement of a derived model."""
        digest = self.parent.package_digest
        return self.world.statement(**({"version": "1.1.0", "previous": digest, "parent": digest} | changes))

    def ask(
        self, said: Statement | None = None, *, key: SigningKey | None = None, **document: Any
    ) -> DerivationAsk:
        """Return what is handed in; every part can be changed."""
        said = said or self.said()
        fields: dict[str, Any] = {
            "owner": said.owner,
            "license": self.license,
            "parent": said.parent,
            "package": said.package_digest,
            "package_id": said.package_id,
            "name": said.name,
            "version": str(said.version),
            "serial": new_serial(),
            "wrapped_key": to_base64(secrets.token_bytes(64)),
            "issued_at": said.created_at,
        }
        token = sign_document(Derivation(**(fields | document)), key or self.clinic.key).token
        return DerivationAsk(derivation=token, statement=to_base64(said.to_bytes()))

    def hand_in(self, said: Statement | None = None, **document: Any) -> DerivationAnswer:
        return self.world.deriving.hand_in(self.clinic.manager, self.ask(said, **document))

    def refusal(self, said: Statement | None = None, **document: Any) -> str:
        """Return why it is refused; nothing is kept of it then."""
        before = self.world.deriving.page(self.world.admin)
        code = refused(lambda: self.hand_in(said, **document))
        assert self.world.deriving.page(self.world.admin) == before
        return code


def signature(world: World, said: Statement, key: SigningKey | None = None) -> CountersignatureAsk:
    secret = (key or world.role_key(owners.Role.PACKAGE)).secret
    return CountersignatureAsk(statement=to_base64(sign_statement(said, signer(secret))))

"""The statement: what the owner signs about a package (spec/package.md, Statement).

    data = sign_statement(statement, signer(secret))
    read_unverified(data).owner                        # to find the owner's keys
    statement = verify_statement(data, keys, owner=owner_id)

An in-toto Statement v1 in a DSSE envelope with one signature. Its subject is the
index; its predicate names the model, version and owner and gives the two sizes from
which every offset follows. A license names a package by the SHA-256 of the
statement's bytes, ``package_digest``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from strongroom._encoding import from_hex, from_instant, from_wire, to_instant, to_wire
from strongroom._limits import LIMITS
from strongroom.crypto import dsse
from strongroom.crypto.digest import DIGEST_BYTES, sha256
from strongroom.crypto.signature import SigningPublic, SigningSecret
from strongroom.errors import FormatError, VerificationError
from strongroom.keys.identity import verify_owner_id
from strongroom.package.layout import FORMAT, PACKAGE_ID_BYTES, Layout, SegmentKind
from strongroom.package.names import Version, verify_model_name

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:strongroom:package:v1-draft"

StatementSigner = Callable[[bytes], dsse.Envelope]
"""Signs the bytes of a statement; holds the owner's package key, or asks whoever does."""


class _Digest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str


class _Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    digest: _Digest


class _Predicate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    format: str
    package_id: str
    name: str
    version: str
    owner: str
    previous: str | None
    parent: str | None
    payload_bytes: int
    contents_bytes: int
    marked: list[int]
    agreement: str | None
    created_at: str
    carries_code: bool = False


class _PackageStatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: str = msgspec.field(name="_type")
    subject: list[_Subject]
    predicateType: str  # noqa: N815 - the name that in-toto gives it
    predicate: _Predicate


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What an owner says about one package. Digests and ids are lower-case hexadecimal."""

    package_id: str
    """16 random bytes; names the content key."""
    name: str
    version: Version
    owner: str
    """Owner id, ``own-...``."""
    payload_bytes: int
    contents_bytes: int
    index_sha256: str
    created_at: datetime
    """In UTC, whole seconds. Says which of the owner's keys could have signed."""
    previous: str | None = None
    """Package digest of the version before, if there was one."""
    parent: str | None = None
    """Package digest of the package that a partner derived this one from, if one did."""
    agreement: str | None = None
    """SHA-256 of the agreement text that licenses use unless they say otherwise."""
    marked: tuple[int, ...] = ()
    """Payload segments that each partner receives as a part of its own. Reserved."""
    carries_code: bool = False
    """Whether the model is a program of the owner's own: public, since a partner decides about that before
    anything is decrypted."""

    def __post_init__(self) -> None:
        from_hex(self.package_id, size=PACKAGE_ID_BYTES)
        verify_model_name(self.name)
        verify_owner_id(self.owner)
        if from_instant(to_instant(self.created_at)) != self.created_at:
            raise FormatError("the time of a package has fractions of a second", code="created-at")
        for digest in (self.index_sha256, self.previous, self.parent, self.agreement):
            if digest is not None:
                from_hex(digest, size=DIGEST_BYTES)
        segments = self.layout.segment_count(SegmentKind.PAYLOAD)
        if list(self.marked) != sorted({n for n in self.marked if 0 <= n < segments}):
            raise FormatError("marked segments are not ascending numbers of segments", code="marked-order")

    @classmethod
    def from_bytes(cls, payload: bytes) -> Statement:
        """Decode the signed bytes of a statement.

        Raises:
            FormatError: not canonical, or a rule of the specification is broken.
        """
        wire = from_wire(payload, _PackageStatement, max_bytes=LIMITS.max_statement_bytes)
        said = wire.predicate
        if wire.type != STATEMENT_TYPE or wire.predicateType != PREDICATE_TYPE or said.format != FORMAT:
            raise FormatError("not a package statement of this format", code="unknown-format")
        if len(wire.subject) != 1:
            raise FormatError("a package statement has exactly one subject")
        statement = cls(
            package_id=said.package_id,
            name=said.name,
            version=Version.from_text(said.version),
            owner=said.owner,
            payload_bytes=said.payload_bytes,
            contents_bytes=said.contents_bytes,
            index_sha256=wire.subject[0].digest.sha256,
            created_at=from_instant(said.created_at),
            previous=said.previous,
            parent=said.parent,
            agreement=said.agreement,
            marked=tuple(said.marked),
            carries_code=said.carries_code,
        )
        if wire.subject[0].name != statement.file_name:
            raise FormatError("the subject of a package statement has another name than the package")
        return statement

    def to_bytes(self) -> bytes:
        """Return the bytes that are signed."""
        return to_wire(
            _PackageStatement(
                type=STATEMENT_TYPE,
                subject=[_Subject(self.file_name, _Digest(self.index_sha256))],
                predicateType=PREDICATE_TYPE,
                predicate=_Predicate(
                    format=FORMAT,
                    package_id=self.package_id,
                    name=self.name,
                    version=self.version.to_text(),
                    owner=self.owner,
                    previous=self.previous,
                    parent=self.parent,
                    payload_bytes=self.payload_bytes,
                    contents_bytes=self.contents_bytes,
                    marked=list(self.marked),
                    agreement=self.agreement,
                    created_at=to_instant(self.created_at),
                    carries_code=self.carries_code,
                ),
            )
        )

    @property
    def package_digest(self) -> str:
        """SHA-256 of the signed bytes: the name by which licenses know this package."""
        return sha256(self.to_bytes()).hex()

    @property
    def file_name(self) -> str:
        """The customary name of the file, ``NAME-VERSION.sealed``."""
        return f"{self.name}-{self.version}.sealed"

    @property
    def layout(self) -> Layout:
        """Where everything stands in the file."""
        return Layout(self.payload_bytes, self.contents_bytes)


def signer(secret: SigningSecret) -> StatementSigner:
    """Return what signs statements with a key at hand."""
    return lambda payload: dsse.sign(payload, PAYLOAD_TYPE, [secret])


def sign_statement(statement: Statement, sign: StatementSigner) -> bytes:
    """Sign a statement; returns the envelope as it stands in a package.

    Raises:
        FormatError: the envelope is too large, or has not exactly one signature.
        VerificationError: the signer signed something else.
    """
    payload = statement.to_bytes()
    data = sign(payload).to_bytes()
    if _open(data).unverified_payload != payload:
        raise VerificationError("the signer signed something else than the statement", code="signer")
    return data


def read_unverified(data: bytes) -> Statement:
    """Decode a signed statement without checking who signed it.

    Raises:
        FormatError: not an envelope with one signature over a package statement.
    """
    return Statement.from_bytes(_open(data).unverified_payload)


def verify_statement(data: bytes, keys: Sequence[SigningPublic], *, owner: str) -> Statement:
    """Check the signature of a statement and decode it.

    ``keys`` are the package keys of ``owner`` and of nobody else: the statement must
    name that owner, or one owner could publish under another's name.

    Raises:
        FormatError: not an envelope with one signature over a package statement.
        VerificationError: signed by none of the keys, wrongly, or for another owner.
    """
    envelope = _open(data)
    ((key_id, _),) = envelope.signatures
    if key_id not in {key.key_id for key in keys}:
        raise VerificationError(
            "the package is signed by a key that is not one of this owner's",
            code="wrong-signer",
            hint="Get the package from the owner again; do not use this one.",
        )
    statement = Statement.from_bytes(envelope.verify(PAYLOAD_TYPE, keys))
    if statement.owner != owner:
        raise VerificationError("a package names another owner than its signer", code="wrong-owner")
    return statement


def _open(data: bytes) -> dsse.Envelope:
    if len(data) > LIMITS.max_statement_bytes:
        raise FormatError(
            f"a statement is larger than {LIMITS.max_statement_bytes} bytes", code="statement-size"
        )
    envelope = dsse.Envelope.from_bytes(data)
    # Exactly one: a verifier ignores signatures of unknown keys, so a second one
    # would be bytes that nobody vouches for.
    if len(envelope.signatures) != 1 or envelope.payload_type != PAYLOAD_TYPE:
        raise FormatError("a statement is not an in-toto envelope with exactly one signature")
    return envelope

"""The chain of owner documents: what a partner pins, and which key may sign what.

    owner = verify_owner_chain(OwnerChain.from_bytes(data))
    owner.id, owner.keys_for(Role.LICENSE, issued_at), owner.log_keys()
    owner = verify_newer(owner, OwnerChain.from_bytes(offered))      # fork and rollback are refused

An ``OwnerChain`` is only well formed. An ``Owner`` is verified: each version is signed
by a threshold of its own roots and of its predecessor's, so that neither old roots
alone nor new roots alone can pass the name on (spec/keys.md, section "Owner chain").
Making and rotating is in ``rotation``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from strongroom._encoding import (
    canonical_json,
    from_base64,
    from_instant,
    from_json_value,
    parse_canonical_json,
    to_base64,
    to_hex,
)
from strongroom._limits import LIMITS
from strongroom.crypto import digest, jws
from strongroom.crypto.dsse import Envelope
from strongroom.crypto.ed25519 import Ed25519Public
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.keys.identity import owner_id
from strongroom.keys.key_pair import RolePublic, role_public_from_text, signing_public_from_text
from strongroom.keys.log_key import log_public_from_text
from strongroom.keys.owner_document import PAYLOAD_TYPE, ROLE_KINDS, OwnerDocument, Role, issued_before
from strongroom.keys.text import KeyKind


@dataclass(frozen=True, slots=True)
class OwnerChain:
    """All versions from the first on, well formed and not verified."""

    envelopes: tuple[Envelope, ...]
    documents: tuple[OwnerDocument, ...]
    """The payload of each envelope, parsed."""

    @classmethod
    def from_envelopes(cls, envelopes: Sequence[Envelope]) -> OwnerChain:
        """Parse what the envelopes hold.

        Raises:
            FormatError: no version, too many, or one that breaks a rule of spec/keys.md.
        """
        if not 1 <= len(envelopes) <= LIMITS.max_owner_versions:
            raise FormatError(f"an owner chain has not 1 to {LIMITS.max_owner_versions} versions")
        for envelope in envelopes:
            if envelope.payload_type != PAYLOAD_TYPE:
                raise FormatError("an envelope of an owner chain holds something else", code="wrong-kind")
        return cls(
            tuple(envelopes), tuple(OwnerDocument.from_bytes(each.unverified_payload) for each in envelopes)
        )

    @classmethod
    def from_json(cls, value: object) -> OwnerChain:
        """Read the chain from a member of a parsed JSON document: a list of base64 texts.

        Raises:
            FormatError: not such a list, or an envelope breaks a rule of spec/keys.md.
        """
        texts = from_json_value(value, list[str])
        if sum(map(len, texts)) > LIMITS.max_owner_chain_bytes:
            raise FormatError(f"an owner chain is larger than {LIMITS.max_owner_chain_bytes} bytes")
        return cls.from_envelopes([Envelope.from_bytes(from_base64(text)) for text in texts])

    def to_json(self) -> list[str]:
        """Return the chain as a list of base64 texts, one per envelope."""
        return [to_base64(envelope.to_bytes()) for envelope in self.envelopes]

    @classmethod
    def from_bytes(cls, data: bytes) -> OwnerChain:
        """Read a chain as canonical JSON.

        Raises:
            FormatError: not canonical, or an envelope breaks a rule of spec/keys.md.
        """
        return cls.from_json(parse_canonical_json(data))

    def to_bytes(self) -> bytes:
        """Return the chain as canonical JSON."""
        return canonical_json(self.to_json())

    @property
    def payloads(self) -> tuple[bytes, ...]:
        """The bytes of each version, unverified."""
        return tuple(envelope.unverified_payload for envelope in self.envelopes)


@dataclass(frozen=True, slots=True)
class Owner:
    """A verified chain. Made by ``verify_owner_chain`` and by nothing else."""

    id: str
    """``own-`` and 24 characters; the same through every rotation."""
    chain: OwnerChain

    @property
    def document(self) -> OwnerDocument:
        """The newest version."""
        return self.chain.documents[-1]

    @property
    def name(self) -> str:
        """What the owner calls itself. Two owners can have one name; the id tells them apart."""
        return self.document.name

    @property
    def version(self) -> int:
        """The number of the newest version."""
        return self.document.version

    @property
    def digest(self) -> str:
        """SHA-256 of the newest version, 64 hexadecimal digits."""
        return self.digests[-1]

    @property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 of every version, 64 hexadecimal digits each."""
        return tuple(to_hex(digest.sha256(payload)) for payload in self.chain.payloads)

    def keys_for(self, role: Role, issued_at: datetime) -> list[SigningPublic]:
        """Return the keys that may have signed a document of this role and instant; lasting ones first.

        Left out are keys that retired at or before ``issued_at``, and keys that were
        cut off: only a log can show that a signature is older than the theft.

        Raises:
            UsageError: the role is ``log``, whose keys sign no documents (code ``wrong-kind``).
        """
        active = self.key_ids_for(role, issued_at)
        keys = [key for key in self.all_keys_ever(role) if key.key_id in active]
        return sorted(keys, key=lambda key: key.key_id not in self.lasting_key_ids(role))

    def log_keys(self, at: datetime | None = None) -> list[Ed25519Public]:
        """Return the keys that may have signed a checkpoint of this owner's logs.

        A checkpoint bears no date. Whoever is given one fresh says when, and gets the keys
        that had not retired by then; one that was kept may be by a key that retired since.
        Keys that were cut off are left out.
        """
        active = self.key_ids_for(Role.LOG, at)
        keys = (log_public_from_text(entry.key) for entry in self.document.roles.log)
        lasting = self.lasting_key_ids(Role.LOG)
        return sorted(
            (key for key in keys if key.key_id in active), key=lambda key: key.key_id not in lasting
        )

    def lasting_key_ids(self, role: Role) -> frozenset[str]:
        """Return the ids of keys of a role that are not to retire: whoever signs takes one of these first."""
        cut_off = {entry.key_id for entry in self.document.cut_off}
        return frozenset(
            role_public_from_text(entry.key, ROLE_KINDS[role]).key_id
            for entry in self.document.roles.of(role)
            if entry.retired_at is None
        ).difference(cut_off)

    def key_ids_for(self, role: Role, at: datetime | None = None) -> frozenset[str]:
        """Return the ids of keys of a role that are not cut off and, with an instant, not retired by then."""
        cut_off = {entry.key_id for entry in self.document.cut_off}
        return frozenset(
            role_public_from_text(entry.key, ROLE_KINDS[role]).key_id
            for entry in self.document.roles.of(role)
            if at is None or issued_before(entry, at)
        ).difference(cut_off)

    def all_keys_ever(self, role: Role) -> list[SigningPublic]:
        """Return every key that a role ever had, retired and cut off or not.

        What they verify may be forged: for what the owner itself took in before, only.

        Raises:
            UsageError: the role is ``log``, whose keys sign no documents (code ``wrong-kind``).
        """
        if role is Role.LOG:
            raise UsageError("log keys sign checkpoints and no documents", code="wrong-kind")
        return [
            signing_public_from_text(entry.key, ROLE_KINDS[role]) for entry in self.document.roles.of(role)
        ]

    def verify_token(self, token: str, typ: str, role: Role, issued_at: datetime) -> bytes:
        """Check a token against the keys of a role; returns its payload.

        ``issued_at`` is what the token's own payload says, so the caller reads it
        before this call and believes it after.

        Raises:
            FormatError: not a token, or a token of another kind.
            VerificationError: altered, or by a key that may not sign it: codes
                ``key-cut-off``, ``key-retired``, ``wrong-signer``, ``signature``.
        """
        key_id = jws.read_unverified(token).key_id
        keys = self.keys_for(role, issued_at)
        if key_id not in {key.key_id for key in keys}:
            self._explain_refused_key(role, key_id)
        return jws.verify(token, typ, keys)

    def _explain_refused_key(self, role: Role, key_id: str) -> None:
        if any(entry.key_id == key_id for entry in self.document.cut_off):
            raise VerificationError(
                f"a document is signed by a key that {self.name} has cut off",
                code="key-cut-off",
                hint=f"Ask {self.name} for a new document.",
            )
        if any(key.key_id == key_id for key in self.all_keys_ever(role)):
            raise VerificationError(
                f"a document is signed by a key that {self.name} had retired before",
                code="key-retired",
                hint=f"Ask {self.name} for a new document.",
            )


def verify_owner_chain(chain: OwnerChain) -> Owner:
    """Check every version, every signature and every step from one version to the next.

    Raises:
        VerificationError: code ``owner-signature``, ``owner-version``, ``owner-changed``,
            ``owner-backdated``, ``owner-key-moved``, ``owner-key-dropped``,
            ``owner-key-revived``.
    """
    verify_succession(chain)
    for number, envelope in enumerate(chain.envelopes):
        _verify_signatures(envelope, chain.documents[number], chain.documents[max(number - 1, 0)])
    return Owner(owner_id(chain.payloads[0]), chain)


def verify_consistent(pinned: Owner, offered: OwnerChain) -> Owner:
    """Check an offered chain against the pinned one; returns the longer of the two.

    Raises:
        VerificationError: the offered chain does not verify, is another owner's
            (``owner-other``), or differs within the common versions (``owner-fork``).
    """
    owner = verify_owner_chain(offered)
    if owner.id != pinned.id:
        raise VerificationError("this is the document of another owner", code="owner-other")
    common = min(len(pinned.chain.payloads), len(offered.payloads))
    if pinned.chain.payloads[:common] != offered.payloads[:common]:
        raise VerificationError(
            f"there are two different histories of {pinned.name}; one of them is forged",
            code="owner-fork",
            hint=f"Trust neither. Call {pinned.name} and ask which one is theirs.",
        )
    return owner if len(offered.payloads) > common else pinned


def verify_newer(pinned: Owner, offered: OwnerChain) -> Owner:
    """Check that an offered chain continues the pinned one, or equals it.

    Raises:
        VerificationError: as ``verify_consistent``, or the offered chain is older
            than the pinned one (``owner-rollback``).
    """
    newest = verify_consistent(pinned, offered)
    if len(offered.payloads) < len(pinned.chain.payloads):
        raise VerificationError(
            f"version {len(offered.payloads)} of {pinned.name} is older than version {pinned.version}, "
            "which is pinned here",
            code="owner-rollback",
        )
    return newest


def verify_succession(chain: OwnerChain) -> None:
    """Check every step from one version to the next, without the signatures.

    Raises:
        VerificationError: as ``verify_owner_chain``, but for ``owner-signature``.
    """
    identity = owner_id(chain.payloads[0])
    places: dict[RolePublic, KeyKind] = {}
    for number, document in enumerate(chain.documents, start=1):
        if document.version != number:
            raise VerificationError(
                f"version {document.version} stands where version {number} belongs", code="owner-version"
            )
        if document.name != chain.documents[0].name or document.owner not in (None, identity):
            raise VerificationError("an owner chain changes its name or its id", code="owner-changed")
        for key, place in document.key_places().items():
            # Across all versions, not only within one: a role key that becomes a root
            # later would let whoever held the role sign for the owner.
            if places.setdefault(key, place) != place:
                raise VerificationError(
                    "an owner chain moves a key from one place to another", code="owner-key-moved"
                )
        if number > 1:
            _verify_step(chain.documents[number - 2], document)


def _verify_step(before: OwnerDocument, after: OwnerDocument) -> None:
    if from_instant(after.issued_at) < from_instant(before.issued_at):
        raise VerificationError(
            f"version {after.version} is dated before version {before.version}", code="owner-backdated"
        )
    for role in Role:
        kept = {entry.key: entry for entry in after.roles.of(role)}
        for entry in before.roles.of(role):
            if entry.key not in kept:
                raise VerificationError(
                    f"version {after.version} drops a {role.value} key; a key is retired or cut off instead",
                    code="owner-key-dropped",
                )
            if not _at_most(entry.retired_at, kept[entry.key].retired_at):
                raise _revived(after.version)
    cut_off = {entry.key_id: entry for entry in after.cut_off}
    for old in before.cut_off:
        new = cut_off.get(old.key_id)
        if new is None or (new.log_position or 0) > (old.log_position or 0):
            raise _revived(after.version)


def _at_most(before: str | None, after: str | None) -> bool:
    # Retirement is final: it may come sooner than announced, never later.
    if before is None:
        return True
    return after is not None and from_instant(after) <= from_instant(before)


def _revived(version: int) -> VerificationError:
    return VerificationError(
        f"version {version} revives a key that was retired or cut off", code="owner-key-revived"
    )


def _verify_signatures(envelope: Envelope, document: OwnerDocument, before: OwnerDocument) -> None:
    allowed: set[str] = set()
    for roots in (before.roots, document.roots):
        keys = [signing_public_from_text(text, KeyKind.OWNER_ROOT) for text in roots.keys]
        allowed.update(key.key_id for key in keys)
        try:
            envelope.verify(PAYLOAD_TYPE, keys, threshold=roots.threshold)
        except VerificationError as error:
            raise VerificationError(
                f"version {document.version} of {document.name} is not signed as it must be: {error}",
                code="owner-signature",
            ) from error
    # A stranger's signature proves nothing, but would let anyone re-spell a chain.
    if not {key_id for key_id, _ in envelope.signatures} <= allowed:
        raise VerificationError(
            f"version {document.version} of {document.name} carries a signature by a key that is no root",
            code="owner-signature",
        )

"""An owner as its log needs it: a chain with log keys, and the secret halves. Rotates on demand.

owner = LogOwner.found()
ledger = Ledger(store, owner, clock)
owner.rotate()                                  # the log key of before retires
checkpoint = verify_checkpoint(note, owner.verifiers())
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from strongroom.errors import NoMatchingKey
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.log_key import LogKey
from strongroom.keys.owner import Owner, OwnerChain, Role, make_owner, rotate_owner, verify_owner_chain
from strongroom.keys.text import KeyKind
from strongroom.log.note import Verifier
from strongroom.log.origin import Origin
from strongroom.log.verifiers import verifiers_for_log

NOW = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)


class LogOwner:
    """What ``broker.keys.BrokerKeys`` is to a ledger, without a home."""

    def __init__(self, chain: OwnerChain, root: SigningKey, keys: list[LogKey]) -> None:
        self._owner = verify_owner_chain(chain)
        self._root = root
        self._keys = keys

    @classmethod
    def found(cls, now: datetime = NOW) -> LogOwner:
        """Make an owner with one log key."""
        root, key = SigningKey.generate(KeyKind.OWNER_ROOT), LogKey.generate()
        chain = make_owner(name="hospital", roots=[root], roles={Role.LOG: [key.public_text]}, now=now)
        return cls(chain, root, [key])

    def save(self, folder: Path) -> None:
        """Write the owner for another process of the same test."""
        (folder / "chain").write_bytes(self._owner.chain.to_bytes())
        (folder / "keys").write_text(
            "\n".join((self._root.to_text(), *(key.to_text() for key in self._keys)))
        )

    @classmethod
    def load(cls, folder: Path) -> LogOwner:
        """Read what ``save`` wrote."""
        root, *keys = (folder / "keys").read_text().splitlines()
        return cls(
            OwnerChain.from_bytes((folder / "chain").read_bytes()),
            SigningKey.from_text(root, KeyKind.OWNER_ROOT),
            [LogKey.from_text(text) for text in keys],
        )

    def owner(self) -> Owner:
        return self._owner

    def log_key(self, now: datetime) -> LogKey:
        allowed = self._owner.log_keys(now)
        for key in self._keys:
            if key.public in allowed:
                return key
        raise NoMatchingKey("this home has no owner-log key for that", code="no-key")

    def rotate(self, now: datetime = NOW, *, retired_at: datetime | None = None) -> None:
        """Put a fresh log key into force; the ones before retire."""
        key = LogKey.generate()
        retire = dict.fromkeys(
            self._owner.key_ids_for(Role.LOG, now), retired_at or now + timedelta(seconds=1)
        )
        chain = rotate_owner(
            self._owner, signers=[self._root], now=now, add={Role.LOG: [key.public_text]}, retire=retire
        )
        self._owner = verify_owner_chain(chain)
        self._keys.append(key)

    def lose_keys(self) -> None:
        """Lose every log key."""
        self._keys.clear()

    def verifiers(self, number: int = 1, at: datetime | None = None) -> list[Verifier]:
        """Return what checks the checkpoints of one of its logs."""
        return verifiers_for_log(Origin(self._owner.id, number), self._owner.log_keys(at))

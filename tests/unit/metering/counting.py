"""A license that counts, with the counts on a real disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.home.keystore import Keystore
from strongroom.home.marks import Marks
from strongroom.license.documents import OfflineFile
from strongroom.license.request import Authority, AuthorityKind, Budget, Facts, Level, Request, Right
from strongroom.license.signing import verify_by_owner
from strongroom.license.term import Term
from strongroom.license.terms import Explanations, Predictions
from strongroom.metering.meter import Meter
from tests.unit.runtime.world import NOW, World


@dataclass
class Counting:
    """A license that counts, and the state on a real disk."""

    marks: Marks
    world: World

    @property
    def used(self) -> dict[str, int]:
        """What the disk says, by period; of the license itself."""
        used = self.marks.read(self.world.owner.id).used
        return {key.period: count for key, count in used.items() if key.document == self.world.chain.id}

    @property
    def facts(self) -> Facts:
        """What is known when the session begins."""
        signed = verify_by_owner(self.world.offline, OfflineFile, self.world.owner)
        authority = Authority(
            kind=AuthorityKind.OFFLINE,
            id=signed.id,
            license=signed.document.license,
            runtime=signed.document.runtime,
            package=signed.document.package,
            issued_at=signed.document.issued_at,
            not_after=signed.document.not_after,
            budget=signed.document.budget,
        )
        return Facts(authority=authority, accepted={self.world.chain.id: None})

    def request(self, right: Right = Right.PREDICT) -> Request:
        """Return who asks for what."""
        statement = self.world.statement
        return Request(
            right=right,
            owner=statement.owner,
            name=statement.name,
            version=str(statement.version),
            package_digest=statement.package_digest,
            level=Level.LOCAL,
            runtime=self.world.runtime,
        )

    def meter(self, right: Right = Right.PREDICT) -> Meter:
        """Begin a session."""
        return Meter(self.marks, self.world.chain, self.request(right), self.facts)


def counting_in(folder: Path, *terms: Term, rights: Sequence[Right] = (Right.PREDICT,)) -> Counting:
    """Grant a license with these terms and an offline file that has all of its budget."""
    budget = [
        Budget(counter=term.counter, limit=term.limit, per=term.per)
        for term in terms
        if isinstance(term, Predictions | Explanations)
    ]
    world = World.make(folder, terms=terms, rights=rights, budget=budget)
    keys = Keystore(folder / "keys", folder / "lock", encrypted=False, passphrase=None)
    (folder / "keys").mkdir()
    keys.ensure_runtime_keys(world.owner.id, NOW)
    return Counting(Marks(folder / "state", keys), world)

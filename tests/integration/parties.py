"""A hospital and a clinic in two real homes, with a model sealed, granted and accepted between them.

parties = Parties.make(tmp_path, model, sample=rows, terms=[Predictions(limit=10, per=Period.TOTAL)])
parties.open().predict(rows)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from strongroom import enrolling
from strongroom.accepting import accept, pull, read_offer
from strongroom.client import Exported, Model, export
from strongroom.client import open as open_client
from strongroom.founding import found
from strongroom.granting import Granted, grant
from strongroom.home.home import Home
from strongroom.license.license_file import LicenseFile
from strongroom.license.term import Term
from strongroom.sealing import seal

PASSPHRASE = "five wards north of the river 1891"


@dataclass(frozen=True, slots=True)
class Parties:
    """Both homes, and what was granted last."""

    hospital: Home
    clinic: Home
    granted: Granted

    @classmethod
    def make(
        cls,
        folder: Path,
        model: Any,
        *,
        sample: Any = None,
        convert: str | None = None,
        loader: str | None = None,
        terms: Sequence[Term] = (),
        passphrase: str | None = None,
        key_passphrase: str | None = None,
    ) -> Parties:
        """Do everything up to the first opening; all of it a minute ago."""
        now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
        hospital = found("hospital", folder / "hospital", now=now)
        clinic = found("clinic", folder / "clinic", now=now, owner=False, passphrase=_asked(key_passphrase))
        seal(model, name="risk", sample=sample, convert=convert, loader=loader, home=hospital, now=now)
        invite = enrolling.invite(hospital, "clinic", expires_at=now + timedelta(days=1), now=now)
        joined = enrolling.join(clinic, invite, now=now)
        enrollment = enrolling.receive(hospital, joined.file, now=now)
        enrolling.approve(hospital, enrollment, joined.fingerprint)
        enrolling.confirm(clinic, joined.owner, joined.fingerprint)
        parties = cls(
            hospital,
            clinic,
            grant(hospital, "clinic", "risk", terms=terms, passphrase=_asked(passphrase), now=now),
        )
        parties.deliver(now)
        return parties

    def deliver(self, now: datetime) -> None:
        """Send package and license to the clinic, which accepts."""
        pull(self.clinic, self.granted.package_path)
        accept(self.clinic, read_offer(self.clinic, self.granted.file), now=now)

    def open(self, reference: str = "risk", **options: Any) -> Model:
        """Open the model as the clinic's programs do."""
        return open_client(reference, home=self.clinic.path, **options)

    def export(self, folder: Path, **options: Any) -> Exported:
        """Export the model as the clinic's programs do."""
        return export("risk", folder, home=self.clinic.path, **options)

    @property
    def license_file(self) -> LicenseFile:
        """What was granted."""
        return LicenseFile.from_bytes(self.granted.file)


def _asked(passphrase: str | None) -> Callable[[], str] | None:
    return None if passphrase is None else lambda: passphrase

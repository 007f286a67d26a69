"""A hospital with a broker, and a clinic whose enrollment arrived there, for the tests of commands."""

from __future__ import annotations

from pathlib import Path

from tests.scenarios.model import write_model
from tests.simulators.app_transport import InProcessBroker
from tests.unit.cli.conftest import FINGERPRINT, Party, license_in


class BrokerScene:
    """The hospital has published the model risk, and only sealed the model other."""

    def __init__(self, hospital: Party, clinic: Party, broker: InProcessBroker, folder: Path) -> None:
        self.hospital = hospital
        self.clinic = clinic
        self.broker = broker
        self.model, self.table = write_model(folder)
        hospital.run("seal", self.model, "--name", "risk")
        hospital.run("publish", "risk")
        hospital.run("seal", self.model, "--name", "other")
        self.fingerprint = self.join(clinic)

    def join(self, partner: Party) -> str:
        """Invite and join over the broker; returns the fingerprint."""
        invite = self.hospital.path(f"{partner.name}.invite")
        self.hospital.run("invite", partner.name, "-o", invite)
        joined = partner.run("join", invite)
        assert joined.stdout == b""
        match = FINGERPRINT.search(joined.stderr)
        assert match
        return match[0]

    def approve(self, partner: Party | None = None, fingerprint: str | None = None) -> None:
        """Approve by name."""
        name = (partner or self.clinic).name
        self.hospital.run("partner", "approve", name, "--fingerprint", fingerprint or self.fingerprint)

    def grant(self, *options: object) -> str:
        """Approve and grant; returns the license id."""
        self.approve()
        return license_in(self.hospital.run("grant", "clinic", "risk", *options))

    def accept(self, word: object = "risk") -> str:
        """Accept, with the package; returns the license id."""
        package = next((self.hospital.home / "packages").glob("*/risk-1.0.0.sealed"))
        words = ("accept", word, "--fingerprint", self.fingerprint, "--package", package, "--yes")
        return license_in(self.clinic.run(*words))

    @property
    def given(self) -> list[tuple[str, str]]:
        """Licenses with their status, as the hospital lists them."""
        found = self.hospital.run("license", "list", "--json").json["licenses"]
        return [(each["license"], each["status"]) for each in found]

    @property
    def models(self) -> list[tuple[str, str]]:
        """Licenses with their status, as the clinic's models list them."""
        found = self.clinic.run("models", "--json").json["models"]
        return [(each["license"], each["status"]) for each in found]

"""Which packages a license means: one by its digest, or a model by name and versions.

    PackageChoice(digest="9f86d0...")
    PackageChoice(name="risk", at_least="1.2.0", below="2.0.0")
    PackageChoice.from_text("risk@>=1.2.0,<2.0.0")

A name is a name of the owner who signed the license; who signed a package is checked
before any license is read.
"""

from __future__ import annotations

from typing import Final

from strongroom.errors import FormatError
from strongroom.keys.name import verify_name
from strongroom.license.fields import Fields, verify_digest
from strongroom.license.version import VersionNumber, next_version, version_number, version_text

_FORMS: Final = "write NAME, NAME@1.2.0, NAME@>=1.2.0, NAME@<2.0.0, NAME@>=1.2.0,<2.0.0 or sha256:DIGEST"


class PackageChoice(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the term ``packages``."""

    digest: str | None = None
    """Package digest: exactly one package, whatever its name."""
    name: str | None = None
    """Model name: every version of it, if no bound is given."""
    at_least: str | None = None
    """Lowest version."""
    below: str | None = None
    """First version that is no longer meant."""

    def check_fields(self) -> None:
        """Check that it is one of the two forms.

        Raises:
            FormatError: both a digest and a name, neither, bounds without a name, or
                bounds that no version is between.
        """
        verify_digest(self.digest)
        if (self.digest is None) == (self.name is None):
            raise FormatError("a package is named by its digest or by its name")
        if self.name is not None:
            verify_name(self.name)
        elif self.at_least is not None or self.below is not None:
            raise FormatError("a package digest goes without versions")
        low, high = self._bounds()
        if low is not None and high is not None and low >= high:
            raise FormatError("there is no version between the bounds of a package")

    @classmethod
    def from_text(cls, text: str) -> PackageChoice:
        """Read how people write it.

        Raises:
            FormatError: another form.
        """
        if text.startswith("sha256:"):
            return cls(digest=text.removeprefix("sha256:"))
        name, at, versions = text.partition("@")
        if not at:
            return cls(name=name)
        low = high = None
        for bound in versions.split(","):
            if bound.startswith(">=") and low is None and high is None:
                low = bound[2:]
            elif bound.startswith("<") and high is None:
                high = bound[1:]
            elif bound == versions:
                return cls(name=name, at_least=bound, below=version_text(next_version(version_number(bound))))
            else:
                raise FormatError("not a choice of packages", code="package-choice", hint=_FORMS)
        return cls(name=name, at_least=low, below=high)

    def to_text(self) -> str:
        """Write it as people read it: the inverse of ``from_text``."""
        if self.digest is not None:
            return f"sha256:{self.digest}"
        low, high = self._bounds()
        if self.only is not None:
            return f"{self.name}@{self.only}"
        bounds = [f">={self.at_least}"] if low is not None else []
        bounds += [f"<{self.below}"] if high is not None else []
        return f"{self.name}@{','.join(bounds)}" if bounds else f"{self.name}"

    @property
    def only(self) -> str | None:
        """The one version that is between the bounds, if there is just one."""
        low, high = self._bounds()
        return self.at_least if low is not None and high is not None and high == next_version(low) else None

    def covers(self, name: str, version: str, digest: str) -> bool:
        """Tell whether a package is meant."""
        if self.digest is not None:
            return self.digest == digest
        low, high = self._bounds()
        number = version_number(version)
        return self.name == name and (low is None or number >= low) and (high is None or number < high)

    @property
    def sort_key(self) -> str:
        """Where the entry stands in a list; no two different entries have the same."""
        return self.to_text()

    def __str__(self) -> str:
        return self.to_text()

    def _bounds(self) -> tuple[VersionNumber | None, VersionNumber | None]:
        return (
            None if self.at_least is None else version_number(self.at_least),
            None if self.below is None else version_number(self.below),
        )

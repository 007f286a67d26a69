"""How people name a model: a path, else ``[owner/]name[@version]``.

    Reference.from_text("risk")
    Reference.from_text("st-georg/risk@1.2.0")
    Reference.from_text("./risk-1.2.0.sealed")

What ends in ``.sealed`` or begins like a path is a path. Everything else is a name, so
that a file that happens to lie in the working directory never takes a model's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom.errors import FormatError, UsageError
from strongroom.keys.name import verify_name
from strongroom.package.names import Version, verify_model_name

_PATH_STARTS: Final = ("/", "./", "../", "~/")
_SUFFIX: Final = ".sealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A model as somebody named it: either ``path`` or ``name`` is there."""

    path: Path | None = None
    owner: str | None = None
    """Alias, name or id of the owner."""
    name: str | None = None
    version: str | None = None

    @classmethod
    def from_text(cls, text: str) -> Reference:
        """Read how people write it.

        Raises:
            UsageError: neither a path nor a name (code ``bad-reference``).
        """
        if text.startswith(_PATH_STARTS) or text.endswith(_SUFFIX):
            return cls(path=Path(text).expanduser())
        rest, at, version = text.partition("@")
        owner, slash, name = rest.rpartition("/")
        try:
            verify_model_name(name)
            if slash:
                verify_name(owner)
            if at:
                version = Version.from_text(version).to_text()
        except FormatError as error:
            raise UsageError(
                f"{text!r} names no model",
                code="bad-reference",
                hint="write NAME, OWNER/NAME, NAME@1.2.0 or the path of a .sealed file",
            ) from error
        return cls(owner=owner or None, name=name, version=version or None)

    def to_text(self) -> str:
        """Write it as people read it: the inverse of ``from_text``."""
        if self.path is not None:
            text = str(self.path)
            is_path = text.startswith(_PATH_STARTS) or text.endswith(_SUFFIX)
            return text if is_path else f"./{text}"
        owner = f"{self.owner}/" if self.owner else ""
        version = f"@{self.version}" if self.version else ""
        return f"{owner}{self.name}{version}"

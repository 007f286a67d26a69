"""The packages that lie in a home: ``packages/<owner id>/<name>-<version>.sealed``.

    with home.catalog.packages.create(owner_id, "risk", "1.0.0") as sink: ...   # at the owner, streaming
    home.catalog.packages.add(Path("risk-1.0.0.sealed"), owner_id, "risk", "1.0.0")
    home.catalog.packages.find(owner_id, "risk").path                           # highest version

Names come from the file name and prove nothing; whoever opens the file checks its
statement. A package never changes, so a file is never replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom.errors import ObjectNotFound, UsageError
from strongroom.home import files
from strongroom.home.files import AtomicFile
from strongroom.package.names import Version, verify_model_name

_SUFFIX: Final = ".sealed"
_COPY_BYTES: Final = 1 << 20
_STEM: Final = re.compile(r"(?P<name>.+)-(?P<version>{n}\.{n}\.{n})".format(n="(?:0|[1-9][0-9]{0,5})"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPackage:
    """One package file, as its name says."""

    owner_id: str
    name: str
    version: Version
    path: Path


class Packages:
    """The ``packages`` folder of a home."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, owner_id: str, name: str, version: str) -> Path:
        """Return where a package lies or would lie.

        Raises:
            FormatError: not an owner id, a model name or a version.
        """
        verify_model_name(name)
        file_name = f"{name}-{Version.from_text(version)}{_SUFFIX}"
        return self._folder / files.verify_component(owner_id) / file_name

    @contextmanager
    def create(self, owner_id: str, name: str, version: str) -> Iterator[AtomicFile]:
        """Write a new package; it exists once the block ends without an error.

        Raises:
            UsageError: this version exists (code ``version-exists``).
            FormatError: not an owner id, a model name or a version.
            StorageUnavailable: the disk is full or does not answer.
        """
        path = self.path(owner_id, name, version)
        if path.exists():
            # Before hours of work; the final step checks again.
            raise _exists(path)
        files.make_folder(path.parent)
        with files.atomic_file(path, replace=False) as sink:
            yield sink

    def add(self, source: Path, owner_id: str, name: str, version: str) -> StoredPackage:
        """Copy a package file in. The caller has verified its statement.

        Raises:
            UsageError: this version exists (code ``version-exists``).
            FormatError: not an owner id, a model name or a version.
            ObjectNotFound: there is no such file.
            StorageUnavailable: a disk is full or does not answer.
        """
        with self.create(owner_id, name, version) as sink:
            for chunk in _chunks(source):
                sink.write(chunk)
        return self.find(owner_id, name, version)

    def all(self, owner_id: str) -> list[StoredPackage]:
        """Return the packages of an owner, sorted by name and version.

        Raises:
            FormatError: not an owner id.
            StorageUnavailable: the folder cannot be read.
        """
        folder = self._folder / files.verify_component(owner_id)
        found = []
        for stem in files.names_in(folder, _SUFFIX):
            match = _STEM.fullmatch(stem)
            # Whatever else somebody put here is not in the catalog.
            if match is not None:
                version = Version.from_text(match["version"])
                found.append(
                    StoredPackage(
                        owner_id=owner_id,
                        name=match["name"],
                        version=version,
                        path=folder / f"{stem}{_SUFFIX}",
                    )
                )
        return sorted(found, key=lambda package: (package.name, package.version))

    def find(self, owner_id: str, name: str, version: str | None = None) -> StoredPackage:
        """Return a version of a model, else its highest version here.

        Raises:
            ObjectNotFound: it is not here (code ``unknown-package``).
            FormatError: not an owner id.
            StorageUnavailable: the folder cannot be read.
        """
        for package in reversed(self.all(owner_id)):
            if package.name == name and version in (None, str(package.version)):
                return package
        what = name if version is None else f"{name}@{version}"
        raise ObjectNotFound(
            f"the package {what} is not in this home",
            code="unknown-package",
            hint="get the .sealed file from the owner and give its path",
        )


def _chunks(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb") as file:
            while chunk := file.read(_COPY_BYTES):
                yield chunk
    except OSError as error:
        raise files.storage_error(error, source, "read") from error


def _exists(path: Path) -> UsageError:
    return UsageError(
        f"there is a package {path.name} already",
        code="version-exists",
        hint="packages never change; seal it under the next version",
    )

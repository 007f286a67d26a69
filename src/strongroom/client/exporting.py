"""Export: write the files of a package to a folder, for a license with that right.

    exported = export("risk", Path("risk-plain"))
    exported.manifest                # risk-plain/strongroom-manifest.json

The folder appears whole or not at all. Each file is checked against the digest in the
package while it is written, and the manifest beside them lists all digests and says
from which package and under which license they came. What happens to the files after
that, no program can see.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

import msgspec

from strongroom._encoding import to_wire
from strongroom.client.model import START_SECONDS
from strongroom.client.process import RuntimeProcess, Wish
from strongroom.client.secret import Secrets
from strongroom.errors import FormatError, IntegrityError, StorageUnavailable, UsageError
from strongroom.license.request import Right
from strongroom.package.contents import FileEntry
from strongroom.package.names import verify_file_name
from strongroom.worker.frames import Buffer, Frame
from strongroom.worker.messages import Chunk, Export, File, Opened
from strongroom.worker.messages import Exported as AllSent

MANIFEST_NAME: Final = "strongroom-manifest.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``strongroom-manifest.json`` holds, as canonical JSON."""

    format: Literal["export/v1"] = "export/v1"
    name: str
    version: str
    owner: str
    package: str
    license: str
    files: list[FileEntry]


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished export."""

    folder: Path
    files: tuple[str, ...]
    """Relative POSIX names."""

    @property
    def manifest(self) -> Path:
        """Path of the manifest."""
        return self.folder / MANIFEST_NAME


def export(
    reference: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    home: str | os.PathLike[str] | None = None,
    license: str | None = None,
    purpose: str | None = None,
    passphrase: str | None = None,
    key_passphrase: str | None = None,
    timeout_seconds: float = START_SECONDS,
) -> Exported:
    """Decrypt a package into a new folder.

    Args:
        reference: ``[owner/]name[@version]`` among the licenses of the home, or a path.
        folder: where to; it must not exist, or be empty.
        home: the directory of this party.
        license: id of the license to use, where several fit.
        purpose: what the files are for, where the license asks.
        passphrase: of the pass-phrase file, if the license came with one.
        key_passphrase: of this home's own keys, if they are under one.
        timeout_seconds: how long opening may take.

    Raises:
        LicenseDenied: the license gives no right to export, or another term says no.
        UsageError: the folder exists and is not empty (code ``folder-not-empty``).
        StorageUnavailable: the folder cannot be written; nothing is left of it.
        Error: as ``open``.
    """
    target = Path(folder).absolute()
    _verify_vacant(target)
    wish = Wish(
        reference=os.fspath(reference),
        right=Right.EXPORT,
        home=None if home is None else str(Path(home).absolute()),
        license=license,
        purpose=purpose,
    )
    secrets = Secrets.find(passphrase=passphrase, key_passphrase=key_passphrase)
    runtime = RuntimeProcess.start(secrets)
    try:
        opened = runtime.open(wish, timeout_seconds=timeout_seconds)
        files = _write_folder(target, opened, runtime.stream(lambda number: Export(id=number), AllSent))
    finally:
        runtime.end()
    return Exported(target, tuple(file.name for file in files))


def _verify_vacant(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"{target} exists and is not an empty folder",
            code="folder-not-empty",
            hint="name a new folder",
        )


def _write_folder(target: Path, opened: Opened, frames: Iterator[Frame]) -> list[FileEntry]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Private from the first byte, and under the final name only when it is whole.
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        files = _write_files(partial, frames)
        manifest = Manifest(
            name=opened.name,
            version=opened.version,
            owner=opened.owner,
            package=opened.package,
            license=opened.license,
            files=files,
        )
        _write(partial / MANIFEST_NAME, to_wire(manifest))
        partial.rename(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        with suppress(FileNotFoundError):
            shutil.rmtree(partial)
    return files


def _write_files(folder: Path, frames: Iterator[Frame]) -> list[FileEntry]:
    """Write each file of the stream; returns what they are."""
    files: list[FileEntry] = []
    with ExitStack() as stack:
        current: _Target | None = None
        for frame in frames:
            if isinstance(frame.message, File):
                stack.close()
                # The runtime is ours, and still: a name that climbs out is never followed. In
                # order, so that no name comes twice.
                verify_file_name(frame.message.file.name)
                if files and files[-1].name >= frame.message.file.name:
                    raise FormatError("the files of an export are not in order", code="file-order")
                files.append(frame.message.file)
                current = stack.enter_context(_Target(folder, frame.message.file))
            elif isinstance(frame.message, Chunk) and current is not None and len(frame.tensors) == 1:
                current.write(frame.tensors[0].data)
            else:
                raise FormatError("an export holds something else than files", code="unexpected-message")
    return files


class _Target:
    """One file that is being written; leaving the block checks it."""

    def __init__(self, folder: Path, file: FileEntry) -> None:
        if file.name == MANIFEST_NAME:
            raise FormatError("a package holds a file with the name of the manifest", code="file-name")
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = file
        self._digest = hashlib.sha256()
        self._stream = _create(path)

    def write(self, data: Buffer) -> None:
        self._digest.update(data)
        self._stream.write(data)

    def __enter__(self) -> _Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stream:
            if error is not None:
                return
            self._stream.flush()
            os.fsync(self._stream.fileno())
        if self._digest.hexdigest() != self._file.sha256:
            raise IntegrityError(f"{self._file.name} is not what the package says", code="file-digest")


def _write(path: Path, data: bytes) -> None:
    with _create(path) as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _create(path: Path) -> BufferedWriter:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _unwritable(target: Path, error: OSError) -> StorageUnavailable:
    return StorageUnavailable(f"cannot write {target}: {error.strerror or type(error).__name__}")

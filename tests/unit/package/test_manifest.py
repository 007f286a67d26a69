from __future__ import annotations

import msgspec
import pytest

from strongroom.errors import FormatError, IntegrityError
from strongroom.package import writer as writer_module
from strongroom.package.contents import Contents
from strongroom.package.manifest import verify_manifest
from strongroom.package.open_package import OpenPackage
from tests.unit.package.making import CONTENT_KEY, LARGE, make, noise
from tests.vectors.package_vectors import read_vector


def _unlock(files: dict[str, bytes]) -> OpenPackage:
    return make(files).reader().unlock(CONTENT_KEY)


@pytest.mark.parametrize(
    "files", [LARGE, {"a": b""}, {"a": b"x", "b": b""}, {"a": noise(9 << 20), "b": b"end"}]
)
def test_honest_packages_hold(files: dict[str, bytes]) -> None:
    done: list[int] = []
    package = _unlock(files)
    verify_manifest(package, progress=done.append)
    verify_manifest(package)
    assert sum(done) == package.statement.payload_bytes


def test_a_file_that_is_not_the_described_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def false(**fields: object) -> Contents:
        contents = Contents(**fields)  # type: ignore[arg-type] # passed through
        files = [msgspec.structs.replace(contents.files[0], sha256="00" * 32), *contents.files[1:]]
        return msgspec.structs.replace(contents, files=files)

    monkeypatch.setattr(writer_module, "Contents", false)
    package = _unlock(LARGE)
    with pytest.raises(IntegrityError) as refused:
        verify_manifest(package)
    assert refused.value.code == "file-digest"


def test_padding_that_is_not_zero_is_refused() -> None:
    vector = read_vector("format-padding")
    with pytest.raises(FormatError) as refused:
        verify_manifest(vector.unlock())
    assert refused.value.code == "padding"

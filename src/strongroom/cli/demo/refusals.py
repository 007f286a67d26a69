"""What must not work: each is an honest try, and each is refused with its own message and exit code."""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from strongroom.cli.demo.material import ID_COLUMN, MODEL_FILE, NEWER_MODEL_FILE, PATIENTS_FILE
from strongroom.cli.demo.story import Cast, license_in, meet

if TYPE_CHECKING:
    from strongroom.cli.demo.stage import Stage

_PREDICT: Final = f"{PATIENTS_FILE} --id-column {ID_COLUMN}"
_SHORT: Final = timedelta(seconds=8)


def play_in_outage(stage: Stage, cast: Cast) -> None:
    """Try what is refused on the clinic's own machine, whether the broker answers or not.

    Raises:
        BrokenPipeError: nobody reads any more.
        OSError: the folder cannot be written.
    """
    stage.act("What must not work, and needs no broker to be refused")
    _edited_license(stage, cast)
    _flipped_byte(stage, cast)
    _unsigned(stage, cast)
    _other_owner(stage, cast)
    _plain_model(stage, cast)


def play(stage: Stage, cast: Cast) -> None:
    """Try the rest.

    Raises:
        BrokenPipeError: nobody reads any more.
        OSError: the folder cannot be written.
    """
    stage.act("What must not work, with the broker")
    trial = _competitor(stage, cast)
    _expired_license(stage, trial)


def _competitor(stage: Stage, cast: Cast) -> str:
    stage.remark("A competitor is a partner of the hospital too, for a model called trial.")
    sealed = stage.run(f"seal {MODEL_FILE} --name trial --home hospital")
    trial = str(Path(sealed.text).relative_to(stage.folder))
    stage.run("publish trial --home hospital")
    fingerprint = meet(stage, "competitor")
    stage.run("grant competitor trial --home hospital")
    stage.run(f"accept trial --fingerprint {fingerprint} --package {trial} --yes --home competitor")
    stage.remark("It gets hold of the clinic's license, and tries to accept it.")
    stage.refused(
        "the competitor accepts the clinic's license",
        "accept clinic.license --yes --home competitor",
        exit_code=6,
        codes=("wrong-holder",),
    )
    stage.refused(
        "the competitor asks the broker for the clinic's license",
        f"accept {cast.license} --yes --home competitor",
        exit_code=3,
        codes=("unknown-license",),
    )
    stage.remark("It copies license, acceptance and package from the clinic's home into its own, by hand.")
    for folder in ("licenses", "packages"):
        shutil.copytree(
            stage.folder / "clinic" / folder, stage.folder / "competitor" / folder, dirs_exist_ok=True
        )
    stage.refused(
        "the competitor's key on the clinic's files",
        f"predict risk {_PREDICT} --home competitor",
        exit_code=3,
        codes=("not-found",),
    )
    return trial


def _edited_license(stage: Stage, cast: Cast) -> None:
    stage.remark("Somebody at the clinic makes 5,000,000 predictions a month of 5,000.")
    stage.run(f"license show {cast.license} -o clinic.license --home hospital")
    file = json.loads((stage.folder / "clinic.license").read_bytes())
    header, payload, signature = file["license"].split(".")
    said = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    edited = base64.urlsafe_b64encode(said.replace(b'"limit":5000,', b'"limit":5000000,')).rstrip(b"=")
    file["license"] = ".".join((header, edited.decode(), signature))
    text = json.dumps(file, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    (stage.folder / "edited.license").write_text(text, encoding="utf-8")
    stage.refused(
        "an edited license", "accept edited.license --yes --home clinic", exit_code=6, codes=("signature",)
    )


def _expired_license(stage: Stage, trial: str) -> None:
    stage.remark("A license for eight seconds.")
    ends = datetime.now(UTC) + _SHORT
    stage.run(f"grant clinic trial --expires {ends:%Y-%m-%dT%H:%M:%SZ} --home hospital")
    stage.run(f"accept trial --package {trial} --yes --home clinic")
    time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 1)
    stage.refused(
        "an expired license",
        f"predict trial {_PREDICT} --home clinic",
        exit_code=5,
        codes=("expired",),
    )


def _flipped_byte(stage: Stage, cast: Cast) -> None:
    stage.remark("One bit of one byte in the middle of the package is flipped: flipped.sealed")
    data = bytearray(cast.package.read_bytes())
    data[len(data) // 2] ^= 1
    (stage.folder / "flipped.sealed").write_bytes(data)
    stage.refused(
        "one flipped byte",
        f"predict ./flipped.sealed {_PREDICT} --home clinic",
        exit_code=6,
        codes=("segment-digest",),
    )


def _unsigned(stage: Stage, cast: Cast) -> None:
    stage.remark("The signature is cut out of the package: unsigned.sealed")
    (stage.folder / "unsigned.sealed").write_bytes(without_signature(cast.package.read_bytes()))
    stage.refused(
        "an unsigned package",
        f"predict ./unsigned.sealed {_PREDICT} --home clinic",
        exit_code=6,
        codes=("unsigned",),
    )


def without_signature(package: bytes) -> bytes:
    """Return a package whose statement has no signature, and is else well formed.

    Raises:
        ValueError: it is no package.
    """
    from strongroom.package.layout import TRAILER_BYTES, trailer_from_bytes, trailer_to_bytes

    end = len(package) - TRAILER_BYTES
    start = end - trailer_from_bytes(package[end:])
    stripped = re.sub(rb'"signatures":\[.*\]', b'"signatures":[]', package[start:end])
    return package[:start] + stripped + trailer_to_bytes(len(stripped))


def _other_owner(stage: Stage, cast: Cast) -> None:
    stage.remark("The competitor seals a model of its own under the same name and version, and it is put in")
    stage.remark("the place of the hospital's in the clinic's home.")
    stage.run("init competitor --home competitor")
    stage.run(f"seal {NEWER_MODEL_FILE} --name risk --home competitor")
    own = [
        path
        for path in (stage.folder / "competitor/packages").glob("*/risk-1.0.0.sealed")
        if not _same(path, cast)
    ]
    with _replaced(cast.package, own[0].read_bytes()):
        stage.refused(
            "another owner's signature under the right name",
            f"predict risk {_PREDICT} --home clinic",
            exit_code=6,
            codes=("wrong-owner", "wrong-signer", "owner-other"),
        )


def _same(path: Path, cast: Cast) -> bool:
    return path.parent.name == cast.package.parent.name


def _plain_model(stage: Stage, cast: Cast) -> None:
    stage.remark("A plain ONNX file is put in the place of the sealed one.")
    with _replaced(cast.package, (stage.folder / MODEL_FILE).read_bytes()):
        stage.refused(
            "a plain model in place of the sealed one",
            f"predict risk {_PREDICT} --home clinic",
            exit_code=6,
            codes=("not-a-package",),
        )


def play_older_version(stage: Stage, cast: Cast) -> None:
    """Try to go back to a version, once a higher one was used.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    stage.act("A better version")
    stage.remark("The license that was signed in the outage is still good.")
    stage.run(f"accept {cast.second_license} --yes --home clinic")
    stage.remark("The hospital sends a better version. Once the clinic has used it, the old one is refused.")
    sealed = stage.run(f"seal {NEWER_MODEL_FILE} --name risk --version 2.0.0 --home hospital")
    newer = Path(sealed.text).relative_to(stage.folder)
    stage.run("publish risk@2.0.0 --home hospital")
    granted = stage.run("grant clinic risk@2.0.0 --home hospital")
    stage.run(f"accept {license_in(granted)} --package {newer} --yes --home clinic")
    stage.run(
        f"predict risk@2.0.0 {_PREDICT} -o newer.csv --home clinic", tried="predict with the newer version"
    )
    stage.refused(
        "the older version after the newer one",
        f"predict risk@1.0.0 {_PREDICT} --home clinic",
        exit_code=5,
        codes=("version-rollback",),
    )


@contextmanager
def _replaced(path: Path, content: bytes) -> Iterator[None]:
    """Put other content in the place of a file, and the file back at the end."""
    original = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(original)

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
from strongroom.cli.demo.story import Cast, fingerprint_in

if TYPE_CHECKING:
    from strongroom.cli.demo.stage import Stage

_PREDICT: Final = f"{PATIENTS_FILE} --id-column {ID_COLUMN}"
_SHORT: Final = timedelta(seconds=5)


def play(stage: Stage, cast: Cast) -> None:
    """Try everything.

    Raises:
        BrokenPipeError: nobody reads any more.
        OSError: the folder cannot be written.
    """
    stage.act("What must not work")
    _competitor(stage)
    _edited_license(stage, cast)
    _expired_license(stage)
    _flipped_byte(stage, cast)
    _unsigned(stage, cast)
    _other_owner(stage, cast)
    _plain_model(stage, cast)
    _older_version(stage)


def _competitor(stage: Stage) -> None:
    stage.remark("A competitor is a partner of the hospital too, for a model called trial.")
    stage.run("init competitor --home competitor")
    stage.run("invite competitor --home hospital", into="competitor.invite")
    joined = stage.run("join competitor.invite --home competitor", into="competitor.enrollment")
    fingerprint = fingerprint_in(joined)
    stage.run(f"seal {MODEL_FILE} --name trial --home hospital")
    stage.run(f"grant competitor.enrollment trial --fingerprint {fingerprint} --into outbox --home hospital")
    stage.run(f"accept outbox/competitor --fingerprint {fingerprint} --yes --home competitor")
    stage.remark("It gets hold of the clinic's folder, and tries to accept the clinic's license.")
    stage.refused(
        "the competitor accepts the clinic's license",
        "accept outbox/clinic --yes --home competitor",
        exit_code=6,
        codes=("wrong-holder",),
    )
    stage.remark("It copies license, acceptance and package from the clinic's home into its own, by hand.")
    for folder in ("licenses", "packages"):
        shutil.copytree(
            stage.folder / "clinic" / folder, stage.folder / "competitor" / folder, dirs_exist_ok=True
        )
    stage.refused(
        "the competitor's key on the clinic's files",
        f"predict risk {_PREDICT} --home competitor",
        exit_code=5,
        codes=("no-authority",),
    )


def _edited_license(stage: Stage, cast: Cast) -> None:
    stage.remark("Somebody at the clinic makes 5,000,000 predictions a month of 5,000.")
    file = json.loads((stage.folder / "outbox/clinic/clinic.license").read_bytes())
    header, payload, signature = file["license"].split(".")
    said = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    edited = base64.urlsafe_b64encode(said.replace(b'"limit":5000,', b'"limit":5000000,')).rstrip(b"=")
    file["license"] = ".".join((header, edited.decode(), signature))
    text = json.dumps(file, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    (stage.folder / "edited.license").write_text(text, encoding="utf-8")
    stage.refused(
        "an edited license", "accept edited.license --yes --home clinic", exit_code=6, codes=("signature",)
    )


def _expired_license(stage: Stage) -> None:
    stage.remark("A license for five seconds.")
    ends = datetime.now(UTC) + _SHORT
    stage.run(
        f"grant clinic trial --expires {ends:%Y-%m-%dT%H:%M:%SZ} --into trial-outbox --home hospital",
    )
    stage.run("accept trial-outbox/clinic --yes --home clinic")
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


def _older_version(stage: Stage) -> None:
    stage.remark("The hospital sends a better version. Once the clinic has used it, the old one is refused.")
    stage.run(f"seal {NEWER_MODEL_FILE} --name risk --version 2.0.0 --home hospital")
    stage.run("grant clinic risk@2.0.0 --into newer-outbox --home hospital")
    stage.run("accept newer-outbox/clinic --yes --home clinic")
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

"""``strongroom seal``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared

if TYPE_CHECKING:
    from strongroom.sealing import Sealed


def seal(
    model: Annotated[
        Path, Parameter(help="A file of ONNX, skops, LightGBM, XGBoost or CatBoost, or a folder with one.")
    ],
    /,
    *,
    name: Annotated[str, Parameter(help="What the model is called in licenses.")],
    version: Annotated[str | None, Parameter(help="N.N.N (else the next one; the first is 1.0.0).")] = None,
    sample: Annotated[
        Path | None,
        Parameter(help="A table of inputs: the sealed copy must answer it exactly as the model does."),
    ] = None,
    agreement: Annotated[
        Path | None, Parameter(help="A text file that partners accept, unless their license brings another.")
    ] = None,
    loader: Annotated[
        str | None, Parameter(help="python: a folder with code of your own and a strongroom.toml.")
    ] = None,
    shared: Shared = SHARED,
) -> None:
    """Encrypt and sign a model, so that only licensed partners can use it.

    The model is read, never run, but for a sample; formats that run code when they load (pickle, joblib) are
    refused. Code of your own is sealed only if you say so; it is not run here, and at a partner only where it
    is confined. The model itself is not touched. The package lies in the home, with a signature beside it
    that the standard tool `model_signing` verifies.

    Examples:
        $ strongroom seal risk.onnx --name risk
        $ strongroom seal risk.onnx --name risk --version 2.0.0 --sample patients.csv
        $ strongroom seal model/ --name risk --agreement agreement.txt
        $ strongroom seal scorer/ --name risk --loader python

    Raises:
        UsageError: a bad name, a version that is not higher, or this home owns no models.
        UnsupportedError: the model holds what cannot be sealed, or an extra is missing.
        FormatError: the model file is damaged.
        VerificationError: the sealed copy answers the sample otherwise.
        ObjectNotFound: no such file.
        StorageUnavailable: the disk is full or does not answer.
    """
    from strongroom import sealing
    from strongroom.cli._file import read_text
    from strongroom.cli._sample import read_sample

    home = shared.open_home()
    text = None if agreement is None else read_text(shared.terminal, agreement)
    with shared.terminal.progress(f"Sealing {name}") as progress:
        sealed = sealing.seal(
            model,
            name=name,
            version=version,
            sample=None if sample is None else read_sample(sample),
            agreement=text,
            loader=loader,
            home=home,
            now=shared.now,
            progress=progress,
        )
    shared.terminal.result(_document(sealed), str(sealed.path))
    if not shared.json:
        _tell(shared, sealed)


def _document(sealed: Sealed) -> dict[str, Any]:
    difference = sealed.difference
    return {
        "name": sealed.name,
        "version": sealed.version,
        "path": str(sealed.path),
        "package_digest": sealed.package_digest,
        "size_bytes": sealed.size,
        "sample": None
        if difference is None
        else {
            "rows": difference.rows,
            "equal": difference.is_equal,
            "differing_labels": difference.labels,
            "largest_difference": difference.largest,
        },
    }


def _tell(shared: Shared, sealed: Sealed) -> None:
    note = shared.terminal.note
    note(f"Sealed {sealed.name} {sealed.version}: {sealed.size:,} bytes.")
    difference = sealed.difference
    if difference is None:
        note("Not compared with the original; --sample FILE does that.")
    elif difference.is_equal:
        note(f"The sealed copy answers {difference.rows} rows exactly as the original does.")
    else:
        note(f"On {difference.rows} rows the sealed copy differs by at most {difference.largest:.3g}.")


app = page(seal, "seal")

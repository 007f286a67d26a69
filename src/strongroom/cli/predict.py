"""``strongroom predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._session import NO_SESSION_OPTIONS, SessionOptions
from strongroom.cli._shared import SHARED, Shared
from strongroom.cli.tables import Kind
from strongroom.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from strongroom.cli.tables import Columns
    from strongroom.client import Model, Receipts


def predict(
    model: Annotated[str, Parameter(help="[OWNER/]NAME[@VERSION], or the path of a .sealed file.")],
    table: Annotated[Path, Parameter(help="Inputs as CSV, Parquet or JSON, or - for stdin.")],
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(alias="-o", help="Where the answers go, by name CSV, Parquet or JSON (else stdout)."),
    ] = None,
    proba: Annotated[bool, Parameter(help="Probabilities of each class instead of the label.")] = False,
    explain: Annotated[
        bool, Parameter(help="Also the columns that contributed most to each answer.")
    ] = False,
    receipts: Annotated[
        Path | None, Parameter(help="Where signed receipts of the answers go; their salts go to FILE.salts.")
    ] = None,
    id_column: Annotated[
        str | None, Parameter(help="A column that the model does not see and that stays with each answer.")
    ] = None,
    format: Annotated[
        Kind | None, Parameter(help="Of stdin and stdout (else CSV).", metavar="FORMAT")
    ] = None,
    options: SessionOptions = NO_SESSION_OPTIONS,
    shared: Shared = SHARED,
) -> None:
    """Run a model on a file of inputs.

    The model runs on this machine, in a process of its own; inputs and answers leave it on no way. Each row
    counts as one prediction. A number is written so that reading it gives the same number.

    With --explain, each row also counts as one explanation, which the license has to allow. Three columns
    with their contributions go beside each answer, the strongest first.

    With --receipts, each answer gets a signed receipt, which anybody can verify who knows the owner's id.
    Only with its salts, which are secret, does it show a value: keep them.

    Examples:
        $ strongroom predict risk patients.csv
        $ strongroom predict risk patients.csv --id-column patient --proba -o answers.parquet
        $ strongroom predict risk patients.csv --explain -o reasons.csv
        $ strongroom predict risk patients.csv -o answers.csv --receipts answers.receipt
        $ cat patients.json | strongroom predict risk - --format json > answers.json

    Raises:
        UsageError: the table does not fit the model, or is none.
        LicenseDenied: the license says no; nothing was counted.
        UnsupportedError: the model gives no probabilities or no contributions, or an extra is missing.
        WorkerLost: the process of the model died.
        Error: what `strongroom open` refuses with.
    """
    from strongroom import client
    from strongroom.cli._file import STANDARD, agree_to_replace
    from strongroom.license.request import Right

    _verify_together(explain=explain, proba=proba, receipts=receipts)
    kind = _output_kind(shared, output, format)
    for path in () if receipts is None else (receipts, _salts_beside(receipts)):
        agree_to_replace(shared.terminal, path, replace=shared.yes)
    if output is not None and output != STANDARD:
        agree_to_replace(shared.terminal, output, replace=shared.yes)
    columns, ids = _read(shared, table, format, id_column)
    secrets = options.read_secrets(shared, model, Right.PREDICT)
    with client.open(
        model,
        home=shared.home,
        license=options.license,
        purpose=options.purpose,
        passphrase=secrets.license,
        key_passphrase=secrets.home,
        trust_code=options.trust_code,
    ) as opened:
        keep = None if receipts is None else _keeper(shared, receipts)
        answers, explanations = _ask(opened, columns, proba=proba, explain=explain, keep=keep)
        # An id column that is called as an answer is must not be written over by it.
        joined = ids | {f"{name}_" if name in ids else name: values for name, values in answers.items()}
        _write(shared, joined, opened, explanations, output, kind)


def _verify_together(*, explain: bool, proba: bool, receipts: Path | None) -> None:
    if explain and proba:
        raise UsageError(
            "--explain goes with the answers of predict", code="explain-proba", hint="leave one of them out"
        )
    if explain and receipts is not None:
        raise UsageError(
            "receipts are of answers, not of explanations",
            code="explain-receipts",
            hint="leave one of them out",
        )


def _salts_beside(receipts: Path) -> Path:
    return receipts.with_name(f"{receipts.name}.salts")


def _keeper(shared: Shared, path: Path) -> Callable[[Receipts], None]:
    """Return what writes receipts to their file, and their salts to the one beside it."""
    from strongroom.cli._file import write_output

    def keep(receipts: Receipts) -> None:
        # The salts first: a receipt without them never shows a value to anybody.
        salts, data = _salts_beside(path), receipts.salts.to_bytes()
        write_output(shared.terminal, data, salts, replace=True, private=True)
        write_output(shared.terminal, receipts.file.to_bytes(), path, replace=True)

    return keep


def _output_kind(shared: Shared, output: Path | None, kind: Kind | None) -> Kind:
    from strongroom.cli._file import STANDARD
    from strongroom.cli.tables import kind_of

    found = kind or Kind.CSV if output is None or output == STANDARD else kind_of(output, kind)
    if found is Kind.PARQUET and output is None and shared.terminal.shows_data_to_a_person:
        raise UsageError(
            "Parquet is not for a terminal", code="binary-terminal", hint="use --output FILE.parquet"
        )
    return found


def _read(
    shared: Shared, table: Path, kind: Kind | None, id_column: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns for the model, and those that only go along."""
    from strongroom.cli._file import STANDARD, read_input
    from strongroom.cli.tables import kind_of, read

    actual = kind_of(table, kind or Kind.CSV if table == STANDARD else kind)
    data = read_input(shared.terminal, table, max_bytes=_MAX_TABLE_BYTES)
    columns = read(data, actual, verbatim=() if id_column is None else (id_column,))
    if id_column is None:
        return columns, {}
    if id_column not in columns:
        names = ", ".join(list(columns)[:8])
        raise UsageError(
            f"the table has no column {id_column}", code="id-column", hint=f"it begins with {names}"
        )
    return columns, {id_column: columns.pop(id_column)}


_MAX_TABLE_BYTES = 1 << 32


_REASONS = 3


def _ask(
    model: Model,
    columns: Columns,
    *,
    proba: bool,
    explain: bool,
    keep: Callable[[Receipts], None] | None,
) -> tuple[dict[str, Any], int | None]:
    """Return the columns of the answers, and the explanations that are left."""
    left: int | None = None
    reasons: dict[str, Any] = {}
    try:
        if explain:
            explanation = model.explain(columns)
            answer, reasons, left = explanation.answers, explanation.top(_REASONS), explanation.remaining
        elif keep is not None:
            received = model.receipt(columns, method="predict_proba" if proba else "predict")
            keep(received)
            answer = received.answers
        else:
            answer = model.predict_proba(columns) if proba else model.predict(columns)
    except UsageError as error:
        if error.code not in {"input-columns", "input-shape"} or str(error).startswith("missing"):
            raise
        # The hint of the SDK speaks of data frames.
        hint = "give exactly the columns that the model takes; --id-column NAME keeps one beside the answers"
        raise UsageError(str(error), code=error.code, hint=hint) from error
    found = to_columns(answer, model.info.classes, prefix="probability" if proba else "prediction")
    return found | reasons, left


def to_columns(answer: Any, classes: Collection[str | int], *, prefix: str) -> dict[str, Any]:
    """Return answers as the columns of a flat table, whatever the model gave.

    Raises:
        UsageError: answers of more than two dimensions (code ``answer-shape``).
    """
    from strongroom.client import TopK

    if isinstance(answer, TopK):
        labels = {f"{rank}_label": values for rank, values in answer.labels.items()}
        return labels | {f"{rank}_score": values for rank, values in answer.scores.items()}
    if not isinstance(answer, dict):
        return {prefix: _flat(answer)}
    columns: dict[str, Any] = {}
    for name, values in answer.items():
        if isinstance(values, dict):
            columns |= {f"{name}_{inner}": _flat(column) for inner, column in values.items()}
        else:
            # A class or a number is no name for a column; an output of the model has one.
            is_place = isinstance(name, int) or name in classes
            columns[f"{prefix}_{name}" if is_place else name] = _flat(values)
    return columns


def _flat(values: Any) -> Any:
    if getattr(values, "ndim", 1) != 1:
        raise UsageError(
            "these answers are no table", code="answer-shape", hint="use the SDK: strongroom.open"
        )
    return values


def _write(
    shared: Shared,
    answers: Columns,
    model: Model,
    explanations: int | None,
    output: Path | None,
    kind: Kind,
) -> None:
    from strongroom.cli._file import STANDARD, write_output
    from strongroom.cli.tables import plain_values, write
    from strongroom.cli.tables.json import to_objects

    rows = len(next(iter(answers.values())))
    said = {
        "model": model.info.name,
        "version": model.info.version,
        "license": model.info.license,
        "rows": rows,
        "remaining": model.info.remaining,
    }
    if explanations is not None:
        said["explanations"] = explanations
    if output is None or output == STANDARD:
        if shared.json:
            plain = {name: plain_values(values) for name, values in answers.items()}
            shared.terminal.result({**said, "predictions": to_objects(plain)}, "")
        else:
            shared.terminal.data(write(answers, kind))
        return
    write_output(shared.terminal, write(answers, kind), output, replace=True)
    if shared.json:
        shared.terminal.result({**said, "path": str(output)}, "")
    else:
        left = f"{_left(model)}{_explanations_left(explanations)}"
        shared.terminal.note(f"{rows:,} {'row' if rows == 1 else 'rows'} to {output}.{left}")


def _explanations_left(left: int | None) -> str:
    return "" if left is None else f" {left:,} {'explanation' if left == 1 else 'explanations'} left."


def _left(model: Model) -> str:
    left = model.info.remaining
    if left is None:
        return ""
    said = f" {left:,} {'prediction' if left == 1 else 'predictions'} left"
    if model.info.standing is not None:
        return f"{said}, until the broker answers again."
    # A lease is a part of what the license allows: nobody should take its rest for all there is.
    return f"{said} in the lease in hand." if model.info.lease_ends is not None else f"{said}."


app = page(predict, "predict")

"""``strongroom receipt``: verify, show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom._limits import LIMITS
from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from strongroom.keys.owner import Owner
    from strongroom.receipts.commitment import Values
    from strongroom.receipts.receipt_file import ReceiptFile
    from strongroom.receipts.verifying import VerifiedReceipts

FileArgument = Annotated[Path, Parameter(help="The receipts, or - for stdin.")]
_OWN: str = "own-"
_SAYS = (
    "It is the signed word of that runtime, no proof that it told the truth (below level attested), and "
    "says nothing of revocations."
)


def verify(
    file: FileArgument,
    /,
    *,
    owner: Annotated[
        str | None,
        Parameter(help="The owner's id, a pinned owner, or a file with its document (else a pinned owner)."),
    ] = None,
    salts: Annotated[Path | None, Parameter(help="The salts, to check an input or an output.")] = None,
    input: Annotated[
        Path | None, Parameter(help="What went in: a JSON request of the Open Inference Protocol.")
    ] = None,
    output: Annotated[
        Path | None, Parameter(help="What came out: a JSON answer of the Open Inference Protocol.")
    ] = None,
    row: Annotated[int | None, Parameter(help="Which receipt the values are of, counted from 0.")] = None,
    shared: Shared = SHARED,
) -> None:
    """Check receipts: which model, under which license, turned what into what, and when.

    No home, no license and no key is needed, only the owner's id, which the owner tells you. With the salts,
    --input and --output check that these were the values. Whoever has no salts learns nothing of them.

    Examples:
        $ strongroom receipt verify answers.receipt --owner own-uvaxoz2qpfs5k3qzvfvd2yxq
        $ strongroom receipt verify answers.receipt --owner hospital.owner
        $ strongroom receipt verify r.receipt --salts r.salts --row 7 --input in.json --output out.json

    Raises:
        ObjectNotFound: there is no such file, or the owner is not pinned.
        FormatError: no receipts, or not canonical.
        VerificationError: another owner's, or a signature or signer does not hold.
        IntegrityError: an entry was changed, or these are not the values or the salts.
        UsageError: there is no such row, or salts or values are missing.
    """
    receipts, by = _verify(shared, file, owner)
    checked = _check_values(shared, receipts, salts, input, output, row)
    document = _document(receipts) | {"verified": True, "checked": checked}
    shared.terminal.result(document, f"{_sentence(receipts)}{_checked(checked)}")
    if not shared.json:
        shared.terminal.note(_SAYS if by else f"{_SAYS} Compare the owner's id with the owner.")


def show(file: FileArgument, /, *, shared: Shared = SHARED) -> None:
    """Say what receipts claim, and for whose they say they are, without believing it.

    Everything in them is checked against the owner that they bring themselves. Who that is, only
    `strongroom receipt verify --owner` tells.

    Examples:
        $ strongroom receipt show answers.receipt
        $ strongroom receipt show answers.receipt --json

    Raises:
        ObjectNotFound: there is no such file.
        FormatError: no receipts, or not canonical.
        VerificationError: a signature does not hold, or the documents do not belong together.
        IntegrityError: an entry was changed.
    """
    from strongroom.receipts.verifying import verify_receipts

    found = _read(shared, file)
    receipts = verify_receipts(found, _claimed_owner(found))
    document = _document(receipts)
    if shared.json:
        shared.terminal.result(document, "")
        return
    # What says nothing is no line for a person.
    rows = [(name.replace("_", " "), str(value)) for name, value in document.items() if value is not None]
    width = max(len(name) for name, _ in rows)
    lines = "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows)
    shared.terminal.result({}, lines)
    shared.terminal.note("Who that owner is, is not checked here: strongroom receipt verify --owner")


def _verify(shared: Shared, path: Path, owner: str | None) -> tuple[VerifiedReceipts, bool]:
    """Return the verified receipts, and whether the owner was pinned or given."""
    from strongroom.receipts.verifying import verify_receipts

    # Once: what comes by stdin is not there a second time.
    receipts = _read(shared, path)
    return verify_receipts(receipts, _find_owner(shared, owner, receipts)), owner is None


def _find_owner(shared: Shared, given: str | None, receipts: ReceiptFile) -> str | Owner:
    from strongroom.cli.verify import owner_called
    from strongroom.errors import ObjectNotFound

    try:
        return owner_called(shared, given or _claimed_owner(receipts))
    except ObjectNotFound as error:
        if given is not None and given.startswith(_OWN):
            # A stranger, who has no home or knows the owner only by its id.
            return given
        raise ObjectNotFound(
            f"{error}, and so nobody says whose receipts these have to be",
            code=error.code,
            hint="give the owner's id, which the owner tells you: --owner own-...",
        ) from error


def _claimed_owner(receipts: ReceiptFile) -> str:
    from strongroom.keys.owner import OwnerChain, verify_owner_chain

    return verify_owner_chain(OwnerChain.from_json(list(receipts.warrant.owner))).id


def _read(shared: Shared, path: Path) -> ReceiptFile:
    from strongroom.cli._file import read_input
    from strongroom.receipts.receipt_file import ReceiptFile

    return ReceiptFile.from_bytes(read_input(shared.terminal, path, max_bytes=LIMITS.max_receipt_file_bytes))


def _check_values(
    shared: Shared,
    receipts: VerifiedReceipts,
    salts: Path | None,
    given: Path | None,
    left: Path | None,
    row: int | None,
) -> list[str]:
    from strongroom.cli._file import read_input
    from strongroom.receipts.salt_file import SaltFile

    if given is None and left is None:
        if salts is not None or row is not None:
            # Whoever gives them takes what is printed for a check of values.
            raise UsageError(
                "salts and a row say nothing without a value",
                code="receipt-salts",
                hint="add --input FILE or --output FILE",
            )
        return []
    if salts is None:
        raise UsageError(
            "a value can be checked only with the salt",
            code="receipt-salts",
            hint="add --salts FILE",
        )
    kept = SaltFile.from_bytes(read_input(shared.terminal, salts, max_bytes=LIMITS.max_receipt_file_bytes))
    if kept.batch != receipts.signed.id:
        raise UsageError(
            "these are the salts of other receipts",
            code="receipt-salts",
            hint="give those that came with them",
        )
    index = _row(receipts, row)
    checks: tuple[tuple[str, Path | None, Callable[[int, bytes, Sequence[Values]], None]], ...] = (
        ("input", given, receipts.verify_input),
        ("output", left, receipts.verify_output),
    )
    checked = []
    for (what, path, check), salt in zip(checks, kept.of_row(index), strict=True):
        if path is None:
            continue
        if salt is None:
            raise UsageError(
                f"the salt of the {what} is not in this file", code="receipt-salts", hint="ask for it"
            )
        check(index, salt, receipts.row_of(_tensors(shared, path, f"{what}s"), index))
        checked.append(what)
    return checked


def _tensors(shared: Shared, path: Path, member: str) -> Sequence[Values]:
    from strongroom.cli._file import read_input
    from strongroom.serving.inference import read_tensors

    return read_tensors(read_input(shared.terminal, path, max_bytes=LIMITS.max_receipt_file_bytes), member)


def _row(receipts: VerifiedReceipts, row: int | None) -> int:
    if row is not None:
        return row
    if len(receipts.entries) == 1:
        return receipts.index or 0
    raise UsageError(
        f"there are {len(receipts.entries)} receipts in this file",
        code="receipt-index",
        hint="say which one with --row; rows are counted from 0",
    )


def _document(receipts: VerifiedReceipts) -> dict[str, Any]:
    from strongroom._encoding import to_instant

    batch, statement = receipts.batch, receipts.statement
    return {
        "owner": receipts.owner.id,
        "owner_name": receipts.owner.name,
        "partner": receipts.chain.holder.name,
        "model": statement.name,
        "version": str(statement.version),
        "package": batch.package,
        "part": batch.part,
        "license": batch.license,
        "authority": batch.authority,
        "runtime": batch.runtime,
        "level": batch.level.value,
        "right": batch.right.value,
        "method": batch.method,
        "session": batch.session,
        "first": batch.first,
        "predictions": batch.predictions,
        "receipts": len(receipts.entries),
        "index": receipts.index,
        "issued_at": to_instant(batch.issued_at),
        "batch": receipts.signed.id,
    }


def _sentence(receipts: VerifiedReceipts) -> str:
    said = _document(receipts)
    count = said["receipts"]
    return (
        f"{count:,} {'receipt' if count == 1 else 'receipts'} of {said['model']} {said['version']} by "
        f"{said['owner_name']} ({said['owner']}): asked for {said['method']} at {said['partner']}, "
        f"{said['issued_at']}, at level {said['level']}, signed by {said['runtime']}"
    )


def _checked(checked: list[str]) -> str:
    return f"; {' and '.join(checked)} as given" if checked else ""


app = noun(
    "receipt",
    "Verify and show receipts: which model turned what into what.",
    page(verify, "verify"),
    page(show, "show"),
)

"""Proofs of the log, as ``log prove`` writes them."""

from __future__ import annotations

from strongroom.cli.inspect.explanation import Explanation
from strongroom.errors import FormatError
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.disclosure import Disclosure
from strongroom.log.proof import Proof

_START = b"c2sp.org/tlog-proof@"


def explain(data: bytes) -> Explanation | None:
    """Explain a proof; None if it is none.

    Raises:
        FormatError: it calls itself one, and is damaged.
    """
    if not data.startswith(_START):
        return None
    proof = Proof.from_bytes(data)
    if proof.extra is None:
        raise FormatError("a proof of a log comes without its record", code="log-proof")
    record = Disclosure.from_bytes(proof.extra).record
    state = Checkpoint.from_bytes(proof.note.unverified_text)
    return Explanation(
        kind="log-proof",
        title=f"a proof of the log: {record.kind.value}, {record.at}",
        lines=(
            ("log", state.origin),
            ("entry", f"{proof.index:,} of {state.size:,}"),
            ("about", " ".join(record.subjects)),
            *((name, str(value)) for name, value in sorted(record.details.items())),
            ("document", record.document or "none"),
            ("signatures", f"{len(proof.note.signatures)} below the state of the log"),
            ("note", "it holds the record itself: show it to nobody whom that does not concern"),
        ),
        document={
            "log": state.origin,
            "index": proof.index,
            "size": state.size,
            "record": {
                "kind": record.kind.value,
                "at": record.at,
                "subjects": list(record.subjects),
                "document": record.document,
                "details": dict(record.details),
            },
        },
    )

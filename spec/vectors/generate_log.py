"""Write the vectors of spec/log.md: ``python spec/vectors/generate_log.py``.

Each vector is one file in ``spec/vectors/log/`` with one outcome, named by it: a text
header, an empty line, then the bytes of the case. Running this again gives the same
files; ``tests/vectors/test_log.py`` checks that it does.

    check: what to do with the bytes (spec/log.md, section "Test vectors")
    expect: success | format | integrity | verification | unsupported
    comment: what is right or wrong
    ...: what the check needs and, on success, gives
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from log_toolkit import (
    AT,
    AT_SECONDS,
    NEXT_ORIGIN,
    ORIGIN,
    WITNESS,
    Key,
    Log,
    ModernWitness,
    b64,
    canonical,
    disclosure,
    entry,
    record,
    root,
    salt,
    sha256,
    vkey,
)

FOLDER = Path(__file__).parent / "log"
SUFFIX = ".vector"

Vector = tuple[str, str, dict[str, Any], bytes]
"""Name (its first word is the outcome), comment, rest of the header, bytes."""

LOG = Log(7)
EMPTY = Log(0)
VKEY = LOG.key.vkey()
FIELD = 2**255 - 19


def vectors() -> Iterator[Vector]:
    """Yield every vector."""
    yield from keys()
    yield from notes()
    yield from bad_notes()
    yield from tiles()
    yield from disclosures()
    yield from proofs()
    yield from offers()
    yield from cosignatures()
    yield from cosigned()


def keys() -> Iterator[Vector]:
    """Keys as text."""
    check = {"check": "vkey"}
    for name, key in (("ed25519", VKEY), ("cosignature", Key(WITNESS).vkey(4))):
        yield f"success-vkey-{name}", "a key", {**check, "vkey": key}, key.encode()
    modern = ModernWitness()
    text = vkey(WITNESS, 6, modern.public)
    yield "success-vkey-ml-dsa-44", "an ML-DSA-44 key", {**check, "vkey": text}, text.encode()
    bad = {
        "key-id": ("the key id of another key", VKEY.replace(f"+{VKEY.split('+')[1]}+", "+00000000+")),
        "line-feed": ("a line feed at the end", VKEY + "\n"),
        "upper-case": ("an upper-case key id", "+".join((ORIGIN, VKEY.split("+")[1].upper(), VKEY[-44:]))),
        "no-key": ("an algorithm without a key", vkey("log", 1, b"")),
        "space": ("a space in the name", vkey("a log", 1, LOG.key.public)),
        "plus": ("a plus in the name", vkey("a+log", 1, LOG.key.public)),
        "control": ("a control character in the name", vkey("a\u0085log", 1, LOG.key.public)),
        "small-order": ("a key of small order", vkey("log", 1, bytes(32))),
        "not-canonical": ("a second encoding of a point", vkey("log", 1, (FIELD + 3).to_bytes(32, "little"))),
        "short": ("a key of 31 bytes", vkey("log", 1, LOG.key.public[:31])),
    }
    for name, (comment, text) in bad.items():
        yield f"format-vkey-{name}", comment, check, text.encode()
    text = vkey("log", 2, LOG.key.public)
    yield "unsupported-vkey-algorithm", "a signature type that is not used here", check, text.encode()


def checkpoint_header(log: Log, size: int | None = None) -> dict[str, Any]:
    """Return the header of a checkpoint that verifies."""
    size = len(log.leaves) if size is None else size
    return {
        "check": "checkpoint",
        "vkey": log.key.vkey(),
        "origin": log.origin,
        "size": size,
        "root": root(log.leaves[:size]).hex(),
        "predecessor": "none",
    }


def notes() -> Iterator[Vector]:
    """Checkpoints that every reader must accept."""
    yield "success-checkpoint", "a checkpoint of seven entries", checkpoint_header(LOG), LOG.note()
    yield "success-checkpoint-empty", "an empty log", checkpoint_header(EMPTY), EMPTY.note()
    stranger = Key("stranger.example", "stranger")
    data = LOG.note() + stranger.sign(LOG.text()) + stranger.sign(b"another text\n")
    yield (
        "success-checkpoint-strangers",
        "signatures of strangers do not matter",
        checkpoint_header(LOG),
        data,
    )
    data = LOG.note() + LOG.key.sign(LOG.text())
    yield "success-checkpoint-twice", "the same signature twice", checkpoint_header(LOG), data
    following = Log(2, origin=NEXT_ORIGIN)
    following.extensions = ["something else", f"predecessor {b64(sha256(LOG.text()))}"]
    header = {**checkpoint_header(following), "predecessor": sha256(LOG.text()).hex()}
    yield "success-checkpoint-predecessor", "a log that follows another", header, following.note()


def bad_notes() -> Iterator[Vector]:
    """Checkpoints that are refused."""
    check = {"check": "checkpoint", "vkey": VKEY}
    text = LOG.text()
    lines = text.decode().splitlines()

    def signed(body: bytes) -> bytes:
        return body + b"\n" + LOG.key.sign(body)

    def joined(*parts: str) -> bytes:
        return signed("".join(f"{part}\n" for part in parts).encode())

    bad = {
        "size-zero-first": ("a size with a leading zero", joined(lines[0], "07", lines[2])),
        "size-sign": ("a size with a sign", joined(lines[0], "+7", lines[2])),
        "size-limit": ("a size of 2**63", joined(lines[0], str(1 << 63), lines[2])),
        "root-short": ("a root of 31 bytes", joined(lines[0], "7", b64(bytes(31)))),
        "root-padding": ("a root without padding", joined(lines[0], "7", lines[2].rstrip("="))),
        "empty-root": ("an empty log with another root", joined(lines[0], "0", lines[2])),
        "two-lines": ("no root", joined(*lines[:2])),
        "empty-line": ("an empty line", joined(*lines, "", "more")),
        "control": ("a control character", joined(*lines, "\x1b[2J")),
        "delete": ("a delete character", joined(*lines, "a\x7f")),
        "origin-long": ("an origin of 256 bytes", joined("a" * 256, "7", lines[2])),
        "predecessor-short": ("a predecessor of 31 bytes", joined(*lines, f"predecessor {b64(bytes(31))}")),
        "predecessor-twice": (
            "two predecessors",
            joined(*lines, f"predecessor {b64(bytes(32))}", f"predecessor {b64(bytes(32))}"),
        ),
        "unsigned": ("no signature", text + b"\n"),
        "no-line-feed": ("no line feed at the end", LOG.note()[:-1]),
        "crlf": ("carriage returns", LOG.note().replace(b"\n", b"\r\n")),
        "hyphen": ("a hyphen instead of a dash", LOG.note().replace("\N{EM DASH}".encode(), b"-")),
        "not-utf-8": ("bytes that are no UTF-8", LOG.note() + b"\xff\n"),
        "signature-padding": ("a signature without padding", LOG.note()[:-2] + b"\n"),
    }
    for name, (comment, data) in bad.items():
        yield f"format-checkpoint-{name}", comment, check, data
    stranger = Key(ORIGIN, "stranger")
    wrong = {
        "stranger": ("signed by a stranger under the right name", text + b"\n" + stranger.sign(text)),
        "other-name": ("signed by the right key under another name", text + b"\n" + Key("x").sign(text)),
        "altered": ("another size than was signed", LOG.note().replace(b"\n7\n", b"\n8\n")),
        "one-wrong": ("one right and one wrong signature of the key", LOG.note() + LOG.key.sign(b"other\n")),
        "other-log": (
            "the key of this log under the checkpoint of another",
            signed(Log(7, origin=NEXT_ORIGIN).text()),
        ),
        "cosignature": ("a cosignature only", text + b"\n" + LOG.key.cosign(text)),
    }
    for name, (comment, data) in wrong.items():
        yield f"verification-checkpoint-{name}", comment, check, data


def tiles() -> Iterator[Vector]:
    """Paths of tiles, and bundles of entries."""
    for name, path in {
        "first": "tile/0/000",
        "partial": "tile/0/000.p/255",
        "large": "tile/1/x001/x234/067",
        "level": "tile/7/000.p/127",
        "entries": "tile/entries/x012/345.p/1",
    }.items():
        yield f"success-path-{name}", "a path", {"check": "tile-path", "path": path}, path.encode()
    for name, path in {
        "height": "tile/8/0/000",
        "level": "tile/8/000",
        "level-zero-first": "tile/00/000",
        "short": "tile/0/1",
        "zero-first": "tile/0/x000/001",
        "no-x": "tile/0/001/000",
        "width-zero": "tile/0/000.p/0",
        "width-full": "tile/0/000.p/256",
        "width-zero-first": "tile/0/000.p/01",
        "beyond": "tile/7/128",
        "slash": "/tile/0/000",
        "climbing": "tile/0/../000",
    }.items():
        yield f"format-path-{name}", "not the path of a tile", {"check": "tile-path"}, path.encode()
    check = {"check": "bundle"}
    entries = b"".join(len(each).to_bytes(2, "big") + each for each in LOG.entries)
    header = {**check, "entries": 7, "root": root(LOG.leaves).hex()}
    yield "success-bundle", "the entries of the log", header, entries
    yield "format-bundle-cut", "the last entry is cut off", check, entries[:-1]
    yield "format-bundle-length", "half a length at the end", check, entries + b"\0"
    yield "format-bundle-empty", "no entry", check, b""
    yield "format-bundle-full", "257 entries", check, b"\0\0" * 257


def disclosures() -> Iterator[Vector]:
    """Records with their salt."""
    header = {"check": "disclosure", "entry": entry(3).decode()}
    yield "success-disclosure", "a record and its entry", header, disclosure(3)
    bare = {"details": {}, "document": None}
    header = {"check": "disclosure", "entry": entry(3, **bare).decode()}
    yield "success-disclosure-bare", "a record without document and details", header, disclosure(3, **bare)
    check = {"check": "disclosure"}
    bad: dict[str, tuple[str, dict[str, Any]]] = {
        "kind": ("a kind that is not known", {"kind": "party"}),
        "format": ("another version", {"format": "log-record/v2"}),
        "instant": ("an instant without time", {"at": "2026-11-24"}),
        "no-subject": ("no subject", {"subjects": []}),
        "subjects-order": ("subjects in another order", {"subjects": record(3)["subjects"][::-1]}),
        "subject-twice": ("a subject twice", {"subjects": ["org-" + "c" * 24] * 2}),
        "subject": ("a subject that is no id", {"subjects": ["clinic"]}),
        "document": ("a digest in upper case", {"document": "A" * 64}),
        "detail-name": ("a detail with a capital", {"details": {"Name": 1}}),
        "detail-boolean": ("a detail that is a boolean", {"details": {"on": True}}),
        "detail-long": ("a detail of 1025 characters", {"details": {"reason": "x" * 1025}}),
        "detail-control": ("a control character in a detail", {"details": {"reason": "\x1b[2J"}}),
        "details-many": ("33 details", {"details": {f"n{number}": 0 for number in range(33)}}),
        "subjects-many": (
            "17 subjects",
            {"subjects": [f"org-{'c' * 23}{end}" for end in "abcdefghijklmnopq"]},
        ),
        "unknown-member": ("a member too much", {"more": 1}),
    }
    for name, (comment, changes) in bad.items():
        yield f"format-disclosure-{name}", comment, check, disclosure(3, **changes)
    short = canonical({"format": "log-disclosure/v1", "record": record(3), "salt": salt(3)[:-1].hex()})
    yield "format-disclosure-salt", "a salt of 31 bytes", check, short
    yield "format-disclosure-space", "white space", check, disclosure(3).replace(b'":', b'": ', 1)


def proofs() -> Iterator[Vector]:
    """Proof files."""
    header = {"check": "proof", "vkey": VKEY, "size": 7}
    for index in (0, 3, 6):
        good = {**header, "index": index, "document": record(index)["document"]}
        yield f"success-proof-{index}", f"entry {index} of seven", good, LOG.proof(index)
    single = {**header, "size": 1, "index": 0, "document": record(0)["document"]}
    yield "success-proof-single", "the only entry: a proof without hashes", single, LOG.proof(0, 1)
    good_proof = LOG.proof(3)
    index_line = b"index 3\n"
    zero = b64(bytes(32)).encode() + b"\n"
    first_hash = b64(LOG.leaves[2]).encode() + b"\n"
    for name, comment, data in (
        ("title", "another first line", good_proof.replace(b"@v1", b"@v2", 1)),
        ("index", "an index with a leading zero", good_proof.replace(index_line, b"index 03\n")),
        ("no-index", "no index", good_proof.replace(index_line, b"")),
        ("hash", "a line that is no hash", good_proof.replace(index_line, index_line + b"AAAA\n")),
        ("many", "66 hashes", good_proof.replace(index_line, index_line + zero * 63)),
        ("split", "an empty line before the hashes", good_proof.replace(index_line, index_line + b"\n")),
        ("no-record", "no record", LOG.proof(3, extra=b"")),
    ):
        yield f"format-proof-{name}", comment, header, data
    for name, comment, data in (
        ("index", "the index of another entry", good_proof.replace(index_line, b"index 2\n")),
        ("index-beyond", "an index beyond the end", good_proof.replace(index_line, b"index 7\n")),
        ("long", "one hash too many", good_proof.replace(b"\n\n", b"\n" + zero + b"\n", 1)),
        ("hash", "another hash", good_proof.replace(first_hash, zero)),
        ("record", "the record of another entry", LOG.proof(3, extra=disclosure(2))),
    ):
        yield f"integrity-proof-{name}", comment, header, data
    forged = good_proof.replace(b"\n7\n", b"\n8\n")
    yield "verification-proof-checkpoint", "an altered checkpoint", header, forged


def offers() -> Iterator[Vector]:
    """What a log offers to somebody who saw four entries of it, or none."""
    header = {"check": "advance", "vkey": VKEY, "last": LOG.text(4).decode().replace("\n", "|")}
    for size in (4, 5, 7):
        yield (
            f"success-advance-{size}",
            f"from four entries to {size}",
            {**header, "size": size},
            LOG.offer(4, size),
        )
    first = {**header, "last": "none", "size": 7}
    yield "success-advance-first", "the first meeting", first, LOG.offer(0)
    rewritten = Log(7, replace={1: entry(99)})
    dropped = Log(7, replace={number: entry(number + 1) for number in range(1, 7)})
    swapped = Log(7, replace={0: entry(1), 1: entry(0)})
    following = Log(7, origin=NEXT_ORIGIN)
    stranger = Log(7)
    stranger.key = Key(ORIGIN, "stranger")
    renamed = Log(7)
    renamed.extensions = [f"predecessor {b64(bytes(32))}"]
    for name, comment, code, data in (
        ("rewritten", "an entry was changed", "log-rewritten", rewritten.offer(4)),
        ("dropped", "an entry was dropped", "log-rewritten", dropped.offer(4)),
        ("reordered", "two entries changed places", "log-rewritten", swapped.offer(4)),
        ("fork", "another log of the same size", "log-fork", rewritten.offer(4, 4)),
        ("rollback", "a log that lost an entry", "log-rollback", LOG.offer(3, 3).replace(b"old 3", b"old 4")),
        ("stranger", "signed by a stranger", "log-key", stranger.offer(4)),
        ("start", "a proof from another size", "log-offer-size", LOG.offer(3)),
        ("no-proof", "no proof", "log-rewritten", b"old 4\n\n" + LOG.note()),
        ("predecessor", "another predecessor than before", "log-rewritten", renamed.offer(4)),
    ):
        yield f"verification-advance-{name}", comment, {**header, "code": code}, data
    other = {**header, "vkey": following.key.vkey(), "code": "log-origin"}
    yield "verification-advance-origin", "another log of the owner", other, following.offer(4)
    proof = LOG.offer(0).replace(b"old 0\n", f"old 0\n{b64(bytes(32))}\n".encode())
    first = {**header, "last": "none", "code": "log-offer-size"}
    yield "verification-advance-first-proof", "a proof from nothing", first, proof
    yield (
        "format-advance-old",
        "an old size with a leading zero",
        header,
        LOG.offer(4).replace(b"old 4", b"old 04"),
    )


def cosignatures() -> Iterator[Vector]:
    """Checkpoints that witnesses signed."""
    modern, classical = ModernWitness(), Key("bank.example/witness", "bank")
    header = {
        "check": "witnessed",
        "witnesses": f"{vkey(WITNESS, 6, modern.public)} {classical.vkey(4)}",
        "at": AT,
        "max_age_seconds": 86400,
    }
    text, note = LOG.text(), LOG.note()
    line = modern.cosign(ORIGIN, 7, root(LOG.leaves))
    good = {**header, "threshold": 1}
    yield "success-witnessed-ml-dsa-44", "an ML-DSA-44 cosignature", {**good, "names": WITNESS}, note + line
    names = {**good, "names": classical.name}
    yield "success-witnessed-ed25519", "an Ed25519 cosignature", names, note + classical.cosign(text)
    both = {**header, "threshold": 2, "names": f"{classical.name} {WITNESS}"}
    yield "success-witnessed-both", "two witnesses", both, note + line + classical.cosign(text)
    two = {**header, "threshold": 2, "code": "too-few-witnesses"}
    yield "verification-witnessed-twice", "one witness twice", two, note + line + line
    few = {**good, "code": "too-few-witnesses"}
    old = classical.cosign(text, AT_SECONDS - 86401)
    yield "verification-witnessed-old", "a cosignature of the day before yesterday", few, note + old
    future = classical.cosign(text, AT_SECONDS + 301)
    yield "verification-witnessed-future", "a cosignature from the future", few, note + future
    wrong = {**good, "code": "signature"}
    other = Log(6)
    for name, witness_line in (("ml-dsa-44", line), ("ed25519", classical.cosign(text))):
        comment = "a cosignature of another checkpoint"
        yield f"verification-witnessed-other-{name}", comment, wrong, other.note() + witness_line


def cosigned() -> Iterator[Vector]:
    """What witnesses hand in."""
    organization = "org-" + "c" * 24
    key = Key(f"{organization}/witness", "clinic")
    header = {"check": "cosigned", "vkey": VKEY, "id": organization, "at": AT}
    text, note = LOG.text(), LOG.note()
    good = cosigned_file(key.vkey(4), note + key.cosign(text))
    yield "success-cosigned", "a checkpoint and a cosignature", {**header, "size": 7}, good
    tolerated = cosigned_file(key.vkey(4), note + key.cosign(text, AT_SECONDS + 300))
    yield "success-cosigned-tolerance", "five minutes ahead", {**header, "size": 7}, tolerated
    bad = {
        "no-key": ("without a key", note + key.cosign(text)),
        "two-keys": ("two keys", cosigned_file(f"{key.vkey(4)}\n{key.vkey(4)}", note + key.cosign(text))),
        "key-text": ("a key that is none", cosigned_file(key.name, note + key.cosign(text))),
        "no-empty-line": ("no empty line after the key", good.replace(b"\n\n", b"\n", 1)),
        "no-checkpoint": (
            "what is signed is no checkpoint",
            cosigned_file(key.vkey(4), b"a\n\n" + key.sign(b"a\n")),
        ),
    }
    for name, (comment, data) in bad.items():
        yield f"format-cosigned-{name}", comment, header, data
    other = Key("org-" + "d" * 24 + "/witness", "clinic")
    future = key.cosign(text, AT_SECONDS + 301)
    twice = key.cosign(text) + key.cosign(text, AT_SECONDS - 1)
    refused = {
        "name": ("a name of somebody else", "log-key", other.vkey(4), note + other.cosign(text)),
        "algorithm": ("a key that makes no cosignatures", "log-key", key.vkey(), note + key.sign(text)),
        "no-log": ("no signature of the log", "log-key", key.vkey(4), text + b"\n" + key.cosign(text)),
        "none": ("no cosignature", "log-cosigned", key.vkey(4), note),
        "twice": ("two cosignatures", "log-cosigned", key.vkey(4), note + twice),
        "future": ("a cosignature from the future", "log-cosigned", key.vkey(4), note + future),
        "signature": (
            "a cosignature of another checkpoint",
            "signature",
            key.vkey(4),
            note + key.cosign(Log(6).text()),
        ),
    }
    for name, (comment, code, text_of_key, signed) in refused.items():
        data = cosigned_file(text_of_key, signed)
        yield f"verification-cosigned-{name}", comment, {**header, "code": code}, data


def cosigned_file(key: str, note: bytes) -> bytes:
    """Join a key and a note."""
    return key.encode() + b"\n\n" + note


def main() -> None:
    """Write every vector, after removing the old ones."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob(f"*{SUFFIX}"):
        path.unlink()
    for name, comment, header, data in vectors():
        lines = {"check": header["check"], "expect": outcome(name), "comment": comment, **header}
        head = "".join(f"{member}: {value}\n" for member, value in lines.items())
        (FOLDER / f"{name}{SUFFIX}").write_bytes(head.encode() + b"\n" + data)


def outcome(name: str) -> str:
    """Return the outcome that a name begins with."""
    return name.partition("-")[0]


if __name__ == "__main__":
    main()

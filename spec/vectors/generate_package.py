"""Write the vectors of spec/package.md: ``python spec/vectors/generate_package.py``.

Each vector is one file in ``spec/vectors/package/`` with one outcome, named by it: a
text header, an empty line, then the bytes of a package. Running this again gives the
same files; ``tests/vectors/test_package.py`` checks that it does.

    expect: success | format | integrity | verification | no-match | unsupported
    comment: what is right or wrong with it
    owner: the owner that the reader expects
    package-key: that owner's package key, compressed point, hexadecimal
    content-key: 32 bytes, hexadecimal
    payload-sha256: of the decrypted payload, if ``expect`` is ``success``
"""

from __future__ import annotations

import base64
import hashlib
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from package_toolkit import (
    HEADER,
    OTHER_KEY,
    OTHER_OWNER,
    OWNER,
    OWNER_KEY,
    Recipe,
    bind,
    canonical,
    cobblestone,
    derive,
    describe,
    lay_out,
    seal,
    signature,
)

FOLDER = Path(__file__).parent / "package"
SUFFIX = ".vector"

Vector = tuple[str, str, Recipe]
"""Name (its first word is the outcome, or part of it), comment, recipe."""

SMALL = [("a.bin", derive("a", 70)), ("b.bin", derive("b", 3))]


def vectors() -> Iterator[Vector]:
    """Yield every vector."""
    yield from good()
    yield from bad_framing()
    yield from bad_envelope()
    yield from bad_statement()
    yield from bad_contents()
    yield from bad_bytes()
    yield from bad_signer()


def good() -> Iterator[Vector]:
    """Packages that every reader must accept."""
    yield "success-one-file", "one file of 100 bytes", Recipe()
    yield (
        "success-several-files",
        "the second file starts at 128, after 58 bytes of zeros",
        Recipe(files=SMALL),
    )
    yield "success-empty-file", "a payload of no bytes has no segments", Recipe(files=[("model.onnx", b"")])
    empty_last = [("a.bin", b"x"), ("b.bin", b"")]
    yield "success-empty-last-file", "padding counts even before an empty last file", Recipe(files=empty_last)
    folders = [("config.json", b"{}"), ("weights/model.onnx", derive("deep", 64)), ("weights/z", b"z")]
    yield "success-folders", "names with folders, sorted by their bytes", Recipe(files=folders)
    yield "success-unicode-name", "a name beyond ASCII in NFC", Recipe(files=[("mod\u00e8le.onnx", b"x")])
    whole = [("model.onnx", derive("chunk", 16_384))]
    yield (
        "success-whole-chunk",
        "a payload of exactly one chunk ends with an empty chunk",
        Recipe(files=whole),
    )
    chain = {"previous": "11" * 32, "agreement": "22" * 32, "version": "1.0.1"}
    yield "success-later-version", "names a previous version and an agreement", Recipe(predicate=chain)
    derived = {"previous": "11" * 32, "parent": "11" * 32, "version": "1.1.0"}
    yield "success-derived", "names the package that it derives from", Recipe(predicate=derived)
    long_name = {"name": "a" * 64, "version": "999999.0.10"}
    yield (
        "success-longest-name",
        "the longest name and the largest version number",
        Recipe(predicate=long_name),
    )
    options: dict[str, Any] = {"trust": ["numpy.dtype"], "threads": 2, "strict": True, "note": "x"}
    loader = {"name": "onnx", "entry": "model.onnx", "options": options}
    yield "success-loader-options", "every kind of option", Recipe(contents={"loader": loader})


def bad_framing() -> Iterator[Vector]:
    """Files that are no package, or not exactly one."""

    def finished(change: Callable[[bytes], bytes]) -> Recipe:
        return Recipe(finished=change)

    yield "format-empty", "no bytes at all", finished(lambda data: b"")
    yield "format-header-only", "nothing after the header", finished(lambda data: HEADER)
    yield "format-header-altered", "another magic", finished(lambda data: b"S" + data[1:])
    later = b"strongroom package v2\n".ljust(32, b"\0")
    derived = b"strongroom derived v1-draft\n".ljust(32, b"\0")
    yield "format-header-derived", "not countersigned", finished(lambda data: derived + data[32:])
    yield (
        "format-trailer-derived",
        "the trailer of a derivation file",
        finished(lambda data: data[:-24] + b"derivation end v1-draft\n"),
    )
    yield "format-header-other-version", "another version", finished(lambda data: later + data[32:])
    yield "format-trailer-altered", "another magic at the end", finished(lambda data: data[:-1] + b"\r")
    yield "format-truncated-last-byte", "one byte short", finished(lambda data: data[:-1])
    yield "format-truncated-trailer", "no trailer", finished(lambda data: data[:-32])
    yield "format-truncated-start", "cut in front", finished(lambda data: data[1:])
    yield "format-trailing-byte", "one byte after the end", finished(lambda data: data + b"\0")
    yield "format-byte-missing", "a segment lacks a byte", finished(lambda data: data[:40] + data[41:])
    yield "format-byte-inserted", "one byte too many", finished(lambda data: data[:40] + b"\0" + data[40:])
    yield "format-two-packages", "a package after a package", finished(lambda data: data + data)
    for name, size in (("zero", 0), ("beyond-file", 60_000), ("beyond-limit", 65_537), ("huge", 2**64 - 1)):
        yield f"format-statement-size-{name}", f"claims {size} bytes", Recipe(trailer_size=size)


def bad_envelope() -> Iterator[Vector]:
    """Envelopes that are not canonical or not ours."""
    spaced = Recipe(envelope_bytes=lambda data: data.replace(b'":', b'": ', 1))
    yield "format-envelope-white-space", "JSON with white space", spaced
    more = Recipe(envelope_bytes=lambda data: data[:-1] + b',"x":1}')
    yield "format-envelope-unknown-member", "a member that is not in the specification", more
    padding = Recipe(envelope_bytes=lambda data: data.replace(b'"payload":"', b'"payload":" '))
    yield "format-envelope-base64", "base64 with white space", padding
    yield "format-unsigned", "no signature", Recipe(signatures=lambda message: [])
    both = [OWNER_KEY, OTHER_KEY]
    two = Recipe(
        signatures=lambda message: sorted((signature(k, message) for k in both), key=lambda s: s["keyid"])
    )
    yield "format-two-signatures", "a second signature by a stranger", two
    yield "format-envelope-payload-type", "another payload type", Recipe(payload_type="application/json")


def bad_statement() -> Iterator[Vector]:
    """Statements, signed by the owner, that break a rule."""

    def predicate(name: str, comment: str, /, **members: Any) -> Vector:
        return f"format-statement-{name}", comment, Recipe(predicate=members)

    yield "format-statement-white-space", "not canonical", Recipe(statement_bytes=lambda data: data + b"\n")
    yield "format-statement-not-json", "no JSON", Recipe(statement_bytes=lambda data: b"\xff\xfe")
    doubled = Recipe(statement_bytes=lambda data: data.replace(b'"name":', b'"name":"risk","name":', 1))
    yield "format-statement-doubled-member", "one member twice", doubled
    lacking = Recipe(statement_bytes=lambda data: data.replace(b'"previous":null,', b""))
    yield "format-statement-missing-member", "no member previous", lacking
    yield predicate("unknown-member", "a member that is not in the specification", note="x")
    yield predicate("float", "a size that is no integer", payload_bytes=100.0)
    yield predicate("format", "another format version", format="v2")
    yield predicate("package-id-case", "upper-case hexadecimal", package_id="AB" * 16)
    yield predicate("package-id-size", "15 bytes", package_id="ab" * 15)
    yield predicate("name-case", "an upper-case name", name="Risk")
    yield predicate("name-path", "a name with a slash", name="../risk")
    yield predicate("name-end", "a name that ends with a mark", name="risk-")
    yield predicate("name-length", "65 characters", name="a" * 65)
    yield predicate("version-two-numbers", "two numbers", version="1.0")
    yield predicate("version-leading-zero", "a leading zero", version="1.00.0")
    yield predicate("version-sign", "a sign", version="1.+0.0")
    yield predicate("version-size", "seven digits", version="1000000.0.0")
    yield predicate("owner", "not an owner id", owner="hospital")
    yield predicate("previous", "not a digest", previous="11" * 31)
    yield predicate("agreement", "not a digest", agreement="")
    yield predicate("parent", "not a digest", parent="11" * 31)
    orphan = Recipe(statement_bytes=lambda data: data.replace(b'"parent":null,', b""))
    yield "format-statement-missing-parent", "no member parent", orphan
    yield predicate("payload-negative", "a size below zero", payload_bytes=-1)
    yield predicate("payload-limit", "more than 16 TiB", payload_bytes=(1 << 44) + 1)
    yield predicate("payload-larger", "a larger payload than the file holds", payload_bytes=101)
    yield predicate("payload-smaller", "a smaller payload than the file holds", payload_bytes=99)
    yield predicate("contents-empty", "no contents", contents_bytes=0)
    yield predicate("contents-limit", "more than 64 MiB of contents", contents_bytes=(64 << 20) + 1)
    yield predicate("marked-order", "marked segments out of order", marked=[0, 0])
    yield predicate("marked-range", "a marked segment that does not exist", marked=[1])
    yield "unsupported-marked", "a marked segment", Recipe(predicate={"marked": [0]})
    yield predicate("time-zone", "a time that is not in UTC", created_at="2026-11-24T03:00:00+00:00")
    yield predicate("time-fraction", "a fraction of a second", created_at="2026-11-24T03:00:00.5Z")
    yield predicate("time-date", "no such day", created_at="2026-02-30T03:00:00Z")

    def statement(name: str, comment: str, /, **members: Any) -> Vector:
        return f"format-statement-{name}", comment, Recipe(statement=members)

    yield statement("type", "another statement type", _type="https://in-toto.io/Statement/v0.1")
    yield statement("predicate-type", "another predicate type", predicateType="https://example.com/x")
    yield statement("no-subject", "no subject", subject=[])
    subject = {"name": "other-1.0.0.sealed", "digest": {"sha256": "00" * 32}}
    yield statement("subject-name", "the subject has another name", subject=[subject])


def bad_contents() -> Iterator[Vector]:
    """Contents, sealed and signed by the owner, that break a rule."""

    def names(name: str, comment: str, *file_names: str) -> Vector:
        return f"format-name-{name}", comment, Recipe(files=[(n, b"x") for n in file_names])

    yield names("order", "files out of order", "b", "a")
    yield names("twice", "one name twice", "a", "a")
    yield names("case", "two names that differ in case", "Model.onnx", "model.onnx")
    yield names("folder", "a file that is also a folder", "a", "a/b")
    yield names("folder-case", "a file that is also a folder where case does not count", "A", "a/b")
    yield names("absolute", "an absolute name", "/etc/passwd")
    yield names("parent", "a name that leaves its folder", "../model.onnx")
    yield names("parent-inside", "a name that leaves a folder inside", "a/../../b")
    yield names("dot", "a part that is a dot", "./a")
    yield names("empty", "an empty name", "")
    yield names("empty-part", "an empty part", "a//b")
    yield names("trailing-slash", "a folder", "a/")
    yield names("backslash", "a backslash", "a\\b")
    yield names("nul", "a NUL character", "a\0b")
    yield names("escape", "a terminal escape", "a\x1b[2Jb")
    yield names("newline", "a line break", "a\nb")
    yield names("bidi", "a right-to-left override", "a\u202eb")
    yield names("zero-width", "a zero-width space", "a\u200bb")
    yield names("nfd", "a decomposed name", unicodedata.normalize("NFD", "mod\u00e8le"))
    yield names("part-length", "a part of 256 bytes", "a" * 256)
    yield names("length", "1025 bytes", "/".join(["a" * 204] * 5) + "b")

    def contents(name: str, comment: str, /, **members: Any) -> Vector:
        return f"format-contents-{name}", comment, Recipe(contents=members)

    yield "format-contents-not-json", "no JSON", Recipe(contents_bytes=lambda data: b"{")
    spaced = Recipe(contents_bytes=lambda data: data + b" ")
    yield "format-contents-white-space", "not canonical", spaced
    yield contents("unknown-member", "a member that is not in the specification", note=1)
    yield contents("format", "another format version", format="v2")
    yield contents("no-files", "no files", files=[])
    entry = describe([("model.onnx", b"x" * 100)])["files"][0]
    yield contents("file-negative", "a size below zero", files=[entry | {"size": -1}])
    yield contents("file-digest", "a digest of 31 bytes", files=[entry | {"sha256": "00" * 31}])
    yield contents("size-short", "the files end before the payload", files=[entry | {"size": 99}])
    yield contents("size-long", "the files end after the payload", files=[entry | {"size": 101}])
    loader: dict[str, Any] = {"name": "onnx", "entry": "model.onnx", "options": {}}
    yield contents("loader-entry", "an entry that is no file", loader=loader | {"entry": "other"})
    yield contents("loader-name", "a loader name that is a path", loader=loader | {"name": "../x"})
    yield contents("option-type", "an option that is an object", loader=loader | {"options": {"a": {}}})
    schema = describe([("x", b"")])["schema"]
    wrong: dict[str, Any] = {"name": "X", "datatype": "FP128", "shape": [1]}
    yield contents("datatype", "an unknown datatype", schema=schema | {"inputs": [wrong]})
    yield contents(
        "shape",
        "a dimension of -2",
        schema=schema | {"inputs": [wrong | {"datatype": "FP32", "shape": [-2]}]},
    )
    yield contents("columns", "a column twice", schema=schema | {"columns": ["a", "a"]})
    nested: Any = 1
    for _ in range(40):
        nested = [nested]
    yield contents("depth", "40 levels", bom={"x": nested})
    payload = bytearray(lay_out(SMALL))
    payload[100] = 1
    yield "format-padding", "padding that is not zero", Recipe(files=SMALL, payload=bytes(payload))


def bad_bytes() -> Iterator[Vector]:
    """Bytes that are not those that the owner signed."""

    def flip(position: int) -> Callable[[bytes], bytes]:
        def change(data: bytes) -> bytes:
            altered = bytearray(data)
            altered[position] ^= 1
            return bytes(altered)

        return change

    payload_bytes, contents_bytes = (
        32 + 172,
        len(seal(b"x" * 16, b"k" * 32, "contents", canonical(describe(Recipe().files)))[0]),
    )
    yield "integrity-payload-salt", "one bit of the payload segment's salt", Recipe(finished=flip(32))
    yield "integrity-payload-text", "one bit of the payload segment", Recipe(finished=flip(32 + 60))
    yield "integrity-contents", "one bit of the contents segment", Recipe(finished=flip(payload_bytes + 60))
    yield "integrity-index", "one bit of the index", Recipe(finished=flip(payload_bytes + contents_bytes))
    recipient = Recipe()
    context = bind(b"strongroom/package/v1-draft/segment", recipient.package_id, b"payload", bytes(8))
    forged = cobblestone(recipient.key, context, derive("other weights", 100), derive("fresh salt", 24))
    swapped = Recipe(finished=lambda data: data[:32] + forged + data[32 + 172 :])
    yield "integrity-forged-by-recipient", "other weights, encrypted by someone who knows the key", swapped
    other = Recipe(package_id=derive("another package", 16)).build()
    spliced = Recipe(finished=lambda data: data[:32] + other[32 : 32 + 172] + data[32 + 172 :])
    yield "integrity-segment-of-another-package", "a segment of another package, same key", spliced
    false = describe(Recipe().files)["files"][0] | {"sha256": "00" * 32}
    yield (
        "integrity-file-digest",
        "a file that does not match its digest",
        Recipe(contents={"files": [false]}),
    )

    def swap(segments: list[bytes]) -> list[bytes]:
        other_kind = seal(derive("package id", 16), derive("content key", 32), "part", derive("weights", 100))
        return [*other_kind, segments[1]]

    yield "integrity-wrong-kind", "signed, but the payload segment is of another kind", Recipe(segments=swap)
    yield "no-match-other-id", "signed, but bound to another package id", Recipe(seal_as=derive("x", 16))
    yield "no-match-other-key", "sealed under another content key", Recipe(key=derive("another key", 32))


def bad_signer() -> Iterator[Vector]:
    """Statements that nobody who may has signed."""
    stranger = Recipe(signatures=lambda message: [signature(OTHER_KEY, message)])
    yield "verification-stranger", "signed by another owner's key", stranger
    named = Recipe(signatures=lambda message: [signature(OTHER_KEY, message) | {"keyid": OWNER_KEY.key_id}])
    yield "verification-stranger-renamed", "signed by another key under the owner's key id", named
    yield (
        "verification-other-owner",
        "signed by the key, for another owner",
        Recipe(predicate={"owner": OTHER_OWNER}),
    )
    high = Recipe(signatures=lambda message: [signature(OWNER_KEY, message, high=True)])
    yield "verification-high-s", "the other spelling of the signature", high

    def other_der(message: bytes) -> list[dict[str, str]]:
        der = OWNER_KEY.sign(message)
        longer = b"\x30\x81" + der[1:]
        return [{"keyid": OWNER_KEY.key_id, "sig": base64.b64encode(longer).decode()}]

    yield "verification-other-der", "a longer spelling of the length", Recipe(signatures=other_der)
    other_text = Recipe(signatures=lambda message: [signature(OWNER_KEY, message + b" ")])
    yield "verification-other-text", "a signature over another statement", other_text


def render(name: str, comment: str, recipe: Recipe) -> bytes:
    """Return the bytes of one vector file."""
    outcomes = ("success", "format", "integrity", "verification", "no-match", "unsupported")
    expect = next(outcome for outcome in outcomes if name.startswith(outcome))
    lines = [
        f"expect: {expect}",
        f"comment: {comment}",
        f"owner: {OWNER}",
        f"package-key: {OWNER_KEY.public.hex()}",
        f"content-key: {derive('content key', 32).hex()}",
    ]
    if expect == "success":
        lines.append(f"payload-sha256: {hashlib.sha256(lay_out(recipe.files)).hexdigest()}")
    return "\n".join(lines).encode() + b"\n\n" + recipe.build()


def main() -> None:
    """Write all vectors."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob(f"*{SUFFIX}"):
        old.unlink()
    for name, comment, recipe in vectors():
        (FOLDER / f"{name}{SUFFIX}").write_bytes(render(name, comment, recipe))


if __name__ == "__main__":
    main()

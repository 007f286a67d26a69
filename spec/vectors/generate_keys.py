"""Write the vectors of spec/keys.md: ``python spec/vectors/generate_keys.py``.

Each vector is one file in ``spec/vectors/keys/`` with one outcome, named by it: a text
header, an empty line, then the bytes of the case. Running this again gives the same
files; ``tests/vectors/test_keys.py`` checks that it does.

    check: what to do with the bytes (spec/keys.md, section "Test vectors")
    expect: success | format | verification | no-match
    comment: what is right or wrong
    ...: what the check needs and, on success, gives
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import keys_broker
import keys_documents
import keys_owner
from keys_toolkit import (
    DEVICE,
    LOG_KEYS,
    ORDER,
    SEALING,
    SEALING_SEED,
    STRANGER,
    WITNESS,
    WITNESS_SEED,
    base64url,
    encrypted_line,
    key_file,
    public,
    secret_bytes,
    text,
    wrap,
)

FOLDER = Path(__file__).parent / "keys"
SUFFIX = ".vector"

Vector = tuple[str, str, dict[str, Any], bytes]
"""Name (its first word is the outcome), comment, rest of the header, bytes."""

PUBLIC_KINDS = [
    "device",
    "member",
    "organization",
    "owner-broker",
    "owner-license",
    "owner-package",
    "owner-root",
]
DEVICE_PUBLIC = public("device", DEVICE)
DEVICE_SECRET = text("device", "secret", secret_bytes("device"))
LOG_SECRET = text("owner-log", "secret", LOG_KEYS[0].seed)
PASSPHRASE = "correct horse battery staple"  # noqa: S105 - published with the vectors


def vectors() -> Iterator[Vector]:
    """Yield every vector."""
    yield from good_texts()
    yield from bad_texts()
    yield from bad_keys()
    yield from good_key_files()
    yield from bad_key_files()
    yield from keys_owner.vectors()
    yield from keys_documents.vectors()
    yield from keys_broker.vectors()


def good_texts() -> Iterator[Vector]:
    """Key texts that every reader must accept."""
    for kind in PUBLIC_KINDS:
        header = {"check": "public-text", "kind": kind, "raw": DEVICE.public.hex()}
        yield f"success-public-{kind}", "a public key", header, public(kind, DEVICE).encode()
    header = {"check": "public-text", "kind": "sealing", "raw": SEALING.hex()}
    yield (
        "success-public-sealing",
        "an X-Wing public key",
        header,
        text("sealing", "public", SEALING).encode(),
    )
    log = LOG_KEYS[0]
    header = {"check": "public-text", "kind": "owner-log", "raw": log.public.hex()}
    yield "success-public-owner-log", "an Ed25519 public key", header, public("owner-log", log).encode()
    witness = text("witness", "public", WITNESS)
    header = {"check": "public-text", "kind": "witness", "raw": WITNESS.hex()}
    yield "success-public-witness", "an ML-DSA-44 public key", header, witness.encode()
    header = {"check": "secret-text", "kind": "witness", "raw": WITNESS_SEED.hex()}
    secret = text("witness", "secret", WITNESS_SEED)
    yield "success-secret-witness", "a seed of ML-DSA-44", header, secret.encode()
    header = {"check": "secret-text", "kind": "owner-log", "raw": log.seed.hex()}
    yield "success-secret-owner-log", "a seed of Ed25519", header, LOG_SECRET.encode()
    header = {"check": "secret-text", "kind": "device", "raw": secret_bytes("device").hex()}
    yield "success-secret-device", "a secret key", header, DEVICE_SECRET.encode()
    header = {"check": "secret-text", "kind": "sealing", "raw": SEALING_SEED.hex()}
    yield "success-secret-sealing", "a seed", header, text("sealing", "secret", SEALING_SEED).encode()


def bad_texts() -> Iterator[Vector]:
    """Texts that are no key text, or of another kind."""
    front, _, body = DEVICE_PUBLIC.partition(".")
    cases = {
        "wrong-kind": ("an organization key", public("organization", DEVICE)),
        "secret-as-public": ("a secret", DEVICE_SECRET),
        "relabeled": (
            "an organization key with another front",
            f"{front}.{public('organization', DEVICE).partition('.')[2]}",
        ),
        "no-front": ("without its front", body),
        "other-front": ("another front", f"age-device-public.{body}"),
        "upper-case-front": ("the front in capitals", f"{front.upper()}.{body}"),
        "checksum": ("one character differs", DEVICE_PUBLIC[:-6] + "A" + DEVICE_PUBLIC[-5:]),
        "short": ("one character short", DEVICE_PUBLIC[:-1]),
        "long": ("one character more", DEVICE_PUBLIC + "A"),
        "padding": ("base64 with padding", DEVICE_PUBLIC + "="),
        "stray-bits": ("bits set that mean nothing", stray_bits(DEVICE_PUBLIC)),
        "line-feed": ("a line feed at the end", DEVICE_PUBLIC + "\n"),
        "space": ("a space in front", " " + DEVICE_PUBLIC),
        "empty": ("nothing", ""),
    }
    for name, (comment, case) in cases.items():
        yield f"format-text-{name}", comment, {"check": "public-text", "kind": "device"}, case.encode()
    header = {"check": "secret-text", "kind": "device"}
    yield "format-text-public-as-secret", "a public key", header, DEVICE_PUBLIC.encode()


def stray_bits(case: str) -> str:
    """Return the text with the unused bits of its last character set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    unused = {0: 0, 2: 4, 3: 2}[len(case.partition(".")[2]) % 4]
    last = alphabet.index(case[-1])
    if not unused:
        raise AssertionError("this text has no unused bits")
    return case[:-1] + alphabet[last | ((1 << unused) - 1)]


def bad_keys() -> Iterator[Vector]:
    """Well-written texts of bytes that are no key."""
    x = DEVICE.public[1:]
    points = {
        "off-curve": ("not on the curve", b"\x02" + b"\xff" * 32),
        "uncompressed-tag": ("the tag of an uncompressed point", b"\x04" + x),
        "infinity": ("the point at infinity", bytes(33)),
    }
    for name, (comment, raw) in points.items():
        yield (
            f"format-point-{name}",
            comment,
            {"check": "public-text", "kind": "device"},
            text("device", "public", raw).encode(),
        )
    for name, scalar in (("zero", 0), ("order", ORDER), ("beyond-order", 2**256 - 1)):
        raw = text("device", "secret", scalar.to_bytes(32, "big")).encode()
        yield (
            f"format-secret-{name}",
            f"the scalar is {name}",
            {"check": "secret-text", "kind": "device"},
            raw,
        )
    sealing = {
        "small-order": ("an X25519 point of small order", SEALING[:1184] + bytes(32)),
        "small-order-twist": (
            "another one, on the twist",
            SEALING[:1184] + bytes.fromhex("ec" + "ff" * 30 + "7f"),
        ),
        "mlkem-coefficient": ("an ML-KEM coefficient above the modulus", b"\xff" * 384 + SEALING[384:]),
    }
    log = {
        "small-order": ("the neutral element", b"\x01" + bytes(31)),
        "small-order-8": (
            "a point of order 8",
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        ),
        "second-encoding": ("y is not below the field", bytes.fromhex("f0" + "ff" * 30 + "7f")),
        "off-curve": ("no point has this y", b"\x02" + bytes(31)),
    }
    for name, (comment, raw) in log.items():
        yield (
            f"format-log-key-{name}",
            comment,
            {"check": "public-text", "kind": "owner-log"},
            text("owner-log", "public", raw).encode(),
        )
    for name, (comment, raw) in sealing.items():
        yield (
            f"format-sealing-{name}",
            comment,
            {"check": "public-text", "kind": "sealing"},
            text("sealing", "public", raw).encode(),
        )


def good_key_files() -> Iterator[Vector]:
    """Key files that open."""
    header = {"check": "key-file", "kind": "device", "public": DEVICE_PUBLIC}
    yield "success-key-file-device", "not encrypted", header, key_file("device", DEVICE_PUBLIC, DEVICE_SECRET)
    sealing = text("sealing", "public", SEALING)
    header = {"check": "key-file", "kind": "sealing", "public": sealing}
    data = key_file("sealing", sealing, text("sealing", "secret", SEALING_SEED))
    yield "success-key-file-sealing", "not encrypted", header, data
    header = {"check": "key-file", "kind": "witness", "public": text("witness", "public", WITNESS)}
    secret = text("witness", "secret", WITNESS_SEED)
    yield "success-key-file-witness", "ML-DSA-44", header, key_file("witness", header["public"], secret)
    header = {"check": "key-file", "kind": "owner-log", "public": public("owner-log", LOG_KEYS[0])}
    yield (
        "success-key-file-log",
        "an Ed25519 key",
        header,
        key_file("owner-log", header["public"], LOG_SECRET),
    )
    header = {"check": "key-file", "kind": "device", "passphrase": PASSPHRASE, "public": DEVICE_PUBLIC}
    yield "success-key-file-encrypted", "under a pass-phrase", header, encrypted_key_file()


def encrypted_key_file(
    kind: str = "device", inside: str = DEVICE_SECRET, passphrase: str = PASSPHRASE
) -> bytes:
    """Return a key file under a pass-phrase."""
    return key_file("device", DEVICE_PUBLIC, encrypted_line(kind, inside, passphrase))


def bad_key_files() -> Iterator[Vector]:
    """Key files that do not open."""
    plain = key_file("device", DEVICE_PUBLIC, DEVICE_SECRET)
    other = text("member", "secret", secret_bytes("device"))
    lines = plain.splitlines(keepends=True)
    blob = wrap(DEVICE_SECRET.encode(), PASSPHRASE, "key-file/device")
    cases = {
        "no-line-feed": ("the last line feed is missing", plain[:-1]),
        "crlf": ("other line endings", plain.replace(b"\n", b"\r\n")),
        "empty-line": ("an empty line at the end", plain + b"\n"),
        "comment": ("one more comment", b"# mine\n" + plain),
        "byte-order-mark": ("a byte order mark", b"\xef\xbb\xbf" + plain),
        "no-title": ("without the first line", b"".join(lines[1:])),
        "no-public": ("without the public line", lines[0] + lines[2]),
        "date": ("a date that does not exist", plain.replace(b"11-24", b"11-31")),
        "unknown-kind": (
            "a kind that does not exist",
            plain.replace(b"strongroom device", b"strongroom vault"),
        ),
        "other-kind": ("a member key", key_file("member", public("member", DEVICE), other)),
        "secret-kind": ("the secret is of another kind", key_file("device", DEVICE_PUBLIC, other)),
        "public-kind": (
            "the public line is of another kind",
            key_file("device", public("member", DEVICE), DEVICE_SECRET),
        ),
        "mismatch": (
            "the public line is of another key",
            key_file("device", public("device", STRANGER), DEVICE_SECRET),
        ),
        "public-twice": (
            "a public text where the secret belongs",
            key_file("device", DEVICE_PUBLIC, DEVICE_PUBLIC),
        ),
    }
    for name, (comment, data) in cases.items():
        yield f"format-key-file-{name}", comment, {"check": "key-file", "kind": "device"}, data
    opened = {"check": "key-file", "kind": "device", "passphrase": PASSPHRASE}
    yield (
        "format-key-file-encrypted-kind",
        "an encrypted member key",
        opened,
        encrypted_key_file("member", other),
    )
    yield "format-key-file-encrypted-text", "no key text inside", opened, encrypted_key_file(inside="nothing")
    later = b"\x02" + blob[1:]
    profile = f"strongroom-encrypted-key.device.{base64url(later)}"
    data = key_file("device", DEVICE_PUBLIC, profile)
    yield "format-key-file-profile", "an unknown profile", opened, data
    cut = f"strongroom-encrypted-key.device.{base64url(blob[:80])}"
    yield "format-key-file-blob-size", "a blob cut short", opened, key_file("device", DEVICE_PUBLIC, cut)
    missing = {"check": "key-file", "kind": "device"}
    yield "no-match-key-file-no-passphrase", "no pass-phrase at hand", missing, encrypted_key_file()
    wrong = {"check": "key-file", "kind": "device", "passphrase": "incorrect horse"}
    yield "no-match-key-file-passphrase", "a wrong pass-phrase", wrong, encrypted_key_file()
    flipped = f"strongroom-encrypted-key.device.{base64url(blob[:-1] + bytes([blob[-1] ^ 1]))}"
    yield (
        "no-match-key-file-altered",
        "the last bit of the blob",
        opened,
        key_file("device", DEVICE_PUBLIC, flipped),
    )
    swapped = key_file("owner-log", public("owner-log", LOG_KEYS[1]), LOG_SECRET)
    header = {"check": "key-file", "kind": "owner-log"}
    yield "format-key-file-log-mismatch", "the public line is of another log key", header, swapped


def render(name: str, comment: str, header: dict[str, Any], data: bytes) -> bytes:
    """Return the bytes of one vector file."""
    outcomes = ("success", "format", "verification", "no-match")
    expect = next(outcome for outcome in outcomes if name.startswith(outcome))
    lines = [f"check: {header['check']}", f"expect: {expect}", f"comment: {comment}"]
    lines += [f"{member}: {value}" for member, value in header.items() if member != "check"]
    return "\n".join(lines).encode() + b"\n\n" + data


def main() -> None:
    """Write all vectors."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob(f"*{SUFFIX}"):
        old.unlink()
    for name, comment, header, data in vectors():
        (FOLDER / f"{name}{SUFFIX}").write_bytes(render(name, comment, header, data))


if __name__ == "__main__":
    main()

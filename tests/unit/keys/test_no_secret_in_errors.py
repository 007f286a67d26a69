"""Nothing that an error carries repeats a secret: messages, hints, reprs, causes and contexts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom._encoding import to_base64url
from strongroom.crypto import passphrase as passphrases
from strongroom.errors import Error
from strongroom.keys import key_file
from strongroom.keys.key_pair import SealingKey, SigningKey, from_secret_text, sealing_public_from_text
from strongroom.keys.strength import verify_passphrase
from strongroom.keys.text import KeyKind, public_from_text, secret_from_text
from strongroom.kms.software import SoftwareKeyProvider
from tests.unit.keys.parties import NOW, everything_an_error_says

DEVICE = SigningKey.generate(KeyKind.DEVICE)
SEALING = SealingKey.generate()
SECRET = DEVICE.to_text()
BODY = SECRET.partition(".")[2]
PLAIN = key_file.to_bytes(DEVICE, passphrase=None, created_at=NOW).decode()
PASSPHRASE = "planted-Pass-Phrase-9317"


def locked(inside: str) -> bytes:
    blob = passphrases.wrap(inside.encode(), PASSPHRASE, label=b"key-file/device")
    return PLAIN.replace(SECRET, f"strongroom-encrypted-key.device.{to_base64url(blob)}").encode()


def read(data: bytes) -> object:
    return key_file.from_bytes(data, KeyKind.DEVICE, passphrase=lambda: PASSPHRASE)


MISTAKES: dict[str, Callable[[], object]] = {
    "a secret where a public text belongs": lambda: public_from_text(SECRET, KeyKind.DEVICE),
    "a secret of another kind": lambda: secret_from_text(SECRET, KeyKind.MEMBER),
    "a secret cut short": lambda: secret_from_text(SECRET[:-1], KeyKind.DEVICE),
    "a secret with a letter too many": lambda: secret_from_text(SECRET + "A", KeyKind.DEVICE),
    "a secret with a typing error": lambda: secret_from_text(SECRET[:-1] + "!", KeyKind.DEVICE),
    "a secret with an umlaut": lambda: secret_from_text(SECRET[:-1] + "ü", KeyKind.DEVICE),
    "a secret with stray bits": lambda: secret_from_text(
        SECRET[:-1] + ("-" if SECRET.endswith("_") else "_"), KeyKind.DEVICE
    ),
    "a secret without its front": lambda: secret_from_text(BODY, KeyKind.DEVICE),
    "a secret with another front": lambda: secret_from_text(f"age-secret.{BODY}", KeyKind.DEVICE),
    "a secret as sealing key": lambda: from_secret_text(SECRET, KeyKind.SEALING),
    "a secret as public sealing key": lambda: sealing_public_from_text(SECRET),
    "a secret as date of a key file": lambda: read(PLAIN.replace("2026-11-24T03:00:00Z", BODY).encode()),
    "a secret as kind of a key file": lambda: read(PLAIN.replace("strongroom device", BODY).encode()),
    "a secret as public line": lambda: read(PLAIN.replace(DEVICE.public_text, SECRET).encode()),
    "a secret with a typing error in a key file": lambda: read(PLAIN.replace(BODY, BODY[::-1]).encode()),
    "the secret of another public line": lambda: read(
        PLAIN.replace(DEVICE.public_text, SigningKey.generate(KeyKind.DEVICE).public_text).encode()
    ),
    "a cut key file": lambda: read(PLAIN[:-1].encode()),
    "a key file of another kind": lambda: key_file.from_bytes(
        PLAIN.encode(), KeyKind.MEMBER, passphrase=lambda: PASSPHRASE
    ),
    "an encrypted file with something else in it": lambda: read(locked(f"{BODY}ü")),
    "an encrypted file with a broken key in it": lambda: read(locked(SECRET[:-1] + "!")),
    "an encrypted line that is no base64": lambda: read(
        PLAIN.replace(SECRET, f"strongroom-encrypted-key.device.{BODY}-").encode()
    ),
    "a wrong pass-phrase": lambda: key_file.from_bytes(
        locked(SECRET), KeyKind.DEVICE, passphrase=lambda: PASSPHRASE + "!"
    ),
    "a pass-phrase that is no Unicode": lambda: key_file.to_bytes(
        DEVICE, passphrase=PASSPHRASE + "\udc80", created_at=NOW
    ),
    "a weak pass-phrase": lambda: verify_passphrase("clinic9317", context_words=["clinic"]),
    "a long pass-phrase": lambda: verify_passphrase(PASSPHRASE * 100),
    "a key-encryption key of another size": lambda: SoftwareKeyProvider(DEVICE.secret.to_bytes()[:31]),
    "a content key of another size": lambda: SoftwareKeyProvider(bytes(32)).wrap(
        DEVICE.secret.to_bytes()[:31], b""
    ),
    "a sealed text where a public one belongs": lambda: sealing_public_from_text(SEALING.to_text()),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_error_repeats_no_secret(mistake: str) -> None:
    with pytest.raises(Error) as caught:
        MISTAKES[mistake]()
    said = everything_an_error_says(caught.value)
    raw = DEVICE.secret.to_bytes()
    planted = [
        BODY[:12],
        BODY[::-1][5:17],
        BODY[12:24],
        SEALING.to_text()[30:42],
        raw.hex()[:12],
        repr(raw[:12])[2:-1],
    ]
    assert not [secret for secret in [*planted, PASSPHRASE, "clinic9317"] if secret in said]


def test_the_collector_sees_causes() -> None:
    error = Error("harmless")
    error.__cause__ = ValueError(SECRET)
    assert SECRET in everything_an_error_says(error)
    hidden = Error("harmless")
    hidden.__context__ = ValueError(SECRET)
    assert SECRET in everything_an_error_says(hidden)

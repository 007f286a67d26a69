from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from strongroom._encoding import to_base64
from strongroom.crypto import labels, passphrase
from strongroom.errors import FormatError, IntegrityError, NoMatchingKey, UsageError
from strongroom.license.documents import Derivation
from strongroom.license.key_binding import (
    KeyBinding,
    unwrap_derivation,
    unwrap_lease,
    unwrap_offline,
    unwrap_restart,
    unwrap_with_passphrase,
    wrap_for_lease,
    wrap_for_owner,
    wrap_for_restart,
    wrap_for_runtime,
    wrap_with_passphrase,
)
from tests.unit.license.world import (
    CONTENT_KEY,
    NONCE,
    OTHER_RUNTIME,
    OTHER_SEALING,
    PACKAGE,
    PACKAGE_ID,
    RUNTIME,
    SEALING,
    SERIAL,
    SIGNED,
    lease_of,
    offline_of,
    passphrase_of,
    refusal,
)

LICENSE = "lic-" + "a" * 24
BINDING = KeyBinding(license=LICENSE, runtime=RUNTIME, package=PACKAGE, package_id=PACKAGE_ID)
FOR_ALL = replace(BINDING, runtime=None)
PHRASE = "tanker copper violin marsh 7"

OTHERS: list[dict[str, Any]] = [
    {"license": "lic-" + "b" * 24},
    {"runtime": OTHER_RUNTIME},
    {"package": "cd" * 32},
    {"package_id": "ff" * 16},
]
OTHER_IDS = [next(iter(each)) for each in OTHERS]


def test_an_offline_file_opens_for_its_runtime() -> None:
    assert unwrap_offline(offline_of(LICENSE), SEALING, BINDING) == CONTENT_KEY


def test_it_opens_with_no_other_sealing_key() -> None:
    with pytest.raises(IntegrityError):
        unwrap_offline(offline_of(LICENSE), OTHER_SEALING, BINDING)


@pytest.mark.parametrize("changes", OTHERS, ids=OTHER_IDS)
def test_it_opens_for_nothing_else_and_says_so(changes: dict[str, Any]) -> None:
    expected = replace(BINDING, **changes)
    assert refusal(lambda: unwrap_offline(offline_of(LICENSE), SEALING, expected)).code == "wrong-license"


@pytest.mark.parametrize("changes", [*OTHERS, {"serial": "ee" * 16}], ids=[*OTHER_IDS, "serial"])
def test_a_wrapping_moved_to_another_document_does_not_open(changes: dict[str, Any]) -> None:
    original = offline_of(LICENSE)
    moved = offline_of(**({"license_id": LICENSE} | _as_arguments(changes)), wrapped_key=original.wrapped_key)
    expected = KeyBinding(
        license=moved.license, runtime=moved.runtime, package=moved.package, package_id=moved.package_id
    )
    with pytest.raises(IntegrityError):
        unwrap_offline(moved, SEALING, expected)


def _as_arguments(changes: dict[str, Any]) -> dict[str, Any]:
    return {("license_id" if name == "license" else name): value for name, value in changes.items()}


def leased(**changes: Any) -> Any:
    wrapped = wrap_for_lease(CONTENT_KEY, SEALING.public, BINDING, serial=SERIAL, nonce=NONCE)
    restart = wrap_for_restart(CONTENT_KEY, OTHER_SEALING.public, BINDING, serial=SERIAL, nonce=NONCE)
    return lease_of(LICENSE, **({"wrapped_key": wrapped, "restart_key": restart} | changes))


def test_a_lease_answers_one_request() -> None:
    assert unwrap_lease(leased(), SEALING, BINDING, nonce=NONCE) == CONTENT_KEY
    assert refusal(lambda: unwrap_lease(leased(), SEALING, BINDING, nonce="00" * 16)).code == "wrong-nonce"
    replayed = leased(nonce="00" * 16)
    with pytest.raises(IntegrityError):
        unwrap_lease(replayed, SEALING, BINDING, nonce="00" * 16)
    other = replace(BINDING, runtime=OTHER_RUNTIME)
    assert refusal(lambda: unwrap_lease(leased(), SEALING, other, nonce=NONCE)).code == "wrong-license"


def test_the_restart_envelope_is_for_the_sealing_key_and_nothing_else() -> None:
    assert unwrap_restart(leased(), OTHER_SEALING, BINDING) == CONTENT_KEY
    with pytest.raises(IntegrityError):
        unwrap_restart(leased(), SEALING, BINDING)
    swapped = leased(wrapped_key=leased().restart_key)
    with pytest.raises(IntegrityError):
        unwrap_lease(swapped, OTHER_SEALING, BINDING, nonce=NONCE)
    bare = leased(restart_key=None)
    assert refusal(lambda: unwrap_restart(bare, OTHER_SEALING, BINDING)).code == "no-restart-key"


def test_an_offline_wrapping_is_no_lease() -> None:
    wrapped = wrap_for_runtime(CONTENT_KEY, SEALING.public, BINDING, serial=SERIAL)
    with pytest.raises(IntegrityError):
        unwrap_lease(leased(wrapped_key=wrapped), SEALING, BINDING, nonce=NONCE)


def test_a_passphrase_opens_its_own_file() -> None:
    wrapped = wrap_with_passphrase(CONTENT_KEY, PHRASE, FOR_ALL, serial=SERIAL, context_words=("clinic",))
    file = passphrase_of(LICENSE, wrapped_key=wrapped)
    assert unwrap_with_passphrase(file, PHRASE, FOR_ALL) == CONTENT_KEY
    with pytest.raises(NoMatchingKey):
        unwrap_with_passphrase(file, PHRASE + "!", FOR_ALL)
    with pytest.raises(NoMatchingKey):
        unwrap_with_passphrase(passphrase_of(LICENSE, wrapped_key=wrapped, serial="ee" * 16), PHRASE, FOR_ALL)
    other = replace(FOR_ALL, package="cd" * 32)
    assert refusal(lambda: unwrap_with_passphrase(file, PHRASE, other)).code == "wrong-license"


@pytest.mark.parametrize("phrase", ["", "clinic", "password123", "clinic2026"])
def test_a_weak_passphrase_makes_no_file(phrase: str) -> None:
    with pytest.raises(UsageError) as caught:
        wrap_with_passphrase(CONTENT_KEY, phrase, FOR_ALL, serial=SERIAL, context_words=("clinic",))
    assert caught.value.code == "passphrase-weak"
    assert caught.value.hint


def test_what_is_no_content_key_is_refused() -> None:
    label = labels.bind(
        labels.KEY_WRAP,
        b"passphrase",
        LICENSE.encode(),
        b"",
        bytes.fromhex(PACKAGE),
        bytes.fromhex(PACKAGE_ID),
        bytes.fromhex(SERIAL),
        b"",
    )
    short = to_base64(passphrase.wrap(b"short", PHRASE, label=label))
    with pytest.raises(IntegrityError):
        unwrap_with_passphrase(passphrase_of(LICENSE, wrapped_key=short), PHRASE, FOR_ALL)
    with pytest.raises(FormatError):
        unwrap_with_passphrase(passphrase_of(LICENSE), PHRASE, FOR_ALL)


def _derivation(**changes: Any) -> Derivation:
    wrapped = wrap_for_owner(CONTENT_KEY, SEALING.public, FOR_ALL, serial=SERIAL)
    fields: dict[str, Any] = {
        "owner": "own-" + "o" * 24,
        "license": LICENSE,
        "parent": "cd" * 32,
        "package": PACKAGE,
        "package_id": PACKAGE_ID,
        "name": "risk",
        "version": "1.1.0",
        "serial": SERIAL,
        "wrapped_key": wrapped,
        "issued_at": SIGNED,
    }
    return Derivation(**(fields | changes))


def test_a_derivation_opens_at_the_owner_and_for_nothing_else() -> None:
    assert unwrap_derivation(_derivation(), SEALING, FOR_ALL) == CONTENT_KEY
    with pytest.raises(IntegrityError):
        unwrap_derivation(_derivation(), OTHER_SEALING, FOR_ALL)
    with pytest.raises(IntegrityError):
        unwrap_derivation(_derivation(serial="ee" * 16), SEALING, FOR_ALL)
    other = replace(FOR_ALL, license="lic-" + "b" * 24)
    assert refusal(lambda: unwrap_derivation(_derivation(), SEALING, other)).code == "wrong-license"
    with pytest.raises(IntegrityError):
        unwrap_derivation(_derivation(license=other.license), SEALING, other)


def test_a_key_for_a_runtime_is_none_for_the_owner() -> None:
    wrapped = wrap_for_runtime(CONTENT_KEY, SEALING.public, FOR_ALL, serial=SERIAL)
    with pytest.raises(IntegrityError):
        unwrap_derivation(_derivation(wrapped_key=wrapped), SEALING, FOR_ALL)

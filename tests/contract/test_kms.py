"""What every key provider must do: one suite, run over a key in memory and a key on a token."""

from __future__ import annotations

import itertools
import secrets
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from strongroom.errors import Error, IntegrityError, NoMatchingKey, StorageUnavailable, UsageError
from strongroom.kms.interface import KeyProvider
from strongroom.kms.key_ring import KeyRing
from strongroom.kms.pkcs11 import TokenKeyProvider, create_key
from strongroom.kms.software import SoftwareKeyProvider
from tests.servers.softhsm import PIN, SoftToken

KEY = secrets.token_bytes(32)
AAD = b"content-key/0123456789abcdef"

Make = Callable[[], KeyProvider]
"""Gives a provider with a key-encryption key of its own."""


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    token = SoftToken.start(tmp_path_factory.mktemp("softhsm"))
    yield token
    token.stop()


_labels = (f"kek-{number}" for number in itertools.count())


@pytest.fixture
def make_token_provider(token: SoftToken) -> Iterator[Callable[[], TokenKeyProvider]]:
    made: list[TokenKeyProvider] = []

    def make() -> TokenKeyProvider:
        key = token.key(next(_labels))
        create_key(key, lambda: PIN)
        made.append(TokenKeyProvider(key, lambda: PIN))
        return made[-1]

    yield make
    for provider in made:
        provider.close()


@pytest.fixture(params=["software", "pkcs11", "ring", "mixed-ring"])
def make(request: pytest.FixtureRequest) -> Make:
    def software() -> KeyProvider:
        return SoftwareKeyProvider(secrets.token_bytes(32))

    if request.param == "software":
        return software
    if request.param == "ring":
        return lambda: KeyRing(software(), [software(), software()])
    token: Make = request.getfixturevalue("make_token_provider")
    if request.param == "mixed-ring":
        return lambda: KeyRing(token(), [software()])
    return token


def test_a_wrapped_key_unwraps(make: Make) -> None:
    provider = make()
    blob = provider.wrap(KEY, AAD)
    assert provider.unwrap(blob, AAD) == KEY
    assert KEY not in blob


def test_wrapping_twice_gives_two_blobs(make: Make) -> None:
    provider = make()
    assert provider.wrap(KEY, AAD) != provider.wrap(KEY, AAD)


@pytest.mark.parametrize("position", [0, 1, 12, 13, 40, -1])
def test_an_altered_blob_does_not_open(make: Make, position: int) -> None:
    provider = make()
    blob = bytearray(provider.wrap(KEY, AAD))
    blob[position] ^= 1
    with pytest.raises(IntegrityError) as caught:
        provider.unwrap(bytes(blob), AAD)
    assert caught.value.code == "wrapped-key"


def test_a_blob_of_another_length_does_not_open(make: Make) -> None:
    provider = make()
    blob = provider.wrap(KEY, AAD)
    for broken in (b"", blob[:-1], blob + b"\0", blob[:13], blob * 2):
        with pytest.raises(IntegrityError) as caught:
            provider.unwrap(broken, AAD)
        assert caught.value.code == "wrapped-key"


@pytest.mark.parametrize("aad", [b"", AAD[:-1], AAD + b"\0", b"content-key/fedcba9876543210"])
def test_a_blob_does_not_open_for_another_purpose(make: Make, aad: bytes) -> None:
    provider = make()
    with pytest.raises(IntegrityError) as caught:
        provider.unwrap(provider.wrap(KEY, AAD), aad)
    assert caught.value.code == "wrapped-key"


def test_a_blob_does_not_open_with_another_key(make: Make) -> None:
    with pytest.raises(IntegrityError) as caught:
        make().unwrap(make().wrap(KEY, AAD), AAD)
    assert caught.value.code == "wrapped-key"


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_only_keys_of_32_bytes_are_wrapped(make: Make, size: int) -> None:
    with pytest.raises(UsageError) as caught:
        make().wrap(bytes(size), AAD)
    assert caught.value.code == "key-size"


def test_a_key_has_one_name_of_its_own(make: Make) -> None:
    one, other = make(), make()
    assert one.key_id == one.key_id
    assert one.key_id != other.key_id
    assert one.key_id.startswith("kek-")
    assert len(one.key_id) == len("kek-") + 24


def test_threads_may_share_a_provider(make: Make) -> None:
    provider = make()

    def turn(number: int) -> bool:
        aad = b"%d" % number
        return provider.unwrap(provider.wrap(KEY, aad), aad) == KEY

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(turn, range(200)))


def test_errors_and_texts_hold_no_key(make: Make) -> None:
    provider = make()
    blob = bytearray(provider.wrap(KEY, AAD))
    blob[-1] ^= 1
    with pytest.raises(Error) as caught:
        provider.unwrap(bytes(blob), AAD)
    told = "".join(traceback.format_exception(caught.value)) + repr(provider) + str(provider)
    for secret in (KEY, bytes(blob)):
        assert secret.hex() not in told
        assert repr(secret) not in told
    assert PIN not in told


# -- what only a token can do ---------------------------------------------------------


def test_a_second_process_or_provider_finds_the_key_by_its_label(token: SoftToken) -> None:
    key = token.key(next(_labels))
    create_key(key, lambda: PIN)
    one, other = TokenKeyProvider(key, lambda: PIN), TokenKeyProvider(key, lambda: PIN)
    assert one.key_id == other.key_id
    assert other.unwrap(one.wrap(KEY, AAD), AAD) == KEY
    one.close()
    # The first one's log-out counts for the whole process; the second logs in again by itself.
    assert other.unwrap(other.wrap(KEY, AAD), AAD) == KEY
    other.close()
    assert other.unwrap(other.wrap(KEY, AAD), AAD) == KEY
    other.close()


def test_a_wrong_pin_opens_nothing(token: SoftToken, make_token_provider: Make) -> None:
    key = token.key(next(_labels))
    create_key(key, lambda: PIN)
    provider = TokenKeyProvider(key, lambda: "000000")
    with pytest.raises(NoMatchingKey) as caught:
        provider.wrap(KEY, AAD)
    assert caught.value.code == "token-pin"
    assert "000000" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(NoMatchingKey):
        create_key(token.key(next(_labels)), lambda: "1")


def test_a_missing_key_is_told_from_a_missing_token(token: SoftToken) -> None:
    with pytest.raises(NoMatchingKey) as missing_key:
        _ = TokenKeyProvider(token.key("nobody made this"), lambda: PIN).key_id
    assert missing_key.value.code == "token-key"
    nowhere = token.key("kek")
    for where in (
        type(nowhere)(module=nowhere.module, token="another", label="kek"),
        type(nowhere)(module="/nonexistent/library.so", token=nowhere.token, label="kek"),
    ):
        with pytest.raises(StorageUnavailable) as missing_token:
            _ = TokenKeyProvider(where, lambda: PIN).key_id
        assert missing_token.value.code == "token-unavailable"


def test_two_keys_of_one_label_are_refused(token: SoftToken) -> None:
    key = token.key(next(_labels))
    create_key(key, lambda: PIN)
    with pytest.raises(UsageError) as caught:
        create_key(key, lambda: PIN)
    assert caught.value.code == "key-exists"


def test_a_token_that_was_away_is_used_again_when_it_is_back(
    token: SoftToken, make_token_provider: Make
) -> None:
    provider = make_token_provider()
    blob = provider.wrap(KEY, AAD)
    token.unplug()
    try:
        for _ in range(2):
            with pytest.raises(StorageUnavailable) as caught:
                provider.unwrap(blob, AAD)
            assert caught.value.code == "token-unavailable"
    finally:
        token.plug_in()
    assert provider.unwrap(blob, AAD) == KEY


# -- what only a ring can do ----------------------------------------------------------


def test_a_ring_opens_what_every_one_of_its_keys_wrapped_and_wraps_under_the_newest(make: Make) -> None:
    old, new = make(), make()
    blob = old.wrap(KEY, AAD)
    ring = KeyRing(new, [old])
    assert ring.unwrap(blob, AAD) == KEY
    assert new.unwrap(ring.wrap(KEY, AAD), AAD) == KEY
    assert ring.key_id == new.key_id
    assert ring.provider(old.key_id) is old
    assert ring.provider(new.key_id) is new
    with pytest.raises(NoMatchingKey) as caught:
        ring.provider("kek-" + "a" * 24)
    assert caught.value.code == "no-key-encryption-key"

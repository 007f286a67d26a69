from __future__ import annotations

import pytest

from strongroom.broker.http import nonce as nonces
from strongroom.broker.http.nonce import WINDOW_SECONDS, Nonces
from strongroom.errors import StorageUnavailable, VerificationError


class BootClock:
    """The seconds since the machine started."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> BootClock:
    return BootClock()


@pytest.fixture
def ours(clock: BootClock) -> Nonces:
    return Nonces(clock)


def refused(ours: Nonces, nonce: str | None, proof: str = "p") -> str:
    with pytest.raises(VerificationError) as caught:
        ours.spend(nonce, "key", proof)
    return caught.value.code


def test_a_proof_is_good_once(ours: Nonces) -> None:
    nonce = ours.fresh()
    ours.spend(nonce, "key", "p")
    assert refused(ours, nonce) == "proof-replayed"
    ours.spend(nonce, "key", "q")
    ours.spend(nonce, "other key", "p")


def test_a_nonce_lives_for_its_window_and_the_next(ours: Nonces, clock: BootClock) -> None:
    nonce = ours.fresh()
    clock.seconds += WINDOW_SECONDS
    assert ours.fresh() != nonce
    ours.spend(nonce, "key", "p")
    assert refused(ours, nonce) == "proof-replayed"
    clock.seconds += WINDOW_SECONDS
    assert refused(ours, nonce, "q") == "use-dpop-nonce"


def test_the_first_window_of_a_machine_that_just_started() -> None:
    clock = BootClock()
    clock.seconds = 0.0
    ours = Nonces(clock)
    ours.spend(ours.fresh(), "key", "p")


def test_what_was_seen_is_forgotten_only_when_its_nonce_is_dead(ours: Nonces, clock: BootClock) -> None:
    early = ours.fresh()
    ours.spend(early, "key", "p")
    clock.seconds += WINDOW_SECONDS
    ours.spend(ours.fresh(), "key", "p")
    assert refused(ours, early) == "proof-replayed"
    clock.seconds += WINDOW_SECONDS
    ours.spend(ours.fresh(), "key", "p")
    assert len(ours._seen) == 2


@pytest.mark.parametrize("nonce", [None, "", "x", "é", "A" * 32])
def test_what_is_no_nonce_of_ours(ours: Nonces, nonce: str | None) -> None:
    assert refused(ours, nonce) == "use-dpop-nonce"


def test_the_nonce_of_another_process(ours: Nonces, clock: BootClock) -> None:
    """Its memory of proofs is not ours: a proof that both accepted would be good twice."""
    assert refused(ours, Nonces(clock).fresh()) == "use-dpop-nonce"


def test_the_memory_has_a_bound(ours: Nonces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonces, "_MAX_SEEN", 1)
    ours.spend(ours.fresh(), "key", "p")
    with pytest.raises(StorageUnavailable) as caught:
        ours.spend(ours.fresh(), "key", "q")
    assert caught.value.code == "busy"

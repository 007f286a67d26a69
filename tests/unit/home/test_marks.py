import multiprocessing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from strongroom.errors import IntegrityError, NoMatchingKey, StorageUnavailable
from strongroom.home import Home, files
from strongroom.home.marks import Reservation
from strongroom.license.chain import LicenseChain
from strongroom.license.codes import Code
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.request import Recent, Right
from strongroom.license.terms import Explanations, Predictions, Rate, Tokens
from strongroom.license.verdict import Denied
from tests.unit.home.world import NOW, OWNER, PASSPHRASE, clinic, refused
from tests.unit.license.world import chain_of, facts, request

SECOND = timedelta(seconds=1)
MONTH = Predictions(limit=100, per=Period.MONTH)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return clinic(tmp_path / "home")


def reserve(
    home: Home,
    chain: LicenseChain,
    predictions: int = 1,
    now: datetime = NOW,
    *,
    block: int = 0,
    **changes: object,
) -> Reservation:
    asked = request(predictions=predictions, **changes)
    reserved = home.marks.reserve(chain, asked, facts(chain), now, block=block)
    assert isinstance(reserved, Reservation)
    return reserved


def denied(
    home: Home, chain: LicenseChain, predictions: int = 1, now: datetime = NOW, **changes: object
) -> Code:
    asked = request(predictions=predictions, **changes)
    verdict = home.marks.reserve(chain, asked, facts(chain), now)
    assert isinstance(verdict, Denied)
    return verdict.code


def used(home: Home, chain: LicenseChain, period: str = "2026-11") -> int:
    key = CounterKey(chain.id, CounterName.PREDICTIONS, period)
    return home.marks.read(OWNER.id).used.get(key, 0)


def test_a_runtime_begins_with_nothing(home: Home) -> None:
    state = home.marks.read(OWNER.id)
    assert (state.clock, state.versions, state.used, state.recent) == (None, {}, {}, {})


def test_a_use_is_charged_and_raises_the_marks(home: Home) -> None:
    chain = chain_of(MONTH)
    reserved = reserve(home, chain, 10)
    assert reserved.predictions == 10
    assert reserved.allowed.remaining[CounterKey(chain.id, CounterName.PREDICTIONS, "2026-11")] == 90
    state = Home.open(home.path).marks.read(OWNER.id)
    assert (state.clock, state.versions) == (NOW, {"risk": "1.2.0"})
    assert used(home, chain) == 10


def test_opening_charges_nothing_and_raises_the_marks(home: Home) -> None:
    chain = chain_of(MONTH)
    reserve(home, chain, 0)
    assert home.marks.read(OWNER.id).versions == {"risk": "1.2.0"}
    assert used(home, chain) == 0


def test_the_state_file_is_private_and_signed_by_the_device(home: Home) -> None:
    reserve(home, chain_of())
    path = home.path / "state" / OWNER.id / "state.jws"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().count(b".") == 2


def test_the_budget_stops_exactly_where_it_ends(home: Home) -> None:
    chain = chain_of(MONTH)
    reserve(home, chain, 60)
    assert denied(home, chain, 41) is Code.PREDICTIONS_USED_UP
    reserve(home, chain, 40)
    assert denied(home, chain) is Code.PREDICTIONS_USED_UP
    assert used(home, chain) == 100


def test_a_refused_use_changes_nothing_on_disk(home: Home) -> None:
    chain = chain_of(MONTH)
    reserve(home, chain)
    path = home.path / "state" / OWNER.id / "state.jws"
    before = path.read_bytes()
    assert denied(home, chain, 100, NOW + SECOND) is Code.PREDICTIONS_USED_UP
    assert denied(home, chain, right=Right.EXPORT) is Code.RIGHT_NOT_GRANTED
    assert path.read_bytes() == before


def test_a_block_is_charged_at_once_and_shrinks_to_what_is_left(home: Home) -> None:
    chain = chain_of(MONTH)
    assert reserve(home, chain, 1, block=64).predictions == 64
    assert used(home, chain) == 64
    last = reserve(home, chain, 1, block=64)
    assert (last.predictions, used(home, chain)) == (36, 100)
    assert denied(home, chain) is Code.PREDICTIONS_USED_UP


def test_a_block_is_never_smaller_than_the_request(home: Home) -> None:
    chain = chain_of(MONTH)
    assert reserve(home, chain, 10, block=5).predictions == 10


def test_without_a_count_a_block_costs_nothing(home: Home) -> None:
    chain = chain_of()
    reserved = reserve(home, chain, 1, block=1000)
    assert reserved.predictions == 1000
    # The authority of these tests has budgets of its own, which are charged.
    assert set(reserved.charged.values()) == {1000}
    assert used(home, chain) == 0


def test_the_rest_of_a_block_goes_back(home: Home) -> None:
    chain = chain_of(MONTH, Predictions(limit=1000, per=Period.TOTAL))
    reserved = reserve(home, chain, 1, block=50)
    home.marks.give_back(OWNER.id, reserved, 49)
    assert used(home, chain) == used(home, chain, "total") == 1
    home.marks.give_back(OWNER.id, reserved, 1000)
    assert used(home, chain) == 0
    assert all(home.marks.read(OWNER.id).used.values())


def test_tokens_and_explanations_are_charged_as_asked_and_not_given_back(home: Home) -> None:
    chain = chain_of(MONTH, Tokens(limit=1000, per=Period.DAY), Explanations(limit=10, per=Period.DAY))
    reserved = reserve(home, chain, 1, block=50, tokens=7, explanations=2)
    home.marks.give_back(OWNER.id, reserved, 49)
    counts = {
        key.counter: count for key, count in home.marks.read(OWNER.id).used.items() if key[0] == chain.id
    }
    assert counts == {
        CounterName.PREDICTIONS: 1,
        CounterName.TOKENS: 7,
        CounterName.EXPLANATIONS: 2,
    }


def test_every_document_of_a_chain_is_charged_also_by_another_site(home: Home) -> None:
    limits = [Predictions(limit=100, per=Period.TOTAL)]
    north = chain_of(*limits, children=[[Predictions(limit=60, per=Period.TOTAL)]])
    reserve(home, north, 60)
    assert denied(home, north) is Code.PREDICTIONS_USED_UP
    south = chain_of(*limits)
    assert denied(home, south, 41) is Code.PREDICTIONS_USED_UP
    reserve(home, south, 40)


def test_a_new_period_begins_at_zero_and_the_old_one_is_forgotten(home: Home) -> None:
    chain = chain_of(Predictions(limit=5, per=Period.HOUR))
    before = NOW - SECOND
    reserve(home, chain, 5, before)
    assert denied(home, chain, 1, before) is Code.PREDICTIONS_USED_UP
    assert used(home, chain, "2026-11-24T02") == 5
    reserve(home, chain, 4, NOW)
    assert used(home, chain, "2026-11-24T02") == 0
    assert used(home, chain, "2026-11-24T03") == 4


def test_a_clock_set_back_is_refused_and_a_small_step_is_not(home: Home) -> None:
    chain = chain_of(MONTH)
    reserve(home, chain, now=NOW)
    reserve(home, chain, now=NOW - 120 * SECOND)
    assert home.marks.read(OWNER.id).clock == NOW
    assert denied(home, chain, now=NOW - 121 * SECOND) is Code.CLOCK_SET_BACK


def test_a_small_step_back_over_the_hour_does_not_open_the_hour_before_again(home: Home) -> None:
    chain = chain_of(Predictions(limit=5, per=Period.HOUR))
    reserve(home, chain, 3, NOW)
    reserve(home, chain, 2, NOW - 60 * SECOND)
    assert used(home, chain, "2026-11-24T03") == 5
    assert denied(home, chain, 1, NOW - 60 * SECOND) is Code.PREDICTIONS_USED_UP


def test_only_the_broker_s_time_lowers_the_clock(home: Home) -> None:
    chain = chain_of()
    reserve(home, chain, now=NOW + 30 * 60 * SECOND)
    assert denied(home, chain, now=NOW) is Code.CLOCK_SET_BACK
    home.marks.set_clock(OWNER.id, NOW + timedelta(milliseconds=300))
    assert home.marks.read(OWNER.id).clock == NOW
    reserve(home, chain, now=NOW)


def test_an_older_version_is_refused_after_a_newer_one(home: Home) -> None:
    chain = chain_of()
    reserve(home, chain, version="1.10.0")
    assert denied(home, chain, version="1.9.0") is Code.VERSION_ROLLBACK
    reserve(home, chain, version="2.0.0")
    reserve(home, chain, name="risk", version="2.0.0")
    assert home.marks.read(OWNER.id).versions == {"risk": "2.0.0"}


def test_a_rate_is_counted_over_all_supervisors_and_never_in_blocks(home: Home) -> None:
    chain = chain_of(Rate(limit=10, seconds=60))
    assert reserve(home, chain, 6, block=1000).predictions == 6
    assert home.marks.read(OWNER.id).recent == {chain.id: (Recent(NOW, 6),)}
    assert denied(home, chain, 5, NOW + SECOND) is Code.RATE_EXCEEDED
    reserve(home, chain, 4, NOW + SECOND)
    assert denied(home, chain, 1, NOW + 59 * SECOND) is Code.RATE_EXCEEDED
    reserve(home, chain, 6, NOW + 60 * SECOND)


def test_no_rate_no_record_of_when(home: Home) -> None:
    reserve(home, chain_of(MONTH), 5)
    assert home.marks.read(OWNER.id).recent == {}


def test_facts_of_the_caller_never_go_before_those_on_disk(home: Home) -> None:
    chain = chain_of(MONTH)
    reserve(home, chain, 100)
    known = facts(chain, used={}, clock_mark=None, version_mark=None)
    verdict = home.marks.reserve(chain, request(), known, NOW)
    assert isinstance(verdict, Denied)
    assert verdict.code is Code.PREDICTIONS_USED_UP


@pytest.mark.parametrize("data", [b"", b"\xff", b"a.b.c", b"x" * (1 << 20) + b"yz"])
def test_a_state_that_was_tampered_with_stops_everything(home: Home, data: bytes) -> None:
    chain = chain_of(MONTH)
    reserve(home, chain)
    path = home.path / "state" / OWNER.id / "state.jws"
    good = path.read_bytes()
    flipped = good[:-10] + bytes([good[-10] ^ 1]) + good[-9:]
    for broken in (data, flipped):
        path.write_bytes(broken)
        for act in (
            lambda: home.marks.read(OWNER.id),
            lambda: home.marks.reserve(chain, request(), facts(chain), NOW),
            lambda: home.marks.set_clock(OWNER.id, NOW),
        ):
            error = refused(act)
            assert isinstance(error, IntegrityError)
            assert error.code == "state-tampered"
            assert error.hint is not None
        assert path.read_bytes() == broken


def test_a_missing_state_is_a_fresh_start(home: Home) -> None:
    chain = chain_of(MONTH)
    reserve(home, chain, 100)
    (home.path / "state" / OWNER.id / "state.jws").unlink()
    reserve(home, chain, 100)


def test_without_a_device_key_nothing_is_counted(tmp_path: Path) -> None:
    home = Home.create("ward", tmp_path / "home")
    error = refused(lambda: home.marks.set_clock(OWNER.id, NOW))
    assert isinstance(error, NoMatchingKey)
    assert home.marks.read(OWNER.id).clock is None


def test_an_owner_id_cannot_lead_out_of_the_folder(home: Home) -> None:
    assert refused(lambda: home.marks.read("../keys")).code == "unsafe-name"


def test_a_full_disk_refuses_the_use_and_keeps_the_counts(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = chain_of(MONTH)
    reserve(home, chain, 10)

    def full(*_args: object, **_kwargs: object) -> None:
        raise StorageUnavailable("full", code="disk-full")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_atomic", full)
        error = refused(lambda: home.marks.reserve(chain, request(), facts(chain), NOW))
    assert error.code == "disk-full"
    assert used(home, chain) == 10


def test_an_encrypted_device_key_is_asked_for_once(tmp_path: Path) -> None:
    asked: list[None] = []

    def ask() -> str:
        asked.append(None)
        return PASSPHRASE

    Home.create("ward", tmp_path / "home", passphrase=ask).keys.ensure_runtime_keys(OWNER.id, NOW)
    asked.clear()
    home = Home.open(tmp_path / "home", passphrase=ask)
    for _ in range(20):
        reserve(home, chain_of(MONTH))
    assert len(asked) == 1


def _spend(path: Path, block: int) -> None:
    home, chain, spent = Home.open(path), chain_of(Predictions(limit=500, per=Period.TOTAL)), 0
    while True:
        reserved = home.marks.reserve(chain, request(), facts(chain), NOW, block=block)
        if isinstance(reserved, Denied):
            break
        spent += reserved.predictions
    files.write_atomic(path / f"spent-{block}.txt", str(spent).encode())


def test_supervisors_that_race_for_one_budget_never_overspend(home: Home) -> None:
    context = multiprocessing.get_context("spawn")
    blocks = (3, 7, 16, 1)
    workers = [context.Process(target=_spend, args=(home.path, block)) for block in blocks]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    assert sum(int((home.path / f"spent-{block}.txt").read_bytes()) for block in blocks) == 500

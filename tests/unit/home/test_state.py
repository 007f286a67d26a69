from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom._limits import LIMITS, Limits
from strongroom.crypto import jws
from strongroom.errors import Error, FormatError, StorageUnavailable, VerificationError
from strongroom.home import state as states
from strongroom.home.state import State, from_token, to_token
from strongroom.license.period import CounterKey, CounterName
from strongroom.license.request import Facts, Recent
from tests.unit.home.world import NOW, OWNER
from tests.unit.license.world import DEVICE, HOUR, OTHER_DEVICE

LICENSE = "lic-" + "a" * 24
SECOND = timedelta(seconds=1)
FULL = State(
    clock=NOW,
    versions={"risk": "1.2.0"},
    used={CounterKey(LICENSE, CounterName.PREDICTIONS, "2026-11"): 512},
    recent={LICENSE: (Recent(NOW, 12),)},
)


def resigned(payload: bytes, typ: str = states.TYP) -> str:
    return jws.sign(typ, payload, DEVICE.secret)


def test_the_signed_bytes_are_pinned() -> None:
    payload = jws.read_unverified(to_token(FULL, OWNER.id, DEVICE)).payload.decode()
    assert payload == (
        '{"clock":"2026-11-24T03:00:00Z","format":"state/v1","owner":"' + OWNER.id + '",'
        '"recent":{"lic-aaaaaaaaaaaaaaaaaaaaaaaa":{"2026-11-24T03:00:00Z":12}},'
        '"used":{"lic-aaaaaaaaaaaaaaaaaaaaaaaa/predictions/2026-11":512},"versions":{"risk":"1.2.0"}}'
    )


@pytest.mark.parametrize("state", [State(), FULL])
def test_a_state_reads_back(state: State) -> None:
    assert from_token(to_token(state, OWNER.id, DEVICE), OWNER.id, DEVICE.public) == state


def test_another_device_s_state_is_refused() -> None:
    token = to_token(FULL, OWNER.id, OTHER_DEVICE)
    with pytest.raises(VerificationError):
        from_token(token, OWNER.id, DEVICE.public)


def test_a_state_toward_another_owner_is_refused() -> None:
    with pytest.raises(FormatError):
        from_token(to_token(FULL, "own-" + "b" * 24, DEVICE), OWNER.id, DEVICE.public)


def test_another_kind_of_document_by_the_same_device_is_refused() -> None:
    payload = jws.read_unverified(to_token(FULL, OWNER.id, DEVICE)).payload
    with pytest.raises(FormatError):
        from_token(resigned(payload, "strongroom-usage+jws"), OWNER.id, DEVICE.public)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (":512", ":-1"),
        ("predictions/2026-11", "predictions"),
        ("state/v1", "state/v2"),
        ('"clock":"2026-11-24T03:00:00Z"', '"clock":"yesterday"'),
        ('{"2026-11-24T03:00:00Z":12}', '{"now":12}'),
    ],
)
def test_a_malformed_state_is_refused_even_if_it_is_signed(old: str, new: str) -> None:
    payload = jws.read_unverified(to_token(FULL, OWNER.id, DEVICE)).payload.decode()
    assert old in payload
    with pytest.raises(FormatError):
        from_token(resigned(payload.replace(old, new).encode()), OWNER.id, DEVICE.public)


@given(st.text(max_size=200))
def test_any_text_gives_an_error_of_ours(text: str) -> None:
    with pytest.raises(Error):
        from_token(text, OWNER.id, DEVICE.public)


def test_a_state_that_could_not_be_read_back_is_not_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "LIMITS", Limits(max_token_bytes=100))
    with pytest.raises(StorageUnavailable) as caught:
        to_token(FULL, OWNER.id, DEVICE)
    assert caught.value.code == "state-too-large"


def test_the_busiest_hour_of_a_rate_fits() -> None:
    entries = tuple(Recent(NOW + second * SECOND, 1_000_000) for second in range(3601))
    assert len(to_token(State(recent={LICENSE: entries}), OWNER.id, DEVICE)) * 4 < LIMITS.max_token_bytes


def test_facts_are_those_on_disk_and_not_those_of_the_caller() -> None:
    known = Facts(clock_mark=NOW - HOUR, version_mark="9.9.9", outage_since=NOW)
    facts = FULL.facts(known, "risk")
    assert (facts.used, facts.recent) == (FULL.used, FULL.recent)
    assert (facts.clock_mark, facts.version_mark, facts.outage_since) == (NOW, "1.2.0", NOW)
    assert FULL.facts(known, "other").version_mark is None


def test_recent_predictions_are_kept_by_the_second_rounded_up() -> None:
    state = State()
    for moment, predictions in ((NOW, 1), (NOW, 2), (NOW + timedelta(microseconds=1), 4)):
        state = state.with_recent(LICENSE, moment, predictions, window=HOUR)
    assert state.recent == {LICENSE: (Recent(NOW, 3), Recent(NOW + SECOND, 4))}


def test_what_left_the_window_is_forgotten() -> None:
    state = State().with_recent(LICENSE, NOW, 1, window=10 * SECOND)
    assert state.with_recent(LICENSE, NOW + 9 * SECOND, 2, window=10 * SECOND).recent == {
        LICENSE: (Recent(NOW, 1), Recent(NOW + 9 * SECOND, 2))
    }
    assert state.with_recent(LICENSE, NOW + 10 * SECOND, 2, window=10 * SECOND).recent == {
        LICENSE: (Recent(NOW + 10 * SECOND, 2),)
    }
    assert FULL.pruned(NOW + 2 * HOUR).recent == {}


def test_counts_of_periods_that_are_over_are_forgotten_and_zeros_too() -> None:
    this_month = CounterKey(LICENSE, CounterName.PREDICTIONS, "2026-11")
    total = CounterKey(LICENSE, CounterName.PREDICTIONS, "total")
    last_hour = CounterKey(LICENSE, CounterName.TOKENS, "2026-11-24T02")
    state = State(used={this_month: 1, total: 2, last_hour: 3, total._replace(document="lic-0"): 0})
    assert state.pruned(NOW).used == {this_month: 1, total: 2}


@pytest.mark.parametrize("kind", ["lea-", "off-"])
def test_what_is_still_to_be_reported_is_kept_over_the_end_of_its_period(kind: str) -> None:
    last_hour = CounterKey(kind + 24 * "a", CounterName.PREDICTIONS, "2026-11-24T02")
    state = State(used={last_hour: 3, last_hour._replace(document=LICENSE): 3})
    assert state.pruned(NOW).used == {last_hour: 3}


def test_what_is_still_to_be_reported_does_not_make_the_state_unreadable() -> None:
    hours = [
        f"2026-{month:02}-{day:02}T{hour:02}"
        for month in (9, 10)
        for day in range(1, 31)
        for hour in range(24)
    ]
    used = {CounterKey("off-" + "a" * 24, CounterName.PREDICTIONS, hour): 1 for hour in hours}
    kept = State(used=used).pruned(NOW).used
    assert [key.period for key in kept] == hours[-1024:]

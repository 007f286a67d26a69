"""What is signed waits until the broker has it, in the order in which it was signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.home.home import Home
from strongroom.home.outbox import Parcel, ParcelKind

OWNER = "own-" + "a" * 24
OTHER = "own-" + "b" * 24


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create("clinic", tmp_path / "clinic")


def parcel(identity: str, owner: str = OWNER, **body: str | None) -> Parcel:
    return Parcel(
        kind=ParcelKind.LICENSE,
        id=identity,
        owner=owner,
        about="a license",
        body=body,
        added_at="2026-11-24T03:00:00Z",
    )


def test_a_license_with_the_longest_agreement_goes_out(home: Home) -> None:
    # Quotes are the worst: each is written as two bytes.
    home.outbox.add(parcel("lic-a", agreement='"' * LIMITS.max_agreement_bytes))
    home.outbox.add(parcel("lic-b"))
    assert [each.id for each in home.outbox.waiting()] == ["lic-a", "lic-b"]


def test_parcels_wait_in_the_order_in_which_they_were_signed(home: Home) -> None:
    assert home.outbox.waiting() == []
    for identity in ("lic-z", "lic-a", "lic-m"):
        home.outbox.add(parcel(identity))
    assert [each.id for each in home.outbox.waiting()] == ["lic-z", "lic-a", "lic-m"]
    assert [each.id for each in Home.open(home.path).outbox.waiting()] == ["lic-z", "lic-a", "lic-m"]


def test_one_that_waits_already_is_kept_as_it_is(home: Home) -> None:
    home.outbox.add(parcel("lic-a", license="first"))
    home.outbox.add(parcel("lic-a", license="second"))
    assert [each.body for each in home.outbox.waiting()] == [{"license": "first"}]


def test_each_broker_gets_its_own(home: Home) -> None:
    home.outbox.add(parcel("lic-a"))
    home.outbox.add(parcel("lic-b", OTHER, license="token", agreement=None))
    assert [each.id for each in home.outbox.waiting(OTHER)] == ["lic-b"]
    assert home.outbox.waiting(OTHER)[0].body == {"license": "token", "agreement": None}


def test_what_was_sent_waits_no_more(home: Home) -> None:
    home.outbox.add(parcel("lic-a"))
    home.outbox.add(parcel("lic-b"))
    home.outbox.remove("lic-a")
    home.outbox.remove("lic-a")
    assert [each.id for each in home.outbox.waiting()] == ["lic-b"]
    home.outbox.add(parcel("lic-a"))
    assert [each.id for each in home.outbox.waiting()] == ["lic-b", "lic-a"]


def test_an_id_that_leads_elsewhere_is_refused(home: Home) -> None:
    with pytest.raises(FormatError) as refused:
        home.outbox.add(parcel("../lic-a"))
    assert refused.value.code == "unsafe-name"


def test_a_damaged_parcel_is_named(home: Home) -> None:
    home.outbox.add(parcel("lic-a"))
    (path,) = (home.path / "outbox").glob("*.json")
    path.write_bytes(b"{")
    (home.path / "outbox" / "notes.json").write_bytes(b"not a parcel, and not counted as one")
    with pytest.raises(FormatError) as refused:
        home.outbox.waiting()
    assert refused.value.code == "damaged-record"
    assert str(path) in str(refused.value)


def test_a_parcel_that_cannot_be_removed_is_reported(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.outbox.add(parcel("lic-a"))

    def fail(self: Path, *, missing_ok: bool = False) -> None:
        raise OSError(5, "input/output error")

    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(Exception, match="cannot be removed"):
        home.outbox.remove("lic-a")


def test_a_parcel_that_another_process_sent_is_passed_over(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.outbox.add(parcel("lic-a"))
    home.outbox.add(parcel("lic-b"))
    names = home.outbox._names()
    home.outbox.remove("lic-a")
    monkeypatch.setattr(type(home.outbox), "_names", lambda self: names)
    assert [each.id for each in home.outbox.waiting()] == ["lic-b"]

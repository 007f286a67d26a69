"""What every database of a broker must promise: acts are whole, lasting, and one after another."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import pytest

from strongroom.broker.repository import Store, Writing
from strongroom.broker.sql.store import open_store
from strongroom.errors import UsageError
from strongroom.log.tile import Tile
from tests.contract import broker_rows as rows
from tests.contract.broker_rows import NOW

WRITERS = 4
ACTS = 15


class Stopped(Exception):
    """What a test raises inside of a transaction."""


def _names(store: Store) -> str:
    with store.read() as kept:
        return "".join(row.organization[-1] for row in kept.partners(limit=99))


def _add(kept: Writing, letters: str) -> None:
    for letter in letters:
        kept.add_partner(rows.partner(f"org-{letter}", name=letter))


def _stop(kept: Writing, letters: str, error: type[BaseException] = Stopped) -> None:
    _add(kept, letters)
    kept.set_head(rows.head(5))
    assert kept.head() == rows.head(5)
    raise error


def test_an_act_that_raises_leaves_nothing(store: Store) -> None:
    with pytest.raises(Stopped), store.write() as kept:
        _stop(kept, "ab")
    assert _names(store) == ""
    with store.read() as kept:
        assert kept.head().size == 0
    with store.write() as kept:
        _add(kept, "c")
    assert _names(store) == "c"


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, MemoryError])
def test_it_does_not_matter_how_an_act_ends(store: Store, error: type[BaseException]) -> None:
    with pytest.raises(error), store.write() as kept:
        _stop(kept, "a", error)
    with store.write() as kept:
        _add(kept, "b")
    assert _names(store) == "b"


def test_a_savepoint_takes_back_what_happened_in_it(store: Store) -> None:
    with store.write() as kept:
        _add(kept, "a")
        with kept.savepoint():
            _add(kept, "b")
            kept.set_head(rows.head(1))
        with pytest.raises(Stopped), kept.savepoint():
            _stop(kept, "c")
        assert kept.head() == rows.head(1), "also what was remembered of it"
        with kept.savepoint():
            with pytest.raises(Stopped), kept.savepoint():
                _stop(kept, "d")
            _add(kept, "e")
    assert _names(store) == "abe"
    with store.read() as kept:
        assert kept.head() == rows.head(1)


def test_a_savepoint_in_which_nothing_happened(store: Store) -> None:
    with store.write() as kept:
        with pytest.raises(Stopped), kept.savepoint():
            raise Stopped
        with kept.savepoint():
            _add(kept, "a")
            with pytest.raises(Stopped), kept.savepoint():
                _set_and_stop(kept)
        assert kept.head().size == 0
    assert _names(store) == "a"


def _set_and_stop(kept: Writing) -> None:
    kept.set_head(rows.head(5))
    raise Stopped


def _add_and_append(kept: Writing) -> None:
    _add(kept, "b")
    kept.append_entries([rows.entry(0, "org-a")], {})


def test_a_refused_row_takes_only_its_savepoint_along(store: Store) -> None:
    with store.write() as kept:
        _add(kept, "a")
        kept.append_entries([rows.entry(0, "org-a")], {})
        for _ in range(2):
            with pytest.raises(UsageError) as refused, kept.savepoint():
                _add_and_append(kept)
            assert refused.value.code == "exists-already"
        _add(kept, "c")
    assert _names(store) == "ac"


def test_what_was_committed_is_there_when_the_database_is_opened_again(
    database_url: str, store: Store
) -> None:
    with store.write() as kept:
        _add(kept, "a")
        kept.set_head(rows.head(1))
    store.close()
    again = open_store(database_url)
    with again.read() as read:
        assert read.head() == rows.head(1)
        assert read.partner("org-a") == rows.partner("org-a", name="a")
    again.close()


def test_a_reader_sees_one_state_and_holds_nobody_up(store: Store) -> None:
    with store.read() as before:
        assert before.partners(limit=9) == []
        with store.write() as kept:
            _add(kept, "a")
            kept.set_head(rows.head(1))
            with store.read() as during:
                assert during.partners(limit=9) == []
        assert before.partners(limit=9) == []
        assert before.head().size == 0
    assert _names(store) == "a"


def test_a_new_database_has_no_log_yet(store: Store) -> None:
    with store.read() as kept:
        head = kept.head()
        assert (head.origin, head.size, head.frontier, head.checkpoint) == ("", 0, b"", "")
        assert kept.entries(0, 9) == []
        assert kept.cosignatures() == []
        assert kept.past_log("") is None


def test_entries(store: Store) -> None:
    known = [rows.entry(0, "own-a"), rows.entry(1, "org-a", "run-a"), rows.entry(2), rows.entry(3, "org-a")]
    with store.write() as written:
        written.append_entries(known[:1], {})
        written.append_entries(known[1:], {})
        written.append_entries([], {})
    with store.read() as kept:
        assert kept.entries(0, 9) == known
        assert kept.entries(1, 2) == known[1:3]
        assert kept.entries(4, 2) == []

        def about(*subjects: str, after: int = -1, limit: int = 9) -> list[int]:
            return [row.index for row in kept.entries_about(subjects, after=after, limit=limit)]

        assert about("org-a") == [1, 3]
        assert about("org-a", "run-a", "own-a") == [0, 1, 3]
        assert about("org-a", "run-a", "own-a", limit=2) == [0, 1]
        assert about("org-a", after=1) == [3]
        assert about("org-x") == about() == []
        many = [f"org-{number}" for number in range(200)]
        assert about("own-a", *many, "run-a", limit=1) == [0]
        assert kept.entries_about(None, after=1, limit=1) == known[2:3]
        assert kept.entries_about(["run-a"], after=-1, limit=1) == [known[1]]


def test_an_erased_entry_stays_without_what_it_stood_for(store: Store) -> None:
    with store.write() as kept:
        kept.append_entries([rows.entry(0, "org-a"), rows.entry(1, "org-a")], {})
        kept.erase_disclosure(0)
        erased = replace(rows.entry(0), disclosure=None)
        assert kept.entries(0, 9) == [erased, rows.entry(1, "org-a")]
        assert kept.entries_about(["org-a"], after=-1, limit=9) == [rows.entry(1, "org-a")]


def test_the_newest_cosigned_note_is_kept(store: Store) -> None:
    with store.write() as kept:
        kept.set_cosignature(3, "three")
        assert kept.cosignatures() == ["three"]
        kept.set_cosignature(2, "two")
        kept.set_cosignature(3, "three, by two")
        assert kept.cosignatures() == ["three, by two"]


def test_a_log_that_ended_keeps_its_proofs(store: Store) -> None:
    old, new = rows.head(2, "own-a/log/1"), rows.head(0, "own-a/log/2")
    with store.write() as kept:
        kept.set_head(old)
        kept.append_entries([rows.entry(0, "org-a"), rows.entry(1, "org-a")], {(0, 0): b"o" * 64})
        kept.set_cosignature(2, "old")
        kept.start_log(new)
        assert kept.head() == new
        assert kept.entries(0, 9) == kept.entries_about(["org-a"], after=-1, limit=9) == []
        kept.append_entries([rows.entry(0, "org-b")], {(0, 0): b"n" * 32})
    with store.read() as read:
        assert read.head() == new
        assert read.entries(0, 9) == [rows.entry(0, "org-b")]
        assert read.read_tile(Tile(0, 0, 1)) == b"n" * 32
        assert read.cosignatures() == []
        past = read.past_log("own-a/log/1")
        assert past is not None
        assert past[0] == old
        assert past[1].read_tile(Tile(0, 0, 2)) == b"o" * 64
        assert read.past_log("own-a/log/2") is None


def _append(kept: Writing) -> int:
    """Do what an act does, in steps between which another writer could come."""
    head = kept.head()
    row = rows.entry(head.size, "org-a")
    kept.append_entries([row], {(0, 0): b"h" * 32 * (head.size + 1)})
    kept.set_head(replace(rows.head(head.size + 1), at=NOW))
    return row.index


def _append_often(url: str) -> list[int]:
    store = open_store(url)
    done = []
    for _ in range(ACTS):
        with store.write() as kept:
            done.append(_append(kept))
    store.close()
    return done


def _race_of_threads(url: str) -> list[int]:
    with ThreadPoolExecutor(WRITERS) as pool:
        return [index for done in pool.map(_append_often, [url] * WRITERS) for index in done]


def _race_of_processes(url: str) -> list[int]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WRITERS, mp_context=context) as pool:
        return [index for done in pool.map(_append_often, [url] * WRITERS) for index in done]


@pytest.mark.parametrize("race", [_race_of_threads, _race_of_processes])
def test_writers_never_interleave(store: Store, database_url: str, race: Callable[[str], list[int]]) -> None:
    assert sorted(race(database_url)) == list(range(WRITERS * ACTS))
    with store.read() as kept:
        assert kept.head().size == WRITERS * ACTS
        assert [row.index for row in kept.entries(0, 999)] == list(range(WRITERS * ACTS))


def test_threads_share_a_store(store: Store) -> None:
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(ACTS):
                with store.write() as kept:
                    _append(kept)
                with store.read() as read:
                    size = read.head().size
                    assert len(read.entries(0, 999)) == size, f"thread {number} saw half an act"
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with store.read() as kept:
        assert kept.head().size == WRITERS * ACTS

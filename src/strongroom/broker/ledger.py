"""The ledger: every act of a broker and its entry in the log are one transaction.

    ledger = Ledger(store, keys, SystemClock())
    ledger.start()
    entry = ledger.act(lambda act: act.record(Kind.GRANT, [license_id, organization]))
    proof = ledger.prove(entry)
    ledger.close()

Acts wait in a queue, and one thread takes them in groups: one transaction, each act in a savepoint
of its own, all entries appended, one checkpoint signed, one durable commit, and only then does any
answer leave. An act that raises takes back itself and nothing else. If the group cannot be committed,
none of it happened, and everybody in it is told so: also those whose act was refused, since
what they were refused for may be gone with it.

Several brokers may share one database: a transaction holds the head of the log from its first
statement, and everything else is read after that (docs/adr/0013).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from strongroom._limits import LIMITS
from strongroom.broker.act import Act, Journal
from strongroom.broker.besides import surrounded
from strongroom.broker.clock import Clock, verify_rest
from strongroom.broker.faults import NO_FAULTS, FaultPoint, Faults
from strongroom.broker.growth import RightEdge, checkpoint_of, is_signed_by, sign_checkpoint
from strongroom.broker.proving import Committed, KnownTiles, ProvedAct, make_offer, make_proof, prove_act
from strongroom.broker.records import LogHead
from strongroom.broker.repository import Reading, Store, Writing
from strongroom.broker.turn import Turn
from strongroom.errors import Error, StorageUnavailable, UsageError
from strongroom.keys.log_key import LogKey
from strongroom.keys.owner import Owner
from strongroom.log.checkpoint import predecessor_line
from strongroom.log.frontier import Frontier
from strongroom.log.origin import Origin

__all__ = ["Act", "Ledger", "LogSigner"]

T = TypeVar("T")
_NAME: Final = "strongroom-ledger"


class LogSigner(Protocol):
    """Whose log it is, and what signs it: ``broker.keys.BrokerKeys``."""

    def owner(self) -> Owner:
        """Return the owner with its newest chain."""
        ...

    def log_key(self, now: datetime) -> LogKey:
        """Return a log key that may sign now.

        Raises:
            NoMatchingKey: none that is in force is at hand (code ``no-key``).
        """
        ...


class _Waiting(Generic[T]):
    """One act in the queue, and what came of it."""

    __slots__ = ("_done", "_restart", "committed", "do", "failure", "result")

    def __init__(self, do: Callable[[Act], T], *, restart: bool = False) -> None:
        self.do = do
        self.result: T | None = None
        self.committed: Committed | None = None
        self.failure: BaseException | None = None
        self._restart = restart
        self._done = threading.Lock()
        self._done.acquire()

    @property
    def restarts(self) -> bool:
        """Whether a new log begins with this act."""
        return self._restart

    def finish(self) -> None:
        """Let whoever waits go on."""
        self._done.release()

    def wait(self) -> T:
        """Wait until the act is durable; returns its result or raises what it raised."""
        self._done.acquire()
        if self.failure is not None:
            raise self.failure
        return self.result  # type: ignore[return-value] # set together with failure


class Ledger:
    """Acts and their log, over one database. Safe to share between threads."""

    def __init__(
        self,
        store: Store,
        log: LogSigner,
        clock: Clock,
        faults: Faults = NO_FAULTS,
        *,
        trust_clock: bool = False,
    ) -> None:
        self._store = store
        self._log = log
        self._clock = clock
        self._faults = faults
        self._trust_clock = trust_clock
        self._edge = RightEdge()
        self._tiles = KnownTiles(store)
        self.turn = Turn()
        """Who computes for long takes it, as this does for a group."""
        self._queue: deque[_Waiting[object]] = deque()
        self._changed = threading.Condition()
        self._open = False
        self._thread: threading.Thread | None = None

    def start(self, *, restart: Callable[[Act], object] | None = None) -> None:
        """Begin to take acts; founds the log, and enters versions of the owner document that it lacks.

        Args:
            restart: What to do first, in a new log that follows the one that the database has. Nothing
                is entered into that one: for a database that came from a backup.

        Raises:
            StorageUnavailable: the database does not answer, it is another owner's (code
                ``other-owner``), no log key is at hand (code ``no-key``), or the last act is so long
                ago that the clock must be wrong (code ``broker-clock``).
            UsageError: it was started already (code ``ledger-started``).
        """
        if restart is None and not self._trust_clock:
            self._verify_clock()
        with self._changed:
            if self._open:
                raise UsageError("this ledger was started already", code="ledger-started")
            self._open = True
            self._thread = threading.Thread(target=self._run, name=_NAME, daemon=True)
            self._thread.start()
        try:
            if restart is None:
                self.act(_nothing)
            else:
                self.restart(restart)
        except BaseException:
            self.close()
            raise

    def _verify_clock(self) -> None:
        with self._store.read() as kept:
            head = kept.head()
        if head.origin:
            verify_rest(head.at, self._clock.now())

    def close(self) -> None:
        """Finish what waits, and take nothing more. The store stays open."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def act(self, do: Callable[[Act], T]) -> T:
        """Do something in a transaction of the log; returns what ``do`` returns, once it is durable.

        ``do`` runs on the ledger's own thread while everybody else waits: what takes long, such
        as checking a signature, belongs before the call. It must not keep the ``Act``.

        Raises:
            StorageUnavailable: too many wait (code ``broker-busy``), the broker ends (code
                ``broker-closing``), or nothing could be written; nothing was done.
        """
        return self.act_to_prove(do)[0]

    def act_to_prove(self, do: Callable[[Act], T]) -> tuple[T, Committed | None]:
        """Do as ``act``, and return with the result what ``prove_since`` needs to prove it at once.

        Raises:
            StorageUnavailable: as ``act``.
        """
        waiting = _Waiting(surrounded(do))
        result = self._submit(waiting)
        return result, waiting.committed

    def restart(self, do: Callable[[Act], T]) -> T:
        """End the log as it stands and begin the next one, which names its last checkpoint, with an act.

        For a database that came from a backup: others may have seen more of the old log.

        Raises:
            StorageUnavailable: as ``act``; or the database has no log yet (code ``no-log``).
        """
        return self._submit(_Waiting(do, restart=True))

    @property
    def waiting(self) -> int:
        """How many acts wait, for those who measure."""
        return len(self._queue)

    @contextmanager
    def view(self) -> Iterator[Reading]:
        """Look at one consistent state.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        with self._store.read() as kept:
            yield kept

    def now(self, kept: Reading) -> datetime:
        """Return the time, for what only looks: never earlier than that of the last act."""
        return max(self._clock.now(), kept.head().at)

    def prove(self, index: int) -> bytes:
        """Return the proof file of an entry, with its disclosure, under the newest checkpoint.

        Raises:
            IntegrityError: there is no such entry (code ``log-inclusion``), or the database is damaged.
            StorageUnavailable: the database does not answer.
        """
        return self.newest(lambda kept: make_proof(kept, index))

    def offer(self, old_size: int, number: int | None = None) -> bytes:
        """Return the newest checkpoint, with the proof that it continues the log of ``old_size`` entries.

        Args:
            old_size: How many entries the reader has seen. If the log has fewer, the offer says so.
            number: Of which log; the last checkpoint of one that ended with a restore can be had, too.

        Raises:
            ObjectNotFound: there was no such log (code ``not-found``).
            IntegrityError: the database is damaged.
            StorageUnavailable: the database does not answer.
        """
        return self.newest(lambda kept: make_offer(kept, old_size, number))

    def prove_since(self, index: int, old_size: int, committed: Committed | None = None) -> ProvedAct:
        """Return the proof of an entry, and the offer with the same checkpoint.

        Args:
            index: Of the entry.
            old_size: How many entries the reader has seen.
            committed: The transaction that entered it, if that was just now: nothing is read again.

        Raises:
            IntegrityError: there is no such entry (code ``log-inclusion``), or the database is damaged.
            StorageUnavailable: the database does not answer.
        """
        if committed is not None and committed.proves(index, old_size) and self._stands(committed):
            with self.turn.take():
                return committed.prove_act(index, old_size)
        return self.newest(lambda kept: prove_act(kept, index, old_size))

    def newest(self, make: Callable[[Reading], T]) -> T:
        """Make something from the newest checkpoint.

        A rotation of the log key, or a new version of the owner document, first gets a checkpoint
        of its own: partners who know of it take no older one.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        with self._store.read() as kept:
            if self._is_current(kept.head()):
                return make(kept)
        self.act(_nothing)
        with self._store.read() as kept:
            return make(kept)

    def _submit(self, waiting: _Waiting[T]) -> T:
        if threading.current_thread() is self._thread:
            raise UsageError("an act within an act would wait for itself", code="nested-act")
        with self._changed:
            if not self._open:
                raise StorageUnavailable("the broker is not open for acts", code="broker-closing")
            if len(self._queue) >= LIMITS.max_waiting_acts_length:
                raise StorageUnavailable(
                    "the broker has too much to do", code="broker-busy", hint="try again in a few seconds"
                )
            self._queue.append(waiting)  # type: ignore[arg-type] # only ``wait`` looks at the result
            self._changed.notify()
        return waiting.wait()

    def _run(self) -> None:
        while self._wait_for_one():
            group: list[_Waiting[object]] = []
            failure = self._attempt(group)
            if not group:
                # The database did not even begin: all who wait are told, and not tried for ever.
                group = self._next_group()
            self._faults.reach(FaultPoint.LEDGER_BEFORE_ANSWER)
            for waiting in group:
                if failure is not None:
                    waiting.failure = _not_done(failure)
                waiting.finish()

    def _wait_for_one(self) -> bool:
        with self._changed:
            while self._open and not self._queue:
                self._changed.wait()
            return bool(self._queue)

    def _next_group(self) -> list[_Waiting[object]]:
        with self._changed:
            group: list[_Waiting[object]] = []
            # A log begins with one act alone.
            while self._queue and len(group) < LIMITS.max_group_acts_length:
                if group and (group[0].restarts or self._queue[0].restarts):
                    break
                group.append(self._queue.popleft())
            return group

    def _attempt(self, group: list[_Waiting[object]]) -> BaseException | None:
        """Take the next group and write it; returns what went wrong."""
        try:
            with self._store.write() as kept:
                # Another process may hold it.
                last = kept.head()
                with self.turn.take():
                    # Only now: who was in turn before has come into the queue meanwhile.
                    group += self._next_group()
                    committed = self._write(kept, last, group)
                self._faults.reach(FaultPoint.LEDGER_BEFORE_COMMIT)
            self._faults.reach(FaultPoint.LEDGER_AFTER_COMMIT)
            if committed is not None:
                self._tiles.keep(committed.head.origin, self._edge.tiles)
                for waiting in group:
                    waiting.committed = committed
        # Whatever it is, people on other threads wait to be told, and this thread has to go on.
        except BaseException as error:  # noqa: BLE001 - handed to everybody who waits
            return error
        return None

    def _write(self, kept: Writing, last: LogHead, group: Sequence[_Waiting[object]]) -> Committed | None:
        owner = self._log.owner()
        now = max(self._clock.now(), last.at)
        head, extensions = _place(kept, last, owner, restart=group[0].restarts)
        journal = Journal(head)
        if group[0].restarts:
            journal.enter_restore(Origin.from_text(head.origin), last, checkpoint_of(last).digest, now)
        journal.enter_owner(owner, head.owner_version, now)
        act = Act(kept, now, journal)
        done = [self._perform(act, journal, waiting) for waiting in group]
        if not journal.rows and not any(done) and self._is_current(head):
            return None
        frontier = Frontier.from_bytes(head.frontier)
        if journal.rows:
            frontier, tiles = self._edge.extend(kept, frontier, (row.entry for row in journal.rows))
            kept.append_entries(journal.rows, tiles)
        self._faults.reach(FaultPoint.LEDGER_BEFORE_SIGN)
        key = self._log.log_key(now)
        checkpoint = head.checkpoint
        if journal.rows or not is_signed_by(head, key):
            checkpoint = sign_checkpoint(head.origin, frontier, extensions, key)
        head = replace(
            head,
            size=frontier.size,
            frontier=frontier.to_bytes(),
            checkpoint=checkpoint,
            at=now,
            generation=journal.generation,
            owner_version=max(head.owner_version, owner.version),
        )
        kept.set_head(head)
        return Committed(self._tiles, head, journal.rows, key)

    def _perform(self, act: Act, journal: Journal, waiting: _Waiting[object]) -> bool:
        rows, generation = len(journal.rows), journal.generation
        own: BaseException | None = None
        try:
            with act.kept.savepoint():
                self._faults.reach(FaultPoint.LEDGER_BEFORE_ACT)
                try:
                    waiting.result = waiting.do(act)
                except BaseException as error:
                    own = error
                    raise
                self._faults.reach(FaultPoint.LEDGER_AFTER_ACT)
        except BaseException as error:
            if error is not own:
                # The savepoint itself failed: nobody knows what stands in the transaction.
                raise
            journal.take_back(rows, generation)
            waiting.failure = error
        return waiting.failure is None

    def _stands(self, committed: Committed) -> bool:
        """Tell whether the checkpoint of a transaction is still what a reader of today takes."""
        head = committed.head
        if head.owner_version < self._log.owner().version:
            return False
        return committed.key.key_id == self._log.log_key(max(self._clock.now(), head.at)).key_id

    def _is_current(self, head: LogHead) -> bool:
        if head.owner_version < self._log.owner().version:
            return False
        return is_signed_by(head, self._log.log_key(max(self._clock.now(), head.at)))


def _nothing(act: Act) -> None:
    """Do nothing, so that the log is founded, or brought up to date."""


def _place(kept: Writing, last: LogHead, owner: Owner, *, restart: bool) -> tuple[LogHead, tuple[str, ...]]:
    """Return the head to go on from, and the extension lines of its log's checkpoints."""
    if not last.origin:
        if restart:
            raise UsageError("there is no log yet that another could follow", code="no-log")
        return _empty(last, Origin(owner.id, 1)), ()
    origin = Origin.from_text(last.origin)
    if origin.owner != owner.id:
        raise UsageError(
            "this database belongs to the broker of another owner",
            code="other-owner",
            hint="give the address of this owner's own database",
        )
    known = checkpoint_of(last)
    if not restart:
        return last, known.extensions
    head = replace(_empty(last, origin.following), generation=last.generation + 1)
    kept.start_log(head)
    return head, (predecessor_line(known),)


def _empty(last: LogHead, origin: Origin) -> LogHead:
    return replace(
        last,
        origin=origin.to_text(),
        size=0,
        frontier=Frontier.empty().to_bytes(),
        checkpoint="",
        owner_version=0,
    )


def _not_done(failure: BaseException) -> StorageUnavailable:
    """Return the error for one of those whose group was not committed."""
    if isinstance(failure, StorageUnavailable):
        told = StorageUnavailable(str(failure), code=failure.code, hint=failure.hint)
    elif isinstance(failure, Error):
        told = StorageUnavailable(
            f"the broker cannot write its log: {failure}", code=failure.code, hint=failure.hint
        )
    else:
        told = StorageUnavailable("the broker failed while it wrote its log", code="ledger-failed")
    told.__cause__ = failure
    return told

"""The driver of PostgreSQL: statements through libpq, as psycopg gives access to it.

    driver = Pipelined(connection, prepared={})
    driver.later("BEGIN", [{}])
    driver.rows(compiled, values)

psycopg's own cursor spends most of the processor time of a statement: 14 µs for one alone and 17 µs
for each within a pipeline, against 8 µs and 1 µs here (measured on the machine of docs/performance.md;
a lease has some twenty). What it does besides is not needed: columns have four types, and
parameters come by position.

Each statement is prepared once for each connection. Waiting is always done outside of libpq, which
would hold all other threads of Python up.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGconn, PGresult

from strongroom.broker.sql.driver import Call, Compiled, Row, Value, Values

_TEXT: Final = 0
_BINARY: Final = 1
_GOOD: Final = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


def _to_int(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


_DECODERS: Final[Mapping[int, Callable[[bytes], Any]]] = {
    16: lambda data: data == b"\x01",
    17: bytes,
    20: _to_int,
    21: _to_int,
    23: _to_int,
    25: bytes.decode,
    1043: bytes.decode,
}
"""By the number of a type in PostgreSQL's catalog, which never changes for its own types."""


class Pipelined:
    """Statements to one connection, many in one round trip."""

    def __init__(self, connection: psycopg.Connection[Any], prepared: dict[str, bytes]) -> None:
        """Take a connection that does not begin transactions itself, and what was prepared on it."""
        self._libpq: PGconn = connection.pgconn
        self._prepared = prepared
        self._waiting: list[Call] = []
        self._sent = 0

    def rows(self, statement: Compiled, values: Values) -> list[Row]:
        """Run one statement, with what waits; returns its rows.

        Raises:
            psycopg.Error: PostgreSQL refused one of them, or does not answer.
        """
        result = self._send([(statement, values)])[0]
        decoders = [_DECODERS[result.ftype(column)] for column in range(result.nfields)]
        rows: list[Row] = []
        for number in range(result.ntuples):
            data = [result.get_value(number, column) for column in range(len(decoders))]
            rows.append(
                tuple(
                    None if value is None else decode(value)
                    for decode, value in zip(decoders, data, strict=True)
                )
            )
        return rows

    def counts(self, calls: Sequence[Call]) -> list[int]:
        """Run statements, with what waits; returns how many rows each of them touched.

        Raises:
            psycopg.Error: PostgreSQL refused one of them, or does not answer.
        """
        return [result.command_tuples or 0 for result in self._send(calls)]

    def later(self, statement: Compiled, rows: Sequence[Values]) -> None:
        """Let a statement wait, once for each of the rows."""
        self._waiting += ((statement, row) for row in rows)

    def mark(self) -> tuple[int, int]:
        """Return what was sent and what waits."""
        return self._sent, len(self._waiting)

    def drop(self, mark: tuple[int, int]) -> bool:
        """Forget what waits since the mark; returns whether nothing since then was sent."""
        sent, waiting = mark
        unsent = sent == self._sent
        del self._waiting[waiting if unsent else 0 :]
        return unsent

    def roll_back(self) -> None:
        """End the transaction, if one was begun, with nothing done.

        Raises:
            psycopg.Error: the connection is in no state for it, and of no use any more.
        """
        self._waiting.clear()
        status = self._libpq.transaction_status
        if status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR):
            _verify(self._libpq.exec_(b"ROLLBACK"))
        elif status == pq.TransactionStatus.ACTIVE:
            # Without this it would run to its end, and hold what it holds.
            self._libpq.get_cancel().cancel()
            raise psycopg.OperationalError("a statement was interrupted")
        elif status != pq.TransactionStatus.IDLE:
            raise psycopg.OperationalError("the connection is lost")

    def _send(self, calls: Sequence[Call]) -> list[PGresult]:
        waiting, self._waiting = self._waiting, []
        self._sent += 1
        ready = [self._ready(*call) for call in (*waiting, *calls)]
        if len(ready) == 1:
            name, values, formats = ready[0]
            result = self._libpq.exec_prepared(name, values, formats, _BINARY)  # type: ignore[arg-type] # NULL
            return [_verify(result)]
        return self._pipeline(ready)[len(waiting) :]

    def _pipeline(self, ready: Sequence[tuple[bytes, list[bytes | None], list[int]]]) -> list[PGresult]:
        libpq = self._libpq
        libpq.enter_pipeline_mode()
        for name, values, formats in ready:
            libpq.send_query_prepared(name, values, formats, _BINARY)
        libpq.pipeline_sync()
        results: list[PGresult] = []
        while (result := self._next()).status != pq.ExecStatus.PIPELINE_SYNC:
            results.append(result)
        libpq.exit_pipeline_mode()
        return [_verify(result) for result in results]

    def _next(self) -> PGresult:
        libpq = self._libpq
        while True:
            unsent = libpq.flush()
            # Also while sending: a server that cannot get rid of its answers reads no more.
            while libpq.is_busy() or unsent:
                poll = select.poll()
                poll.register(libpq.socket, select.POLLIN | (select.POLLOUT if unsent else 0))
                poll.poll()
                libpq.consume_input()
                unsent = libpq.flush()
            result = libpq.get_result()
            if result is not None:
                return result
            # After the result of each statement comes one that is none.
            if libpq.status == pq.ConnStatus.BAD:
                raise psycopg.OperationalError("the connection is lost")

    def _ready(self, statement: Compiled, values: Values) -> tuple[bytes, list[bytes | None], list[int]]:
        name = self._prepared.get(statement.text) or self._prepare(statement.text)
        formats: list[int] = []
        data: list[bytes | None] = []
        for parameter in statement.order:
            value = values[parameter]
            data.append(_encode(value))
            formats.append(_BINARY if isinstance(value, bytes) else _TEXT)
        return name, data, formats

    def _prepare(self, text: str) -> bytes:
        name = b"strongroom_%d" % len(self._prepared)
        _verify(self._libpq.prepare(name, text.encode()))
        self._prepared[text] = name
        return name


def _encode(value: Value) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return b"%d" % value
    data = value.encode()
    if b"\x00" in data:
        # To libpq a text ends there: what follows would be lost without a word.
        raise psycopg.DataError("a text holds a NUL")
    return data


def _verify(result: PGresult) -> PGresult:
    """Check that a statement was done.

    Raises:
        psycopg.Error: it was refused, or the server does not answer.
    """
    if result.status in _GOOD:
        return result
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    message = result.error_message.decode(errors="replace")
    try:
        raise psycopg.errors.lookup(state)(message)
    except KeyError:
        raise psycopg.OperationalError(message) from None

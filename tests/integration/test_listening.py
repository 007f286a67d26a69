"""What every server here does with clients that are slow with their answers, over plain sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from strongroom.listening import HttpServer

LONG = bytes(3 << 20)


@dataclass(frozen=True, slots=True)
class Limits:
    """Quick ones."""

    handshake_seconds: float = 1.0
    header_seconds: float = 5.0
    answer_seconds: float = 0.5
    keep_alive_seconds: int = 60
    shutdown_seconds: int = 5
    max_connections: int = 4


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the name that was sent, or at length."""
    body = LONG if scope["path"] == "/long" else scope["path"].encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def holder_of(scope: Any) -> str | None:
    """Take the query for who asks."""
    return scope["query_string"].decode() or None


@contextmanager
def serving(limits: Limits) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ready = threading.Event()
        server = HttpServer(app, limits, listener=listener, holder_of=holder_of, ready=ready.set)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            assert ready.wait(20)
            yield listener.getsockname()[1]
        finally:
            server.stop()
            thread.join(20)
            assert not thread.is_alive()


def connect(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    return connection


def ask(connection: socket.socket, target: str) -> None:
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())


def is_answered(connection: socket.socket, target: str) -> bool:
    path, found = target.partition("?")[0].encode(), b""
    try:
        ask(connection, target)
        while chunk := connection.recv(1 << 16):
            found += chunk
            if found.endswith(b"\r\n\r\n" + path):
                return True
    except ConnectionError:
        pass
    return False


def read_all(connection: socket.socket, pause_seconds: float = 0.0) -> int:
    found = 0
    try:
        while chunk := connection.recv(1 << 16):
            found += len(chunk)
            if b"\r\n\r\n" in chunk:
                found -= chunk.index(b"\r\n\r\n") + 4
            if found == len(LONG):
                break
            time.sleep(pause_seconds)
    except ConnectionError:
        pass
    return found


def test_an_answer_that_is_read_arrives_whole() -> None:
    with serving(Limits()) as port, connect(port) as connection:
        ask(connection, "/long?a")
        assert read_all(connection) == len(LONG)
        assert is_answered(connection, "/short")


def test_an_answer_that_nobody_reads_is_cut_off() -> None:
    with serving(Limits()) as port, connect(port) as connection:
        ask(connection, "/long?a")
        time.sleep(1.5)
        assert read_all(connection) < len(LONG)


def test_where_all_are_taken_one_of_whoever_holds_the_most_goes() -> None:
    with serving(Limits()) as port, connect(port) as first, connect(port) as second, connect(port) as third:
        assert is_answered(first, "/b?b")
        assert is_answered(second, "/a?a")
        assert is_answered(third, "/a?a")
        with ExitStack() as stack:
            later = []
            for who in ("/a?a", "/c?c"):
                later.append(stack.enter_context(connect(port)))
                assert is_answered(later[-1], who)
            assert not is_answered(second, "/a?a")
            for each in (first, third, *later):
                assert is_answered(each, "/again?d")


def test_whoever_holds_more_than_half_pays_for_its_newcomers_itself() -> None:
    """Else each of them would take the place of the one who is just about to say its name."""
    with serving(Limits()) as port, ExitStack() as stack:
        greedy = [stack.enter_context(connect(port)) for _ in range(3)]
        for each in greedy:
            assert is_answered(each, "/a?a")
        silent = stack.enter_context(connect(port))
        for _ in range(2):
            assert is_answered(stack.enter_context(connect(port)), "/a?a")
        assert is_answered(silent, "/b?b")
        assert not is_answered(greedy[0], "/a?a")


def test_strangers_take_nothing_from_whoever_holds_half() -> None:
    with serving(Limits()) as port, ExitStack() as stack:
        known = [stack.enter_context(connect(port)) for _ in range(2)]
        for each in known:
            assert is_answered(each, "/a?a")
        for _ in range(4):
            assert is_answered(stack.enter_context(connect(port)), "/nobody")
        for each in known:
            assert is_answered(each, "/a?a")


def test_where_each_has_one_the_next_is_refused() -> None:
    with serving(Limits(max_connections=2)) as port, connect(port) as first, connect(port) as second:
        assert is_answered(first, "/a?a")
        assert is_answered(second, "/b?b")
        with connect(port) as third:
            assert not is_answered(third, "/c?c")
        assert is_answered(first, "/a?a")

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from strongroom.runtime.watch import ClientLost, Watch

Sockets = tuple[socket.socket, socket.socket]


@pytest.fixture
def client() -> Iterator[Sockets]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def worker() -> Iterator[Sockets]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def watch(client: Sockets) -> Iterator[Watch]:
    watch = Watch(client[0].fileno(), os.getppid())
    yield watch
    watch.close()


def test_waiting_ends_when_there_is_something_to_read(watch: Watch, client: Sockets, worker: Sockets) -> None:
    worker[1].send(b"x")
    watch.waiter(worker[0].fileno())()
    client[1].send(b"x")
    watch.waiter(client[0].fileno())()


def test_waiting_ends_when_the_worker_does(watch: Watch, worker: Sockets) -> None:
    worker[1].close()
    watch.waiter(worker[0].fileno())()


def test_waiting_for_the_worker_is_given_up_when_the_client_closes(
    watch: Watch, client: Sockets, worker: Sockets
) -> None:
    client[1].close()
    with pytest.raises(ClientLost):
        watch.waiter(worker[0].fileno())()


def test_the_last_request_of_a_client_is_still_read(watch: Watch, client: Sockets) -> None:
    client[1].send(b"x")
    client[1].close()
    watch.waiter(client[0].fileno())()


def test_a_process_that_is_not_the_parent_is_no_client(client: Sockets) -> None:
    with pytest.raises(ClientLost):
        Watch(client[0].fileno(), os.getpid())


def test_a_process_that_is_gone_is_no_client(client: Sockets) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(ClientLost):
        Watch(client[0].fileno(), process.pid)


def test_the_death_of_the_client_is_noticed_though_its_socket_lives_on() -> None:
    """The parent of this program holds the other end of its socket and ends."""
    program = """
        import os, socket, sys
        from strongroom.runtime.watch import ClientLost, Watch
        ours, theirs = socket.socketpair()
        report, tell = os.pipe()
        if os.fork() == 0:
            watch = Watch(ours.fileno(), os.getppid())
            os.write(tell, b"x")
            try:
                watch.waiter(ours.fileno())()
            except ClientLost:
                print("lost", flush=True)
            os._exit(0)
        os.read(report, 1)
        os._exit(0)
    """
    lines = [line[8:] for line in program.splitlines()]
    finished = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True, timeout=60
    )
    assert finished.stdout.strip() == "lost"

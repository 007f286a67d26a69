from __future__ import annotations

import os
import socket
import subprocess
import sys

from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame
from strongroom.worker.messages import Export, Failure

LIMITS = "1000000000000,0,256"


def start(descriptor: int, parent: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-m", "strongroom.worker", str(descriptor), str(parent), LIMITS]
    return subprocess.Popen(command, pass_fds=[descriptor])


def test_a_worker_serves_the_socket_that_it_inherits_and_ends_with_it() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        process = start(theirs.fileno(), os.getpid())
    channel = Channel(ours, peer="worker")
    channel.send(Frame(Export(id=1)))
    answer = channel.receive()
    assert answer is not None
    assert isinstance(answer.message, Failure)
    assert answer.message.code == "unexpected-message"
    assert channel.receive() is None
    channel.close()
    assert process.wait(timeout=60) == 0


def test_a_worker_of_another_parent_ends_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert start(theirs.fileno(), 1).wait(timeout=60) == 1

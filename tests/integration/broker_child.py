"""A child of the test process that plays with a broker until it is killed, and says what it was told.

    run = play(scene, script, faults)        # forks; returns when the child is dead
    run.done                                 # what the broker acknowledged, in order
    run.asked                                # what was asked for last and not acknowledged, by thread

Forked and not started, because the keys of the machines are in memory. The scene must be closed:
a child inherits no connection and no thread.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from strongroom.broker.faults import NO_FAULTS, Faults
from tests.broker_scene import Scene

Told = tuple[int, str, str, Any]
"""Which thread, ``ask`` or ``done``, what kind of act, and what it was about."""
_SECONDS = 60


class Killing:
    """Kills this process when it has passed a point so many times, once it is armed."""

    def __init__(self, point: str | None, count: int = 1) -> None:
        self._point, self._left = point, count
        self.is_armed = False

    def reach(self, point: str, /) -> None:
        if self.is_armed and self._point in (None, point):
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


class Mouth:
    """Tells the parent, one whole message at a time."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def say(self, thread: int, what: str, kind: str, about: Any) -> None:
        data = pickle.dumps((thread, what, kind, about))
        with self._lock:
            os.write(self._descriptor, struct.pack(">I", len(data)) + data)


Script = Callable[[Scene, Mouth, Faults], None]


@dataclass
class Run:
    """What a child said before it died."""

    done: list[Told] = field(default_factory=list)
    asked: dict[int, Told] = field(default_factory=dict)
    was_killed: bool = False


def play(scene: Scene, script: Script, faults: Faults = NO_FAULTS, *, kill_after: float | None = None) -> Run:
    """Run a script over a scene in a child, until it ends or is killed."""
    ear, mouth = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ear)
        status = 1
        try:
            script(scene.reopen(faults=faults), Mouth(mouth), faults)
            status = 0
        finally:
            os._exit(status)
    os.close(mouth)
    timer = threading.Timer(kill_after or _SECONDS, os.kill, (child, signal.SIGKILL))
    timer.start()
    run = _listen(ear)
    _, status = os.waitpid(child, 0)
    timer.cancel()
    timer.join()
    run.was_killed = os.WIFSIGNALED(status)
    assert run.was_killed or os.WEXITSTATUS(status) == 0, "the child failed; see its output"
    return run


def _listen(ear: int) -> Run:
    run = Run()
    with os.fdopen(ear, "rb") as stream:
        while len(head := stream.read(4)) == 4:
            (size,) = struct.unpack(">I", head)
            data = stream.read(size)
            if len(data) < size:
                break
            told: Told = pickle.loads(data)  # noqa: S301 - our own child
            if told[1] == "ask":
                run.asked[told[0]] = told
            else:
                run.asked.pop(told[0], None)
                run.done.append(told)
    return run

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from strongroom.worker import launch

REPORT = """
import ctypes, os, resource, sys
from strongroom.worker.launch import harden
harden(parent=int(sys.argv[1]) if sys.argv[1:] else None)
libc = ctypes.CDLL(None)
signal = ctypes.c_int()
libc.prctl(2, ctypes.byref(signal), 0, 0, 0)
print(resource.getrlimit(resource.RLIMIT_CORE), libc.prctl(3, 0, 0, 0, 0), signal.value, flush=True)
"""


def report(*arguments: str, starter: str = "") -> str:
    code = textwrap.dedent(REPORT)
    if starter:
        code = f"import os, subprocess, sys\n{starter}".replace("CHILD", repr(code))
    finished = subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    return finished.stdout.strip()


def test_a_hardened_process_leaves_no_core_and_cannot_be_traced() -> None:
    assert report() == "(0, 0) 0 0"


def test_a_hardened_child_dies_with_its_parent() -> None:
    starter = 'subprocess.run([sys.executable, "-I", "-c", CHILD, str(os.getpid())])'
    assert report(starter=starter) == "(0, 0) 0 9"


def test_a_process_whose_parent_is_gone_already_does_not_go_on() -> None:
    assert report("1") == ""


def test_a_kernel_that_refuses_is_an_error() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        launch._prctl(-1, 0)

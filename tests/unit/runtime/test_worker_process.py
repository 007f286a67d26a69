from __future__ import annotations

import pytest

from strongroom.errors import WorkerLost
from strongroom.runtime.worker_process import WorkerProcess


def test_a_setting_that_is_no_number_starts_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_WORKER_MEMORY_MIB", "plenty")
    with pytest.raises(WorkerLost, match="STRONGROOM_WORKER_MEMORY_MIB") as caught:
        WorkerProcess.start(pass_fds=[], waiter=lambda _: lambda: None)
    assert (caught.value.code, caught.value.hint) == ("start-failed", "correct the setting")

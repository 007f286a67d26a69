from __future__ import annotations

import pytest

from strongroom.errors import FormatError, WorkerLost
from strongroom.runtime.worker_process import WorkerProcess
from strongroom.worker.messages import Prepared


def test_a_setting_that_is_no_number_starts_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_WORKER_MEMORY_MIB", "plenty")
    with pytest.raises(WorkerLost, match="STRONGROOM_WORKER_MEMORY_MIB") as caught:
        WorkerProcess.start(pass_fds=[], waiter=lambda _, __: lambda: None)
    assert (caught.value.code, caught.value.hint) == ("start-failed", "correct the setting")


def test_a_report_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = WorkerProcess.__new__(WorkerProcess)
    unknown: list[dict[str, str | bool]] = [
        {"measure": "magic", "holds": True, "detail": ""},
        {"holds": True},
    ]
    for report in ([each] for each in unknown):
        answer = Prepared(worker_key="x", report=report)
        monkeypatch.setattr(WorkerProcess, "_begin", lambda _, __, answer=answer: answer)
        with pytest.raises(FormatError, match="reports what nobody knows"):
            worker.prepare()

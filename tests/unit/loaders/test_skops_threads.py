"""Inside, scikit-learn works with threads only; outside, everything is as it was."""

from __future__ import annotations

import os

import pytest
from joblib import parallel

from strongroom.loaders.skops_threads import threads_only


@pytest.mark.parametrize("chosen", [None, "3"])
def test_the_variable_is_set_inside_and_restored_outside(
    chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if chosen is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", chosen)
    with threads_only():
        assert os.environ["OMP_NUM_THREADS"] == (chosen or str(len(os.sched_getaffinity(0))))
        backend, _ = parallel.get_active_backend()
        assert type(backend).__name__ == "ThreadingBackend"
    assert os.environ.get("OMP_NUM_THREADS") == chosen
    with pytest.raises(ZeroDivisionError), threads_only():
        raise ZeroDivisionError
    assert os.environ.get("OMP_NUM_THREADS") == chosen

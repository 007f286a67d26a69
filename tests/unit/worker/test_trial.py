from __future__ import annotations

import pytest

from strongroom.hardening.report import Measure, Report
from strongroom.worker import trial


def test_the_measures_of_this_machine_are_found_by_taking_them() -> None:
    report = trial.try_confinement()
    assert {outcome.measure for outcome in report.outcomes} == set(Measure)
    assert report.isolates


@pytest.mark.parametrize("interpreter", ["/no/such/python", "/bin/true", "/bin/false"])
def test_where_nothing_can_be_started_nothing_holds(
    interpreter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", interpreter)
    assert trial.try_confinement() == Report(())

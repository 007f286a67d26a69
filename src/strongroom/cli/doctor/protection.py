"""Which protection level this machine reaches, and which measures confine a worker on it."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.cli.doctor.finding import Finding, passed, warned


def findings() -> Iterator[Finding]:
    """Say the level, and why it is no higher."""
    from strongroom.license.describe import describe_level
    from strongroom.license.request import Level
    from strongroom.opening import REACHED

    stronger = ", ".join(level for level in Level if not REACHED.reaches(level))
    yield passed(
        "level reached",
        f"{REACHED}: a model runs {describe_level(REACHED)}; no version of Strongroom reaches "
        f"{stronger} yet, so a license that asks for one of these does not open",
    )
    yield from _measures()


def _measures() -> Iterator[Finding]:
    """Confine a process as a worker is, and tell what held."""
    from strongroom.hardening.report import REMEDIES, Measure
    from strongroom.worker.trial import try_confinement

    outcomes = {outcome.measure: outcome for outcome in try_confinement().outcomes}
    for measure in Measure:
        outcome = outcomes.get(measure)
        check = f"worker, {measure}"
        if outcome is not None and outcome.holds:
            yield passed(check, outcome.detail)
        else:
            reason = "no worker could be confined" if outcome is None else outcome.detail
            yield warned(check, f"does not hold: {reason}", REMEDIES[measure])

"""Which protection level this machine reaches, and so which licenses can be used on it."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.cli.doctor.finding import Finding, passed


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

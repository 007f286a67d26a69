"""Which protection level this machine reaches, and which facts it follows from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from strongroom.cli.doctor.finding import Finding, passed, warned

if TYPE_CHECKING:
    from strongroom.cli._shared import Shared
    from strongroom.runtime.level import Reached


def findings(shared: Shared) -> Iterator[Finding]:
    """Confine a process as a worker is, look at the account, and say the level and why it is no higher."""
    from strongroom.license.describe import describe_level
    from strongroom.runtime.level import try_here

    found = try_here(_home(shared))
    missing = ", ".join(each.fact for each in found.missing)
    why = f"; for sealed there is missing: {missing}" if missing else ""
    yield passed("level reached", f"{found.level}: a model runs {describe_level(found.level)}{why}")
    yield from _facts(found)


def _home(shared: Shared) -> Path | None:
    """Return where the home is, if there is one; whether it is in order is said elsewhere."""
    from strongroom.home.home import default_path

    path = default_path() if shared.home is None else shared.home.absolute()
    return path if path.is_dir() else None


def _facts(found: Reached) -> Iterator[Finding]:
    from strongroom.license.protection import Fact

    missing = {each.fact: each for each in found.missing}
    for fact in Fact:
        check = f"fact, {fact}"
        if fact not in missing:
            yield passed(check, found.details[fact])
        elif (remedy := missing[fact].remedy) is not None:
            yield warned(check, f"missing: {missing[fact].reason}", remedy)
        else:
            # Nothing to do before there is another account, and nothing wrong where there need be none.
            yield passed(check, missing[fact].reason)

"""``strongroom doctor``: the checks live in the modules beside this one, by where their answers are found."""

from __future__ import annotations

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared
from strongroom.cli.doctor.finding import Finding, Level


def doctor(*, shared: Shared = SHARED) -> int:
    """Check this machine and this home, and say how to fix what is wrong.

    One line for each check: pass, warn or fail. Nothing is changed. The exit code is 1 if a check failed.

    Examples:
        $ strongroom doctor
        $ strongroom doctor --home /var/lib/strongroom
        $ strongroom doctor --json

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    from strongroom.cli.doctor import kernel, library, party, protection

    found = [*party.findings(shared), *kernel.findings(), *protection.findings(shared), *library.findings()]
    failures = sum(finding.level is Level.FAIL for finding in found)
    warnings = sum(finding.level is Level.WARN for finding in found)
    document = {"failed": failures, "warned": warnings, "checks": [_to_json(finding) for finding in found]}
    rows = []
    for finding in found:
        rows.append((finding.level.value, f"{finding.check}: {finding.message}"))
        rows += [("", f"fix: {finding.fix}")] if finding.fix else []
    shared.terminal.fields(document, rows)
    if not shared.json:
        shared.terminal.note(f"{len(found)} checks: {failures} failed, {warnings} with a warning.")
    return 1 if failures else 0


def _to_json(finding: Finding) -> dict[str, str | None]:
    return {
        "check": finding.check,
        "level": finding.level.value,
        "message": finding.message,
        "fix": finding.fix,
    }


app = page(doctor, "doctor")

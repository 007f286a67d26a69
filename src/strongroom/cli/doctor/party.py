"""The home: who may enter it, its keys, its clock, its licenses, and who is still unconfirmed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from strongroom.cli.doctor import broker
from strongroom.cli.doctor.finding import Finding, failed, passed, warned
from strongroom.errors import Error, ObjectNotFound

if TYPE_CHECKING:
    from strongroom.cli._shared import Shared
    from strongroom.home import Home

_SOON_DAYS: Final = 30
_OTHERS: Final = 0o077


def findings(shared: Shared) -> Iterator[Finding]:
    """Check the home, as far as it can be read."""
    try:
        home = shared.open_home()
    except ObjectNotFound as error:
        yield warned("home", str(error), error.hint or "strongroom init NAME")
        return
    except Error as error:
        yield failed("home", str(error), error.hint or "strongroom init NAME")
        return
    yield passed("home", f"{home.name}, {home.path}")
    yield _open_to_others(home.path)
    yield _protection(home)
    checks = {
        "owners": _owners,
        "partners": _partners,
        "clock": _clock,
        "licenses": _licenses,
        "broker": broker.findings,
    }
    for name, check in checks.items():
        try:
            yield from check(home, shared.now)
        except Error as error:
            yield failed(name, str(error), error.hint or "restore it from a backup")


def _open_to_others(root: Path) -> Finding:
    loose = [path for path in _private(root) if _is_loose(path)]
    if not loose:
        return passed("modes", "nobody else can enter the home or read its keys")
    shown = ", ".join(str(path.relative_to(root.parent)) for path in loose[:3])
    more = f" and {len(loose) - 3} more" if len(loose) > 3 else ""
    return failed(
        "modes",
        f"open to other users, or theirs: {shown}{more}",
        f"chown -R $(id -u) {root} && chmod -R go= {root}",
    )


def _private(root: Path) -> Iterator[Path]:
    yield root
    for folder in ("keys", "state", "vault"):
        yield root / folder
        yield from (root / folder).rglob("*")


def _is_loose(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return status.st_uid != os.geteuid() or bool(stat.S_IMODE(status.st_mode) & _OTHERS)


def _protection(home: Home) -> Finding:
    if home.keys.encrypted:
        return passed("keys", "under a pass-phrase")
    return warned(
        "keys",
        "protected by file permissions only; a backup or a stolen disk gives them away",
        "encrypt the disk, or make the home with --encrypt",
    )


def _owners(home: Home, now: datetime) -> Iterator[Finding]:
    from strongroom.home.trust import TrustStatus

    for pinned in home.trust.all():
        if pinned.status is TrustStatus.CONFIRMED:
            yield passed(f"owner {pinned.label}", "confirmed")
        else:
            yield warned(
                f"owner {pinned.label}",
                "nobody has compared its fingerprint yet",
                f"call {pinned.label} and accept its license with --fingerprint",
            )


def _partners(home: Home, now: datetime) -> Iterator[Finding]:
    from strongroom.home.partners import PartnerStatus

    waiting = [each.name for each in home.vault.partners.all() if each.status is PartnerStatus.PENDING]
    if waiting:
        yield warned(
            "partners",
            f"nobody has compared the fingerprint of {', '.join(waiting)}",
            f"strongroom partner approve {waiting[0]}",
        )


def _clock(home: Home, now: datetime) -> Iterator[Finding]:
    from strongroom.cli._moment import shown

    for pinned in home.trust.all():
        if not home.keys.has_runtime_keys(pinned.id):
            continue
        mark = home.marks.read(pinned.id).clock
        if mark is not None and mark > now:
            yield failed(
                "clock",
                f"it says {shown(now)}, but a model by {pinned.label} was opened at {shown(mark)}",
                "set the clock right; licenses refuse a clock that was set back",
            )


def _licenses(home: Home, now: datetime) -> Iterator[Finding]:
    from strongroom.cli.license.stored import ends_of

    for stored in home.catalog.licenses.all():
        check = f"license {stored.license_id}"
        # With a broker, keys come with leases, and the end of a key file ends nothing.
        ends = ends_of(home, stored.file, with_keys=home.brokers.address(stored.owner_id) is None)
        days = None if ends is None else (ends - now).days
        if stored.acceptance is None:
            yield warned(check, "not accepted", "strongroom accept FILE.license")
        elif days is not None and days < 0:
            yield failed(check, "has ended", "ask the owner for a renewal")
        elif days is not None and days < _SOON_DAYS:
            yield warned(check, f"ends in {days} days", "ask the owner for a renewal")
        else:
            yield passed(check, "no end" if days is None else f"{days} days left")

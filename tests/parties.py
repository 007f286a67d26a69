"""Owners and partners for tests: real homes with real keys, and a model that trains in a moment.

hospital = found_owner(tmp_path, "hospital")
clinic = found_partner(tmp_path, "clinic")
enroll(hospital, clinic)
sealed = seal_model(hospital)
license_file = grant_to(hospital, "clinic", "risk")
accept_at(clinic, license_file, sealed.path)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from strongroom.accepting import accept, pull, read_offer
from strongroom.enrolling import approve, confirm, invite, join, receive
from strongroom.founding import found
from strongroom.granting import Granted, grant
from strongroom.home.home import Home
from strongroom.license.term import Term
from strongroom.sealing import Sealed, seal

COLUMNS = 4


def right_now() -> datetime:
    """Return the time in whole seconds, as documents carry it."""
    return datetime.now(UTC).replace(microsecond=0)


def sample(rows: int = 8, seed: int = 1) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return random rows for the model."""
    return np.random.default_rng(seed).normal(size=(rows, COLUMNS))


@cache
def trained_pipeline() -> Pipeline:
    """Return a small fitted pipeline."""
    rows = sample(64, seed=2)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, (rows.sum(axis=1) > 0).astype(int))


def found_owner(folder: Path, name: str) -> Home:
    """Found a party that owns models."""
    return found(name, folder / name, now=right_now())


def found_partner(folder: Path, name: str) -> Home:
    """Found a party that uses models of others."""
    return found(name, folder / name, now=right_now(), owner=False)


def enroll(owner: Home, partner: Home, name: str | None = None) -> None:
    """Have a partner join an owner, with the fingerprint compared on both sides."""
    now = right_now()
    data = invite(owner, name or partner.name, expires_at=now + timedelta(days=7), now=now)
    joined = join(partner, data, now=now)
    enrollment = receive(owner, joined.file, now=now)
    approve(owner, enrollment, joined.fingerprint)
    confirm(partner, joined.owner, enrollment.fingerprint)


def seal_model(owner: Home, name: str = "risk", version: str | None = None) -> Sealed:
    """Seal the small pipeline."""
    return seal(trained_pipeline(), name=name, version=version, sample=sample(), home=owner)


def grant_to(
    owner: Home,
    partner: str,
    model: str = "risk",
    terms: Sequence[Term] = (),
    *,
    agreement: str | None = None,
    now: datetime | None = None,
) -> Granted:
    """Grant a license."""
    return grant(owner, partner, model, terms=terms, agreement=agreement, now=now or right_now())


def accept_at(partner: Home, granted: Granted) -> None:
    """Accept a license and take the package in."""
    accept(partner, read_offer(partner, granted.file), now=right_now())
    pull(partner, granted.package_path)

"""What an open model says about itself.

model.info.version, model.info.expires, model.info.remaining
frame[list(model.info.columns)]
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from strongroom._encoding import from_instant
from strongroom.package.contents import Field
from strongroom.worker.messages import Opened


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known about an open model. No key, and nothing of the weights."""

    name: str
    version: str
    owner: str
    """What the owner calls itself."""
    owner_id: str
    package: str
    """The package digest: what exactly answers."""
    license: str
    """Id of the license, or of the narrowest sub-license."""
    level: str
    """The protection level that is reached."""
    expires: datetime | None
    """When the license, or the key file in use, ends by itself; None: never."""
    remaining: int | None
    """Predictions in hand: what the lease or the key file still has; None: they are not counted.

    A lease holds a part of what the license allows, and is renewed when half of it is used."""
    lease_ends: datetime | None
    """When the lease that was taken at opening ends, if nobody renews it; None: there is no broker."""
    standing: str | None
    """``grace`` or ``break-glass`` if the broker was silent at opening and the lease had ended."""
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    columns: tuple[str, ...]
    """The columns of a table, in the order of the model; empty for a model without names."""
    classes: tuple[str | int, ...]
    """The labels of a classifier, in the order of its probabilities."""
    methods: tuple[str, ...]
    explains: bool
    """Whether the model can say what each column contributed, if the license allows it."""


def info_of(opened: Opened) -> ModelInfo:
    """Return what the runtime says about the model that it opened.

    Raises:
        FormatError: an instant in another form than ours.
    """
    return ModelInfo(
        name=opened.name,
        version=opened.version,
        owner=opened.owner_name,
        owner_id=opened.owner,
        package=opened.package,
        license=opened.license,
        level=opened.level,
        expires=None if opened.expires is None else from_instant(opened.expires),
        remaining=opened.remaining,
        lease_ends=None if opened.lease_ends is None else from_instant(opened.lease_ends),
        standing=opened.standing,
        inputs=tuple(opened.schema.inputs),
        outputs=tuple(opened.schema.outputs),
        columns=tuple(opened.schema.columns),
        classes=tuple(opened.schema.classes),
        methods=tuple(opened.schema.methods),
        explains=opened.explains,
    )

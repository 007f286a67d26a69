"""Deriving: a partner makes a model of a licensed one, and the owner countersigns it or does not.

    derived = derive(clinic, "risk-tuned.onnx", parent="risk", output=folder, now=now)     # at the partner
    derived.path                                         # risk-1.1.0.derived, to be sent to the owner

    done = countersign(hospital, derived.path, now=now, agree=ask)                         # at the owner
    done.path                                            # .../risk-1.1.0.sealed, to be granted as any other

The right for it is ``modify``; to have the parent in plain, so as to change it, is another one,
``export``. What the partner hands in is no package and opens nowhere. The owner checks the license,
the names, every byte and what is inside, and only then signs (spec/license.md, Derivations).
"""

from strongroom.deriving.countersigning import Countersigned, Proposal, countersign
from strongroom.deriving.exchanging import Announced, announce, post, take_in
from strongroom.deriving.making import Derived, derive

__all__ = [
    "Announced",
    "Countersigned",
    "Derived",
    "Proposal",
    "announce",
    "countersign",
    "derive",
    "post",
    "take_in",
]

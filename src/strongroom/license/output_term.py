"""The term ``output``: how much of an answer may leave the worker.

    {"decimals": 2, "policy": "rounded", "term": "output"}

The finer the numbers, the fewer answers rebuild the model. The term refuses little; it
shapes what is given out, and several such terms narrow each other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from strongroom.errors import FormatError
from strongroom.license.codes import Code
from strongroom.license.fields import verify_count
from strongroom.license.request import Right
from strongroom.license.term import Case, Tagged
from strongroom.license.verdict import Denied, OutputPolicy

MAX_DECIMALS: Final = 15


class OutputKind(StrEnum):
    """What an answer may hold."""

    FULL = "full"
    ROUNDED = "rounded"
    TOP_K = "top-k"
    LABEL = "label"


class Output(Tagged, frozen=True, kw_only=True, tag="output", omit_defaults=True):
    """What may leave the worker. Restricts the answer, and refuses what nothing is left of."""

    policy: OutputKind
    decimals: int | None = None
    """With ``rounded`` only."""
    k: int | None = None
    """With ``top-k`` only."""

    def check_fields(self) -> None:
        """Check that the policy has its own number and no other.

        Raises:
            FormatError: a number is missing, out of range, or belongs to another policy.
        """
        if (self.decimals is not None) != (self.policy is OutputKind.ROUNDED):
            raise FormatError("'decimals' goes with the output policy 'rounded', and only with it")
        if (self.k is not None) != (self.policy is OutputKind.TOP_K):
            raise FormatError("'k' goes with the output policy 'top-k', and only with it")
        if self.decimals is not None and not 0 <= self.decimals <= MAX_DECIMALS:
            raise FormatError(f"decimals must be from 0 to {MAX_DECIMALS}")
        if self.k is not None:
            verify_count(self.k, "the k of top-k")

    def check(self, case: Case) -> Denied | None:
        """Refuse explanations under all but ``full``: contributions add up to the score that is withheld."""
        if self.policy is OutputKind.FULL or case.request.right is not Right.EXPLAIN:
            return None
        return case.denied(
            self,
            Code.OUTPUT_POLICY,
            f"the output policy '{self.policy}' keeps a part of each answer back, and the contributions of "
            "an explanation add up to all of it",
            case.ask("another output policy"),
        )

    def narrow(self, wider: OutputPolicy) -> OutputPolicy:
        """Return what both this term and the terms so far let out."""
        return OutputPolicy(
            decimals=_smaller(self.decimals, wider.decimals),
            top_k=_smaller(self.k, wider.top_k),
            label_only=wider.label_only or self.policy is OutputKind.LABEL,
        )


def _smaller(one: int | None, other: int | None) -> int | None:
    return min((number for number in (one, other) if number is not None), default=None)

"""Boosted trees from seal to answer, through the processes of a partner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.integration.parties import Parties
from tests.unit.intake import boosted_models


@pytest.mark.parametrize("library", boosted_models.LIBRARIES)
def test_the_answers_at_a_partner_are_those_of_the_plain_library(library: str, tmp_path: Path) -> None:
    fitted, frame = boosted_models.categorical(library), boosted_models.table()
    with Parties.make(tmp_path, fitted, sample=frame).open() as model:
        plain = frame.astype({"ward": str})
        assert np.array_equal(model.predict(plain), fitted.predict(frame))
        assert np.array_equal(model.predict_proba(plain), fitted.predict_proba(frame))
        assert list(model.info.columns) == list(frame.columns)

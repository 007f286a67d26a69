"""Each refused type comes with what to do about it."""

from __future__ import annotations

import pytest

from strongroom.intake.remedy import remedy, untrusted_types


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("xgboost.core.Booster", "onnxmltools"),
        ("lightgbm.basic.Booster", "onnxmltools"),
        ("torch.nn.modules.Linear", "torch.onnx.export"),
        ("scipy.stats._distn_infrastructure.rv_continuous_frozen", "best_estimator_"),
        ("sklearn.cluster._birch._CFNode", 'convert="onnx"'),
        ("numpy.random._generator.Generator", "random_state"),
        ("__main__.MyScaler", "code of your own"),
        ("hospital.features.Encoder", "code of your own"),
    ],
)
def test_the_remedy_fits_the_type(name: str, says: str) -> None:
    assert says in remedy(name)


def test_every_type_is_listed_on_a_line_of_its_own() -> None:
    error = untrusted_types(["__main__.A", "xgboost.core.Booster"])
    assert error.code == "untrusted-types"
    assert [line.strip().partition(":")[0] for line in str(error).splitlines()[1:]] == [
        "__main__.A",
        "xgboost.core.Booster",
    ]

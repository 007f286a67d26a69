"""Which types a skops file may hold beyond the ones that skops itself trusts.

    >>> refused(["sklearn.tree._tree.Tree", "os.system"])
    ['os.system']

skops trusts scikit-learn's public estimators and refuses the rest, among it parts
of ordinary models: the tree inside a random forest, the kernel of a Gaussian
process. The owner's signed contents list which of those a model needs, and this list
bounds what an owner may ask for: plain data holders and pure numeric functions of
scikit-learn, numpy and scipy. Nothing here opens a file, reaches a network, starts a
program, whatever its arguments are: so ``functools.partial`` over these functions is
as harmless as they are. User code, ``PyFuncDistance`` and distributions of scipy are
not in the list.

What is trusted for its type may still lie in its content; ``skops_bounds`` checks
the tree structures that scikit-learn walks without looking.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

_METRICS: Final = (
    "BrayCurtis Canberra Chebyshev Dice Euclidean Hamming Haversine Jaccard Kulsinski Mahalanobis Manhattan "
    "Matching Minkowski RogersTanimoto RussellRao SEuclidean SokalMichener SokalSneath"
)
_SCIPY_SPARSE: Final = "bsr coo csc csr dia dok lil"

# module -> names in it. Old and new module paths stand side by side: a package
# sealed with one release of scikit-learn should open with the next.
_ALLOWED: Final = {
    "collections": "OrderedDict defaultdict",
    "functools": "partial",
    "numpy": "average dtype floating integer max mean median min number object_ sum",
    "numpy.random": "RandomState",
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    "scipy.interpolate._bsplines": "BSpline",
    "sklearn._loss.link": "HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit",
    "sklearn._loss.loss": "AbsoluteError ExponentialLoss HalfBinomialLoss HalfBinomialLossArrayAPI "
    "HalfGammaLoss HalfMultinomialLoss HalfMultinomialLossArrayAPI HalfPoissonLoss HalfPoissonLossArrayAPI "
    "HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity HuberLoss PinballLoss",
    "sklearn.calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
    "sklearn.cluster._bisect_k_means": "_BisectingTree",
    "sklearn.cluster._kmeans": "_kmeans_single_elkan _kmeans_single_lloyd",
    "sklearn.compose._column_transformer": "_RemainderColsList make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.feature_selection._mutual_info": "mutual_info_classif mutual_info_regression",
    "sklearn.feature_selection._univariate_selection": "chi2 f_classif f_oneway f_regression r_regression",
    "sklearn.gaussian_process._gpc": "_BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels": "CompoundKernel ConstantKernel DotProduct ExpSineSquared "
    "Exponentiation Matern PairwiseKernel Product RBF RationalQuadratic Sum WhiteKernel",
    "sklearn.impute._iterative": "_ImputerTriplet",
    "sklearn.metrics._classification": "accuracy_score balanced_accuracy_score brier_score_loss "
    "cohen_kappa_score f1_score fbeta_score hamming_loss hinge_loss jaccard_score log_loss matthews_corrcoef "
    "precision_score recall_score zero_one_loss",
    "sklearn.metrics._ranking": "average_precision_score ndcg_score roc_auc_score top_k_accuracy_score",
    "sklearn.metrics._regression": "explained_variance_score max_error mean_absolute_error "
    "mean_absolute_percentage_error mean_gamma_deviance mean_pinball_loss mean_poisson_deviance "
    "mean_squared_error mean_squared_log_error median_absolute_error r2_score root_mean_squared_error "
    "root_mean_squared_log_error",
    "sklearn.metrics._scorer": "_CurveScorer _MultimetricScorer _PassthroughScorer _Scorer",
    "sklearn.model_selection._search_successive_halving": "HalvingGridSearchCV HalvingRandomSearchCV",
    "sklearn.model_selection._split": "GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut "
    "LeavePGroupsOut LeavePOut PredefinedSplit RepeatedKFold RepeatedStratifiedKFold ShuffleSplit "
    "StratifiedGroupKFold StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit _CVIterableWrapper",
    "sklearn.multiclass": "_ConstantPredictor",
    "sklearn.neighbors._ball_tree": "BallTree BallTree32 BallTree64",
    "sklearn.neighbors._kd_tree": "KDTree KDTree32 KDTree64",
    "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "sklearn.tree._tree": "Tree",
    "sklearn.utils._bunch": "Bunch",
    "sklearn.utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
    "sklearn.utils.validation": "check_array",
}


def _names() -> Iterator[str]:
    for module, names in _ALLOWED.items():
        yield from (f"{module}.{name}" for name in names.split())
    for metric in _METRICS.split():
        yield from (f"sklearn.metrics._dist_metrics.{metric}Distance{bits}" for bits in ("", "32", "64"))
    for kind in _SCIPY_SPARSE.split():
        yield from (f"scipy.sparse._{kind}.{kind}_{shape}" for shape in ("array", "matrix"))


ALLOWED: Final = frozenset(_names())
"""Full names, as skops reports them."""


def refused(types: Iterable[str]) -> list[str]:
    """Return those of the types that no signature makes acceptable, sorted."""
    return sorted(set(types) - ALLOWED)

"""The estimators and pipelines of scikit-learn that are promised to seal."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import (
    calibration,
    cluster,
    compose,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    dummy,
    ensemble,
    feature_selection,
    gaussian_process,
    impute,
    kernel_approximation,
    kernel_ridge,
    linear_model,
    mixture,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    random_projection,
    svm,
    tree,
)

make = pipeline.make_pipeline
Scaler = preprocessing.StandardScaler

ESTIMATORS: list[Any] = [
    # classifiers
    calibration.CalibratedClassifierCV(svm.LinearSVC()),
    calibration.CalibratedClassifierCV(tree.DecisionTreeClassifier(), method="isotonic"),
    discriminant_analysis.LinearDiscriminantAnalysis(),
    discriminant_analysis.QuadraticDiscriminantAnalysis(reg_param=0.1),
    dummy.DummyClassifier(),
    ensemble.AdaBoostClassifier(n_estimators=3),
    ensemble.BaggingClassifier(n_estimators=3),
    ensemble.ExtraTreesClassifier(3),
    ensemble.GradientBoostingClassifier(n_estimators=3),
    ensemble.HistGradientBoostingClassifier(max_iter=3),
    ensemble.HistGradientBoostingClassifier(max_iter=3, categorical_features=[0]),
    ensemble.RandomForestClassifier(3, n_jobs=2),
    ensemble.StackingClassifier([("a", tree.DecisionTreeClassifier())], linear_model.LogisticRegression()),
    ensemble.VotingClassifier(
        [("a", tree.DecisionTreeClassifier()), ("b", naive_bayes.GaussianNB())], voting="soft"
    ),
    gaussian_process.GaussianProcessClassifier(),
    linear_model.LogisticRegression(),
    linear_model.LogisticRegressionCV(Cs=2, cv=2),
    linear_model.Perceptron(),
    linear_model.RidgeClassifier(),
    linear_model.SGDClassifier(loss="log_loss"),
    linear_model.SGDClassifier(loss="modified_huber"),
    model_selection.GridSearchCV(
        linear_model.LogisticRegression(), {"C": [1, 2]}, cv=2, scoring="roc_auc_ovr"
    ),
    model_selection.RandomizedSearchCV(tree.DecisionTreeClassifier(), {"max_depth": [1, 2]}, n_iter=2, cv=2),
    multiclass.OneVsOneClassifier(svm.LinearSVC()),
    multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
    multiclass.OutputCodeClassifier(linear_model.LogisticRegression()),
    naive_bayes.BernoulliNB(),
    naive_bayes.ComplementNB(),
    naive_bayes.GaussianNB(),
    naive_bayes.MultinomialNB(),
    neighbors.KNeighborsClassifier(),
    neighbors.KNeighborsClassifier(algorithm="ball_tree", metric="manhattan"),
    neighbors.NearestCentroid(),
    neighbors.RadiusNeighborsClassifier(5.0),
    neural_network.MLPClassifier(hidden_layer_sizes=(4,), max_iter=20),
    svm.LinearSVC(),
    svm.NuSVC(nu=0.2),
    svm.SVC(),
    tree.DecisionTreeClassifier(),
    tree.ExtraTreeClassifier(),
    # regressors
    compose.TransformedTargetRegressor(linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1),
    cross_decomposition.PLSRegression(),
    ensemble.AdaBoostRegressor(n_estimators=3),
    ensemble.BaggingRegressor(n_estimators=3),
    ensemble.ExtraTreesRegressor(3),
    ensemble.GradientBoostingRegressor(n_estimators=3, loss="quantile"),
    ensemble.HistGradientBoostingRegressor(max_iter=3, loss="poisson"),
    ensemble.RandomForestRegressor(3, criterion="poisson"),
    ensemble.StackingRegressor([("a", linear_model.Ridge())]),
    ensemble.VotingRegressor([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor())]),
    gaussian_process.GaussianProcessRegressor(
        gaussian_process.kernels.ConstantKernel() * gaussian_process.kernels.Matern()
        + gaussian_process.kernels.WhiteKernel()
    ),
    kernel_ridge.KernelRidge(),
    linear_model.ARDRegression(),
    linear_model.BayesianRidge(),
    linear_model.ElasticNetCV(alphas=3, cv=2),
    linear_model.GammaRegressor(),
    linear_model.HuberRegressor(max_iter=1000),
    linear_model.Lars(),
    linear_model.Lasso(),
    linear_model.LinearRegression(),
    linear_model.PoissonRegressor(),
    linear_model.QuantileRegressor(),
    linear_model.RANSACRegressor(random_state=0),
    linear_model.RidgeCV(),
    linear_model.SGDRegressor(),
    linear_model.TheilSenRegressor(random_state=0),
    linear_model.TweedieRegressor(power=1.5),
    multioutput.RegressorChain(linear_model.Ridge()),
    neighbors.KNeighborsRegressor(),
    neural_network.MLPRegressor(hidden_layer_sizes=(4,), max_iter=20),
    svm.SVR(),
    svm.LinearSVR(),
    tree.DecisionTreeRegressor(),
    # clusters, outliers, densities
    cluster.BisectingKMeans(3),
    cluster.KMeans(3),
    cluster.MiniBatchKMeans(3),
    cluster.MeanShift(),
    ensemble.IsolationForest(n_estimators=3),
    mixture.BayesianGaussianMixture(n_components=2),
    mixture.GaussianMixture(2),
    neighbors.LocalOutlierFactor(novelty=True),
    svm.OneClassSVM(),
    # transformers
    decomposition.FactorAnalysis(2),
    decomposition.FastICA(2),
    decomposition.KernelPCA(2, kernel="rbf"),
    decomposition.NMF(2, max_iter=2000),
    decomposition.PCA(2),
    decomposition.TruncatedSVD(2),
    ensemble.RandomTreesEmbedding(3),
    feature_selection.RFE(linear_model.LogisticRegression(), n_features_to_select=2),
    feature_selection.SelectFromModel(tree.DecisionTreeClassifier()),
    feature_selection.SelectKBest(k=2),
    feature_selection.SelectKBest(feature_selection.mutual_info_classif, k=2),
    feature_selection.VarianceThreshold(),
    impute.KNNImputer(),
    impute.MissingIndicator(features="all"),
    impute.SimpleImputer(),
    kernel_approximation.Nystroem(n_components=3),
    kernel_approximation.RBFSampler(),
    preprocessing.Binarizer(),
    preprocessing.FunctionTransformer(np.log1p),
    preprocessing.KBinsDiscretizer(3, strategy="uniform"),
    preprocessing.MaxAbsScaler(),
    preprocessing.MinMaxScaler(),
    preprocessing.Normalizer(),
    preprocessing.OneHotEncoder(handle_unknown="ignore"),
    preprocessing.OrdinalEncoder(),
    preprocessing.PolynomialFeatures(2),
    preprocessing.PowerTransformer(),
    preprocessing.QuantileTransformer(n_quantiles=10),
    preprocessing.RobustScaler(),
    preprocessing.SplineTransformer(),
    preprocessing.StandardScaler(),
    preprocessing.TargetEncoder(),
    random_projection.GaussianRandomProjection(2),
    random_projection.SparseRandomProjection(2),
]


def table_columns(*, dense: bool = False) -> Any:
    """Return steps for the numbers and the text of the table."""
    return compose.ColumnTransformer(
        [
            ("numbers", make(impute.SimpleImputer(), Scaler()), ["age", "bmi"]),
            ("text", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["ward"]),
        ],
        remainder="passthrough",
        sparse_threshold=0 if dense else 0.3,
    )


def selected_columns() -> Any:
    """Return steps that choose their columns by type."""
    return compose.make_column_transformer(
        (make(impute.SimpleImputer(), Scaler()), compose.make_column_selector(dtype_include=np.number)),
        (
            preprocessing.OneHotEncoder(sparse_output=False),
            compose.make_column_selector(dtype_exclude=np.number),
        ),
    )


PIPELINES: dict[str, Any] = {
    "forest": make(table_columns(), ensemble.RandomForestClassifier(3)),
    "boosting": make(table_columns(dense=True), ensemble.HistGradientBoostingClassifier(max_iter=3)),
    "logistic": make(table_columns(), linear_model.LogisticRegression()),
    "calibrated": make(
        table_columns(), calibration.CalibratedClassifierCV(ensemble.RandomForestClassifier(2))
    ),
    "stacking": make(
        table_columns(), ensemble.StackingClassifier([("a", svm.SVC()), ("b", tree.DecisionTreeClassifier())])
    ),
    "search": model_selection.GridSearchCV(
        make(table_columns(), linear_model.LogisticRegression()),
        {"logisticregression__C": [1, 2]},
        scoring="roc_auc",
    ),
    "fixed": make(
        table_columns(),
        model_selection.FixedThresholdClassifier(tree.DecisionTreeClassifier(), threshold=0.3),
    ),
    "threshold": make(
        table_columns(), model_selection.TunedThresholdClassifierCV(linear_model.LogisticRegression())
    ),
    "selector": make(selected_columns(), linear_model.LogisticRegression()),
    "union": make(
        table_columns(dense=True),
        pipeline.FeatureUnion([("a", decomposition.PCA(2)), ("b", feature_selection.SelectKBest(k=2))]),
        neural_network.MLPClassifier(hidden_layer_sizes=(4,), max_iter=20),
    ),
    "imputers": make(
        compose.ColumnTransformer([("k", impute.KNNImputer(add_indicator=True), ["age", "bmi"])]),
        naive_bayes.GaussianNB(),
    ),
    "target": make(
        compose.ColumnTransformer([("t", preprocessing.TargetEncoder(cv=2), ["ward"])]),
        linear_model.LogisticRegression(),
    ),
    "category": ensemble.HistGradientBoostingClassifier(max_iter=3, categorical_features=["ward"]),
    "pandas-output": make(selected_columns().set_output(transform="pandas"), tree.DecisionTreeClassifier()),
}

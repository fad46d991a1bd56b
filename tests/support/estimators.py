"""Estimators of scikit-learn, by name: what a person may bring as a model."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import (
    calibration,
    compose,
    decomposition,
    discriminant_analysis,
    dummy,
    ensemble,
    feature_selection,
    gaussian_process,
    impute,
    kernel_approximation,
    linear_model,
    model_selection,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.experimental import (  # noqa: F401
    enable_halving_search_cv,
    enable_iterative_imputer,
)

from tests.support.any_table import CATEGORIES, NUMBERS

Factory = Callable[[], Any]


def one_hot(**options: Any) -> Any:
    """Return an encoder that does not refuse an unknown category."""
    return preprocessing.OneHotEncoder(**({"handle_unknown": "ignore"} | options))


def ordinal(**options: Any) -> Any:
    """Return an encoder that gives an unknown category the number -1."""
    known = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    return preprocessing.OrdinalEncoder(**(known | options))


def imputed(estimator: Any, numbers: Any = None, categories: Any = None) -> Any:
    """Return the estimator behind columns without gaps."""
    return pipeline.make_pipeline(
        compose.make_column_transformer(
            (numbers or impute.SimpleImputer(), NUMBERS),
            (categories or one_hot(sparse_output=False), CATEGORIES),
        ),
        estimator,
    )


def scaled(estimator: Any) -> Any:
    """Return the estimator behind imputed and scaled columns."""
    numbers = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    return imputed(estimator, numbers)


def with_gaps(estimator: Any, categories: Any = None) -> Any:
    """Return the estimator behind columns whose numbers have gaps."""
    return imputed(estimator, "passthrough", categories)


def categorical(estimator: Any) -> Any:
    """Return histogram boosting with the categories as numbers, which it splits by membership."""
    columns = compose.make_column_transformer(
        (ordinal(), CATEGORIES), remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    return pipeline.make_pipeline(columns, estimator.set_params(categorical_features=CATEGORIES))


def _hist(kind: str, **options: Any) -> Any:
    made = {
        "c": ensemble.HistGradientBoostingClassifier,
        "r": ensemble.HistGradientBoostingRegressor,
    }[kind]
    return made(**({"max_iter": 8, "min_samples_leaf": 5} | options))


def _forest(name: str, kind: str, **options: Any) -> Any:
    made = getattr(ensemble, name + {"c": "Classifier", "r": "Regressor"}[kind])
    return made(**({"n_estimators": 8, "random_state": 0} | options))


def _tree(name: str, kind: str, **options: Any) -> Any:
    made = getattr(tree, name + {"c": "Classifier", "r": "Regressor"}[kind])
    return made(**({"random_state": 0} | options))


def _simple(kind: str) -> Any:
    return linear_model.LogisticRegression() if kind == "c" else linear_model.Ridge()


def _both(make: Callable[[str], Any]) -> dict[str, Factory]:
    return {"c": lambda: make("c"), "r": lambda: make("r")}


def _meta(name: str, kind: str) -> Any:
    return getattr(ensemble, name + {"c": "Classifier", "r": "Regressor"}[kind])


def _parts(kind: str) -> list[tuple[str, Any]]:
    return [
        ("linear", scaled(_simple(kind))),
        ("hist", with_gaps(_hist(kind))),
        ("forest", with_gaps(_forest("RandomForest", kind))),
    ]


_soft: dict[str, dict[str, Any]] = {"c": {"voting": "soft"}, "r": {}}


def _number_steps() -> dict[str, Any]:
    made: dict[str, Any] = {
        "StandardScaler": preprocessing.StandardScaler(),
        "MinMaxScaler": preprocessing.MinMaxScaler(),
        "MinMaxScaler(clip)": preprocessing.MinMaxScaler(clip=True),
        "MaxAbsScaler": preprocessing.MaxAbsScaler(),
        "RobustScaler": preprocessing.RobustScaler(),
        "Normalizer": preprocessing.Normalizer(),
        "Binarizer": preprocessing.Binarizer(threshold=2.0),
        "KBinsDiscretizer": preprocessing.KBinsDiscretizer(
            4, encode="onehot-dense", quantile_method="averaged_inverted_cdf"
        ),
        "KBinsDiscretizer(ordinal)": preprocessing.KBinsDiscretizer(
            4, encode="ordinal", quantile_method="averaged_inverted_cdf"
        ),
        "PolynomialFeatures": pipeline.make_pipeline(
            preprocessing.StandardScaler(), preprocessing.PolynomialFeatures(2)
        ),
        "SplineTransformer": preprocessing.SplineTransformer(),
        "PowerTransformer": preprocessing.PowerTransformer(),
        "QuantileTransformer": preprocessing.QuantileTransformer(n_quantiles=50),
        "QuantileTransformer(normal)": preprocessing.QuantileTransformer(
            n_quantiles=50, output_distribution="normal"
        ),
        "PCA": decomposition.PCA(2),
        "TruncatedSVD": decomposition.TruncatedSVD(2),
        "SelectKBest": feature_selection.SelectKBest(k=2),
        "VarianceThreshold": feature_selection.VarianceThreshold(),
        "SelectFromModel": feature_selection.SelectFromModel(
            tree.DecisionTreeRegressor(random_state=0)
        ),
        "FeatureUnion": pipeline.make_union(preprocessing.StandardScaler(), decomposition.PCA(2)),
        "Nystroem": kernel_approximation.Nystroem(n_components=5, random_state=0),
        "FunctionTransformer(identity)": preprocessing.FunctionTransformer(),
        "FunctionTransformer(lambda)": preprocessing.FunctionTransformer(lambda x: x * 2),
    }
    return {
        name: pipeline.make_pipeline(impute.SimpleImputer(), step) for name, step in made.items()
    }


def _functions() -> dict[str, Any]:
    functions = ("log1p", "expm1", "log", "exp", "sqrt", "abs", "sin", "cos", "square", "log10")
    positive = pipeline.make_pipeline(
        impute.SimpleImputer(), preprocessing.MinMaxScaler(feature_range=(0.5, 2), clip=True)
    )
    return {
        f"FunctionTransformer({name})": pipeline.make_pipeline(
            positive, preprocessing.FunctionTransformer(getattr(np, name))
        )
        for name in functions
    }


def _imputers() -> dict[str, Any]:
    return {
        "SimpleImputer(median)": impute.SimpleImputer(strategy="median"),
        "SimpleImputer(most_frequent)": impute.SimpleImputer(strategy="most_frequent"),
        "SimpleImputer(add_indicator)": pipeline.make_pipeline(
            impute.SimpleImputer(add_indicator=True), preprocessing.StandardScaler()
        ),
        "KNNImputer": impute.KNNImputer(),
        "IterativeImputer": impute.IterativeImputer(max_iter=2),
    }


def _category_steps() -> dict[str, Any]:
    return {
        "OneHotEncoder": one_hot(sparse_output=False),
        "OneHotEncoder(sparse)": one_hot(),
        "OneHotEncoder(drop)": one_hot(drop="first"),
        "OneHotEncoder(if_binary)": one_hot(drop="if_binary"),
        "OneHotEncoder(min_frequency)": one_hot(
            min_frequency=30, handle_unknown="infrequent_if_exist"
        ),
        "OneHotEncoder(max_categories)": one_hot(max_categories=3),
        "OrdinalEncoder": ordinal(),
        "OrdinalEncoder(NaN), SimpleImputer": pipeline.make_pipeline(
            ordinal(unknown_value=np.nan), impute.SimpleImputer()
        ),
        "OrdinalEncoder(min_frequency)": ordinal(min_frequency=30),
        "SimpleImputer, OneHotEncoder": pipeline.make_pipeline(
            impute.SimpleImputer(missing_values="", strategy="most_frequent"), one_hot()
        ),
        "TargetEncoder": preprocessing.TargetEncoder(random_state=0),
    }


def _before(last: Factory, **steps: Any) -> Any:
    return imputed(last(), **steps)


def _scaled_linear(name: str, options: dict[str, Any]) -> Any:
    return scaled(getattr(linear_model, name)(**options))


def _hist_of_loss(loss: str, options: dict[str, Any]) -> Any:
    return with_gaps(_hist("r", loss=loss, **options))


PREPROCESSING: dict[str, Factory] = {
    **{
        f"{name}, {kind}": (functools.partial(_before, last, numbers=step))
        for name, step in {**_number_steps(), **_functions(), **_imputers()}.items()
        for kind, last in (
            ("Ridge", linear_model.Ridge),
            ("HistGradientBoosting", lambda: _hist("r")),
        )
    },
    **{
        f"{name}, {kind}": (functools.partial(_before, last, categories=step))
        for name, step in _category_steps().items()
        for kind, last in (
            ("Ridge", linear_model.Ridge),
            ("RandomForest", lambda: _forest("RandomForest", "r")),
        )
    },
}
"""Steps before a regression: a linear one, and trees, which tell the smallest difference."""


CLASSIFIERS: dict[str, Factory] = {
    "LogisticRegression": lambda: scaled(linear_model.LogisticRegression()),
    "LogisticRegression(balanced)": lambda: scaled(
        linear_model.LogisticRegression(class_weight="balanced")
    ),
    "SGDClassifier(log_loss)": lambda: scaled(
        linear_model.SGDClassifier(loss="log_loss", random_state=0)
    ),
    "RidgeClassifier": lambda: scaled(linear_model.RidgeClassifier()),
    "LinearSVC": lambda: scaled(svm.LinearSVC()),
    "SVC": lambda: scaled(svm.SVC()),
    "GaussianNB": lambda: scaled(naive_bayes.GaussianNB()),
    "QuadraticDiscriminantAnalysis": lambda: scaled(
        discriminant_analysis.QuadraticDiscriminantAnalysis(reg_param=0.1)
    ),
    "LinearDiscriminantAnalysis": lambda: scaled(
        discriminant_analysis.LinearDiscriminantAnalysis()
    ),
    "KNeighborsClassifier": lambda: scaled(neighbors.KNeighborsClassifier()),
    "KNeighborsClassifier(distance)": lambda: scaled(
        neighbors.KNeighborsClassifier(weights="distance")
    ),
    "MLPClassifier": lambda: scaled(
        neural_network.MLPClassifier((8,), max_iter=600, random_state=0, tol=1e-2)
    ),
    "OneVsRest(LogisticRegression)": lambda: scaled(
        multiclass.OneVsRestClassifier(linear_model.LogisticRegression())
    ),
    "OneVsRest(HistGradientBoosting)": lambda: with_gaps(
        multiclass.OneVsRestClassifier(_hist("c"))
    ),
    "Calibrated(LinearSVC, sigmoid)": lambda: scaled(
        calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=2)
    ),
    "Calibrated(SVC, sigmoid)": lambda: scaled(calibration.CalibratedClassifierCV(svm.SVC(), cv=2)),
    "Calibrated(HistGradientBoosting, sigmoid)": lambda: calibration.CalibratedClassifierCV(
        with_gaps(_hist("c")), cv=2
    ),
    "Calibrated(RandomForest, sigmoid)": lambda: with_gaps(
        calibration.CalibratedClassifierCV(_forest("RandomForest", "c"), cv=2)
    ),
    "Calibrated(GradientBoosting, sigmoid)": lambda: imputed(
        calibration.CalibratedClassifierCV(
            ensemble.GradientBoostingClassifier(n_estimators=5), cv=2, ensemble=False
        )
    ),
    "Calibrated(temperature)": lambda: with_gaps(
        calibration.CalibratedClassifierCV(_hist("c"), cv=2, method="temperature")
    ),
    "Calibrated(isotonic)": lambda: with_gaps(
        calibration.CalibratedClassifierCV(_hist("c"), cv=2, method="isotonic")
    ),
    "Voting(hard)": lambda: ensemble.VotingClassifier(_parts("c")),
    "DummyClassifier": lambda: imputed(dummy.DummyClassifier()),
    "GaussianProcessClassifier": lambda: scaled(gaussian_process.GaussianProcessClassifier()),
    "HistGradientBoosting(balanced)": lambda: with_gaps(_hist("c", class_weight="balanced")),
}
REGRESSORS: dict[str, Factory] = {
    **{
        name: functools.partial(_scaled_linear, name, options)
        for name, options in (
            *(("LinearRegression", {}), ("Ridge", {}), ("Lasso", {}), ("ElasticNet", {})),
            *(("BayesianRidge", {}), ("HuberRegressor", {"max_iter": 1000})),
            *(("PoissonRegressor", {}), ("GammaRegressor", {}), ("TweedieRegressor", {})),
            *(("QuantileRegressor", {}), ("SGDRegressor", {"random_state": 0})),
        )
    },
    "SVR": lambda: scaled(svm.SVR()),
    "SVR(C=1000)": lambda: scaled(svm.SVR(C=1000)),
    "LinearSVR": lambda: scaled(svm.LinearSVR()),
    "KNeighborsRegressor": lambda: scaled(neighbors.KNeighborsRegressor()),
    "MLPRegressor": lambda: scaled(
        neural_network.MLPRegressor(
            hidden_layer_sizes=(8,), max_iter=3000, random_state=0, tol=1e-1
        )
    ),
    "GaussianProcessRegressor": lambda: scaled(
        gaussian_process.GaussianProcessRegressor(alpha=0.1)
    ),
    "DummyRegressor": lambda: imputed(dummy.DummyRegressor()),
    **{
        f"HistGradientBoosting({loss})": functools.partial(_hist_of_loss, loss, more)
        for loss, more in (
            *(("absolute_error", {}), ("poisson", {}), ("gamma", {})),
            ("quantile", {"quantile": 0.8}),
        )
    },
    "TransformedTarget(log1p, Ridge)": lambda: compose.TransformedTargetRegressor(
        scaled(linear_model.Ridge()), func=np.log1p, inverse_func=np.expm1
    ),
    "TransformedTarget(log, HistGradientBoosting)": lambda: with_gaps(
        compose.TransformedTargetRegressor(_hist("r"), func=np.log, inverse_func=np.exp)
    ),
    "TransformedTarget(StandardScaler)": lambda: compose.TransformedTargetRegressor(
        with_gaps(_hist("r")), transformer=preprocessing.StandardScaler()
    ),
    "TransformedTarget(MinMaxScaler)": lambda: compose.TransformedTargetRegressor(
        with_gaps(_hist("r")), transformer=preprocessing.MinMaxScaler()
    ),
    "TransformedTarget(PowerTransformer)": lambda: compose.TransformedTargetRegressor(
        with_gaps(_hist("r")), transformer=preprocessing.PowerTransformer()
    ),
}


def _of_both(kind: str) -> dict[str, Factory]:
    def meta(name: str) -> Any:
        return _meta(name, kind)

    return {
        "HistGradientBoosting": lambda: with_gaps(_hist(kind)),
        "HistGradientBoosting(categorical)": lambda: categorical(_hist(kind)),
        "HistGradientBoosting(strings)": lambda: _hist(kind, categorical_features=CATEGORIES),
        "HistGradientBoosting(ordinal codes)": lambda: with_gaps(_hist(kind), ordinal()),
        "HistGradientBoosting(early stopping)": lambda: with_gaps(
            _hist(kind, early_stopping=True, max_iter=50, random_state=0)
        ),
        "HistGradientBoosting(interactions)": lambda: with_gaps(
            _hist(kind, interaction_cst="no_interactions")
        ),
        "HistGradientBoosting(max_leaf_nodes)": lambda: with_gaps(
            _hist(kind, max_leaf_nodes=4, max_features=0.5, random_state=0)
        ),
        "HistGradientBoosting(no split)": lambda: with_gaps(_hist(kind, min_samples_leaf=200)),
        "StandardScaler, HistGradientBoosting": lambda: scaled(_hist(kind)),
        "columns, StandardScaler, HistGradientBoosting": lambda: pipeline.make_pipeline(
            compose.make_column_transformer(
                (one_hot(sparse_output=False), CATEGORIES), ("passthrough", NUMBERS)
            ),
            preprocessing.StandardScaler(),
            _hist(kind),
        ),
        "columns, StandardScaler, RandomForest": lambda: pipeline.make_pipeline(
            compose.make_column_transformer(
                (one_hot(sparse_output=False), CATEGORIES), ("passthrough", NUMBERS)
            ),
            preprocessing.StandardScaler(),
            _forest("RandomForest", kind),
        ),
        "columns, sparse StandardScaler, RandomForest": lambda: pipeline.make_pipeline(
            compose.make_column_transformer(
                (one_hot(), CATEGORIES), (impute.SimpleImputer(), NUMBERS), sparse_threshold=1.0
            ),
            preprocessing.StandardScaler(with_mean=False),
            _forest("RandomForest", kind),
        ),
        "RandomForest": lambda: with_gaps(_forest("RandomForest", kind)),
        "ExtraTrees": lambda: with_gaps(_forest("ExtraTrees", kind)),
        "DecisionTree": lambda: with_gaps(_tree("DecisionTree", kind)),
        "ExtraTree": lambda: with_gaps(_tree("ExtraTree", kind)),
        "StandardScaler, RandomForest": lambda: scaled(_forest("RandomForest", kind)),
        "GradientBoosting": lambda: imputed(meta("GradientBoosting")(n_estimators=8)),
        "StandardScaler, GradientBoosting": lambda: scaled(
            meta("GradientBoosting")(n_estimators=8)
        ),
        "AdaBoost": lambda: imputed(meta("AdaBoost")(n_estimators=5, random_state=0)),
        "Bagging": lambda: imputed(meta("Bagging")(n_estimators=4, random_state=0)),
        "Bagging(HistGradientBoosting)": lambda: with_gaps(
            meta("Bagging")(_hist(kind), n_estimators=3, max_features=0.6, random_state=0)
        ),
        "Voting": lambda: meta("Voting")(_parts(kind), **_soft[kind]),
        "Voting(weights)": lambda: with_gaps(
            meta("Voting")(
                [("h", _hist(kind)), ("f", _forest("ExtraTrees", kind))],
                weights=[2, 1],
                **_soft[kind],
            )
        ),
        "Stacking": lambda: meta("Stacking")(_parts(kind), cv=2),
        "Stacking(passthrough)": lambda: imputed(
            meta("Stacking")(
                [("h", _hist(kind)), ("l", _simple(kind))],
                cv=2,
                passthrough=True,
                final_estimator=_hist(kind),
            )
        ),
        "GridSearchCV(Pipeline)": lambda: model_selection.GridSearchCV(
            scaled(_simple(kind)), {f"{_name(kind)}__{_regularity(kind)}": [0.1, 1.0]}, cv=2
        ),
        "GridSearchCV": lambda: with_gaps(
            model_selection.GridSearchCV(_hist(kind), {"max_depth": [2, 3]}, cv=2)
        ),
        "RandomizedSearchCV": lambda: model_selection.RandomizedSearchCV(
            with_gaps(_hist(kind)),
            {f"histgradientboosting{_long(kind)}__max_depth": [2, 3]},
            n_iter=2,
            cv=2,
        ),
        "HalvingGridSearchCV": lambda: with_gaps(
            model_selection.HalvingGridSearchCV(_hist(kind), {"max_depth": [2, 3]}, cv=2)
        ),
        "nested columns": lambda: _nested(_hist(kind)),
        "selector of columns": lambda: pipeline.make_pipeline(
            compose.make_column_transformer(
                (impute.SimpleImputer(), compose.make_column_selector(dtype_include=np.number)),
                (one_hot(), compose.make_column_selector(dtype_exclude=np.number)),
            ),
            _simple(kind),
        ),
    }


def _nested(estimator: Any) -> Any:
    inner = compose.make_column_transformer(
        (preprocessing.MinMaxScaler(), ["width", "weight"]),
        ("drop", ["count"]),
        remainder=impute.SimpleImputer(),
        verbose_feature_names_out=False,
    )
    columns = compose.make_column_transformer(
        (pipeline.make_pipeline(impute.SimpleImputer(), inner), NUMBERS),
        (
            pipeline.make_pipeline(one_hot(sparse_output=False), preprocessing.MaxAbsScaler()),
            [3, 1],
        ),
    ).set_output(transform="pandas")
    return pipeline.Pipeline(
        [("columns", columns), ("nothing", "passthrough"), ("last", estimator)]
    )


def _name(kind: str) -> str:
    return {"c": "logisticregression", "r": "ridge"}[kind]


def _long(kind: str) -> str:
    return {"c": "classifier", "r": "regressor"}[kind]


def _regularity(kind: str) -> str:
    return {"c": "C", "r": "alpha"}[kind]


CLASSIFIERS |= _of_both("c")
REGRESSORS |= _of_both("r")

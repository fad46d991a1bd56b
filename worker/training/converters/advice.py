"""What to take instead of an estimator that has no exact conversion.

Found by the runs that `docs/estimators.md` lists.
"""

from collections.abc import Iterator
from typing import Any

_TREES = "HistGradientBoosting or a random forest"
_OTHER_CLASSIFIER = f"LogisticRegression, MLPClassifier, {_TREES}"
_OTHER_REGRESSOR = f"Ridge, MLPRegressor, {_TREES}"
_IMPUTER = f"SimpleImputer, or an estimator that takes missing values itself, such as {_TREES}"
_LINEAR = "PolynomialFeatures or KBinsDiscretizer"

INSTEAD = {
    "CatBoostClassifier": "XGBoost, LightGBM or HistGradientBoosting",
    "CatBoostRegressor": "XGBoost, LightGBM or HistGradientBoosting",
    "CountVectorizer": "a Literal of the values that matter, and OneHotEncoder",
    "XGBClassifier": "LightGBM or HistGradientBoosting; XGBoost needs onnxmltools, too",
    "XGBRegressor": "LightGBM or HistGradientBoosting; XGBoost needs onnxmltools, too",
    "DummyClassifier": _OTHER_CLASSIFIER,
    "DummyRegressor": _OTHER_REGRESSOR,
    "FixedThresholdClassifier": (
        "the classifier inside it: answers have probabilities, and a client compares them with "
        "any threshold"
    ),
    "GaussianProcessClassifier": _OTHER_CLASSIFIER,
    "HashingVectorizer": "a Literal of the values that matter, and OneHotEncoder",
    "IsotonicRegression": "method='sigmoid'",
    "IterativeImputer": _IMPUTER,
    "KNNImputer": _IMPUTER,
    "KNeighborsClassifier": _OTHER_CLASSIFIER,
    "KNeighborsRegressor": _OTHER_REGRESSOR,
    "LinearDiscriminantAnalysis": "LogisticRegression or QuadraticDiscriminantAnalysis",
    "LinearSVC": "CalibratedClassifierCV(LinearSVC(...), method='sigmoid')",
    "NuSVC": "SVC(probability=True)",
    "NuSVR": f"a smaller C, {_OTHER_REGRESSOR}",
    "Nystroem": _LINEAR,
    "QuantileTransformer": "QuantileTransformer(output_distribution='uniform')",
    "RadiusNeighborsClassifier": _OTHER_CLASSIFIER,
    "RadiusNeighborsRegressor": _OTHER_REGRESSOR,
    "RidgeClassifier": "LogisticRegression",
    "RidgeClassifierCV": "LogisticRegressionCV",
    "SVC": "SVC(probability=True), or CalibratedClassifierCV(SVC(...), method='sigmoid')",
    "SVR": f"a smaller C, {_OTHER_REGRESSOR}",
    "SplineTransformer": _LINEAR,
    "TfidfVectorizer": "a Literal of the values that matter, and OneHotEncoder",
    "TunedThresholdClassifierCV": (
        "the classifier inside it: answers have probabilities, and a client compares them with "
        "any threshold"
    ),
    "VotingClassifier": "VotingClassifier(..., voting='soft')",
}
"""Class -> what to take instead of it."""


_PROVED = ("VotingClassifier", "XGBClassifier", "XGBRegressor", "QuantileTransformer", "SVC")
"""Those that are exact once they are exported."""


def advice_for(model: Any) -> str:
    """Return what to take instead of the estimator."""
    known = INSTEAD.get(type(model).__name__)
    if known is not None:
        return known
    if hasattr(model, "predict_proba") or hasattr(model, "decision_function"):
        return _OTHER_CLASSIFIER
    if hasattr(model, "predict"):
        return _OTHER_REGRESSOR
    return "another of docs/estimators.md"


def suspects(model: Any) -> Iterator[str]:
    """Yield a sentence for each estimator inside the model that is known to differ."""
    seen = set[str]()
    for part in (model, *_parts(model)):
        name = type(part).__name__
        if name in INSTEAD and name not in (*_PROVED, *seen):
            seen.add(name)
            yield f"{name} often differs: take {INSTEAD[name]}"


def _parts(model: Any) -> Iterator[Any]:
    if not hasattr(model, "get_params"):
        return
    for value in model.get_params(deep=True).values():
        if hasattr(value, "get_params") and not isinstance(value, type):
            yield value

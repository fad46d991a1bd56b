"""The scikit-learn pipeline and its fit: with `shared/passenger.py`, all that is Titanic's."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

_NUMBERS = ["Age", "Pclass", "SibSp", "Parch", "Fare"]
_CATEGORIES = ["Sex", "Embarked"]
_BLANKED = ["Pclass", "SibSp", "Parch", "Fare"]
_COPY_WEIGHT = 0.5


def build_pipeline() -> Pipeline:
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="constant", fill_value=-1.0), _NUMBERS),
            ("categories", OneHotEncoder(handle_unknown="ignore", dtype=np.float32), _CATEGORIES),
        ]
    )
    classifier = GradientBoostingClassifier(
        n_estimators=100, max_depth=3, subsample=0.8, random_state=0
    )
    return Pipeline([("columns", columns), ("classifier", classifier)])


def fit(features: pd.DataFrame, labels: NDArray[np.int64]) -> Pipeline:
    blanked = features.assign(**dict.fromkeys(_BLANKED, np.float32(np.nan)))
    weights = np.repeat([1.0, _COPY_WEIGHT], len(features))
    pipeline = build_pipeline()
    return pipeline.fit(
        pd.concat([features, blanked], ignore_index=True),
        np.concatenate([labels, labels]),
        classifier__sample_weight=weights,
    )

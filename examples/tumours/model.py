"""What is fitted to the tumours: XGBoost, which requirements.txt brings into the worker."""

import pandas as pd
from sklearn.datasets import load_breast_cancer
from xgboost import XGBClassifier


def load(source: str) -> pd.DataFrame:
    """Return the table that comes with scikit-learn; `source` is LIFEBOAT_TRAINING_DATA."""
    table: pd.DataFrame = load_breast_cancer(as_frame=True).frame
    # 0 is malignant there, and 1 benign.
    return table.assign(malignant=table["target"] == 0)


def estimator() -> XGBClassifier:
    return XGBClassifier(n_estimators=50, max_depth=3, random_state=0, n_jobs=1)

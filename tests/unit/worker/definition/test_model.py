"""model.py: an estimator that is not fitted, or a fit of one's own."""

import numpy as np
import pandas as pd
import pytest

from shared.errors import DefinitionBroken
from tests.unit.worker.definition.conftest import Read

X = pd.DataFrame({"mass": np.arange(20, dtype=np.float32)})
Y = np.repeat([0, 1], 10)

IMPORTS = """
import numpy as np
import pandas as pd
from sklearn.base import *
from sklearn.calibration import *
from sklearn.cluster import *
from sklearn.ensemble import *
from sklearn.frozen import *
from sklearn.linear_model import *
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import *
from sklearn.preprocessing import *
from sklearn.svm import *
"""

FITTED = "LogisticRegression().fit([[0], [1]], [0, 1])"
NUMBER = "class Thing(BaseModel):\n    mass: float | None = None\n    y: float\n"


def sentence(refused: pytest.ExceptionInfo[DefinitionBroken]) -> str:
    said = str(refused.value)
    assert "\n" not in said
    assert len(said) < 700
    assert said.count("model.py") == 1, said
    return said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "expected a function estimator.*or fit.*found neither"),
        ("def estimater(): ...", "found estimater, which nothing reads; write estimator"),
        ("def fit(X, y): ...\ndef estimator(): ...", "found both; keep one"),
        ("estimator = LogisticRegression()", "a function estimator.*found a LogisticRegression"),
        ("fit = 3", r"fit: expected a function fit\(X, y\), found a int"),
        ("load = 'x'\ndef fit(X, y): ...", r"load: expected a function load\(source\)"),
        ("def fit(X): ...", r"fit: .*called as fit\(X, y\), but too many positional"),
        ("def fit(X, y, z): ...", r"fit: .*but missing a required argument: 'z'"),
        ("def estimator(x): ...", r"called as estimator\(\), but missing"),
        ("def load(): ...\ndef fit(X, y): ...", r"called as load\(source\), but too many"),
        ("async def fit(X, y): ...", "found one with async or yield"),
        ("def estimator(): yield 1", "found one with async or yield"),
        ("def loads(s): ...\ndef fit(X, y): ...", "found loads, which nothing reads; write load"),
    ],
)
def test_other_functions_are_refused(read_files: Read, code: str, said: str) -> None:
    with pytest.raises(DefinitionBroken, match=said) as refused:
        read_files(model=IMPORTS + code)
    sentence(refused)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("None", "found None; end it with `return`"),
        ("LogisticRegression", r"found the class LogisticRegression; write LogisticRegression\(\)"),
        ("'logistic'", "found a str"),
        ("StandardScaler()", "expected a classifier, because the target is one of its labels"),
        ("KMeans()", "expected a classifier.*found KMeans"),
        ("IsolationForest()", "expected a classifier.*found IsolationForest"),
        ("LinearRegression()", "expected a classifier.*found LinearRegression"),
        ("make_pipeline(StandardScaler())", "Pipeline that ends in StandardScaler"),
        ("make_pipeline(Ridge())", "Pipeline that ends in Ridge"),
        ("make_pipeline()", "Pipeline"),
        ("Pipeline([('a', None)])", "Pipeline"),
        (
            "Pipeline([('a', LogisticRegression), ('b', LogisticRegression())])",
            "the class LogisticRegression in a Pipeline",
        ),
        ("GridSearchCV(Ridge(), {})", "expected a classifier.*found GridSearchCV"),
        (FITTED, "unfitted estimator, found a fitted LogisticRegression"),
        (f"make_pipeline(StandardScaler(), {FITTED})", "found a fitted LogisticRegression"),
        (f"make_pipeline(FrozenEstimator({FITTED}))", "found a fitted LogisticRegression"),
        (f"CalibratedClassifierCV({FITTED})", "found a fitted LogisticRegression"),
        ("1 / 0", r"line 17: estimator\(\) raised ZeroDivisionError: division by zero"),
        ("LogisticRegression(nonsense=1)", "estimator.. raised TypeError: .*nonsense"),
        ("exit(3)", r"line 17: estimator\(\) ended its process by SystemExit\(3\)"),
    ],
)
def test_what_is_not_an_unfitted_classifier_is_refused_before_a_table_is_read(
    read_files: Read, made: str, said: str
) -> None:
    code = f"{IMPORTS}\n\ndef estimator():\n    return {made}\n"
    with pytest.raises(DefinitionBroken, match=said) as refused:
        read_files(model=code)
    sentence(refused)


@pytest.mark.parametrize("made", ["LogisticRegression()", "HistGradientBoostingClassifier()"])
def test_a_classifier_of_a_number_is_refused(read_class: Read, made: str) -> None:
    code = f"{IMPORTS}\n\ndef estimator():\n    return {made}\n"
    with pytest.raises(DefinitionBroken, match="expected a regressor, because the target is a num"):
        read_class(NUMBER, code)
    assert read_class(NUMBER, code.replace(made, "Ridge()")).fit(X, Y).predict(X).shape == (20,)


@pytest.mark.parametrize(
    "made",
    [
        "LogisticRegression()",
        "make_pipeline(StandardScaler(), LogisticRegression())",
        "GridSearchCV(LogisticRegression(), {'C': [1, 2]})",
        "StackingClassifier([('a', LogisticRegression())])",
        "VotingClassifier([('a', LogisticRegression())], voting='soft')",
        "CalibratedClassifierCV(LinearSVC())",
        "BaggingClassifier(LogisticRegression())",
        "SHARED",
    ],
)
def test_each_fit_is_of_a_new_estimator(read_files: Read, made: str) -> None:
    code = f"{IMPORTS}\nSHARED = LogisticRegression()\n\ndef estimator():\n    return {made}\n"
    fit = read_files(model=code).fit
    first = fit(X, Y)
    before = first.predict_proba(X).tolist()
    second = fit(X, Y[::-1])
    assert first is not second
    assert first.predict_proba(X).tolist() == before
    assert first.predict_proba(X[:1])[0, 0] > 0.5 > second.predict_proba(X[:1])[0, 0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("pass", r"fit\(X, y\): expected a fitted .*, found None; end it with `return`"),
        ("return LogisticRegression()", "found LogisticRegression unfitted; call its fit"),
        ("return make_pipeline(StandardScaler(), LogisticRegression())", "found Pipeline unfitted"),
        ("return LogisticRegression", "found the class LogisticRegression"),
        ("return Ridge().fit(X, y)", "expected a classifier.*found Ridge"),
        ("return LinearSVC().fit(X, y)", "predict_proba, found LinearSVC, which has none"),
        ("return VotingClassifier([('a', LogisticRegression())]).fit(X, y)", "predict_proba"),
        ("return LogisticRegression().fit(X, y + 1)", "one of 1, 2; fit it to y as it is"),
        ("return LogisticRegression().fit(X, y.astype(str))", "one of 0, 1; fit it to y|found"),
        ("return X['mas']", r"line 17: fit\(X, y\) raised KeyError: 'mas'"),
        ("raise OSError('full')", r"line 17: fit\(X, y\) raised OSError: full"),
        ("return LogisticRegression().fit(X, y[1:])", r"line 17: fit\(X, y\) raised ValueError"),
        ("import sys; sys.exit('no')", r"line 17: .*SystemExit\('no'\)"),
        ("from . import nothing", "cannot import name 'nothing'"),
    ],
)
def test_what_a_fit_of_ones_own_does_wrong_is_a_sentence(
    read_files: Read, body: str, said: str
) -> None:
    definition = read_files(model=f"{IMPORTS}\n\ndef fit(X, y):\n    {body}\n")
    with pytest.raises(DefinitionBroken, match=f"things/model.py.*{said}") as refused:
        definition.fit(X, Y)
    sentence(refused)


def test_a_fit_of_an_estimator_that_fails_is_a_sentence(read_files: Read) -> None:
    code = f"{IMPORTS}\n\ndef estimator():\n    return LogisticRegression()\n"
    fit = read_files(model=code).fit
    with pytest.raises(
        DefinitionBroken, match=r"fit of estimator\(\) raised ValueError"
    ) as refused:
        fit(X.assign(mass="heavy"), Y)
    sentence(refused)


def test_a_fit_cannot_change_what_the_next_one_is_given(read_files: Read) -> None:
    body = "X['mass'] = 0.0\n    X['more'] = 1\n    y[:] = [0] * 10 + [1] * 10\n"
    code = f"{IMPORTS}\n\ndef fit(X, y):\n    {body}    return LogisticRegression().fit(X, y)\n"
    features, labels = X.copy(), Y[::-1].copy()
    read_files(model=code).fit(features, labels)
    assert features.equals(X)
    assert labels.tolist() == Y[::-1].tolist()

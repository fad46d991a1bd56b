"""Which estimators are exact in ONNX: `python -m benchmarks.estimators` writes docs/estimators.md.

Each estimator is fitted on a small table with gaps and rare categories, exported and proved, by the
same code as in a run. The rows of the page are what came out.
"""

import datetime
import importlib
import re
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from shared.errors import TrainingFailed
from tests.support.any_table import proved, table_of
from tests.support.estimators import (
    CLASSIFIERS,
    PREPROCESSING,
    REGRESSORS,
    Factory,
    imputed,
    ordinal,
    with_gaps,
)
from tests.support.processes import ROOT

_PAGE = ROOT / "docs" / "estimators.md"
_LIBRARIES = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime")
_OPTIONAL = ("xgboost-cpu", "lightgbm", "onnxmltools")

_HEAD = """# Estimators

Which estimators of scikit-learn a definition may return, from real runs. This page is generated:
`python -m benchmarks.estimators` fits each on a small table with gaps, rare categories and whole
numbers, exports it and proves it as a run does (`worker/training/parity.py`), which takes some ten
minutes. Those of XGBoost and LightGBM need `xgboost-cpu` and `onnxmltools`, or `lightgbm`, in the
environment; a definition brings them by its `requirements.txt`.

*Largest difference* is that of a probability, or of a number by the target's spread or itself,
whichever is larger; up to 1e-5 is exact. The rows are those of the training table, with each
optional field missing, with each category and an unseen one, and with values on and beside every
threshold of a tree. What is refused is never served: the run ends in `export`, in a sentence that
names the step, or in `verify`, because the numbers differ. On another table a model of this list
may differ nevertheless; then `verify` refuses it.
"""


def _boosters() -> dict[str, dict[str, Factory]]:
    """Return XGBoost's and LightGBM's estimators by kind, of those that are installed."""
    found: dict[str, dict[str, Factory]] = {"Classifier": {}, "Regressor": {}}
    for library, prefix, options in (
        ("xgboost", "XGB", {}),
        ("lightgbm", "LGBM", {"min_child_samples": 5, "verbose": -1}),
    ):
        try:
            module = importlib.import_module(library)
        except ImportError:
            continue
        for kind, named in found.items():
            made: Any = getattr(module, prefix + kind)

            def imputed_one(made: Any = made, options: dict[str, Any] = options) -> Any:
                return imputed(made(n_estimators=8, **options))

            def one_with_gaps(made: Any = made, options: dict[str, Any] = options) -> Any:
                return with_gaps(made(n_estimators=8, **options), ordinal())

            named[f"{prefix}{kind}"] = imputed_one
            named[f"{prefix}{kind}(gaps)"] = one_with_gaps
    return found


def _row(name: str, kind: str, make: Factory) -> str:
    print(kind, name, file=sys.stderr, flush=True)
    try:
        parity = proved(make(), table_of(kind))
    except TrainingFailed as error:
        said = str(error)
        where = "verify" if "differs on" in said or "onnxruntime" in said else "export"
        _, _, instead = re.split(r"(; take |differs: take )", said)[-3:] or ("", "", "")
        return f"| {name} | {kind} | | | refused in `{where}`; take {_cell(instead)} |"
    except ValueError as error:
        return f"| {name} | {kind} | | | its own fit refuses: {_cell(str(error))} |"
    exact = f"{parity.max_difference:.0e} | {parity.rows:,}"
    return f"| {name} | {kind} | {exact} | exact |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _sections() -> Iterator[tuple[str, list[tuple[str, str, Factory]]]]:
    boosters = _boosters()
    yield (
        "Classifiers",
        [
            (name, kind, make)
            for name, make in CLASSIFIERS.items()
            for kind in ("binary", "multiclass")
        ],
    )
    yield "Regressors", [(name, "regression", make) for name, make in REGRESSORS.items()]
    yield (
        "Boosters of other libraries",
        [
            *((name, "binary", make) for name, make in boosters["Classifier"].items()),
            *((name, "regression", make) for name, make in boosters["Regressor"].items()),
        ],
    )
    yield (
        "Preprocessing, each before a linear model and before trees",
        [(name, "regression", make) for name, make in PREPROCESSING.items()],
    )


def _installed() -> str:
    found = [f"{name} {version(name)}" for name in _LIBRARIES]
    for name in _OPTIONAL:
        try:
            found.append(f"{name} {version(name)}")
        except ImportError:
            continue
    return ", ".join(found)


def main() -> None:
    """Run every estimator and write the page."""
    warnings.simplefilter("ignore")
    parts = [_HEAD, f"Run on {datetime.date.today():%Y-%m-%d} with {_installed()}.\n"]
    for title, cases in _sections():
        rows = [_row(*case) for case in cases]
        head = "| estimator | kind | largest difference | rows | |\n|---|---|---|---|---|"
        parts.append(f"## {title}\n\n{head}\n" + "\n".join(rows) + "\n")
    _PAGE.write_text("\n".join(parts))


if __name__ == "__main__":
    main()

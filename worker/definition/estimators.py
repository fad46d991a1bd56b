"""What a definition's functions return: an estimator that fits the kind of its target."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from shared.errors import DefinitionBroken
from shared.schema.schema import Kind


def unfitted(made: object, kind: Kind) -> Any:
    """Return a copy of an unfitted estimator. Raises DefinitionBroken if it is not one."""
    _check(made, kind, "an unfitted scikit-learn estimator")
    for part in _parts(made):
        if isinstance(part, type):
            raise DefinitionBroken(
                f"expected estimators, found the class {part.__name__} in a {type(made).__name__}; "
                f"write {part.__name__}()"
            )
        if _is_fitted(part):
            raise DefinitionBroken(
                f"expected an unfitted estimator, found a fitted {type(part).__name__}, which "
                "would be scored on rows that it has seen; return it without calling fit"
            )
    try:
        return clone(made)
    except Exception as error:
        raise DefinitionBroken(
            f"expected an estimator that scikit-learn can copy, but {type(made).__name__} cannot "
            f"be: {str(error).partition(chr(10))[0][:200]}; keep the arguments of its __init__ as "
            "they are"
        ) from error


def fitted(found: object, labels: NDArray[Any], kind: Kind) -> Any:
    """Return a fitted estimator. Raises DefinitionBroken if it cannot be published."""
    _check(found, kind, "a fitted scikit-learn estimator")
    name = type(found).__name__
    try:
        check_is_fitted(found)
    except NotFittedError:
        raise DefinitionBroken(
            f"expected a fitted estimator, found {name} unfitted; call its fit(X, y)"
        ) from None
    except Exception:
        pass  # What has no way to say so shows it when it predicts.
    if kind is Kind.REGRESSION:
        return found
    if not hasattr(found, "predict_proba"):
        raise DefinitionBroken(
            f"expected a classifier with predict_proba, found {name}, which has none; put it into "
            "CalibratedClassifierCV, or take another"
        )
    classes = getattr(found, "classes_", None)
    if classes is not None and not np.array_equal(np.unique(labels), np.asarray(classes)):
        raise DefinitionBroken(
            f"expected a classifier of the labels that fit was given, found one of "
            f"{', '.join(map(str, np.asarray(classes).tolist()[:10]))}; fit it to y as it is"
        )
    return found


def _check(found: object, kind: Kind, expected: str) -> None:
    if found is None:
        raise DefinitionBroken(f"expected {expected}, found None; end it with `return`")
    if isinstance(found, type):
        raise DefinitionBroken(
            f"expected {expected}, found the class {found.__name__}; write {found.__name__}()"
        )
    name = type(found).__name__
    if not isinstance(found, BaseEstimator):
        raise DefinitionBroken(f"expected {expected}, found a {name}; return a Pipeline, say")
    wanted, is_wanted, what = (
        ("a regressor", is_regressor, "a number")
        if kind is Kind.REGRESSION
        else ("a classifier", is_classifier, "one of its labels")
    )
    try:
        right = is_wanted(found)
    except Exception as error:
        raise DefinitionBroken(
            f"expected {expected}, found a {name} that does not work: {type(error).__name__}: "
            f"{str(error).partition(chr(10))[0][:200]}; correct its steps"
        ) from error
    if not right:
        last = _last(found)
        ends = f"a {name} that ends in {last}" if last else name
        raise DefinitionBroken(
            f"expected {wanted}, because the target is {what}, found {ends}; take another "
            "estimator, or another type of target"
        )


def _last(found: Any) -> str:
    steps = getattr(found, "steps", None)
    try:
        return type(steps[-1][1]).__name__ if steps else ""
    except (TypeError, IndexError, KeyError):
        return ""


def _parts(value: Any) -> Iterator[Any]:
    """Yield an estimator and those within it, and classes that should be estimators."""
    if isinstance(value, type):
        if issubclass(value, BaseEstimator):
            yield value
    elif isinstance(value, BaseEstimator):
        yield value
        for inner in value.get_params(deep=False).values():
            yield from _parts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _parts(inner)


def _is_fitted(estimator: Any) -> bool:
    # What a fit learns ends with an underscore, by scikit-learn's convention.
    return any(name.endswith("_") and not name.startswith("_") for name in vars(estimator))

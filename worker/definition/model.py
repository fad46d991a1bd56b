"""model.py: the estimator, how it is fitted, and where its table comes from."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from shared.errors import DefinitionBroken
from shared.schema.schema import Kind
from worker.definition import constants, estimators
from worker.definition.package import Package

_FILE = "model.py"
_NAMES = ("estimator", "fit", "load", "METRIC")

Fit = Callable[[pd.DataFrame, NDArray[Any]], Any]
Load = Callable[[str], pd.DataFrame]


@dataclass(frozen=True)
class Model:
    """What model.py says."""

    fit: Fit
    load: Load | None
    metric: object
    """METRIC as it stands there; None if it does not."""


def read(module: ModuleType, package: Package, kind: Kind) -> Model:
    """Return what a module says of a model. Raises DefinitionBroken, without the file's name."""
    constants.check_spelling(module, _NAMES)
    estimator = _function(module, "estimator", 0)
    fit = _function(module, "fit", 2)
    load = _function(module, "load", 1)
    if estimator and fit:
        raise DefinitionBroken(
            "expected either estimator() or fit(X, y), found both; keep one of them (a helper of "
            "fit may have any other name)"
        )
    if not estimator and not fit:
        raise DefinitionBroken(
            "expected a function estimator() that returns an unfitted scikit-learn estimator, or "
            "fit(X, y) that returns a fitted one; found neither; write one of them"
        )
    if estimator:
        made = _Estimator(estimator, package, kind)
        # An estimator that is not one is told before a table is read.
        made.new()
        fitting: Fit = made
    else:
        assert fit is not None
        fitting = _Fit(fit, package, kind)
    return Model(fitting, load and _Load(load, package), getattr(module, "METRIC", None))


def _function(module: ModuleType, name: str, arguments: int) -> Callable[..., Any] | None:
    """Return a function of the module that takes so many arguments; None if it is not there."""
    found: Any = getattr(module, name, None)
    call = f"{name}({', '.join(['X', 'y'] if arguments == 2 else ['source'][:arguments])})"
    if found is None:
        return None
    if not callable(found):
        raise DefinitionBroken(
            f"{name}: expected a function {call}, found a {type(found).__name__}; write "
            f"def {call}: return ..."
        )
    if inspect.iscoroutinefunction(found) or inspect.isgeneratorfunction(found):
        raise DefinitionBroken(
            f"{name}: expected a plain function {call}, found one with async or yield; write def "
            "and return"
        )
    try:
        inspect.signature(found).bind(*[None] * arguments)
    except TypeError as error:
        raise DefinitionBroken(
            f"{name}: expected a function that can be called as {call}, but {error}; give other "
            "arguments a default"
        ) from None
    except ValueError:
        pass  # Some callables have no signature to look at.
    function: Callable[..., Any] = found
    return function


class _Called:
    """A function of model.py whose errors become sentences with their place."""

    name: str

    def __init__(self, function: Callable[..., Any], package: Package) -> None:
        self._function = function
        self._package = package

    def _call(self, call: str, *arguments: Any) -> Any:
        try:
            return self._function(*arguments)
        except (Exception, SystemExit) as error:
            self._package.refuse(error, _FILE, call)

    def _file(self) -> str:
        return str(self._package.folder / _FILE)


class _Estimator(_Called):
    """Fits a new estimator each time, so that no fit knows of another."""

    def __init__(self, function: Callable[..., Any], package: Package, kind: Kind) -> None:
        super().__init__(function, package)
        self._kind = kind

    def new(self) -> Any:
        """Return an unfitted estimator. Raises DefinitionBroken."""
        made = self._call("estimator()")
        try:
            # A copy, because the function may return the same object each time.
            return estimators.unfitted(made, self._kind)
        except DefinitionBroken as error:
            raise DefinitionBroken(f"{self._file()}: estimator(): {error}") from error.__cause__

    def __call__(self, features: pd.DataFrame, labels: NDArray[Any]) -> Any:
        estimator = self.new()
        try:
            fitted = estimator.fit(features.copy(deep=False), labels.copy())
        except (Exception, SystemExit) as error:
            self._package.refuse(error, _FILE, "the fit of estimator()")
        try:
            return estimators.fitted(fitted, labels, self._kind)
        except DefinitionBroken as error:
            raise DefinitionBroken(f"{self._file()}: estimator(): {error}") from error.__cause__


class _Fit(_Called):
    """Calls the folder's own fit, and looks at what it returns."""

    def __init__(self, function: Callable[..., Any], package: Package, kind: Kind) -> None:
        super().__init__(function, package)
        self._kind = kind

    def __call__(self, features: pd.DataFrame, labels: NDArray[Any]) -> Any:
        # Copies, because a fit that changes what it is given would change it for the next fold.
        found = self._call("fit(X, y)", features.copy(deep=False), labels.copy())
        try:
            return estimators.fitted(found, labels, self._kind)
        except DefinitionBroken as error:
            raise DefinitionBroken(f"{self._file()}: fit(X, y): {error}") from error.__cause__


class _Load(_Called):
    """Calls the folder's own load, and looks at what it returns."""

    def __call__(self, source: str) -> pd.DataFrame:
        table = self._call("load(source)", source)
        if isinstance(table, pd.DataFrame):
            return table
        fix = "end it with `return`" if table is None else "return one, such as pd.DataFrame(...)"
        if hasattr(table, "to_pandas"):
            fix = "return its .to_pandas()"
        raise DefinitionBroken(
            f"{self._file()}: load(source): expected a pandas DataFrame, found "
            f"{'None' if table is None else f'a {type(table).__name__}'}; {fix}"
        )

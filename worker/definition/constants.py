"""What stands in capitals in a definition: METRIC, and names that look like a slip."""

from collections.abc import Sequence
from difflib import get_close_matches
from inspect import isfunction
from pathlib import Path
from types import ModuleType

from shared.errors import DefinitionBroken
from shared.schema.schema import Kind


def check_spelling(module: ModuleType, known: Sequence[str]) -> None:
    """Raise DefinitionBroken for a name that is nearly a known one: it would not be heeded."""
    for name, value in vars(module).items():
        if name in known or name.startswith("_"):
            continue
        if isfunction(value):
            if value.__module__ != module.__name__:
                continue
        elif isinstance(value, type | ModuleType) or not name.isupper():
            continue
        for meant in get_close_matches(name, known, n=1, cutoff=0.85):
            if meant.isupper() == name.isupper() and not hasattr(module, meant):
                raise DefinitionBroken(
                    f"found {name}, which nothing reads; write {meant}, or rename it if it is "
                    "your own"
                )


def metric_of(folder: Path, in_record: object, in_model: object, kind: Kind) -> str | None:
    """Return the METRIC of the one file or the other; None if neither has it.

    Raises DefinitionBroken.
    """
    if in_record is not None and in_model is not None and in_record != in_model:
        raise DefinitionBroken(
            f"{folder}: expected one METRIC, found {in_record!r} in record.py and {in_model!r} in "
            "model.py; keep one of them"
        )
    metric = in_model if in_record is None else in_record
    if metric is None:
        return None
    file = folder / ("model.py" if in_record is None else "record.py")
    # Imported here, because a record alone is read without scikit-learn.
    from sklearn.metrics import get_scorer_names

    names = get_scorer_names()
    if not isinstance(metric, str) or metric not in names:
        near = get_close_matches(str(metric), names, n=3, cutoff=0.5)
        usual = "r2" if kind is Kind.REGRESSION else "balanced_accuracy"
        raise DefinitionBroken(
            f"{file}: METRIC: expected the name of a scorer of scikit-learn's, found {metric!r}; "
            f"write one such as {', '.join(near) or usual}"
        )
    return metric

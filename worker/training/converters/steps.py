"""Names of a model's steps, for the sentences that refuse one."""

from typing import Any, NoReturn

from shared.errors import EstimatorBroken
from worker.training.converters.advice import advice_for


class Step(str):
    """Where a step stands inside the model: the names that lead to it, such as `model/scale`."""

    def inside(self, name: object) -> "Step":
        """Return the place of a step inside this one."""
        return Step(f"{self}/{name}" if self else str(name))

    def refuse(self, model: Any, reason: str, instead: str = "") -> NoReturn:
        """Raise EstimatorBroken with the step, what is wrong with it and what to take instead."""
        kind = type(model).__name__
        instead = instead or advice_for(model)
        where = f"step {str(self)!r} ({kind})" if self else kind
        raise EstimatorBroken(
            f"the model cannot be exported exactly: {where}: {reason}; take {instead}"
        )

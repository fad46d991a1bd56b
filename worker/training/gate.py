"""The promotion gate, which decides whether a candidate is served."""

import math

from shared.versions.manifest import Gate, Metrics, TrainingData
from worker.training.served import Served

_FORCED = "; promoted because force was asked for"


def promotion_gate(
    candidate: Metrics,
    data: TrainingData,
    served: Served,
    *,
    tolerance: float,
    forced: bool,
) -> Gate:
    """Promote the candidate unless its ROC AUC is clearly lower than the served model's.

    Clearly lower means: by more than `tolerance`, and by more than one standard error (the
    candidate's standard deviation over the folds / sqrt(folds)). On small tables the standard error
    is the larger of the two. What cannot be compared with what is served is not promoted.
    """
    if served.unknown:
        reason = f"the served model cannot be compared with: {served.unknown}"
        if forced:
            reason += _FORCED
        return Gate(outcome="promoted" if forced else "rejected", reason=reason, compared_with=None)
    if served.manifest is None:
        return Gate(
            outcome="promoted",
            reason="there is no served model to compare with",
            compared_with=None,
        )
    score = candidate.roc_auc
    compared = served.manifest
    before = compared.metrics.roc_auc.mean
    standard_error = score.std / math.sqrt(score.folds)
    allowed = max(tolerance, standard_error)
    comparison = (
        f"ROC AUC {score.mean:.4f} against {before:.4f} of the served {compared.model_version}; "
        f"up to {allowed:.4f} lower is allowed"
    )
    if compared.data.sha256 != data.sha256:
        comparison += "; the two were trained on different data"
    good_enough = score.mean >= before - allowed
    if forced and not good_enough:
        comparison += _FORCED
    return Gate(
        outcome="promoted" if good_enough or forced else "rejected",
        reason=comparison,
        compared_with=compared.model_version,
    )

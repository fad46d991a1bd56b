"""The promotion gate, which decides whether a candidate is served."""

import math

from shared.versions.manifest import Gate, Manifest, Metrics, TrainingData


def promotion_gate(
    candidate: Metrics,
    data: TrainingData,
    served: Manifest | None,
    *,
    tolerance: float,
    forced: bool,
) -> Gate:
    """Promote the candidate unless its ROC AUC is clearly lower than the served model's.

    Clearly lower means: by more than `tolerance`, and by more than one standard error (the
    candidate's standard deviation over the folds / sqrt(folds)). On small tables the standard error
    is the larger of the two.
    """
    if served is None:
        return Gate(
            outcome="promoted",
            reason="there is no served model to compare with",
            compared_with=None,
        )
    score = candidate.roc_auc
    before = served.metrics.roc_auc.mean
    standard_error = score.std / math.sqrt(score.folds)
    allowed = max(tolerance, standard_error)
    comparison = (
        f"ROC AUC {score.mean:.4f} against {before:.4f} of the served {served.model_version}; "
        f"up to {allowed:.4f} lower is allowed"
    )
    if served.data.sha256 != data.sha256:
        comparison += "; the two were trained on different data"
    good_enough = score.mean >= before - allowed
    if forced and not good_enough:
        comparison += "; promoted because force was asked for"
    return Gate(
        outcome="promoted" if good_enough or forced else "rejected",
        reason=comparison,
        compared_with=served.model_version,
    )

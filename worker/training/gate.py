"""The promotion gate, which decides whether a candidate is served."""

import math
from dataclasses import dataclass

from shared.schema.compatibility import breaks
from shared.schema.schema import Schema
from shared.versions.manifest import Gate, Manifest, Metrics, TrainingData
from worker.training.scoring import DEFAULT, STANDARD, Metric
from worker.training.served import Served

_FORCED = "; promoted because force was asked for"


@dataclass(frozen=True)
class Candidate:
    """What the gate looks at."""

    schema: Schema
    metrics: Metrics
    metric: Metric
    data: TrainingData


def promotion_gate(candidate: Candidate, served: Served, *, tolerance: float, forced: bool) -> Gate:
    """Promote the candidate unless it is clearly worse, or breaks what clients rely on.

    Worse by the candidate's metric, and clearly: by more than `tolerance`, and by more than one
    standard error (the candidate's standard deviation over the folds / sqrt(folds)). On small
    tables the standard error is the larger of the two. `tolerance` is a difference of scores, which
    are 1 at best, and a share of errors such as an RMSE, which have a unit.

    What cannot be compared with what is served is not promoted.
    """
    if served.unknown:
        reason = f"the served model cannot be compared with: {served.unknown}"
        return _decided(reason, False, forced, None)
    compared = served.manifest
    if compared is None:
        return Gate(
            outcome="promoted",
            reason="there is no served model to compare with",
            compared_with=None,
        )
    if broken := breaks(compared.record_schema, candidate.schema):
        reason = (
            f"clients of the served {compared.model_version} would be refused, or answered in "
            f"another shape: {broken}; make what changed optional or wider, or force the promotion"
        )
        return _decided(reason, False, forced, compared.model_version)
    metric, note = _common(candidate, compared)
    if metric is None:
        reason = (
            f"the served model cannot be compared with: {compared.model_version} has none of the "
            f"metrics {', '.join(candidate.metrics)}"
        )
        return _decided(reason, False, forced, compared.model_version)
    comparison, good_enough = _compare(candidate, compared, metric, tolerance)
    if compared.data.sha256 != candidate.data.sha256:
        comparison += "; the two were trained on different data"
    return _decided(note + comparison, good_enough, forced, compared.model_version)


def _decided(reason: str, good_enough: bool, forced: bool, compared_with: str | None) -> Gate:
    if forced and not good_enough:
        reason += _FORCED
    return Gate(
        outcome="promoted" if good_enough or forced else "rejected",
        reason=reason,
        compared_with=compared_with,
    )


def _common(candidate: Candidate, compared: Manifest) -> tuple[Metric | None, str]:
    """Return the metric to compare by, and a note if it is not the candidate's own."""
    own = candidate.metric
    if own.name in compared.metrics:
        return own, ""
    kind = candidate.schema.kind
    known = [Metric(name, scorer) for name, scorer in STANDARD[kind].items()]
    known.sort(key=lambda metric: metric.name != DEFAULT[kind])
    for metric in known:
        if metric.name in candidate.metrics and metric.name in compared.metrics:
            note = (
                f"{compared.model_version} has no {own.title}, so the two are compared by "
                f"{metric.title}: "
            )
            return metric, note
    return None, ""


def _compare(
    candidate: Candidate, compared: Manifest, metric: Metric, tolerance: float
) -> tuple[str, bool]:
    """Return the comparison in words, and whether the candidate is good enough."""
    score = candidate.metrics[metric.name]
    before = compared.metrics[metric.name].mean
    standard_error = score.std / math.sqrt(score.folds)
    share = 1.0 if metric.higher_is_better else abs(before)
    allowed = max(tolerance * share, standard_error)
    if metric.higher_is_better:
        way, good_enough = "lower", score.mean >= before - allowed
    else:
        way, good_enough = "higher", score.mean <= before + allowed
    return (
        f"{metric.title} {_figure(score.mean)} against {_figure(before)} of the served "
        f"{compared.model_version}; up to {_figure(allowed)} {way} is allowed",
        good_enough,
    )


def _figure(number: float) -> str:
    return f"{number:.4f}" if abs(number) < 100 else f"{number:,.5g}"

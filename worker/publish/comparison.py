"""A candidate beside the served version, as Markdown: what a pull request is told."""

from shared.versions.manifest import Manifest, Score


def markdown(candidate: Manifest, served: Manifest | None) -> str:
    """Return the gate's decision, and a table of the metrics of both."""
    gate = candidate.gate
    lines = [f"**{gate.outcome}**: {gate.reason}", ""]
    lines += [f"| metric | candidate | {served.model_version if served else 'served'} |"]
    lines += ["|---|---:|---:|"]
    known = served.metrics if served is not None else {}
    for name, score in candidate.metrics.items():
        lines.append(f"| {name} | {_shown(score)} | {_shown(known.get(name))} |")
    lines += ["", f"{candidate.data.rows:,} rows; mean ± standard deviation over the folds."]
    return "\n".join(lines) + "\n"


def _shown(score: Score | None) -> str:
    return "" if score is None else f"{score.mean:.4g} ± {score.std:.2g}"

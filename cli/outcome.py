"""The outcome of a run that has ended: a sentence for a person, an exit status for a script."""

from rich.text import Text

from shared.jobs.job import Job, JobStatus


def outcome(job: Job) -> Text:
    """Say in a sentence or two how the run ended, and why."""
    result = job.result
    if result is not None and result.outcome == "promoted":
        return Text.assemble(
            ("promoted", "bold green"), f": {result.model_version} is served. {result.reason}"
        )
    if result is not None:
        return Text.assemble(
            ("rejected", "bold yellow"),
            f": {result.model_version} is stored and not served. {result.reason}. To serve the "
            'next version whatever its score: make retrain ARGS="--force"',
        )
    if job.status is JobStatus.CANCELLED:
        return Text.assemble(("cancelled", "bold yellow"), ": nothing was published")
    return Text.assemble(("failed", "bold red"), f": {job.error}")


def exit_status(job: Job) -> int:
    """Return 0 for promoted, 1 for failed, 3 for rejected, 4 for cancelled."""
    if job.result is not None:
        return 0 if job.result.outcome == "promoted" else 3
    return 4 if job.status is JobStatus.CANCELLED else 1

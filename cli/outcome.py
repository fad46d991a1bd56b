"""How an ended run ended: for a person a sentence, for a script an exit status."""

from rich.text import Text

from shared.jobs.job import Job, JobStatus


def outcome(job: Job) -> Text:
    """How an ended run ended, and why, in a sentence or two."""
    result = job.result
    if result is not None and result.outcome == "promoted":
        return Text.assemble(
            ("promoted", "bold green"), f": {result.model_version} is served. {result.reason}"
        )
    if result is not None:
        return Text.assemble(
            ("rejected", "bold yellow"),
            f": {result.model_version} is stored and not served. {result.reason}. To serve the "
            'next one whatever its score: make retrain ARGS="--force"',
        )
    if job.status is JobStatus.CANCELLED:
        return Text.assemble(("cancelled", "bold yellow"), ": nothing was published")
    return Text.assemble(("failed", "bold red"), f": {job.error}")


def exit_status(job: Job) -> int:
    if job.result is not None:
        return 0 if job.result.outcome == "promoted" else 3
    return 4 if job.status is JobStatus.CANCELLED else 1

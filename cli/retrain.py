"""Starts a training run in a running Lifeboat, and shows it: `python -m cli.retrain --follow`.

The exit status says how the run ended: 0 promoted, 1 failed, 2 the API did not answer or refused,
3 rejected, 4 cancelled, 130 no longer watched, after Ctrl-C or because the output takes no more.
Without --follow, 0 means started.
"""

import argparse
import getpass
import os
import socket
from contextlib import suppress

from cli.comparison import comparison
from cli.job_client import CallFailed, JobClient
from cli.job_display import display
from cli.outcome import exit_status, outcome
from cli.terminal import DETACHED, Terminal
from shared import command, refusal
from shared.jobs.job import Job
from shared.refusal import refuse

CANNOT_ASK = 2

_LONGEST_NAME = 64


def main() -> int:
    arguments = _arguments()
    settings = refusal.settings(CANNOT_ASK)
    for sentence in refusal.oddities():
        refusal.say(sentence)
    key = next(iter(settings.api_keys), None)
    console = Terminal()
    try:
        client = JobClient(
            (arguments.url or settings.api_url).rstrip("/"),
            requested_by=requested_by(),
            api_key=key,
        )
        job = client.start(force=arguments.force)
        console.print(f"job {job.job_id} at {client.url}", soft_wrap=True)
        return _follow(client, job, console) if arguments.follow else 0
    except CallFailed as error:
        refuse(str(error), CANNOT_ASK)
    except KeyboardInterrupt:
        return DETACHED


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m cli.retrain",
        description="Starts a training run in a running Lifeboat. If a run is queued or running, "
        "takes that run.",
        epilog="Exit status with --follow: 0 promoted, 1 failed, 2 the API did not answer or "
        "refused, 3 rejected, 4 cancelled, 130 no longer watched.",
    )
    parser.add_argument("--follow", action="store_true", help="show the run until it ends")
    parser.add_argument("--force", action="store_true", help="promote whatever the gate decides")
    parser.add_argument(
        "--url", help="address of Lifeboat; by default that of LIFEBOAT_HOST and LIFEBOAT_PORT"
    )
    return parser.parse_args()


def requested_by() -> str:
    """Return `<user>@<host>` as the API accepts it: at most 64 printable ASCII characters."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # The user id has no name.
        user = str(os.getuid())
    name = f"{user}@{socket.gethostname()}"
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in name)[:_LONGEST_NAME]


def _follow(client: JobClient, job: Job, console: Terminal) -> int:
    try:
        with display(console) as shown:
            for sight in client.follow(job.job_id):
                if isinstance(sight, Job):
                    job = sight
                    shown.show(job)
                else:
                    shown.say(sight)
                if console.is_lost:
                    return DETACHED
    except KeyboardInterrupt:
        console.print(
            "No longer watched; the run goes on. "
            f"DELETE {client.url}/jobs/{job.job_id} cancels it.",
            soft_wrap=True,
        )
        return DETACHED
    if job.result is not None:
        name, run, served = job.result.model_version, None, None
        # The table is worth showing even if a version is gone by now.
        with suppress(CallFailed):
            run = client.version(name)
            if run.gate.compared_with is not None:
                served = client.version(run.gate.compared_with)
        ascii_only = console.options.ascii_only
        table = comparison(name, job.result.metrics, run, served, ascii_only=ascii_only)
        console.print("", table, "", sep="\n")
    console.print(outcome(job), soft_wrap=True)
    return exit_status(job)


if __name__ == "__main__":
    command.run(main, if_lost=DETACHED)

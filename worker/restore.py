"""Restores a backup and the choice of the served version in it: `make restore`.

`python -m worker.restore < file`, while no worker runs. The API may run: it swaps to the choice.
"""

import sys
import tarfile
import time
from contextlib import closing, suppress

import redis

from shared import command, refusal
from shared.environment import UnreadableFile
from shared.errors import JobEnded, JobNotFound, VersionNotFound, VersionNotServable
from shared.jobs.watch import JobWatch
from shared.resources import Resources, build, model_store, storage
from shared.settings import Settings
from shared.versions import current, names
from shared.versions.storage.base import Storage
from worker.backup import archive

_CANCEL_SECONDS = 60.0
_LOOK_SECONDS = 0.5


def main() -> int:
    """Restore what is sound in the backup; return 0 if that is all of it."""
    if sys.stdin is None or sys.stdin.isatty():
        refusal.refuse("expected a backup on standard input; add `< file`", 2)
    settings = refusal.settings(2)
    if settings.serves_only:
        refusal.refuse(
            "LIFEBOAT_REDIS_URL is none, and the choice is restored into Redis; name the server", 2
        )
    try:
        with closing(build(settings)) as resources:
            _cancel_run(resources)
            resources.models.create()
            return _restore(settings, resources)
    except UnreadableFile as error:
        refusal.refuse(str(error), 2)
    except redis.RedisError as error:
        refusal.refuse(f"Redis does not answer, and it keeps the choice: {error}", 2)
    except tarfile.TarError as error:
        refusal.refuse(f"expected a whole backup on standard input, but: {error}", 2)
    except OSError as error:
        refusal.refuse(f"the backup cannot be restored: {error}")


def _cancel_run(resources: Resources) -> None:
    """End the run that is queued or goes on.

    Without this the first run of a new installation would replace the restored choice: there was
    nothing that it had to be as good as.
    """
    watch = JobWatch(resources.jobs, resources.queue)
    deadline = time.monotonic() + _CANCEL_SECONDS
    while (pulse := resources.jobs.pulse()) is not None:
        if time.monotonic() > deadline:
            refusal.refuse(f"job {pulse.job_id} does not end; stop the workers, and try again")
        with suppress(JobEnded, JobNotFound):
            resources.jobs.cancel(pulse.job_id)
        # The worker may have been killed, and the other watchers may be down.
        watch.look()
        time.sleep(_LOOK_SECONDS)


def _restore(settings: Settings, resources: Resources) -> int:
    into = storage(settings)
    chosen, is_whole = None, True
    for folder, contents in archive.read(sys.stdin.buffer):
        found = archive.Unpacked(contents)
        if folder == archive.TOP:
            chosen = current.read(found)
        elif names.is_name(folder):
            try:
                print(f"{folder}: {_restore_version(folder, found, into, settings, resources)}")
            except (VersionNotFound, VersionNotServable) as error:
                print(f"left out: {error}", file=sys.stderr)
                is_whole = False
                if folder == chosen:
                    # It comes first, so nothing has changed yet.
                    break
    if chosen is None:
        print("the backup does not say which version is served; the choice stays as it is")
        return int(not is_whole)
    return _choose(resources, chosen) or int(not is_whole)


def _restore_version(
    name: str, found: Storage, into: Storage, settings: Settings, resources: Resources
) -> str:
    """Restore a version unless it is there, and sound; say which."""
    try:
        archive.sound(name, into, resources.models)
        return "is there already"
    except (VersionNotFound, VersionNotServable):
        archive.restore(archive.sound(name, found, model_store(settings, found)), into)
        return "restored"


def _choose(resources: Resources, chosen: str) -> int:
    # Left over from a worker that was killed: no worker runs.
    resources.version_key.forget_removals()
    try:
        resources.version_key.choose(chosen, resources.models.load)
    except (VersionNotFound, VersionNotServable) as error:
        print(f"the choice stays as it is: {error}", file=sys.stderr)
        return 1
    resources.models.set_current(chosen)
    print(f"{chosen}: chosen")
    return 0


if __name__ == "__main__":
    command.run(main)

"""Every Redis key, named and explained once. All live in the one database of the URL.

Celery's own keys stand beside them: the list `lifeboat:queue` of waiting messages, and `_kombu.*`
for its bookkeeping. Losing any of Celery's loses no job (see `shared/jobs/watch.py`).
"""

VERSION = "lifeboat:version"
"""String: the name of the model version to serve. Setting it makes every API process swap."""

REMOVAL_PREFIX = "lifeboat:removing:"
"""String per version that a worker removes, for as long as that takes: it cannot be chosen."""

LAST_REMOVAL = "lifeboat:last-removal"
"""String: an id of the removal that ended last. A choice that finds another id here than before it
looked at its version looks again."""

ACTIVE_JOB = "lifeboat:active-job"
"""String: the id of the job that is queued or running. A job holds it from its creation to its end,
so at most one run exists: it is the run lock, and makes `PUT /run-pipeline` idempotent."""

NOTED = "lifeboat:noted"
"""String, JSON: the version and the generation that the version key and `current.json` had when
they were last alike (`worker/choice/mirror.py`)."""

JOBS = "lifeboat:jobs"
"""List: the ids of the recent jobs, newest first."""

JOB_PREFIX = "lifeboat:job:"
"""Hash per job: its record (`shared/jobs/store.py`)."""

EVENTS_PREFIX = "lifeboat:job-events:"
"""Stream per job: the record at each change, for `GET /jobs/{id}/events`."""

PROCESS_PREFIX = "lifeboat:process:"
"""String per API process, `<host>:<pid>`: the version that it serves, "" for none. Expires unless
the process renews it (`api/serving/replicas.py`)."""

JOB_DURATIONS = "lifeboat:job-durations"
"""Hash: how many jobs ended how, and how long they took (`shared/jobs/durations.py`)."""

DEFINITION = "lifeboat:definition"
"""String: which definition is trained here, and by which worker. Expires unless a worker renews it.
A worker of another definition waits meanwhile (`worker/training_right.py`)."""

WAITING_PREFIX = "lifeboat:waiting:"
"""String per worker that waits for a worker of another definition: why. It takes no job meanwhile.
Expires unless the worker renews it."""

QUEUE = "lifeboat:queue"
"""List, Celery's: messages that say 'look at job X'. A hint, never the truth about a job."""


def job(job_id: str) -> str:
    return JOB_PREFIX + job_id


def events(job_id: str) -> str:
    return EVENTS_PREFIX + job_id


def process(name: str) -> str:
    return PROCESS_PREFIX + name


def waiting(worker: str) -> str:
    return WAITING_PREFIX + worker


def removal(version: str) -> str:
    return REMOVAL_PREFIX + version

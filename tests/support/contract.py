"""The public contract as clients know it, for whichever ring of tests holds it."""

ORIGINAL_REQUEST: list[dict[str, object]] = [
    {"Age": 22.0, "Sex": "male", "Embarked": "S"},
    {"Age": 38.0, "Sex": "female", "Embarked": "C"},
]
"""What the client of the original service posts; it is answered with [0, 1]."""

JOB_FIELDS = {
    "job_id",
    "status",
    "stage",
    "progress",
    "created_at",
    "started_at",
    "finished_at",
    "attempts",
    "worker",
    "requested_by",
    "forced",
    "result",
    "error",
    "request_id",
}

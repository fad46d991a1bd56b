"""The parameters of routes: ids in paths, and headers."""

import re
from typing import Annotated, Any

from fastapi import Header, Path
from pydantic import AfterValidator

from shared.jobs.job import JOB_ID_PATTERN, REQUESTER_PATTERN
from shared.versions.manifest import VERSION_PATTERN, Plot


def _id(pattern: re.Pattern[str], example: str) -> Any:
    # Documented only: the stores check ids, and a malformed id returns 404, not 422.
    return Path(json_schema_extra={"pattern": f"^{pattern.pattern}$"}, examples=[example])


JobId = Annotated[str, _id(JOB_ID_PATTERN, "04d8e84b92d2a8a33813b1c238609411")]
VersionName = Annotated[str, _id(VERSION_PATTERN, "20261124-003726-e5f42c")]
PlotName = Annotated[str, Path(json_schema_extra={"enum": [*Plot]}, examples=[Plot.ROC.value])]


def _check_requester(name: str | None) -> str | None:
    if name is not None and not REQUESTER_PATTERN.fullmatch(name):
        raise ValueError("expected a name of 1 to 64 printable ASCII characters, or no header")
    return name


RequestedBy = Annotated[
    str | None,
    AfterValidator(_check_requester),
    Header(
        alias="X-Requested-By",
        description="Who asks: 1 to 64 printable ASCII characters, shown as the job's "
        "`requested_by`.",
        json_schema_extra={"pattern": f"^{REQUESTER_PATTERN.pattern}$"},
        examples=["ada@example"],
    ),
]

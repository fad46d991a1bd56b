"""Kubernetes' own schemas of its objects, for several releases."""

import importlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.support.kubernetes.objects import Objects, named

RELEASES = ("1.30", "1.37")
"""The oldest that the chart lets in, and the newest that there are schemas of."""

_OF_OTHERS = ("ServiceMonitor",)
"""What is not Kubernetes' own, and has no schema here."""


@cache
def _validator() -> Any:
    # By its name, because only the environment of the cloud ring has it.
    validator = importlib.import_module("kubernetes_validate.utils")
    # It reads a file of megabytes anew for each object: 5 s for a release of the chart, not 0.1 s.
    vars(validator)["schema_contents"] = cache(validator.schema_contents)
    return validator


def findings(objects: Objects) -> Iterator[str]:
    """Yield a sentence for each object that a schema refuses, or that has no schema."""
    validator = _validator()
    for manifest in objects.manifests:
        if manifest["kind"] in _OF_OTHERS:
            continue
        for release in RELEASES:
            try:
                validator.validate(manifest, release, strict=True)
            except (validator.ValidationError, validator.SchemaNotFoundError) as error:
                yield f"{named(manifest)}: Kubernetes {release}: {error.message}"

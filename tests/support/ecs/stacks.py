"""The three templates of `deploy/ecs/`."""

from dataclasses import dataclass
from typing import Any

from tests.support.cloudformation import Template, read
from tests.support.processes import ROOT

FOLDER = ROOT / "deploy" / "ecs"
CONTAINERS = {"ApiTask": "api", "WorkerTask": "worker"}
"""The container of each task that serves or trains."""
SERVICES = {"ApiService": "ApiTask", "WorkerService": "WorkerTask"}


@dataclass(frozen=True)
class EcsStacks:
    data: Template
    redis: Template
    services: Template

    def properties(self, name: str) -> Any:
        """Return the properties of a resource of services.yaml."""
        return self.services["Resources"][name]["Properties"]

    def main(self, task: str) -> Any:
        """Return the container of a task that serves or trains, which is the last one."""
        return self.properties(task)["ContainerDefinitions"][-1]


def read_stacks() -> EcsStacks:
    return EcsStacks(*(read(FOLDER / f"{name}.yaml") for name in ("data", "redis", "services")))

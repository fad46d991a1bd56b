"""The objects of a release of the chart, and how they find each other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]
"""One object as it is written in YAML."""


def named(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def is_selected(labels: Mapping[str, str], selector: Mapping[str, str]) -> bool:
    """Return whether labels have all that a selector asks for.

    Kubernetes takes an empty selector for all pods, or for none; the chart means neither.
    """
    return bool(selector) and selector.items() <= labels.items()


@dataclass(frozen=True)
class Workload:
    """A Deployment or a StatefulSet, or a pod that stands alone."""

    manifest: Manifest

    @property
    def name(self) -> str:
        return named(self.manifest)

    @property
    def pod(self) -> Manifest:
        """The template of the pods, with their metadata."""
        spec = self.manifest["spec"]
        template: Manifest = spec.get("template", self.manifest)
        return template

    @property
    def spec(self) -> Manifest:
        spec: Manifest = self.pod["spec"]
        return spec

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.pod["metadata"].get("labels", {})
        return labels

    @property
    def containers(self) -> list[Manifest]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        """The ports of all containers by name; one without a name is named by its number."""
        return {
            port.get("name", str(port["containerPort"])): port["containerPort"]
            for container in self.containers
            for port in container.get("ports", [])
        }

    def has_port(self, port: str | int) -> bool:
        return port in self.ports if isinstance(port, str) else port in self.ports.values()


@dataclass(frozen=True)
class Objects:
    """All objects of a release, and the names of what its user brings, such as `Secret/api-key`."""

    manifests: Sequence[Manifest]
    brought: frozenset[str] = frozenset()

    def of(self, *kinds: str) -> Iterator[Manifest]:
        return (manifest for manifest in self.manifests if manifest["kind"] in kinds)

    def has(self, name: str) -> bool:
        return name in self.brought or any(named(manifest) == name for manifest in self.manifests)

    def get(self, name: str) -> Manifest | None:
        return next((manifest for manifest in self.manifests if named(manifest) == name), None)

    @property
    def workloads(self) -> list[Workload]:
        return [Workload(manifest) for manifest in self.of("Deployment", "StatefulSet", "Pod")]

    def selected(self, selector: Mapping[str, str]) -> list[Workload]:
        return [workload for workload in self.workloads if is_selected(workload.labels, selector)]


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once."""
    seen: set[str] = set()
    twice = []
    for name in names:
        if name in seen:
            twice.append(name)
        seen.add(name)
    return twice

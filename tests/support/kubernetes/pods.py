"""What is wrong in a pod alone: its ports, probes, mounts, variables and rights."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.support.kubernetes.objects import Manifest, Objects, Workload, repeated

_LARGEST_PORT = 65_535
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")
_STOP_SECONDS = 4
"""How long the API takes to answer what it has accepted; `preStop` comes before."""


def findings(objects: Objects) -> Iterator[str]:
    """Yield a sentence for each defect."""
    for workload in objects.workloads:
        found = (
            *_of_rights(workload),
            *_of_volumes(workload),
            *_of_files(workload, objects),
            *_of_stopping(workload),
            *(finding for each in workload.containers for finding in _of_ports(workload, each)),
        )
        for finding in found:
            yield f"{workload.name}: {finding}"


def _of_ports(workload: Workload, container: Manifest) -> Iterator[str]:
    for name, port in workload.ports.items():
        if not 1 <= port <= _LARGEST_PORT:
            yield f"expected a port up to {_LARGEST_PORT}, found {port}"
        if not _PORT_NAME.fullmatch(name):
            yield f"expected the name of a port, of at most 15 characters, found {name}"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container.get(probe, {}).get("httpGet")
        if asked and not workload.has_port(asked["port"]):
            yield f"{probe} asks port {asked['port']}, but the container has none of that name"
    for name in repeated(variable["name"] for variable in container.get("env", [])):
        yield f"the variable {name} is set twice"
    image = container["image"]
    if image.endswith(":latest") or not re.search(r":[^/]+$|@sha256:", image):
        yield f"expected an image with a tag that stays, found {image}"
    if "memory" not in container.get("resources", {}).get("limits", {}):
        yield f"the container {container['name']} has no limit of memory"


def _of_rights(workload: Workload) -> Iterator[str]:
    spec = workload.spec
    whole = spec.get("securityContext", {})
    if not whole.get("runAsNonRoot") or not whole.get("runAsUser"):
        yield "the pod may run as root"
    if whole.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "the pod has no seccomp profile"
    if spec.get("automountServiceAccountToken") is not False:
        yield "the pod has a token of the API server, which nobody needs"
    if spec.get("enableServiceLinks") is not False:
        yield "the pod has variables of services, which are named like settings"
    for container in workload.containers:
        own = container.get("securityContext", {})
        rights = {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        for name, value in rights.items():
            if own.get(name) != value:
                yield f"expected {name} to be {value}, found {own.get(name)}"


def _of_volumes(workload: Workload) -> Iterator[str]:
    volumes = [volume["name"] for volume in workload.spec.get("volumes", [])]
    claims = workload.manifest["spec"].get("volumeClaimTemplates", [])
    volumes += [claim["metadata"]["name"] for claim in claims]
    mounted = set()
    for container in workload.containers:
        mounts = container.get("volumeMounts", [])
        for mount in mounts:
            mounted.add(mount["name"])
            if mount["name"] not in volumes:
                yield f"mounts {mount['name']}, but the pod has no volume of that name"
        for path in repeated(mount["mountPath"] for mount in mounts):
            yield f"mounts two volumes on {path}"
    for name in repeated(volumes):
        yield f"two volumes have the name {name}"
    for name in set(volumes) - mounted:
        yield f"nobody mounts the volume {name}"


def _of_files(workload: Workload, objects: Objects) -> Iterator[str]:
    """Yield what is wrong with variables that name a file of a Secret."""
    secrets = {
        volume["name"]: volume["secret"]["secretName"]
        for volume in workload.spec.get("volumes", [])
        if "secret" in volume
    }
    for container in workload.containers:
        places = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", [])}
        for variable in container.get("env", []):
            if not variable["name"].endswith("_FILE"):
                continue
            path = PurePosixPath(variable["value"])
            if str(path.parent) not in places:
                yield f"{variable['name']} is {path}, where nothing is mounted"
                continue
            secret = objects.get(f"Secret/{secrets.get(places[str(path.parent)])}")
            if secret is not None and path.name not in secret["data"]:
                yield f"{variable['name']} is {path}, but the Secret has no {path.name}"


def _of_stopping(workload: Workload) -> Iterator[str]:
    patience = workload.spec.get("terminationGracePeriodSeconds", 30)
    for container in workload.containers:
        waits = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if waits + _STOP_SECONDS >= patience:
            yield f"preStop waits {waits} s of the {patience} s after which the pod is killed"

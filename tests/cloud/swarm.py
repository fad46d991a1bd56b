"""A Swarm of one node, and the stack of `deploy/swarm` on it, deployed as the page says.

Every image has a name at a registry where nothing listens: the engine, which always asks first, is
refused at once and takes the image that it has.
"""

import fcntl
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.containers.conftest import BASE_IMAGE, docker
from tests.support import artifacts, haproxy
from tests.support.processes import ROOT, RUN_SECONDS, Api, clean_environment, free_port, wait_for

REGISTRY = "127.0.0.1:9"
"""The discard port, where nothing listens."""

OURS = ("api", "worker")
"""The services that have our images."""

_NO_SETTINGS: Mapping[str, str] = {}
_ENDS = ("completed", "paused", "rollback_completed", "rollback_paused")

_PAGE = ROOT / "docs" / "deploy" / "swarm.md"
_BRIDGE = "docker_gwbridge"
_ADDRESS = "127.0.0.1"
_COMMAND_SECONDS = 100
_ROLL_SECONDS = 300


@contextmanager
def swarm() -> Iterator[None]:
    """Make this engine a Swarm of one node, and undo it; a Swarm that is there stays."""
    # The engine is shared by all who test on this machine. One that leaves a Swarm forgets the
    # names of all containers, those of Compose included.
    with (Path(tempfile.gettempdir()) / "lifeboat-swarm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = docker("info", "--format", "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}")
        if state == "active true":
            with _labelled():
                yield
            return
        assert state == "inactive false", f"expected an engine outside a Swarm, found: {state}"
        had_bridge = _BRIDGE in docker("network", "ls", "--format", "{{.Name}}").split()
        docker("swarm", "init", "--advertise-addr", _ADDRESS, "--listen-addr", f"{_ADDRESS}:2377")
        try:
            with _labelled():
                yield
        finally:
            # The engine gives up if its containers take long to end, and may be asked again.
            wait_for(lambda: _call(["docker", "swarm", "leave", "--force"])[0] == 0, pause=1)
            if not had_bridge:
                docker("network", "rm", _BRIDGE)


@contextmanager
def _labelled() -> Iterator[None]:
    node = docker("info", "--format", "{{.Swarm.NodeID}}")
    labels = json.loads(docker("node", "inspect", "--format", "{{json .Spec.Labels}}", node))
    this_node = "$(docker info --format '{{.Swarm.NodeID}}')"
    status, said = _carry_out(f'docker node update --label-add lifeboat=data "{this_node}"')
    assert status == 0, said
    try:
        yield
    finally:
        # What it was before.
        before = ("--label-add", f"lifeboat={labels['lifeboat']}") if "lifeboat" in labels else ()
        docker("node", "update", *(before or ("--label-rm", "lifeboat")), node)


class Roll:
    """What was seen of a roll: its end for each service, and the fewest healthy containers."""

    def __init__(self) -> None:
        self.ends: dict[str, str] = {}
        self.fewest: dict[str, int] = {}

    def note(self, stack: "Stack") -> None:
        for service in OURS:
            healthy = len(stack.containers(service))
            self.fewest[service] = min(healthy, self.fewest.get(service, healthy))
            self.ends[service] = stack.state(service)


class Stack:
    """The stack under a name, a port and secrets of its own; a test that fails keeps its logs."""

    def __init__(self, folder: Path) -> None:
        self.name = f"lifeboat-swarm-{os.getpid()}"
        self.port = free_port()
        self.settings: dict[str, str] = {
            "LIFEBOAT_IMAGE": f"{REGISTRY}/lifeboat",
            "LIFEBOAT_EDGE_PORT": str(self.port),
            "LIFEBOAT_REDIS_PASSWORD_SECRET": f"{self.name}-redis-password",
            "LIFEBOAT_API_KEY_SECRET": f"{self.name}-api-key",
            # For a machine that has much else to do.
            "LIFEBOAT_START_PERIOD": f"{RUN_SECONDS:g}s",
        }
        self.folder = folder
        self._last_words = ""
        self._has_ended = False
        artifacts.keep_of(self)

    def create(self) -> None:
        """Make what the stack file expects: secrets, and names for the images of others."""
        for secret in ("redis-password", "api-key"):
            self.carry_out(f"openssl rand -hex 32 | docker secret create lifeboat-{secret} -")
        for image in ("redis:8", BASE_IMAGE):
            docker("tag", image, f"{REGISTRY}/{image}")
        edge = haproxy.stand_in(self.folder, f"{REGISTRY}/{BASE_IMAGE}")
        if edge is None:
            pytest.fail("haproxy is not on PATH; on Debian and Ubuntu: apt install haproxy")
        with edge.open("a") as file:
            file.write(f"  redis:\n    image: {REGISTRY}/redis:8\n")
        self._stand_ins = edge

    def deploy(self, tag: str, **settings: str) -> None:
        """Deploy images as the page does, but for waiting service by service."""
        status, said = _carry_out(
            "docker stack deploy --detach=false --compose-file deploy/swarm/stack.yml lifeboat",
            {
                "--detach=false ": "",
                "stack.yml lifeboat": f"stack.yml --compose-file {self._stand_ins} "
                f"--resolve-image never {self.name}",
            },
            environment={**self.settings, "LIFEBOAT_IMAGE_TAG": tag, **settings},
        )
        assert status == 0, said

    def roll(self, tag: str, **settings: str) -> Roll:
        """Deploy other images, and look on until every service that has them is through."""
        roll = Roll()
        self.deploy(tag, **settings)

        def is_over() -> bool:
            roll.note(self)
            return all(end in _ENDS for end in roll.ends.values())

        wait_for(is_over, seconds=_ROLL_SECONDS, pause=0.5, why=lambda: roll.ends)
        return roll

    def carry_out(self, command: str, *, input: str | None = None) -> str:
        """Carry out a command of the page for this stack, from its own folder."""
        own = re.sub(r"\blifeboat(?=[-_])", self.name, command)
        status, said = _carry_out(command, {command: own}, folder=self.folder, input=input)
        assert status == 0, said
        return said

    def client(self) -> Api:
        """Return a client of the edge, with the key that a container was given."""
        client = Api(f"http://127.0.0.1:{self.port}")
        (container, *_) = self.containers("api")
        keys = docker("exec", container, "cat", "/run/secrets/api-key")
        client.http.headers["X-API-Key"] = keys.split()[0]
        return client

    def containers(self, service: str) -> list[str]:
        """Return the ids of the healthy containers of a service."""
        label = f"label=com.docker.swarm.service.name={self.name}_{service}"
        return docker("ps", "--quiet", "--filter", label, "--filter", "health=healthy").split()

    def inspect(self, container: str) -> dict[str, Any]:
        (found,) = json.loads(docker("inspect", container))
        assert isinstance(found, dict)
        return found

    def state(self, service: str) -> str:
        """Return how the roll of a service stands; empty before it begins."""
        status, said = _carry_out(
            "docker service inspect --format '{{.UpdateStatus.State}}' lifeboat_api",
            {"lifeboat_api": f"{self.name}_{service}"},
        )
        # A service that has not begun has no such state, which is an error.
        return said.strip() if status == 0 else ""

    def tags(self, service: str) -> set[str]:
        """Return the tags of the images that the healthy containers of a service have."""
        images = [self.inspect(c)["Config"]["Image"] for c in self.containers(service)]
        return {str(image).rpartition(":")[2] for image in images}

    def remove(self) -> None:
        """Take the stack down with its volumes, secrets and names of images."""
        self._last_words = self._said()
        self._has_ended = True
        docker("stack", "rm", self.name)
        label = f"label=com.docker.stack.namespace={self.name}"
        for listed in (["ps", "--all"], ["network", "ls"]):
            command = [*listed, "--quiet", "--filter", label]
            wait_for(lambda command=command: not docker(*command), pause=0.5)  # type: ignore[misc]
        # There may be none, if it did not get that far.
        for kind, found in (
            ("volume", docker("volume", "ls", "--quiet", "--filter", label)),
            ("secret", docker("secret", "ls", "--quiet", "--filter", f"name={self.name}")),
            ("image", docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"{REGISTRY}/*")),
        ):
            if found:
                docker(kind, "rm", *found.split())

    def has_ended(self) -> bool:
        return self._has_ended

    def keep(self, folder: Path) -> None:
        said = self._last_words if self._has_ended else self._said()
        (folder / f"{self.name}.log").write_text(said)

    def _said(self) -> str:
        services = ("redis", "worker", "api", "edge")
        commands = [
            ["stack", "ps", "--no-trunc", self.name],
            *(["service", "logs", "--timestamps", f"{self.name}_{name}"] for name in services),
        ]
        return "\n".join(_call(["docker", *command])[1] for command in commands)


def _carry_out(
    command: str,
    own: dict[str, str] | None = None,
    folder: Path = ROOT,
    input: str | None = None,
    environment: Mapping[str, str] = _NO_SETTINGS,
) -> tuple[int, str]:
    """Carry out a command of the page, with `own` words in the place of its words."""
    assert command in _PAGE.read_text(), f"{_PAGE} does not say: {command}"
    for documented, name in (own or {}).items():
        assert documented in command
        command = command.replace(documented, name)
    return _call(["sh", "-c", command], folder, input, environment)


def _call(
    command: list[str],
    folder: Path = ROOT,
    input: str | None = None,
    environment: Mapping[str, str] = _NO_SETTINGS,
) -> tuple[int, str]:
    result = subprocess.run(
        command,
        cwd=folder,
        env={**clean_environment(), **environment},
        input=input or "",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_COMMAND_SECONDS,
    )
    return result.returncode, result.stdout

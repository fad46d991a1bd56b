"""The command of the chart's Redis pod, in a container with the rights of the pod."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.tools import kubernetes_tool
from tests.support.kubernetes import chart
from tests.support.kubernetes.chart import Helm
from tests.support.kubernetes.objects import Workload
from tests.support.processes import wait_for

_PASSWORD = "a \"pass\\word' of $HOME"
_NAME = f"lifeboat-helm-redis-{os.getpid()}"


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    helm = Helm(kubernetes_tool("helm"), tmp_path_factory.mktemp("helm"))
    found = chart.objects(helm.rendered()).get("StatefulSet/titanic-lifeboat-redis")
    assert found is not None
    return Workload(found)


@pytest.fixture
def container(pod: Workload, tmp_path: Path) -> Iterator[str]:
    """Run the pod's one container as the pod's user, who belongs to the group of its volumes."""
    (redis,) = pod.containers
    user, group = (pod.spec["securityContext"][name] for name in ("runAsUser", "fsGroup"))
    secret, data = tmp_path / "secret", tmp_path / "data"
    secret.mkdir()
    (secret / "password").write_text(_PASSWORD)
    # Kubernetes gives both to the group. Here everybody may: only root may give files away.
    data.mkdir()
    data.chmod(0o777)
    started = _docker(
        *("run", "--detach", "--name", _NAME, "--network", "none", "--read-only"),
        *("--user", f"{user}:{group}", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--tmpfs", "/tmp:size=1m,mode=1777"),
        *("--volume", f"{data}:/data"),
        *("--volume", f"{secret}:/etc/lifeboat/redis:ro"),
        *("--entrypoint", redis["command"][0], redis["image"], *redis["command"][1:]),
    )
    try:
        assert started.returncode == 0, started.stderr
        yield _NAME
    finally:
        _docker("rm", "--force", "--volumes", _NAME)


def test_redis_starts_with_its_password_and_its_probes_say_so(
    pod: Workload, container: str
) -> None:
    (redis,) = pod.containers
    probe = redis["readinessProbe"]["exec"]["command"]

    def log() -> str:
        said = _docker("logs", container)
        return said.stdout + said.stderr

    wait_for(lambda: _docker("exec", container, *probe).returncode == 0, seconds=60, why=log)
    stranger = _docker("exec", container, "redis-cli", "ping")
    assert "NOAUTH" in stranger.stdout
    settings = {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "always",
        "notify-keyspace-events": "$K",
    }
    for name, value in settings.items():
        ask = ["redis-cli", "config", "get", name]
        answer = _docker("exec", "--env", f"REDISCLI_AUTH={_PASSWORD}", container, *ask)
        assert answer.stdout.split() == [name, value]

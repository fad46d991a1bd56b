"""The profile `monitoring`: as Compose reads it, and its Prometheus beside both API containers.

The images of the profile are not pulled here. What Compose gives them is checked, and Debian's
Prometheus takes the place of theirs.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.containers.conftest import BASE_IMAGE, Compose
from tests.support import artifacts
from tests.support.processes import ROOT, RUN_SECONDS, free_port, http_client, wait_for

SERVICES = ["prometheus", "grafana", "flower"]
API_KEY = "sesame"


def _config(compose: Compose, *profiles: str) -> dict[str, Any]:
    chosen = [argument for profile in profiles for argument in ("--profile", profile)]
    found: dict[str, Any] = json.loads(compose(*chosen, "config", "--format", "json"))
    return found


@pytest.fixture(scope="module")
def services(engine: None) -> dict[str, Any]:
    found: dict[str, Any] = _config(Compose("config-test"), "monitoring")["services"]
    return found


def test_without_the_profile_nothing_of_it_is_started(engine: None) -> None:
    assert not set(SERVICES) & set(_config(Compose("config-test"))["services"])


@pytest.mark.parametrize("service", SERVICES)
def test_every_container_of_the_profile_is_confined(services: dict[str, Any], service: str) -> None:
    found = services[service]
    assert found["profiles"] == ["monitoring"]
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", found["image"]), "a version that stays"
    assert found["read_only"] is True
    assert (found["cap_drop"], found.get("cap_add")) == (["ALL"], None)
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert not found.get("privileged")
    (tmp,) = found["tmpfs"]
    assert tmp.startswith("/tmp:") and {"noexec", "nosuid", "nodev"} <= set(tmp.split(","))
    assert 0 < found["pids_limit"] <= 1024
    assert 0 < int(found["mem_limit"]) <= 512 << 20
    assert found["ulimits"] == services["api"]["ulimits"]
    assert found["restart"] == "unless-stopped"
    assert found["logging"]["options"] == {"max-file": "3", "max-size": "10m"}
    assert found["healthcheck"]["test"]


def test_the_profile_is_reached_from_this_machine_alone(services: dict[str, Any]) -> None:
    published = {
        service: [(p["host_ip"], p["published"], p["target"]) for p in services[service]["ports"]]
        for service in SERVICES
    }
    assert published == {
        "prometheus": [("127.0.0.1", "9090", 9090)],
        "grafana": [("127.0.0.1", "3000", 3000)],
        "flower": [("127.0.0.1", "5555", 5555)],
    }


def test_flower_alone_is_on_the_network_of_redis_and_reads_its_password(
    services: dict[str, Any],
) -> None:
    assert {service: set(services[service]["networks"]) for service in SERVICES} == {
        "prometheus": {"published"},
        "grafana": {"published"},
        "flower": {"redis", "published"},
    }
    (password,) = services["flower"]["volumes"]
    assert password["source"] == "redis-password" and password["read_only"] is True


@pytest.mark.parametrize("service", SERVICES)
def test_all_that_is_mounted_is_there_and_only_read_but_for_the_data(
    services: dict[str, Any], service: str
) -> None:
    written = {"prometheus": "/prometheus", "grafana": "/var/lib/grafana", "flower": None}
    for volume in services[service]["volumes"]:
        if volume["target"] != written[service]:
            assert volume["read_only"] is True, volume
        if volume["type"] == "bind":
            assert Path(volume["source"]).exists(), volume


def test_grafana_lets_look_and_tells_nobody_its_password(services: dict[str, Any]) -> None:
    environment = services["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert not [name for name in environment if "PASSWORD" in name]
    # Made anew at each start, and only the first one counts.
    assert "GF_SECURITY_ADMIN_PASSWORD" in services["grafana"]["entrypoint"][-1]
    mounted = {volume["target"] for volume in services["grafana"]["volumes"]}
    assert environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in mounted
    provider = ROOT / "monitoring/grafana/provisioning/dashboards/lifeboat.yml"
    (folder,) = re.findall(r"path: (.*)", provider.read_text())
    assert f"{folder}/lifeboat.json" in mounted


# --- Prometheus beside two API containers --------------------------------------------------------

_OVERRIDE = """
services:
  prometheus:
    image: {image}
    user: "65534:65534"
    ports: !override ["127.0.0.1:{port}:9090"]
    volumes:
      - {executable}:/bin/prometheus:ro
      - {folder}/prometheus.yml:/etc/prometheus/prometheus.yml:ro
      - {folder}/data:/prometheus
    # The image has no wget.
    healthcheck: !reset null
"""

_KEY_FILE = """
services:
  api: &file
    secrets: [api-key]
    environment: {{LIFEBOAT_API_KEY_FILE: /run/secrets/api-key}}
  api-2: *file
  prometheus: *file
secrets:
  api-key: {{file: {key}}}
"""


class Watching:
    """Both API containers without a worker, and a Prometheus by the command of the profile's."""

    def __init__(self, folder: Path) -> None:
        executable = shutil.which("prometheus")
        assert executable is not None
        self._port, self._folder = free_port(), folder
        data = folder / "data"
        data.mkdir()
        data.chmod(0o777)
        config = (ROOT / "monitoring" / "prometheus.yml").read_text()
        (folder / "prometheus.yml").write_text(config.replace("_interval: 15s", "_interval: 1s"))
        self._key = folder / "api-key"
        self._override = folder / "override.yml"
        self._override.write_text(
            _OVERRIDE.format(
                image=BASE_IMAGE, port=self._port, executable=executable, folder=folder
            )
        )
        self.compose = Compose("monitoring-test", self._override)

    def start(self, key: str | None = None, *, in_file: bool = False) -> None:
        """Anew, with that key set."""
        overrides = [self._override]
        environment = {}
        if key is not None and in_file:
            overrides.append(self._folder / "key-file.yml")
            self.write_key(key)
            overrides[-1].write_text(_KEY_FILE.format(key=self._key))
        elif key is not None:
            environment["LIFEBOAT_API_KEY"] = key
        project = self.compose.project
        self.compose = Compose("monitoring-test", *overrides)
        assert self.compose.project == project
        artifacts.keep_of(self.compose)
        self.compose.environment = environment
        services = ["redis-password", "redis", "api", "api-2", "prometheus"]
        self.compose("up", "--build", "--detach", "--no-deps", *services)

    def write_key(self, key: str) -> None:
        self._key.write_text(f"{key}\n")
        self._key.chmod(0o644)

    def healths(self) -> list[tuple[str, str]]:
        """Health and last error of each address that is scraped."""
        try:
            with http_client(f"http://127.0.0.1:{self._port}") as http:
                targets = http.get("/api/v1/targets").json()["data"]["activeTargets"]
        except httpx.HTTPError:
            return []
        return sorted((target["health"], target["lastError"]) for target in targets)

    def are_up(self) -> bool:
        return self.healths() == [("up", ""), ("up", "")]

    def end(self) -> None:
        self.compose.down()


@pytest.fixture(scope="module")
def watching(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    if shutil.which("prometheus") is None:
        sentence = "prometheus is not on PATH; on Debian and Ubuntu: apt install prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    watching = Watching(tmp_path_factory.mktemp("watching"))
    yield watching
    watching.end()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("key", "in_file"), [(None, False), (API_KEY, False), (API_KEY, True)], ids=str
)
def test_prometheus_finds_every_api_container_and_has_its_key(
    watching: Watching, key: str | None, in_file: bool
) -> None:
    watching.start(key, in_file=in_file)
    wait_for(watching.are_up, seconds=RUN_SECONDS, pause=0.5)
    for password in filter(None, [key]):
        for service in ("api", "api-2", "prometheus"):
            assert password not in watching.compose("logs", service)


@pytest.mark.thorough
def test_a_key_that_is_changed_in_its_file_is_taken_up(watching: Watching) -> None:
    watching.start(API_KEY, in_file=True)
    wait_for(watching.are_up, seconds=RUN_SECONDS, pause=0.5)
    watching.write_key("open sesame")
    refused = "server returned HTTP status 403 Forbidden"
    wait_for(lambda: watching.healths() == [("down", refused)] * 2, seconds=RUN_SECONDS, pause=0.5)
    watching.write_key(API_KEY)
    wait_for(watching.are_up, seconds=RUN_SECONDS, pause=0.5)

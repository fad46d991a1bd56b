"""The files for Cloud Run and Container Apps, held as far as something here can hold them.

The one for Cloud Run says what the API is started with: here it is, over a bucket and as its role.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from shared.settings import Settings
from shared.versions.storage.bucket import BucketStorage
from tests.support.bucket_users import PREFIX, BucketUsers, policy
from tests.support.client import Client, wait_for
from tests.support.processes import ROOT, Process, free_port
from tests.support.versions import publish
from tests.support.weed import bucket_server

CLOUD_RUN = ROOT / "deploy" / "cloud-run" / "service.yaml"
CONTAINER_APPS = ROOT / "deploy" / "container-apps" / "containerapp.yaml"
AZURES_OWN = {"AZURE_STORAGE_ACCOUNT_NAME", "AZURE_CLIENT_ID"}


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def _container(path: Path) -> dict[str, Any]:
    """Return the one container of a file; both platforms nest it their own way."""
    file = _read(path)
    template = (
        file["spec"]["template"]["spec"] if "spec" in file else file["properties"]["template"]
    )
    (container,) = template["containers"]
    return dict(container)


def _variables(path: Path) -> dict[str, Any]:
    """Return what a file sets, and None for a secret."""
    return {variable["name"]: variable.get("value") for variable in _container(path)["env"]}


def _known() -> set[str]:
    return AZURES_OWN | {f"LIFEBOAT_{name.upper()}" for name in Settings.model_fields}


def test_every_variable_is_one_that_somebody_reads() -> None:
    assert set(_variables(CLOUD_RUN)) <= _known() - AZURES_OWN
    assert set(_variables(CONTAINER_APPS)) <= _known()
    for path in (CLOUD_RUN, CONTAINER_APPS):
        found = _variables(path)
        assert found["LIFEBOAT_REDIS_URL"] == "none"
        secret = {name for name, value in found.items() if value is None}
        assert secret == {"LIFEBOAT_API_KEY", "LIFEBOAT_SIGNING_KEY"}
        # Cloud Run sets it, and lets nobody else.
        assert "PORT" not in found


@pytest.mark.parametrize("page", ["access", "cloud-run", "container-apps"])
def test_what_a_page_fills_in_is_all_there_is_to_fill_in(page: str) -> None:
    """Runs the page's own calls of sed."""
    text = (ROOT / "docs" / "deploy" / f"{page}.md").read_text()
    calls = re.findall(r"""sed (?:'[^']*'|"[^"]*")\s(?:\\\n\s*)?deploy/[\w/$.-]+""", text)
    assert len(calls) == text.count("sed '") + text.count('sed "')
    values = {"SUBSCRIPTION": "a0", "REGISTRY": "registry/team", "CLIENT": "c0"}
    for call in calls:
        for role in ("choose", "publish"):
            run = subprocess.run(
                ["bash", "-euc", call],
                cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", "role": role, "name": role, **values},
                capture_output=True,
                text=True,
                check=True,
                timeout=20,
            )
            filled = re.sub(r"^\s*#.*\n", "", run.stdout, flags=re.M)
            # The names of variables have these words, too, and stay as they are.
            left = set(re.findall(r"(?<![A-Z_])[A-Z]{3,}(?![A-Z_])", filled))
            assert left <= {"AND"}, f"{call} leaves {left}"
            assert set(re.findall(r"name: ([A-Z_]+)$", filled, re.M)) <= _known(), call


def test_both_take_the_image_that_is_published_and_no_latest() -> None:
    for path in (CLOUD_RUN, CONTAINER_APPS):
        assert _container(path)["image"] == "REGISTRY/lifeboat-api:TAG"


def test_requests_and_probes_reach_the_port_on_which_the_api_listens() -> None:
    container = _container(CLOUD_RUN)
    (port,) = container["ports"]
    assert container["startupProbe"]["httpGet"]["port"] == port["containerPort"]
    assert container["livenessProbe"]["httpGet"]["port"] == port["containerPort"]
    # The port is PORT's then: neither the image nor the file has another one.
    assert "LIFEBOAT_PORT" not in (ROOT / "Dockerfile.api").read_text() + CLOUD_RUN.read_text()

    ingress = _read(CONTAINER_APPS)["properties"]["configuration"]["ingress"]
    assert ingress["targetPort"] == Settings.model_fields["port"].default
    for probe in _container(CONTAINER_APPS)["probes"]:
        assert probe["httpGet"]["port"] == ingress["targetPort"]


def test_probes_ask_what_the_api_answers() -> None:
    asked = re.findall(r"path: (\S+)", CLOUD_RUN.read_text() + CONTAINER_APPS.read_text())
    assert set(asked) == {"/health/ready", "/health/live"}
    # A process that has lost its bucket lives on.
    assert _container(CLOUD_RUN)["livenessProbe"]["httpGet"]["path"] == "/health/live"
    probes = {p["type"]: p["httpGet"]["path"] for p in _container(CONTAINER_APPS)["probes"]}
    assert probes["Liveness"] == "/health/live" and probes["Readiness"] == "/health/ready"


def test_an_instance_that_serves_nothing_still_follows_the_bucket() -> None:
    annotations = _read(CLOUD_RUN)["spec"]["template"]["metadata"]["annotations"]
    assert annotations["run.googleapis.com/cpu-throttling"] == "false"
    scale = [int(annotations[f"autoscaling.knative.dev/{end}Scale"]) for end in ("min", "max")]
    assert 1 <= scale[0] <= scale[1]
    azure = _read(CONTAINER_APPS)["properties"]["template"]["scale"]
    assert 1 <= azure["minReplicas"] <= azure["maxReplicas"]


def test_each_secret_that_is_named_is_defined() -> None:
    properties = _read(CONTAINER_APPS)["properties"]
    defined = {secret["name"] for secret in properties["configuration"]["secrets"]}
    named = {v["secretRef"] for v in _container(CONTAINER_APPS)["env"] if "secretRef" in v}
    assert named == defined
    identities = set(_read(CONTAINER_APPS)["identity"]["userAssignedIdentities"])
    assert {s["identity"] for s in properties["configuration"]["secrets"]} == identities


def test_the_api_serves_with_what_the_file_of_cloud_run_sets(tmp_path: Path) -> None:
    """The bucket is another cloud's, and the key has the serving role's policy."""
    key = "the signing key"
    with bucket_server(tmp_path / "weed") as server:
        users = BucketUsers(server)
        root = server.client(prefix=PREFIX)
        version = publish(BucketStorage("root", root, root), signing_key=SecretStr(key))
        access_key, secret_key = users.keys("serve", policy("serve", server.bucket))
        secrets = {"LIFEBOAT_API_KEY": "an api key", "LIFEBOAT_SIGNING_KEY": key}
        port = free_port()
        process = Process(
            [sys.executable, "-m", "api"],
            tmp_path / "api.log",
            {
                **_variables(CLOUD_RUN),
                **secrets,
                **server.variables_of(access_key, secret_key),
                "LIFEBOAT_MODELS": server.url(PREFIX),
                "PORT": str(port),
            },
        )
        client = Client(f"http://127.0.0.1:{port}")
        try:
            wait_for(client.is_live, why=process.output)
            probe = _container(CLOUD_RUN)["startupProbe"]["httpGet"]["path"]
            wait_for(lambda: client.http.get(probe).status_code == 200, why=process.output)
            assert client.http.get(probe).json()["model_version"] == version
        finally:
            client.http.close()
            process.end()

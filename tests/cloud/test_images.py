"""Images that anyone can run: published to a registry, pulled from it, run without a checkout."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared import __version__
from tests.cloud.engine import CleanEngine, names_are_kept
from tests.cloud.registry import Registry
from tests.cloud.tools import debian_tool, python_tool
from tests.support.contract import ORIGINAL_REQUEST
from tests.support.processes import ROOT, Api, clean_environment, free_port, wait_for

# The first test waits for the images to be built.
pytestmark = pytest.mark.timeout(900)

BASE_IMAGE = "python:3.13-slim"
MEGABYTE = 1_000_000
SERVICES = ["api", "worker"]
REVISION = f"images-{os.getpid()}"
TAG = f"{__version__}-{REVISION}"


def docker(*arguments: str) -> str:
    return run("docker", *arguments).strip()


def run(*command: str, **environment: str) -> str:
    status, said, errors = call(*command, **environment)
    assert status == 0, (said + errors)[-5000:]
    return said


def call(*command: str, **environment: str) -> tuple[int, str, str]:
    """Call a program in the checkout, without settings of whoever runs the tests."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment() | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    registry = Registry(tmp_path_factory.mktemp("registry"))
    yield registry
    registry.end()


@pytest.fixture(scope="session")
def cosign() -> str:
    return str(debian_tool("cosign"))


@pytest.fixture(scope="session")
def keys(cosign: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pair of keys, and another pair in `other/`."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "other").mkdir()
    for prefix in (folder / "cosign", folder / "other" / "cosign"):
        run(
            cosign,
            "generate-key-pair",
            "--output-key-prefix",
            str(prefix),
            COSIGN_PASSWORD="sesame",
        )
    return folder


@pytest.fixture(scope="session")
def published(
    registry: Registry, cosign: str, keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """What `make publish` says of each service: the image, by digest."""
    said = run(
        *("make", "--silent", "publish", f"REGISTRY={registry.address}/lab", f"TAG={TAG}"),
        COSIGN=cosign,
        COSIGN_KEY=str(keys / "cosign.key"),
        COSIGN_PASSWORD="sesame",
        SYFT=str(python_tool("syft")),
        SBOM=str(tmp_path_factory.mktemp("sbom")),
        LIFEBOAT_REVISION=REVISION,
    )
    yield dict(zip(SERVICES, said.split(), strict=True))
    for service in SERVICES:
        name = f"{registry.address}/lab/lifeboat-{service}"
        call("docker", "image", "rm", f"{name}:{TAG}", f"{name}:{REVISION}")


def test_what_is_published_is_named_by_its_digest(
    published: dict[str, str], registry: Registry
) -> None:
    for service, image in published.items():
        name, _, digest = image.partition("@")
        assert name == f"{registry.address}/lab/lifeboat-{service}"
        assert docker("image", "inspect", "--format", "{{.RepoDigests}}", f"{name}:{TAG}").count(
            digest
        )


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_says_what_it_is(
    published: dict[str, str], registry: Registry, service: str
) -> None:
    inspected = docker("image", "inspect", f"{registry.address}/lab/lifeboat-{service}:{TAG}")
    labels = json.loads(inspected)[0]["Config"]["Labels"]
    of_image = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in labels.items()
        if name.startswith("org.opencontainers.image.")
    }
    assert of_image.pop("title") == {"api": "Lifeboat API", "worker": "Lifeboat worker"}[service]
    assert of_image.pop("description")
    assert of_image == {
        "version": __version__,
        "revision": REVISION,
        "licenses": "MIT",
        "base.name": f"docker.io/library/{BASE_IMAGE}",
    }


@pytest.mark.parametrize(("service", "most"), [("api", 150), ("worker", 600)])
def test_what_an_image_adds_to_its_base_stays_small(
    published: dict[str, str], registry: Registry, service: str, most: int
) -> None:
    def size(image: str) -> int:
        return int(docker("image", "inspect", "--format", "{{.Size}}", image))

    own = size(f"{registry.address}/lab/lifeboat-{service}:{TAG}") - size(BASE_IMAGE)
    assert own <= most * MEGABYTE


def verify(cosign: str, key: Path, image: str) -> tuple[int, str, str]:
    return call(
        *(cosign, "verify", "--key", str(key), "--insecure-ignore-tlog=true", "--output", "json"),
        image,
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_signature_is_verified_and_says_the_digest(
    published: dict[str, str], cosign: str, keys: Path, service: str
) -> None:
    status, said, errors = verify(cosign, keys / "cosign.pub", published[service])
    assert status == 0, errors
    signed = json.loads(said)[0]["critical"]["image"]["docker-manifest-digest"]
    assert signed == published[service].partition("@")[2]


def test_what_is_not_signed_with_the_key_is_refused(
    published: dict[str, str], registry: Registry, cosign: str, keys: Path
) -> None:
    status, _, errors = verify(cosign, keys / "other" / "cosign.pub", published["api"])
    assert status != 0
    assert "no matching signatures" in errors
    # The same base, under another name, by somebody who has no key.
    unsigned = f"{registry.address}/lab/unsigned:1"
    docker("tag", "redis:8", unsigned)
    try:
        docker("push", "--quiet", unsigned)
    finally:
        docker("image", "rm", unsigned)
    status, _, errors = verify(cosign, keys / "cosign.pub", unsigned)
    assert status != 0
    assert "no signatures found" in errors


@pytest.mark.parametrize(
    ("service", "has", "lacks"), [("api", "kombu", "celery"), ("worker", "scikit-learn", "fastapi")]
)
def test_the_bill_of_materials_is_signed_and_of_the_image(
    published: dict[str, str], cosign: str, keys: Path, service: str, has: str, lacks: str
) -> None:
    said = run(
        *(cosign, "verify-attestation", "--key", str(keys / "cosign.pub")),
        *("--insecure-ignore-tlog=true", "--type", "cyclonedx", published[service]),
    )
    statement = json.loads(base64.b64decode(json.loads(said.splitlines()[0])["payload"]))
    assert statement["subject"][0]["digest"]["sha256"] in published[service]
    parts = {part["name"]: part.get("version") for part in statement["predicate"]["components"]}
    locked = (ROOT / "requirements" / f"{service}.txt").read_text()
    assert f"{has}=={parts[has]}" in locked
    assert lacks not in parts
    # What no lock file knows: the base image's own packages.
    assert "libc6" in parts


@pytest.fixture
def clean_engine(
    published: dict[str, str], registry: Registry, tmp_path: Path
) -> Iterator[CleanEngine]:
    engine = CleanEngine(tmp_path, registry)
    yield engine
    engine.end()


def test_a_clean_engine_pulls_by_digest_and_the_api_lives(
    clean_engine: CleanEngine, published: dict[str, str]
) -> None:
    assert clean_engine("image", "ls", "--quiet") == ""
    clean_engine("pull", "--quiet", published["api"])
    container = clean_engine(
        *("run", "--detach", "--network", "none", "--read-only", "--tmpfs", "/tmp"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", published["api"]),
    )

    def asks(path: str) -> str:
        code = (
            "import urllib.request as r, urllib.error as e\n"
            f"try: print(r.urlopen('http://127.0.0.1:8000{path}', timeout=5).status)\n"
            "except e.HTTPError as error: print(error.status)\n"
            "except OSError: print('nobody')"
        )
        return clean_engine("exec", container, "python", "-c", code)

    wait_for(lambda: asks("/health/live") == "200")
    # It has no model.
    assert asks("/health/ready") == "503"
    assert clean_engine("exec", container, "id", "-u") == "10001"
    clean_engine("stop", container)
    assert clean_engine("inspect", "--format", "{{.State.ExitCode}}", container) == "0"


class Folder:
    """A folder of somebody without a checkout: the compose file, and what `.env` says."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self.folder = folder
        shutil.copy(ROOT / "deploy" / "compose" / "docker-compose.yml", folder)
        self.port = free_port()
        (folder / ".env").write_text(
            f"LIFEBOAT_IMAGE={registry.address}/lab/lifeboat\n"
            f"LIFEBOAT_IMAGE_TAG={TAG}\n"
            f"LIFEBOAT_PORT={self.port}\n"
        )

    def call(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            ["docker", "compose", "--project-name", f"lifeboat-{REVISION}", *arguments],
            cwd=self.folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        return done.returncode, done.stdout

    def compose(self, *arguments: str) -> str:
        status, said = self.call(*arguments)
        assert status == 0, said[-5000:]
        return said


def test_without_a_checkout_the_product_comes_up_and_predicts(
    published: dict[str, str], registry: Registry, tmp_path: Path
) -> None:
    own = Folder(tmp_path, registry)
    for service in SERVICES:
        name = f"{registry.address}/lab/lifeboat-{service}"
        docker("image", "rm", f"{name}:{TAG}", f"{name}:{REVISION}")
    page = (ROOT / "docs" / "deploy" / "images.md").read_text()
    override = page.partition("```yaml\n")[2].partition("```")[0]
    with names_are_kept():
        try:
            own.compose("up", "--detach", "--wait")
            with Api(f"http://127.0.0.1:{own.port}").http as http:
                answer = http.post("/predict", json=ORIGINAL_REQUEST)
                assert answer.json()["predictions"] == [0, 1]
                assert http.get("/health/ready").json()["revision"] == REVISION
            # A definition of one's own, as the page says.
            shutil.copytree(ROOT / "examples" / "penguins", tmp_path / "penguins")
            (tmp_path / "docker-compose.override.yml").write_text(override)
            target = (
                "from shared.settings import Settings; from worker.definition import definition\n"
                "print(definition.read(Settings().model).schema.target)"
            )
            worker = ["run", "--rm", "--no-deps", "-T", "worker", "python", "-c", target]
            assert own.compose(*worker).splitlines()[-1] == "species"
        except BaseException:
            print(own.call("logs", "--no-color")[1])
            raise
        finally:
            own.compose("down", "--volumes")


def test_without_the_name_of_the_images_compose_says_what_is_missing(
    registry: Registry, tmp_path: Path
) -> None:
    own = Folder(tmp_path, registry)
    (tmp_path / ".env").unlink()
    status, said = own.call("config", "--quiet")
    assert status != 0
    assert "name the images, such as ghcr.io/you/lifeboat" in said


def _publish(*arguments: str, **environment: str) -> str:
    status, said, errors = call("make", "--silent", "publish", *arguments, **environment)
    assert (status != 0, said) == (True, "")
    return errors


def test_publishing_says_what_it_needs_before_it_builds() -> None:
    any_key: dict[str, Any] = {"COSIGN_KEY": "cosign.key", "COSIGN": "true", "SYFT": "true"}
    assert "make publish REGISTRY=ghcr.io/you" in _publish(**any_key)
    assert "cosign generate-key-pair" in _publish("REGISTRY=127.0.0.1:9/lab")
    assert "the program cosign-of-nobody" in _publish(
        "REGISTRY=127.0.0.1:9/lab", **any_key | {"COSIGN": "cosign-of-nobody"}
    )

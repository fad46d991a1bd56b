"""A model of one's own by LIFEBOAT_MODEL alone: `docs/operations.md`. In the order of the file."""

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.conftest import Compose, docker, up
from tests.support.documents import blocks
from tests.support.processes import ROOT, Api

pytestmark = pytest.mark.thorough

TAG = "own-model"
_PENGUIN = {"bill_length_mm": 39.1, "bill_depth_mm": 18.7, "island": "Torgersen"}
_TUMOUR = {"mean radius": 17.99, "mean texture": 10.38, "mean concavity": 0.3}
_XGBOOST = "requirements.txt: expected xgboost-cpu where the worker runs, found none"


@pytest.fixture(scope="module")
def stack(engine: None) -> Iterator[Compose]:
    compose = Compose("own-model")
    # Tags of its own, because an image has the packages of one definition.
    compose.environment = _of("examples/penguins")
    with up(compose):
        yield compose


@pytest.fixture
def api(stack: Compose) -> Iterator[Api]:
    client = stack.client()
    with client.http:
        yield client


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in the checkout, with a blank in its name: a build reads nothing else."""
    made = ROOT / f"my model {os.getpid()}"
    made.mkdir()
    yield made
    shutil.rmtree(made)


def _of(model: str) -> dict[str, str]:
    return {"LIFEBOAT_MODEL": model, "LIFEBOAT_IMAGE_TAG": TAG, "LIFEBOAT_REVISION": TAG}


def _with(stack: Compose, model: str, *arguments: str) -> tuple[int, str]:
    """Call Compose for another folder, and leave the stack as it is."""
    before, stack.environment = stack.environment, _of(model)
    try:
        return stack.call(*stack.command, *arguments)
    finally:
        stack.environment = before


def _check(stack: Compose, model: str) -> str:
    _, said = _with(
        stack, model, "run", "--rm", "--no-deps", "-T", "worker", "python", "-m", "worker.check"
    )
    return said


def test_a_folder_named_as_no_path_is_trained_and_served(stack: Compose, api: Api) -> None:
    answer = api.http.post("/predict", json=[_PENGUIN]).json()
    assert answer["predictions"] == ["Adelie"]
    assert answer["classes"] == ["Adelie", "Chinstrap", "Gentoo"]


def test_the_worker_alone_has_the_folder_and_cannot_write_to_it(stack: Compose) -> None:
    code = "import os; print(os.path.exists('/model/record.py'), os.access('/model', os.W_OK))"
    assert stack.python("worker", code) == "True False"
    assert stack.python("api", code) == "False False"


def test_check_config_reads_the_definition_in_the_workers_container(stack: Compose) -> None:
    make = ("make", "check-config", f"COMPOSE={shlex.join(stack.command)}")
    status, said = stack.call(*make)
    assert status == 0, said
    assert "The settings are sound." in said
    assert "The settings and the definition are sound." in said


def test_a_folder_that_does_not_exist_is_named_and_not_made(stack: Compose, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    assert f"bind source path does not exist: {absent}" in _check(stack, str(absent))
    assert not absent.exists()


def test_what_a_folder_lacks_is_told(stack: Compose, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    said = _check(stack, f"{tmp_path}/")
    assert "/model has no record.py" in said


def test_a_folder_elsewhere_is_mounted_and_what_the_image_lacks_for_it_is_told(
    stack: Compose, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    for file in (ROOT / "examples" / "tumours").iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    said = _check(stack, os.path.relpath(tmp_path, ROOT))
    assert _XGBOOST in said
    assert "imports xgboost, which is not installed" in said


def test_a_package_that_would_change_those_of_lifeboat_ends_the_build(
    stack: Compose, folder: Path
) -> None:
    (folder / "requirements.txt").write_text("numpy<2\n")
    status, said = _with(stack, f"./{folder.name}/", "build", "worker")
    assert status != 0
    assert "The user requested numpy<2" in said
    assert "lifeboat: /definition/requirements.txt: expected packages that can be installed" in said


def test_an_image_of_ones_own_installs_them_by_the_call_that_the_page_shows(
    stack: Compose, folder: Path
) -> None:
    (shown,) = (b.text for b in blocks("docs/operations.md") if b.language == "dockerfile")
    # What is there already needs no index.
    (folder / "requirements.txt").write_text("packaging\nscikit-learn<1.9\n")
    (folder / "Dockerfile").write_text(
        shown.replace("FROM lifeboat-worker\n", f"FROM lifeboat-worker:{TAG}\n")
    )
    image = f"{stack.project}-worker"
    docker("build", "--tag", image, str(folder))
    try:
        assert docker("image", "inspect", "--format", "{{.Config.User}}", image) == "10001:10001"
    finally:
        docker("image", "rm", image)


def test_a_definition_brings_its_packages_and_its_schema_by_one_call(
    stack: Compose, api: Api
) -> None:
    stack.environment = _of("examples/tumours/")
    stack("up", "--build", "--detach", "--wait", "worker")
    job = api.wait_for_end(api.run_pipeline(force=True))
    assert job["status"] == "succeeded", job
    result = job["result"]
    assert isinstance(result, dict) and result["outcome"] == "promoted"
    api.wait_for_version(result["model_version"])
    answer = api.http.post("/predict", json=[_TUMOUR]).json()
    assert (answer["predictions"], answer["classes"]) == ([True], [False, True])

"""What is installed is what was locked, from nowhere in particular, and listed in a bill."""

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from shared import __version__
from tests.support.processes import ROOT

# A version may be locked twice, for two Pythons.
Packages = dict[tuple[str, str], set[str]]

LOCKS = sorted(path.name for path in (ROOT / "requirements").iterdir())
_UNPICKLE = {"scikit-learn", "pandas", "joblib", "cloudpickle", "pyarrow", "onnx", "skl2onnx"}
_LOCKED = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]*)(\[[a-z0-9,-]+\])?==(?P<version>\S+)"
    r"( ; [^\\#]+?)?(?P<hashes>( --hash=sha256:[0-9a-f]{64})+)"
)


def _locked(lock: str) -> Packages:
    text = (ROOT / "requirements" / lock).read_text().replace("\\\n", "")
    packages: Packages = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            match = _LOCKED.fullmatch(re.sub(r"\s+", " ", line))
            assert match, f"{lock}: {line[:100]!r} is not pinned with hashes, or more than that"
            hashes = set(re.findall(r"sha256:(\w+)", match["hashes"]))
            packages[match["name"], match["version"]] = hashes
    return packages


def test_there_is_a_lock_for_each_image_and_for_the_checkout() -> None:
    assert LOCKS == [
        "api.txt",
        "cloud.txt",
        "dev.txt",
        "function-aws.txt",
        "function-azure.txt",
        "function-google.txt",
        "otel.txt",
        "tests.txt",
        "uv.txt",
        "worker.txt",
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_pinned_with_hashes(lock: str) -> None:
    assert _locked(lock)


def test_the_serving_image_is_given_nothing_that_unpickles_models() -> None:
    names = {name for name, _ in _locked("api.txt")}
    assert "onnxruntime" in names
    assert not names & _UNPICKLE
    assert {"scikit-learn", "joblib"} <= {name for name, _ in _locked("worker.txt")}


def test_the_workers_image_has_what_a_person_runs_in_it() -> None:
    given = {name for name, _ in _locked("worker.txt")}
    copied = set(re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile.worker").read_text(), re.M))
    assert {f"!{folder}/**" for folder in copied} <= {*(ROOT / ".dockerignore").read_text().split()}
    absent = {path.parent.name for path in ROOT.glob("*/__init__.py")} - copied
    for module, distributions in packages_distributions().items():
        if not given & {_normalized(name) for name in distributions}:
            absent.add(module)
    assert {"api", "local", "fastapi"} <= absent
    # What is None there cannot be imported.
    code = f"import sys; sys.modules.update(dict.fromkeys({absent})); import cli.retrain"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock.startswith("function-")])
def test_a_function_is_given_nothing_that_it_does_not_use(lock: str) -> None:
    packages = _locked(lock)
    assert packages.items() <= _locked("cloud.txt").items()
    assert not {name for name, _ in packages} & {"celery", "fastapi", "kombu", "redis", *_UNPICKLE}


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", ["api.txt", "otel.txt", "tests.txt", "worker.txt"])
def test_the_tests_see_what_the_images_get(lock: str) -> None:
    assert _locked(lock).items() <= _locked("dev.txt").items()


@pytest.mark.parametrize(
    "path",
    [
        *(f"requirements/{lock}" for lock in LOCKS),
        *(
            "Dockerfile.api",
            "Dockerfile.worker",
            "tests/Dockerfile",
            "docker-compose.yml",
            "Makefile",
        ),
        *("pyproject.toml", ".github/workflows/ci.yml", ".github/workflows/images.yml", ".ci/run"),
    ],
)
def test_no_file_names_an_index(path: str) -> None:
    text = (ROOT / path).read_text()
    options = r"(?<!-no-emit)-(index-url|extra-index-url|find-links)|trusted-host"
    assert not re.search(rf"{options}|(PIP|UV)_\w*(INDEX|FIND_LINKS)|https?://[^/\s]*pypi", text)


@pytest.mark.thorough
@pytest.mark.parametrize("image", ["api", "worker"])
def test_the_bill_of_materials_lists_what_is_locked(bills: Path, image: str) -> None:
    bill = json.loads((bills / f"{image}.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    described = bill["metadata"]["component"]
    assert (described["name"], described["version"]) == ("lifeboat", __version__)
    components = {
        (component["name"], component["version"]): {
            digest["content"]
            for reference in component["externalReferences"]
            for digest in reference.get("hashes", [])
        }
        for component in bill["components"]
    }
    assert components == _locked(f"{image}.txt")


@pytest.mark.thorough
def test_the_same_locks_give_the_same_bill(bills: Path, tmp_path: Path) -> None:
    again = _make_bills(tmp_path)
    for bill in bills.iterdir():
        assert (again / bill.name).read_bytes() == bill.read_bytes()


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _make_bills(tmp_path_factory.mktemp("sbom"))


def _make_bills(folder: Path) -> Path:
    subprocess.run(["make", "--silent", "sbom", f"SBOM={folder}"], cwd=ROOT, check=True)
    return folder

"""What a failed test leaves behind, seen by running tests that fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT, clean_environment

pytestmark = pytest.mark.thorough

_TESTS = """
import sys
from pathlib import Path

import pytest
from tests.support import artifacts
from tests.support.processes import Process, wait_for

artifacts.ARTIFACTS = Path("kept").absolute()


@pytest.fixture
def process(tmp_path):
    program = "print('it says so', flush=True); import time; time.sleep(60)"
    process = Process([sys.executable, "-c", program], tmp_path / "said.log", {"LIFEBOAT_X": "y"})
    wait_for(process.output)
    yield process
    process.end()


@pytest.fixture
def broken_before(process):
    raise RuntimeError


@pytest.fixture
def broken_after(process):
    yield
    raise RuntimeError


@pytest.mark.parametrize("how", ["a / b"])
def test_in_its_call(process, how):
    assert False


def test_in_its_setup(broken_before):
    pass


def test_in_its_teardown(broken_after):
    pass


def test_nowhere(process):
    pass


def test_without_a_process():
    assert False
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of what was kept, and what pytest said."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "test_failing.py").write_text(_TESTS)
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", "."]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "/dev/null", *options, "test_failing.py"],
        cwd=folder,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "2 passed" in done.stdout and "2 failed" in done.stdout, done.stdout + done.stderr
    return folder / "kept", done.stdout


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("test_failing-test_in_its_call-a-b", "call"),
        ("test_failing-test_in_its_setup", "setup"),
        ("test_failing-test_in_its_teardown", "teardown"),
    ],
)
def test_a_failed_test_keeps_what_its_processes_logged_and_how_they_were_set(
    run: tuple[Path, str], name: str, phase: str
) -> None:
    kept, said = run
    (log,) = (kept / name).glob("said-*.log")
    assert log.read_text() == "it says so\n"
    settings = log.with_suffix(".txt").read_text()
    assert "LIFEBOAT_X=y\n" in settings and "print" in settings
    assert f"failed in its {phase} at " in (kept / name / "failure.txt").read_text()
    assert str(log) in said


def test_nothing_is_kept_of_a_test_that_passes_or_starts_no_process(
    run: tuple[Path, str],
) -> None:
    kept, _ = run
    assert len([*kept.iterdir()]) == 3

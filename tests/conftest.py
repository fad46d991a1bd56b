"""What every ring of tests shares."""

import csv
import itertools
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# It says how many threads OpenMP has, which is to come before scikit-learn loads OpenMP.
import worker as worker
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support import artifacts
from tests.support.held_runs import HeldRuns
from tests.support.left_out import LeftOut
from tests.support.processes import Stack
from tests.support.versions import TRAINING_DATA

_LONGEST_FIRST = ["cloud", "containers", "browser", "faults", "integration", "unit"]


# A shell that starts the tests in the background makes them ignore SIGINT, and nohup makes them
# ignore SIGHUP; the processes that tests send these signals would ignore them, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="the faults many times over, with the load and the ratios; as `make faults` does",
    )
    parser.addoption(
        "--screenshots",
        action="store_true",
        help="the browser ring leaves its pictures in docs/; as `make screenshots` does",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LeftOut())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For `make test-all`, which runs four tests at a time: what takes longest comes first."""
    if config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        items.sort(key=lambda item: _LONGEST_FIRST.index(_ring(item.nodeid)))


# Optional, for `pytest -p no:xdist`.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "StacksTogether":
    return StacksTogether(config, log)


class StacksTogether(LoadScopeScheduling):
    """Tests that share a stack of processes go to the same worker of xdist, one after the other.

    xdist's own way to say so, `--dist loadgroup`, has no effect under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        match _ring(nodeid):
            case "containers" | "browser" as ring:
                return ring
            case "faults":
                return nodeid
            case _:
                return nodeid.partition("::")[0]


def pytest_runtest_logstart(nodeid: str) -> None:
    artifacts.begin(nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what the processes of a failed test have logged, before its fixtures end them."""
    report = yield
    if report.failed:
        kept = artifacts.keep(item.nodeid, report.when or "", report.longreprtext)
        if kept:
            report.sections.append(("kept of this failure", "\n".join(map(str, kept))))
    return report


def _ring(nodeid: str) -> str:
    ring = nodeid.split("/")[1]
    return ring if ring in _LONGEST_FIRST else "unit"


# As of the processes that tests start: see `tests.support.processes.clean_environment`.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def away_from_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings read a .env of the working directory: not a developer's."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def model_store(models_dir: Path) -> ModelStore:
    return ModelStore(LocalStorage(models_dir))


def _write_table(path: Path, *, rows: int) -> Path:
    """The training table cut to, or repeated up to, so many rows."""
    with open(TRAINING_DATA, newline="") as source:
        header, *body = list(csv.reader(source))
    with path.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(header)
        writer.writerows(itertools.islice(itertools.cycle(body), rows))
    return path


@pytest.fixture(scope="session")
def small_table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run on it takes about a second."""
    return str(_write_table(tmp_path_factory.mktemp("data") / "small.csv", rows=150))


@pytest.fixture(scope="session")
def tiny_table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run on it takes as little time as a run can."""
    return str(_write_table(tmp_path_factory.mktemp("data") / "tiny.csv", rows=60))


@pytest.fixture(scope="session")
def medium_table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run on it can be interrupted where the test looks often."""
    return str(_write_table(tmp_path_factory.mktemp("data") / "medium.csv", rows=6_000))


@pytest.fixture(scope="session")
def large_table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run on it takes long enough to be interrupted in each stage."""
    return str(_write_table(tmp_path_factory.mktemp("data") / "large.csv", rows=30_000))


@pytest.fixture
def stack(tmp_path: Path, small_table: str) -> Iterator[Stack]:
    """Redis alone; the test starts what it needs."""
    stack = Stack(tmp_path, training_data=small_table)
    yield stack
    stack.end()


@pytest.fixture
def held_runs(stack: Stack) -> HeldRuns:
    """The runs of the workers that the stack starts from now on."""
    held_runs = HeldRuns(stack.folder / "held-runs")
    stack.environment["PYTHONPATH"] = held_runs.python_path
    return held_runs

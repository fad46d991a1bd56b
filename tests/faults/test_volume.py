"""The models volume is full, read-only or gone: a run says so, and predictions go on."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime.redis_keys import ACTIVE_JOB, VERSION
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.processes import Api, Process, Stack, wait_for
from tests.support.versions import publish

_SIZE = 8 * 1024 * 1024
_IN_CI = os.environ.get("CI") == "true"


def _as_root(*command: str) -> None:
    # GitHub's runners are not root, and may.
    sudo = ["sudo", "-n"] if os.geteuid() != 0 and _IN_CI else []
    done = subprocess.run([*sudo, *command], capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


class Volume:
    """A small file system of its own, kept in one place and seen by the product in another."""

    def __init__(self, folder: Path) -> None:
        self.models_dir = folder / "seen" / "models"
        self._seen = folder / "seen"
        self._kept = folder / "kept"
        self._ballast = self._kept / "ballast"

    def start(self) -> None:
        """Raises OSError where mounting is not allowed."""
        self._seen.mkdir()
        self._kept.mkdir()
        options = f"size={_SIZE},uid={os.getuid()},gid={os.getgid()}"
        _as_root("mount", "-t", "tmpfs", "-o", options, "lifeboat-test", str(self._kept))
        # Now, because a full file system takes no new file.
        self._ballast.touch()
        self.bring_back()
        self.models_dir.mkdir()

    def fill(self, *, free: int) -> None:
        """Leaves no more than so many bytes."""
        self._ballast.write_bytes(b"\0" * (shutil.disk_usage(self._kept).free - free))

    def make_read_only(self) -> None:
        _as_root("mount", "-o", "remount,ro", str(self._kept))

    def take_away(self) -> None:
        """Whoever looks finds the empty folder that it was mounted on."""
        _as_root("umount", "--lazy", str(self._seen))

    def bring_back(self) -> None:
        _as_root("mount", "--bind", str(self._kept), str(self._seen))

    def mend(self) -> None:
        """Whatever a test did to it."""
        _as_root("mount", "-o", "remount,rw", str(self._kept))
        os.truncate(self._ballast, 0)
        if not os.path.ismount(self._seen):
            self.bring_back()

    def end(self) -> None:
        for mount_point in (self._seen, self._kept):
            while os.path.ismount(mount_point):
                _as_root("umount", "--lazy", str(mount_point))


class Running:
    """An API and a worker over such a volume, with two versions on it."""

    def __init__(self, folder: Path, volume: Volume, training_data: str) -> None:
        self.volume = volume
        self.stack = Stack(folder, training_data=training_data)
        self.stack.models_dir = volume.models_dir
        self.store = ModelStore(LocalStorage(volume.models_dir))
        self.older, self.newer = (publish(volume.models_dir, roc_auc=0.5) for _ in range(2))
        self.choose(self.newer)
        self.api: Api = self.stack.start_api()
        self.worker: Process = self.stack.start_worker()
        self.api.wait_for_version(self.newer)
        # Else the worker notes the choice just when the volume no longer takes it.
        wait_for(lambda: self.store.current() == self.newer)

    def choose(self, version: str) -> None:
        self.stack.redis.client.set(VERSION, version)

    def assert_run_fails(self, reason: str) -> None:
        before = self.stack.redis.client.get(VERSION)
        # Else the choice of a test before this one may arrive meanwhile.
        self.api.wait_for_version(str(before))
        job = self.api.wait_for_end(self.api.run_pipeline())
        assert (job["status"], job["stage"], job["attempts"]) == ("failed", "publish", 1), job
        assert job["error"] == f"the models volume did not accept the version: {reason}"
        assert self.stack.redis.client.get(ACTIVE_JOB) is None
        assert self.api.version() == before

    def assert_run_succeeds(self) -> None:
        before = self.store.versions()
        job = self.api.wait_for_end(self.api.run_pipeline())
        assert job["status"] == "succeeded", job
        (new,) = set(self.store.versions()) - set(before)
        self.api.wait_for_version(new)

    def free_bytes(self) -> float:
        """What `/metrics` says."""
        (found,) = re.findall(
            r"^lifeboat_models_free_bytes (\S+)$", self.api.http.get("/metrics").text, re.M
        )
        return float(found)

    def left(self) -> list[str]:
        """What is on the volume beside versions and the note of the choice."""
        names = {path.name for path in self.volume.models_dir.iterdir()}
        return sorted(names - {*self.store.versions(), "current.json"})


@pytest.fixture(scope="module")
def running_once(tmp_path_factory: pytest.TempPathFactory, small_table: str) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("volume")
    volume = Volume(folder)
    try:
        try:
            volume.start()
        except OSError as error:
            if _IN_CI:
                raise
            pytest.skip(f"these tests mount a small file system, which only root may: {error}")
        running = Running(folder, volume, small_table)
        yield running
        running.stack.end()
    finally:
        volume.end()


@pytest.fixture
def running(running_once: Running) -> Iterator[Running]:
    yield running_once
    running_once.volume.mend()


# 30,000 bytes are enough for the ONNX file and not for the pipeline beside it.
@pytest.mark.thorough
@pytest.mark.parametrize("free", [0, 30_000])
def test_a_run_that_finds_the_volume_full_fails_and_leaves_nothing(
    running: Running, free: int
) -> None:
    before = running.store.versions()
    running.volume.fill(free=free)
    running.assert_run_fails("No space left on device")
    assert running.store.versions() == before
    assert running.left() == []
    assert running.free_bytes() <= free
    running.volume.mend()
    assert running.free_bytes() > free
    running.assert_run_succeeds()


def test_on_a_full_volume_a_choice_is_served_and_said_to_be_not_kept(running: Running) -> None:
    wait_for(lambda: running.store.current() == running.api.version())
    kept = running.store.current()
    assert kept is not None
    other = running.older if running.older != kept else running.newer
    running.volume.fill(free=0)
    answer = running.api.http.put("/models/current", json={"model_version": other})
    assert (answer.status_code, answer.json()) == (200, {"model_version": other, "kept": False})
    running.api.wait_for_version(other)
    assert running.store.current() == kept
    running.volume.mend()
    wait_for(lambda: running.store.current() == other)
    answer = running.api.http.put("/models/current", json={"model_version": other})
    assert answer.json() == {"model_version": other, "kept": True}
    running.choose(kept)
    wait_for(lambda: running.store.current() == kept)


@pytest.mark.thorough
def test_a_read_only_volume_fails_runs_and_no_prediction_or_swap(running: Running) -> None:
    before = running.store.versions()
    running.volume.make_read_only()
    running.assert_run_fails("Read-only file system")
    assert running.store.versions() == before
    assert running.left() == []
    # The choice of a version still reaches the API; the worker says once that it cannot note it,
    # and notes it when it can.
    told = running.worker.output().count("not noted on the volume")
    running.choose(running.older)
    running.api.wait_for_version(running.older)
    wait_for(lambda: running.worker.output().count("not noted on the volume") > told)
    threading.Event().wait(3)
    assert running.worker.output().count("not noted on the volume") == told + 1
    running.volume.mend()
    wait_for(lambda: running.store.current() == running.older)
    running.assert_run_succeeds()


@pytest.mark.thorough
def test_a_volume_that_is_gone_fails_runs_and_no_prediction(running: Running) -> None:
    served = running.api.version()
    chosen = running.older if served != running.older else running.newer
    running.volume.take_away()
    running.assert_run_fails("No such file or directory")
    lines = len(running.api.log().splitlines())
    running.choose(chosen)
    wait_for(lambda: chosen in running.api.log().splitlines()[-1])
    assert running.api.version() == served
    (line,) = running.api.log().splitlines()[lines:]
    assert "refused" in line and str(served) in line
    running.volume.bring_back()
    running.api.wait_for_version(chosen)
    assert running.left() == []
    running.assert_run_succeeds()

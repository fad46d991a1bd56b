import logging
import os
import threading
from pathlib import Path
from typing import cast

import pytest

from api.serving.succession import is_fit, wait_until_fit
from api.serving.watcher import Watcher
from api.telemetry import process_files

OLD, NEW = "20260102-030405-000001", "20260102-030405-000002"


@pytest.mark.parametrize(
    ("served", "chosen", "others", "fit"),
    [
        (None, None, set(), True),
        (OLD, OLD, set(), True),
        (None, OLD, set(), True),
        (OLD, OLD, {OLD}, True),
        # A swap goes on meanwhile.
        (NEW, NEW, {OLD}, True),
        (OLD, NEW, {OLD, NEW}, True),
        # Without Redis.
        (OLD, None, {OLD}, True),
        # The newest version that the process can read is not what is served.
        (OLD, NEW, {NEW}, False),
        (None, NEW, {NEW}, False),
        (None, None, {OLD}, False),
    ],
)
def test_a_process_is_fit_if_it_serves_what_the_others_serve(
    served: str | None, chosen: str | None, others: set[str], fit: bool
) -> None:
    assert is_fit(served, chosen, others) is fit


class FakeWatcher:
    served: str | None = None
    chosen: str | None = OLD


def test_an_unfit_process_waits_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watcher, looks = FakeWatcher(), list[None]()

    def others() -> set[str]:
        looks.append(None)
        if len(looks) == 2:
            watcher.served = OLD
        return {OLD}

    monkeypatch.setattr(process_files, "noted_by_others", others)
    monkeypatch.setattr("api.limits.FIT_LOOK_SECONDS", 0)
    with caplog.at_level(logging.ERROR):
        wait_until_fit(cast(Watcher, watcher), threading.Event())
    assert len(looks) == 3
    assert [record.message for record in caplog.records] == [
        "expected to serve what the other processes serve, but serve no model, so this process "
        "takes no requests and a rolling restart ends here; mend what the lines above say and "
        "restart again"
    ]


def test_a_stop_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_files, "noted_by_others", lambda: {OLD})
    stop = threading.Event()
    stop.set()
    wait_until_fit(cast(Watcher, FakeWatcher()), stop)


def test_only_the_notes_of_living_others_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert process_files.noted_by_others() == set(), "a process that stands alone"
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    process_files.note(tmp_path, NEW)
    (tmp_path / f"serves_{os.getppid()}").write_text(OLD)
    # Above the largest process id there can be.
    (tmp_path / "serves_4194305").write_text(NEW)
    assert process_files.noted_by_others() == {OLD}

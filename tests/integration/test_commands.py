"""Commands as a shell starts them, with output that takes no more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.processes import environment_of
from tests.support.versions import EXAMPLES, publish

KEY = "a key of ours"
TITANIC = EXAMPLES / "titanic"
FULL = "lifeboat: standard output takes no more: No space left on device\n"
_TO_NOBODY = ">&$UNREAD"
_UNBUFFERED = ["", "1"]
"""Of PYTHONUNBUFFERED: as in a terminal, and as in the containers."""


def _call(
    module: str, redirection: str, models_dir: Path, *, unbuffered: str = ""
) -> subprocess.CompletedProcess[str]:
    settings = {"models_dir": str(models_dir), "signing_key": KEY, "model": str(TITANIC)}
    read_end, unread = os.pipe()
    os.close(read_end)
    try:
        return subprocess.run(
            ["bash", "-c", f'"$0" -m {module} {redirection}', sys.executable],
            env=environment_of(settings) | {"PYTHONUNBUFFERED": unbuffered, "UNREAD": str(unread)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=[unread],
            text=True,
        )
    finally:
        os.close(unread)


@pytest.mark.thorough
@pytest.mark.parametrize("unbuffered", _UNBUFFERED)
@pytest.mark.parametrize(
    ("module", "status"),
    [("shared.check", 1), ("worker.check", 1), ("worker.sign", 1), ("cli.retrain --help", 130)],
)
def test_a_full_disk_is_told_in_a_sentence_and_a_reader_that_has_left_in_none(
    models_dir: Path, module: str, status: int, unbuffered: str
) -> None:
    publish(models_dir)
    full = _call(module, "> /dev/full", models_dir, unbuffered=unbuffered)
    assert (full.returncode, full.stderr) == (status, FULL)
    left = _call(module, _TO_NOBODY, models_dir, unbuffered=unbuffered)
    assert (left.returncode, left.stderr) == (status, "")


@pytest.mark.parametrize("unbuffered", _UNBUFFERED)
def test_every_version_is_signed_though_nobody_can_read_of_it(
    models_dir: Path, unbuffered: str
) -> None:
    versions = [publish(models_dir), publish(models_dir)]
    assert _call("worker.sign", "> /dev/full", models_dir, unbuffered=unbuffered).returncode == 1
    store = ModelStore(LocalStorage(models_dir), SecretStr(KEY))
    assert [manifest.model_version for manifest in store.manifests()] == versions[::-1]


@pytest.mark.parametrize("unbuffered", _UNBUFFERED)
@pytest.mark.parametrize(
    ("redirection", "why"),
    [("> /dev/full", "No space left on device"), (_TO_NOBODY, "Broken pipe")],
)
def test_a_backup_that_is_not_whole_fails_with_one_sentence(
    models_dir: Path, redirection: str, why: str, unbuffered: str
) -> None:
    publish(models_dir, signing_key=SecretStr(KEY))
    result = _call("worker.backup", redirection, models_dir, unbuffered=unbuffered)
    assert result.returncode == 1
    assert result.stderr.startswith("no backup: ") and result.stderr.endswith(f"{why}\n")
    assert result.stderr.count("\n") == 1


def test_what_is_meant_for_a_closed_stderr_is_not_in_the_output(models_dir: Path) -> None:
    result = _call("worker.backup", "2>&- | tail -c 100 | tr -d '\\0'", models_dir)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.thorough
@pytest.mark.parametrize("module", ["shared.check", "worker.check", "worker.sign"])
def test_a_closed_output_is_not_a_fault(models_dir: Path, module: str) -> None:
    result = _call(module, ">&-", models_dir)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("module", "redirection"), [("worker.backup", ">&-"), ("worker.restore", "<&-")]
)
def test_what_a_command_cannot_do_without_is_named(
    models_dir: Path, module: str, redirection: str
) -> None:
    result = _call(module, redirection, models_dir)
    assert result.returncode == 2
    assert result.stderr.startswith("lifeboat: expected a ") and result.stderr.count("\n") == 1

"""What `make` tells the images and `make run` of the code."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT, clean_environment


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile where there is no Git."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    return tmp_path


def _told(folder: Path, **environment: str) -> str:
    """The revision that Compose is told; `printenv` stands in for Compose."""
    command = ["make", "--no-print-directory", "--silent", "build"]
    return subprocess.run(
        [*command, "COMPOSE=printenv LIFEBOAT_REVISION; :"],
        cwd=folder,
        env=clean_environment() | {"GIT_CEILING_DIRECTORIES": str(folder.parent)} | environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()


def test_without_git_the_revision_is_unknown(checkout: Path) -> None:
    assert _told(checkout) == "unknown"
    assert _told(checkout, PATH="/bin:/usr/bin", LIFEBOAT_REVISION="a-build-server's") == (
        "a-build-server's"
    )


def test_with_git_it_is_the_commit_and_says_whether_files_differ_from_it(checkout: Path) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        command = ["git", *who, *arguments]
        return subprocess.run(
            command, cwd=checkout, check=True, capture_output=True, text=True
        ).stdout

    git("init", "--quiet")
    git("add", "Makefile")
    git("commit", "--quiet", "--message", "a test")
    git("tag", "v1.0.0")
    commit = git("rev-parse", "HEAD").strip()
    told = _told(checkout)
    assert len(told) == 12 and commit.startswith(told)
    (checkout / "Makefile").write_text((checkout / "Makefile").read_text() + "\n")
    assert _told(checkout) == f"{told}-dirty"

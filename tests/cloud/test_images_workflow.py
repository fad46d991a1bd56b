"""The workflow that publishes images, as far as it can be checked without running it."""

import subprocess
from pathlib import Path

import pytest

from tests.cloud.tools import python_tool
from tests.support.processes import ROOT

_WORKFLOW = ROOT / ".github" / "workflows" / "images.yml"
_CHECKS = {"actionlint": ["-no-color"], "zizmor": ["--offline", "--no-progress", "--quiet"]}


def _check(tool: str, text: str, folder: Path) -> tuple[int, str]:
    workflow = folder / ".github" / "workflows" / "images.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(text)
    done = subprocess.run(
        [str(python_tool(tool)), *_CHECKS[tool], str(workflow)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("tool", _CHECKS)
def test_a_checker_finds_nothing(tool: str, tmp_path: Path) -> None:
    status, said = _check(tool, _WORKFLOW.read_text(), tmp_path)
    assert status == 0, said


@pytest.mark.parametrize(
    ("tool", "now", "planted", "finding"),
    [
        ("actionlint", "steps.build.outputs.digest", "steps.built.outputs.digest", "built"),
        ("actionlint", "runs-on: ubuntu-latest", "runs-on: ubuntu-newest", "ubuntu-newest"),
        (
            "zizmor",
            "docker/build-push-action@263435318d21b8e681c14492fe198d362a7d2c83",
            "docker/build-push-action@v6",
            "unpinned-uses",
        ),
        ("zizmor", '"$TAG" ]', "${{ github.event.head_commit.message }} ]", "template-injection"),
    ],
)
def test_a_checker_finds_what_is_planted(
    tool: str, now: str, planted: str, finding: str, tmp_path: Path
) -> None:
    text = _WORKFLOW.read_text()
    assert now in text
    status, said = _check(tool, text.replace(now, planted), tmp_path)
    assert status != 0
    assert finding in said

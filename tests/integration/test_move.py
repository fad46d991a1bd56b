"""`make move-models` carries versions from one store to another."""

import subprocess
import sys
from pathlib import Path

from shared.versions import current
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.processes import environment_of
from tests.support.versions import publish


def _move(origin: Path, target: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "worker.backup.move", str(origin), str(target)],
        env=environment_of({}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_versions_are_carried_with_the_choice_and_what_comes_later_too(tmp_path: Path) -> None:
    origin, target = tmp_path / "origin", tmp_path / "target"
    older, newer = publish(origin), publish(origin)
    current.write(LocalStorage(origin), older)
    moved = _move(origin, target, tmp_path)
    assert moved.returncode == 0, moved.stderr
    there = ModelStore(LocalStorage(target))
    assert there.versions() == [newer, older] and there.current() == older
    assert there.load(newer)[0] == ModelStore(LocalStorage(origin)).manifest(newer)

    newest = publish(origin)
    current.write(LocalStorage(origin), newest)
    again = _move(origin, target, tmp_path)
    assert again.returncode == 0 and f"{older}: is there already" in again.stdout, again.stderr
    assert there.versions() == [newest, newer, older] and there.current() == newest


def test_a_newer_choice_at_the_target_stays_and_what_is_damaged_is_left_out(
    tmp_path: Path,
) -> None:
    origin, target = tmp_path / "origin", tmp_path / "target"
    sound, damaged = publish(origin), publish(origin)
    (origin / damaged / "model.onnx").write_bytes(b"")
    current.write(LocalStorage(origin), sound)
    chosen = publish(target)
    first = current.replace(LocalStorage(target), chosen, None)
    current.replace(LocalStorage(target), chosen, first)
    moved = _move(origin, target, tmp_path)
    assert moved.returncode == 1
    assert f"left out: model version {damaged}" in moved.stderr
    assert "stays chosen" in moved.stderr
    assert ModelStore(LocalStorage(target)).current() == chosen
    assert sound in ModelStore(LocalStorage(target)).versions()


def test_one_place_is_not_moved_into_itself(tmp_path: Path) -> None:
    moved = _move(tmp_path, tmp_path, tmp_path)
    assert moved.returncode == 2 and "same place" in moved.stderr


def test_a_second_move_carries_what_was_chosen_after_a_note_of_an_earlier_release(
    tmp_path: Path,
) -> None:
    origin, target = tmp_path / "origin", tmp_path / "target"
    older, newer = publish(origin), publish(origin)
    (origin / current.KEY).write_text(f'{{"model_version": "{older}"}}')
    assert _move(origin, target, tmp_path).returncode == 0
    current.write(LocalStorage(origin), newer)
    again = _move(origin, target, tmp_path)
    assert again.returncode == 0, again.stderr
    assert ModelStore(LocalStorage(target)).current() == newer


def test_a_place_that_is_not_there_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    target = tmp_path / "target"
    moved = _move(tmp_path / "misspelt", target, tmp_path)
    assert moved.returncode == 1 and "No such file" in moved.stderr
    assert not target.exists()


def test_a_choice_that_cannot_be_moved_is_said(tmp_path: Path) -> None:
    origin, target = tmp_path / "origin", tmp_path / "target"
    chosen = publish(origin)
    current.write(LocalStorage(origin), chosen)
    (origin / chosen / "model.onnx").write_bytes(b"")
    moved = _move(origin, target, tmp_path)
    assert moved.returncode == 1 and "the choice was not moved" in moved.stderr
    assert "Traceback" not in moved.stderr

"""The answer to a choice says whether the worker has noted the choice on the volume."""

import threading
from pathlib import Path

import pytest

from api import limits
from api.dependencies import Turn
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.choices import NotedKey
from tests.support.versions import publish
from tests.unit.api.conftest import Start


@pytest.fixture
def models(models_dir: Path) -> ModelStore:
    return ModelStore(LocalStorage(models_dir))


def not_kept(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        str(getattr(record, "model_version", None))
        for record in caplog.records
        if record.levelname == "WARNING" and "not on the volume" in record.getMessage()
    ]


def test_a_choice_that_the_worker_has_noted_is_kept(
    start: Start, models: ModelStore, models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    version = publish(models_dir)
    client = start(version_key=NotedKey(models))
    answer = client.put("/models/current", json={"model_version": version})
    assert (answer.status_code, answer.json()) == (200, {"model_version": version, "kept": True})
    assert not_kept(caplog) == []


def test_a_choice_is_waited_for(
    start: Start, models: ModelStore, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker notes it only after the first look."""
    older, version = publish(models_dir), publish(models_dir)
    models.set_current(older)
    looked = models.current
    seen: list[str | None] = []

    def look() -> str | None:
        seen.append(looked())
        if len(seen) == 3:
            models.set_current(version)
        return seen[-1]

    monkeypatch.setattr(models, "current", look)
    monkeypatch.setattr(limits, "KEPT_SECONDS", 60.0)
    key = NotedKey(models, note=lambda _: None)
    answer = start(models=models, version_key=key).put(
        "/models/current", json={"model_version": version}
    )
    assert answer.json() == {"model_version": version, "kept": True}
    assert seen == [older, older, older, version]


@pytest.mark.parametrize("noted", [True, False])
def test_a_choice_that_nobody_notes_is_served_and_said_to_be_not_kept(
    start: Start,
    models: ModelStore,
    models_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    noted: bool,
) -> None:
    older, version = publish(models_dir), publish(models_dir)
    if noted:
        models.set_current(older)
    monkeypatch.setattr(limits, "KEPT_SECONDS", 0.1)
    key = NotedKey(models, note=lambda _: None)
    answer = start(version_key=key).put("/models/current", json={"model_version": version})
    assert (answer.status_code, answer.json()) == (200, {"model_version": version, "kept": False})
    assert key.chosen == [version]
    assert not_kept(caplog) == [version]


def test_a_volume_that_does_not_answer_does_not_hold_the_answer(
    start: Start, models: ModelStore, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = publish(models_dir)
    over = threading.Event()
    monkeypatch.setattr(models, "current", lambda: over.wait(60) and None)
    monkeypatch.setattr(limits, "KEPT_SECONDS", 0.1)
    key = NotedKey(models, note=lambda _: None)
    try:
        answer = start(models=models, version_key=key).put(
            "/models/current", json={"model_version": version}
        )
        assert answer.json()["kept"] is False
    finally:
        over.set()


def test_others_may_ask_redis_while_the_note_is_waited_for(
    start: Start, models: ModelStore, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = publish(models_dir)
    state = {"turns": 0}
    end = Turn.end
    seen: list[int] = []

    def count(turn: Turn) -> None:
        state["turns"] += 1
        end(turn)

    def look() -> str:
        seen.append(state["turns"])
        return version

    monkeypatch.setattr(Turn, "end", count)
    monkeypatch.setattr(models, "current", look)
    client = start(models=models, version_key=NotedKey(models))
    for _ in range(3):
        # There is one turn: a turn that did not end, or ended twice, would show.
        answer = client.put("/models/current", json={"model_version": version})
        assert answer.status_code == 200
    assert seen == [1, 3, 5]
    turns = client.app_state["redis_turns"]
    assert turns.value == 1


@pytest.mark.parametrize(
    "body", [{"version": "x"}, {"model_version": "x", "kept": True}, {"kept": True}, {}]
)
def test_a_choice_has_its_version_and_nothing_else(
    start: Start, models: ModelStore, body: dict[str, object]
) -> None:
    key = NotedKey(models)
    assert start(version_key=key).put("/models/current", json=body).status_code == 422
    assert key.chosen == []

"""Where the model versions lie, as settings say it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import ServesOnly
from shared.resources import build, storage
from shared.settings import Settings
from shared.versions.storage.bucket import BucketStorage
from shared.versions.storage.local import LocalStorage


def test_without_a_setting_they_lie_in_a_folder() -> None:
    assert Settings().models_dir == Path("models") and Settings().bucket_url is None
    assert isinstance(storage(Settings()), LocalStorage)


def test_the_newer_name_wins_and_may_be_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFEBOAT_MODELS_DIR", "/old")
    assert Settings().models_place == "/old"
    monkeypatch.setenv("LIFEBOAT_MODELS", "/new")
    assert Settings().models_dir == Path("/new") and Settings().models_place == "/new"


def test_a_bucket_is_a_storage_that_asks_for_nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing listens there.
    monkeypatch.setenv("LIFEBOAT_STORE_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("LIFEBOAT_MODELS", "s3://bucket/models")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "test")
    assert Settings().models_place == "s3://bucket/models"
    assert isinstance(storage(Settings()), BucketStorage)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIFEBOAT_MODELS", "http://bucket/models"),
        ("LIFEBOAT_MODELS", "s3://"),
        ("LIFEBOAT_STORE_ENDPOINT", "localhost:9000"),
        ("LIFEBOAT_STORE_TIMEOUT_SECONDS", "0"),
        ("LIFEBOAT_STORE_POLL_SECONDS", "-1"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    (error,) = refused.value.errors()
    assert error["loc"] == (name.removeprefix("LIFEBOAT_").lower(),)


def test_without_redis_there_is_nothing_to_build_for_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFEBOAT_REDIS_URL", "none")
    assert Settings().serves_only
    with pytest.raises(ServesOnly, match="can only serve"):
        build(Settings())


@pytest.mark.parametrize(
    ("port", "own", "expected"),
    [("9000", None, 9000), ("9000", "9001", 9001), ("tcp://x", None, 8000)],
)
def test_the_port_that_a_platform_sets_is_taken(
    monkeypatch: pytest.MonkeyPatch, port: str, own: str | None, expected: int
) -> None:
    monkeypatch.setenv("PORT", port)
    if own is not None:
        monkeypatch.setenv("LIFEBOAT_PORT", own)
    assert Settings().port == expected

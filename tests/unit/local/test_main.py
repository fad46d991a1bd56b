"""What `make run` refuses before it starts anything, and when it says that it is ready.

What it starts is tested by running it.
"""

import contextlib
import io
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from local import __main__ as command
from local import ready, redis_server
from local.output import Output
from shared.settings import Settings


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def start(*_: object) -> object:
        raise AssertionError("it would have started")

    monkeypatch.setattr(command, "Supervisor", start)
    monkeypatch.setenv("LIFEBOAT_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setattr(redis_server, "executable", lambda: "/usr/bin/redis-server")


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> int:
    port = command._free_port()
    monkeypatch.setenv("LIFEBOAT_PORT", str(port))
    return port


@pytest.fixture
def port_in_use(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        monkeypatch.setenv("LIFEBOAT_PORT", str(port))
        yield port


def refusal() -> str:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), pytest.raises(SystemExit) as refused:
        command.main()
    assert refused.value.code == 1
    (sentence,) = said.getvalue().splitlines()
    assert sentence.startswith("lifeboat: ")
    return sentence


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LIFEBOAT_PORT", "http"),
        ("LIFEBOAT_PORT", "0"),
        ("LIFEBOAT_KEEP_VERSIONS", "none"),
        ("LIFEBOAT_API_KEY_FILE", "none"),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert variable in refusal()


def test_a_port_in_use_is_one_sentence_that_says_how_to_take_another(port_in_use: int) -> None:
    sentence = refusal()
    assert f"127.0.0.1:{port_in_use}" in sentence
    assert "in use" in sentence and "LIFEBOAT_PORT=" in sentence


@pytest.mark.usefixtures("free_port")
def test_without_a_redis_server_one_sentence_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_server, "executable", lambda: None)
    sentence = refusal()
    assert "redis-server" in sentence and "LIFEBOAT_REDIS_URL=" in sentence


@pytest.mark.usefixtures("free_port")
def test_a_models_folder_that_another_run_uses_is_one_sentence_that_says_so(
    tmp_path: Path,
) -> None:
    other = redis_server.lock(redis_server.data_folder(tmp_path / "models"))
    try:
        sentence = refusal()
    finally:
        os.close(other)
    assert str(tmp_path / "models") in sentence and "LIFEBOAT_MODELS_DIR=" in sentence


@pytest.mark.usefixtures("free_port")
def test_a_folder_that_cannot_be_written_is_one_sentence_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "models.redis").write_text("a file")
    assert str(tmp_path / "models.redis") in refusal()


@pytest.mark.usefixtures("free_port")
def test_with_a_redis_of_ones_own_none_is_needed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "executable", lambda: None)
    monkeypatch.setenv("LIFEBOAT_REDIS_URL", "redis://other:6379/0")
    with pytest.raises(AssertionError, match="would have started"):
        command.main()


@pytest.mark.usefixtures("free_port")
def test_where_nothing_is_in_the_way_it_starts_and_keeps_no_lock(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="would have started"):
        command.main()
    os.close(redis_server.lock(tmp_path / "models.redis"))


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", command._free_port())):
        pass


@pytest.mark.parametrize(
    ("serving", "longest", "asked"),
    [
        ([0, 1, 1, 2], 100, 4),
        # Those of a run that was killed are listed for a while.
        ([3], 100, 1),
        # Redis is away: nobody knows, and one process predicts.
        ([0, 0, 0], 0, 1),
    ],
)
def test_it_is_ready_when_each_process_has_the_model(
    monkeypatch: pytest.MonkeyPatch, serving: list[int], longest: int, asked: int
) -> None:
    keys, answers, written = [], iter(serving), io.BytesIO()

    def of(url: str, key: str | None) -> int:
        keys.append((url, key))
        return next(answers)

    monkeypatch.setattr(ready, "is_live", lambda url: True)
    monkeypatch.setattr(ready, "is_ready", lambda url: True)
    monkeypatch.setattr(ready, "serving", of)
    monkeypatch.setattr(command, "_LOOK_SECONDS", 0)
    monkeypatch.setattr(command, "_EACH_SECONDS", longest)
    settings = Settings(api_workers=2, api_key=SecretStr("sesame\nold"), _env_file=None)
    api_is_up = threading.Event()
    output = Output(written, ["lifeboat"])
    command._say_when_ready(settings, api_is_up, output)
    output.close()
    assert api_is_up.is_set()
    assert written.getvalue().count(b"Ready to predict") == 1
    assert keys == [(settings.api_url, "sesame")] * asked

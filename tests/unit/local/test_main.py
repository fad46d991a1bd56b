"""What `make run` refuses before it starts anything; what it starts is tested by running it."""

import contextlib
import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import __main__ as command
from local import redis_server


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

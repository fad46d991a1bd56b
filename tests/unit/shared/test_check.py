from pathlib import Path

import pytest

from shared import check


def test_settings_that_are_sound_are_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main() == 0
    assert capsys.readouterr().out == "The settings are sound.\n"


def test_keys_in_files_are_sound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in {"API_KEY": "a", "SIGNING_KEY": "b", "SIGNING_KEYS_OLD": ""}.items():
        (tmp_path / name).write_text(content)
        monkeypatch.setenv(f"LIFEBOAT_{name}_FILE", str(tmp_path / name))
    assert check.main() == 0, capsys.readouterr().out


def test_everything_that_is_wrong_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "latin").write_bytes(b"M\xfcller")
    (tmp_path / ".env").write_text("LIFEBOAT_KEEP_VERSIONS=none\n")
    for name, value in {
        "PORT": "http",
        "API_KEY_FILE": "nowhere",
        "SIGNING_KEY": "sesame",
        "SIGNING_KEY_FILE": "latin",
        "REDIS_URL": "http://:sesame@other",
        "REDIS_PASSWORD_FILE": "latin",
        "TRAINING_DATA": "~/none.csv",
        "APIKEY": "sesame",
        "LOG_FORMAT": "",
    }.items():
        monkeypatch.setenv(f"LIFEBOAT_{name}", value)
    assert check.main() == 1
    said = capsys.readouterr().out
    assert "sesame" not in said
    named = [line.split()[1].rstrip(":") for line in said.splitlines()]
    assert sorted(named) == [
        f"LIFEBOAT_{name}"
        for name in (
            *("APIKEY", "API_KEY_FILE", "KEEP_VERSIONS", "PORT"),
            *("REDIS_PASSWORD_FILE", "REDIS_URL", "SIGNING_KEY", "TRAINING_DATA"),
        )
    ]
    assert said.startswith("odd: LIFEBOAT_APIKEY ")


def test_a_file_that_is_not_text_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    assert check.main() == 1
    assert capsys.readouterr().out.startswith("wrong: .env: expected text in UTF-8")

from pathlib import Path

import pytest
import redis
from pydantic import SecretStr, ValidationError

from shared.environment import UnreadableFile
from shared.refusal import explanations
from shared.settings import Settings


def test_without_a_variable_everything_runs_on_this_machine() -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.models_dir == Path("models")
    assert settings.model == Path("examples/titanic")
    assert settings.training_data is None
    assert settings.redis_server().url == "redis://127.0.0.1:6379/0"
    assert settings.promotion_tolerance == 0.01
    assert settings.keep_versions == 10
    assert settings.api_key is None


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("HOST", "0.0.0.0", "0.0.0.0"),
        ("PORT", "9000", 9000),
        ("API_WORKERS", "4", 4),
        ("MODELS_DIR", "/srv/models", Path("/srv/models")),
        ("REDIS_URL", "redis://other:6380/2", SecretStr("redis://other:6380/2")),
        ("REDIS_PASSWORD_FILE", "/run/password", Path("/run/password")),
        ("TRAINING_DATA", "https://example.org/t.parquet", "https://example.org/t.parquet"),
        ("PROMOTION_TOLERANCE", "0", 0.0),
        ("KEEP_VERSIONS", "1", 1),
        ("JOB_TIMEOUT_SECONDS", "2.5", 2.5),
        ("API_KEY", "sesame", SecretStr("sesame")),
        ("SIGNING_KEY", "sesame", SecretStr("sesame")),
        ("MAX_BODY_BYTES", "1000", 1000),
        ("MAX_ROWS", "1", 1),
        ("LOG_LEVEL", "DEBUG", "DEBUG"),
    ],
)
def test_a_variable_with_the_prefix_sets_its_field(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, value: object
) -> None:
    monkeypatch.setenv(f"LIFEBOAT_{variable}", text)
    assert getattr(Settings(), variable.lower()) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("API_WORKERS", "0"),
        ("PROMOTION_TOLERANCE", "-0.1"),
        ("KEEP_VERSIONS", "0"),
        ("JOB_TIMEOUT_SECONDS", "0"),
        ("MAX_BODY_BYTES", "0"),
        ("MAX_ROWS", "0"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_and_its_field_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    monkeypatch.setenv(f"LIFEBOAT_{variable}", text)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert [error["loc"] for error in refused.value.errors()] == [(variable.lower(),)]


KEYS = ["api_key", "signing_key"]


@pytest.mark.parametrize("blank", ["", " "])
def test_an_empty_variable_is_not_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blank: str
) -> None:
    (tmp_path / ".env").write_text("LIFEBOAT_PORT=9001\nLIFEBOAT_HOST=\n")
    for name in Settings.model_fields:
        monkeypatch.setenv(f"LIFEBOAT_{name.upper()}", blank)
    assert Settings() == Settings(port=9001, _env_file=None)


def test_the_home_is_expanded_in_every_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").write_text("sesame")
    paths = [name for name in Settings.model_fields if name.endswith(("_file", "_dir", "_data"))]
    assert len(paths) >= 5
    for name in paths:
        monkeypatch.setenv(f"LIFEBOAT_{name.upper()}", "~/x")
    settings = Settings()
    assert {str(getattr(settings, name)) for name in paths} == {str(tmp_path / "x")}


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("REDIS_URL", "http://:sesame@other", "LIFEBOAT_REDIS_URL: expected a URL like redis://"),
        ("REDIS_URL", "redis://:sesame@h/abc", "LIFEBOAT_REDIS_URL: expected a URL like redis://"),
        ("LOG_LEVEL", "LOUD", "LIFEBOAT_LOG_LEVEL: Input should be 'DEBUG', 'INFO', "),
        ("API_KEY_FILE", "nowhere", "LIFEBOAT_API_KEY_FILE: nowhere cannot be read: No such file"),
    ],
)
def test_a_wrong_setting_is_explained_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, said: str
) -> None:
    monkeypatch.setenv(f"LIFEBOAT_{variable}", text)
    with pytest.raises(ValidationError) as refused:
        Settings()
    (sentence,) = explanations(refused.value)
    assert sentence.startswith(said) and "sesame" not in sentence


@pytest.mark.parametrize("key", KEYS)
def test_a_key_can_come_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str
) -> None:
    # As Windows's editors write it.
    (tmp_path / "key").write_text("\ufeffsesame\r\n", newline="")
    monkeypatch.setenv(f"LIFEBOAT_{key.upper()}_FILE", str(tmp_path / "key"))
    settings = Settings()
    assert getattr(settings, key) == SecretStr("sesame")
    assert "sesame" not in f"{settings} {settings!r} {settings.model_dump_json()}"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        ("ü".encode("cp1252"), "not text"),
    ],
)
def test_a_key_file_that_holds_no_key_does_not_leave_the_api_open(
    tmp_path: Path, key: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(ValidationError, match=reason):
        Settings.model_validate({f"{key}_file": tmp_path / "key"})


@pytest.mark.parametrize("key", KEYS)
def test_a_key_and_its_file_are_not_both_given(tmp_path: Path, key: str) -> None:
    (tmp_path / "key").write_text("sesame")
    with pytest.raises(ValidationError, match="are both set") as refused:
        Settings.model_validate({key: "another", f"{key}_file": tmp_path / "key"})
    assert "sesame" not in str(refused.value) and "another" not in str(refused.value)


def test_a_variable_wins_over_the_env_file_and_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("LIFEBOAT_PORT=9001\nLIFEBOAT_HOST=0.0.0.0\nOTHER=1\n")
    monkeypatch.setenv("LIFEBOAT_PORT", "9002")
    settings = Settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 9002)


def test_printing_the_settings_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFEBOAT_API_KEY", "sesame")
    monkeypatch.setenv("LIFEBOAT_REDIS_URL", "redis://:sesame@127.0.0.1:6379/0")
    settings = Settings()
    assert "sesame" not in f"{settings} {settings!r} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("127.0.0.1", 8000, "http://127.0.0.1:8000"),
        ("localhost", 9000, "http://localhost:9000"),
        # Everywhere is here, too.
        ("0.0.0.0", 8000, "http://127.0.0.1:8000"),
        ("::", 8000, "http://[::1]:8000"),
        ("::1", 8000, "http://[::1]:8000"),
    ],
)
def test_the_url_of_the_api_is_one_to_click_on(host: str, port: int, url: str) -> None:
    assert Settings(host=host, port=port).api_url == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://:sesame@127.0.0.1:6379/0",
        "rediss://user:sesame@other:6380/3?ssl_cert_reqs=none",
    ],
)
def test_without_a_password_file_the_url_is_taken_as_it_is(url: str) -> None:
    assert Settings(redis_url=SecretStr(url)).redis_server().url == url


@pytest.mark.parametrize(
    ("url", "username"),
    [
        ("redis://redis:6379/2", None),
        ("redis://lifeboat@redis:6379/2", "lifeboat"),
    ],
)
@pytest.mark.parametrize("password", ["sesame", "p@ss:w/rd?#%41 &"])
def test_the_password_of_the_file_reaches_redis_as_it_stands_there(
    tmp_path: Path, url: str, username: str | None, password: str
) -> None:
    file = tmp_path / "password"
    file.write_text(f"\ufeff{password}\n")
    settings = Settings(redis_url=SecretStr(url), redis_password_file=file)
    client = redis.Redis.from_url(settings.redis_server().url)
    options = client.connection_pool.connection_kwargs
    assert options["password"] == password
    assert (options.get("username") or None) == username
    assert (options["host"], options["port"], options["db"]) == ("redis", 6379, 2)


@pytest.mark.parametrize(
    "url", ["redis://lifeboat:old@redis:6379/2", "redis://:old@redis:6379/2", "redis://:@redis/2"]
)
def test_a_password_in_the_url_wins_over_the_file(tmp_path: Path, url: str) -> None:
    # Which need not be there.
    settings = Settings(redis_url=SecretStr(url), redis_password_file=tmp_path / "none")
    assert settings.redis_server().url == url


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_without_certificate_authorities_is_refused(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(UnreadableFile, match="LIFEBOAT_REDIS_CA_FILE: .*ca.pem cannot be read: "):
        Settings(redis_ca_file=tmp_path / "ca.pem").redis_server()


def test_a_password_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="LIFEBOAT_REDIS_PASSWORD_FILE: .*none.*: No such"):
        Settings(redis_password_file=tmp_path / "none").redis_server()
    (tmp_path / "latin").write_bytes(b"M\xfcller")
    with pytest.raises(UnreadableFile, match="LIFEBOAT_REDIS_PASSWORD_FILE: .*not text in UTF-8"):
        Settings(redis_password_file=tmp_path / "latin").redis_server()

from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts
from pydantic import SecretStr, ValidationError

from api.app import create_app
from shared import access
from shared.refusal import explanations
from shared.settings import Settings


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("sesame", ["sesame"]),
        ("a, b\nc d\n", ["a, b", "c d"]),
        ("\r\n a\t\r\n\r\nb\x85c", ["a", "b\x85c"]),
        (" ", []),
    ],
)
def test_there_is_a_key_in_each_line(text: str, keys: list[str]) -> None:
    assert access.keys(text) == keys


def test_keys_come_from_the_variable_its_file_and_the_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = ["old, with a comma", "new"]
    (tmp_path / ".env").write_text('LIFEBOAT_API_KEY="old, with a comma\\nnew"\n')
    assert Settings().api_keys == expected
    monkeypatch.setenv("LIFEBOAT_API_KEY", "old, with a comma\nnew")
    assert Settings(_env_file=None).api_keys == expected
    monkeypatch.delenv("LIFEBOAT_API_KEY")
    (tmp_path / "keys").write_text("old, with a comma\r\nnew\r\n", newline="")
    assert Settings(_env_file=None, api_key_file=tmp_path / "keys").api_keys == expected


def test_everything_needs_a_key_only_if_there_is_one() -> None:
    with pytest.raises(ValidationError, match="there is no key; set LIFEBOAT_API_KEY or"):
        Settings(api_key_for="everything")
    assert Settings(api_key_for="everything", api_key=SecretStr("sesame")).api_keys == ["sesame"]


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("allowed_hosts", "Example.org, *.example.org [::1]", "example.org,*.example.org,[::1]"),
        ("allowed_hosts", "*", "*"),
        ("cors_origins", "https://Example.org,http://localhost:3000", None),
        ("cors_origins", "*", "*"),
        ("trusted_proxies", "10.0.0.2, 172.16.0.0/12 fd00::/8", "10.0.0.2,172.16.0.0/12,fd00::/8"),
        ("root_path", "/", ""),
        ("root_path", "/lifeboat/", "/lifeboat"),
        ("root_path", "/tools/lifeboat.v2", "/tools/lifeboat.v2"),
    ],
)
def test_what_may_call_is_written_in_words(field: str, text: str, value: str | None) -> None:
    found = getattr(Settings.model_validate({field: text}), field)
    assert found == (text.lower() if value is None else value)


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("allowed_hosts", "example.org:8000", "host names without ports"),
        ("allowed_hosts", "https://example.org", "host names without ports"),
        ("cors_origins", "example.org", "origins such as https://example.org"),
        ("cors_origins", "https://example.org/", "without a path, and commas, found 'https://exa"),
        ("cors_origins", "null", "origins such as"),
        ("trusted_proxies", "proxy.example", "addresses or networks, such as 10.0.0.2 or"),
        ("trusted_proxies", "10.0.0.2:80", "found '10.0.0.2:80'"),
        ("trusted_proxies", "10.0.0.2/8", "found '10.0.0.2/8'"),
        ("trusted_proxies", "*", "found '*'"),
        ("root_path", "lifeboat", "a path such as /lifeboat, found 'lifeboat'"),
        ("root_path", "/a//b", "a path such as"),
        ("root_path", "https://example.org/lifeboat", "a path such as"),
        ("root_path", "/models", "a path of the API's own"),
        ("root_path", "/v2/lifeboat", "a path of the API's own"),
        ("api_key_for", "nothing", "'changes' or 'everything'"),
    ],
)
def test_what_is_written_otherwise_is_refused_in_words(field: str, text: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({field: text})
    (sentence,) = explanations(refused.value)
    assert sentence.startswith(f"LIFEBOAT_{field.upper()}: ") and said in sentence


def test_every_path_of_the_api_is_known_as_its_own() -> None:
    api = vars(create_app(Settings()))["_api"]
    paths = [found.path or "" for found in iter_route_contexts(api.routes)]
    assert {path.split("/")[1] for path in paths} - {""} == access.PATHS_OF_THE_API

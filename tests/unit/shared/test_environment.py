import os
from pathlib import Path

import pytest

from shared import environment
from shared.environment import UnreadableFile
from shared.refusal import oddities
from tests.support import env_file
from tests.support.processes import ROOT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    # The working directory is tmp_path.
    return tmp_path / environment.FILE


def test_a_file_is_read_as_docker_compose_reads_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tests/containers/test_settings.py` asks Compose."""
    monkeypatch.setenv("PLACE", "/home/x")
    file.write_text("\ufeff" + env_file.TEXT.lstrip("\n"))
    assert environment._variables_of(file, []) == env_file.READ


@pytest.mark.parametrize("name", ["LIFEBOAT_PORT", "lifeboat_port"])
def test_the_process_wins_over_the_file_in_either_case(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file.write_text("LIFEBOAT_PORT=1\nlifeboat_host=other\n")
    monkeypatch.setenv(name, "2")
    assert environment.read(environment.FILE).values == {"PORT": "2", "HOST": "other"}


@pytest.mark.parametrize("address", ["tcp://10.96.12.7:8000", "udp://[fd00::7]:53"])
def test_the_address_of_a_kubernetes_service_is_not_our_port(
    file: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    file.write_text("LIFEBOAT_PORT=9000\n")
    monkeypatch.setenv("LIFEBOAT_PORT", address)
    assert environment.read(environment.FILE).values == {"PORT": "9000"}
    (sentence,) = oddities()
    assert address in sentence and "Kubernetes" in sentence and "enableServiceLinks" in sentence


def test_what_kubernetes_sets_for_services_named_like_us_is_not_odd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for service in ("LIFEBOAT", "LIFEBOAT_API", "LIFEBOAT_REDIS"):
        for port in ("PORT_8000_TCP", "PORT_53_UDP"):
            for name in ("", "_PROTO", "_PORT", "_ADDR"):
                monkeypatch.setenv(f"{service}_{port}{name}", "x")
        monkeypatch.setenv(f"{service}_SERVICE_HOST", "10.96.12.7")
        monkeypatch.setenv(f"{service}_SERVICE_PORT", "8000")
        monkeypatch.setenv(f"{service}_SERVICE_PORT_HTTP", "8000")
    for service in ("LIFEBOAT_API", "LIFEBOAT_REDIS"):
        monkeypatch.setenv(f"{service}_PORT", "tcp://10.96.12.7:6379")
    assert oddities() == []


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("APIKEY", "LIFEBOAT_API_KEY"),
        ("API_KEY_FIEL", "LIFEBOAT_API_KEY_FILE"),
        ("MODEL_DIR", "LIFEBOAT_MODELS_DIR"),
        ("REDISURL", "LIFEBOAT_REDIS_URL"),
        ("WORKERMEMORY", "LIFEBOAT_WORKER_MEMORY"),
        ("API_PORT", "misspelt"),
        ("SOMETHING_ELSE", "misspelt"),
    ],
)
@pytest.mark.parametrize("in_file", [True, False])
def test_a_misspelt_name_is_told_with_the_one_that_is_meant(
    file: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, meant: str, in_file: bool
) -> None:
    if in_file:
        file.write_text(f"LIFEBOAT_{wrong}=sesame\n")
    else:
        monkeypatch.setenv(f"LIFEBOAT_{wrong}", "sesame")
    (sentence,) = oddities()
    assert sentence.startswith(f"LIFEBOAT_{wrong} is set") and meant in sentence
    assert "sesame" not in sentence


def test_an_empty_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # As `LIFEBOAT_API_KEY=$SECRET` gives it where there is no SECRET.
    monkeypatch.setenv("LIFEBOAT_API_KEY", "")
    monkeypatch.setenv("LIFEBOAT_API_KEY_FILE", "")
    (sentence,) = oddities()
    assert sentence.startswith("LIFEBOAT_API_KEY is empty")


def test_the_example_and_the_variables_of_compose_are_not_odd(file: Path) -> None:
    text = (ROOT / ".env.example").read_text().replace("\n#LIFEBOAT", "\nLIFEBOAT")
    file.write_text(text.replace("_KEY=", "_KEY=sesame"))
    assert oddities() == []


def test_a_line_that_is_none_is_told_by_its_number_alone(file: Path) -> None:
    file.write_text("LIFEBOAT_PORT=9000\nLIFEBOAT_API_KEY='sesame\n")
    (sentence,) = oddities()
    assert sentence == ".env, line 2: expected NAME=value"


def test_a_file_that_is_not_text_or_not_ours_to_read_is_one_sentence(file: Path) -> None:
    file.write_bytes("LIFEBOAT_PORT=9000".encode("utf-16"))
    with pytest.raises(UnreadableFile, match=r"\.env.*UTF-8"):
        environment.read(environment.FILE)
    if os.getuid():
        file.chmod(0)
        with pytest.raises(UnreadableFile, match=r"\.env.*Permission denied"):
            environment.read(environment.FILE)


def test_a_file_that_is_too_large_holds_no_key() -> None:
    with pytest.raises(UnreadableFile, match="more than 65,536 bytes"):
        environment.read_text(Path("/dev/zero"))

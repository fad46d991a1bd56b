from pathlib import Path

import pytest

from worker import check
from worker.definition import requirements

TITANIC = Path(__file__).parents[3] / "examples" / "titanic"


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFEBOAT_MODEL", str(TITANIC))
    # Logging is switched off for the whole process.
    monkeypatch.setattr("logging.disable", lambda level: None)


def test_a_definition_that_is_sound_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main() == 0
    assert capsys.readouterr().out == "The settings and the definition are sound.\n"


def test_a_broken_definition_is_told_beside_a_table_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIFEBOAT_MODEL", str(tmp_path))
    monkeypatch.setenv("LIFEBOAT_TRAINING_DATA", str(tmp_path / "none.csv"))
    assert check.main() == 1
    table, definition = capsys.readouterr().out.splitlines()
    assert table.startswith("wrong: LIFEBOAT_TRAINING_DATA: ")
    assert definition.startswith("wrong: LIFEBOAT_MODEL: ") and "has no record.py" in definition


def test_a_wrong_setting_is_told_and_no_definition_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIFEBOAT_PORT", "http")
    assert check.main() == 1
    assert capsys.readouterr().out.startswith("wrong: LIFEBOAT_PORT: ")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("numpy", ""),
        ("NumPy>=1  # with a comment", ""),
        ("numpy>=1 \\\n    --hash=sha256:00", ""),
        ("numpy<1", "expected numpy<1 where the worker runs, found "),
        ("of-nobody[extra]==1.0", "expected of-nobody==1.0 where the worker runs, found none"),
        ("of-nobody; python_version < '3'", ""),
        ("of-nobody @ https://example.org/of_nobody.whl", ""),
        ("-r more.txt", ""),
        ("--index-url https://example.org/", ""),
        ("./of_nobody.whl", ""),
        ("# numpy<1", ""),
        ("", ""),
    ],
)
def test_a_package_that_is_not_there_or_of_another_version_is_told(
    tmp_path: Path, line: str, told: str
) -> None:
    (tmp_path / requirements.REQUIREMENTS).write_text(f"{line}\n")
    sentences = requirements.unmet(tmp_path)
    assert len(sentences) == bool(told)
    assert all(told in sentence for sentence in sentences)


def test_without_a_file_nothing_is_asked_for(tmp_path: Path) -> None:
    assert requirements.unmet(tmp_path) == []
    assert requirements.unmet(tmp_path / "absent") == []


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / requirements.REQUIREMENTS).write_bytes(b"\xff\xfe")
    (sentence,) = requirements.unmet(tmp_path)
    assert "expected text in UTF-8" in sentence

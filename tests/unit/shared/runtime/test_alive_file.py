from pathlib import Path

import pytest

from shared.runtime.alive_file import AliveFile


def test_the_file_is_touched_where_the_setting_says_and_nowhere_without_it(tmp_path: Path) -> None:
    file = AliveFile()
    file.touch()
    file.path = tmp_path / "alive"
    file.touch()
    assert [path.name for path in tmp_path.iterdir()] == ["alive"]


def test_a_file_that_cannot_be_touched_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = AliveFile()
    file.path = tmp_path / "none" / "alive"
    for _ in range(3):
        file.touch()
    (record,) = caplog.records
    assert "LIFEBOAT_ALIVE_FILE" in record.message and "No such file" in record.message

"""What the unit tests share: an environment that nobody has configured."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests, neither a variable nor a `.env`, reaches them."""
    for name in os.environ:
        if name.upper().startswith("LIFEBOAT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

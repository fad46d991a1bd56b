import io
import os
import sys

import pytest

from cli.comparison import comparison
from cli.terminal import Terminal
from shared.command import Output
from tests.support.manifests import manifest
from tests.support.versions import metrics


def test_what_an_encoding_lacks_is_printed_as_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding in ("ascii", "latin-1", "cp437"):
        printed = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding=encoding))
        terminal = Terminal()
        ascii_only = terminal.options.ascii_only
        terminal.print(
            comparison(
                "new", metrics(0.87), None, manifest(metrics=metrics(0.8)), ascii_only=ascii_only
            )
        )
        terminal.print("failed: the column Größe€ is missing")
        text = printed.getvalue().decode(encoding)
        assert "0.8700 +- 0.0300" in text and "\\u20ac is missing" in text


def test_when_nobody_reads_any_more_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    with Output(os.fdopen(write_end, "wb")) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        terminal = Terminal()
        terminal.print("hello")
        assert not terminal.is_lost
        os.close(read_end)
        terminal.print("hello")
        assert terminal.is_lost
        terminal.print("hello")


def test_without_standard_output_nothing_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    Terminal().print("hello")
    sys.stdout.close()

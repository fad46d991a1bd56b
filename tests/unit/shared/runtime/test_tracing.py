import subprocess
import sys

import pytest

from shared.runtime import tracing
from tests.support.processes import ROOT, clean_environment


def test_without_a_collector_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert not tracing.is_wanted()
    tracing.start("lifeboat-test")
    with tracing.span("a", kind="server", traceparent=f"00-{'1' * 32}-{'2' * 16}-01") as span:
        assert span is None
        assert tracing.traceparent() is None
    tracing.stop()


@pytest.mark.slow
def test_without_a_collector_nothing_that_sends_is_loaded() -> None:
    # FastAPI and redis-py load other parts of OpenTelemetry, where they are installed.
    program = """
import sys
import api.app, worker.tasks
from shared.runtime import tracing
tracing.start("lifeboat-test")
sys.exit(" ".join(name for name in sys.modules if name.startswith("opentelemetry.exporter")))
"""
    environment = clean_environment()
    environment.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stderr.strip() == ""

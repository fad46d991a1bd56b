"""OpenTelemetry traces, from a request to the stages of the run that it asked for.

Traces are on if `OTEL_EXPORTER_OTLP_ENDPOINT` is set, a variable of OpenTelemetry, which also reads
its others. Otherwise nothing here does or imports anything.
"""

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_STOP_SECONDS = 2.0
"""Longest wait for a collector that does not answer; OpenTelemetry itself waits for up to 30 s."""

log = logging.getLogger(__name__)

_provider: "TracerProvider | None" = None


def is_wanted() -> bool:
    return bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def is_on() -> bool:
    """Return whether this process makes spans."""
    return _provider is not None


def start(service: str) -> None:
    """Start tracing in this process, under that name unless `OTEL_SERVICE_NAME` has another."""
    global _provider
    if not is_wanted():
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed, so there are "
            "no traces. Build the images with LIFEBOAT_EXTRAS=otel, or install "
            "requirements/otel.txt"
        )
        return
    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
    _provider = TracerProvider(resource=Resource.create(name), shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))


def stop() -> None:
    """Send the spans that are left, and stop tracing."""
    global _provider
    if _provider is not None:
        sending = threading.Thread(target=_provider.shutdown, daemon=True)
        sending.start()
        sending.join(_STOP_SECONDS)
        _provider = None


@contextmanager
def span(
    name: str,
    *,
    kind: Literal["internal", "server", "consumer"] = "internal",
    traceparent: str | None = None,
    attributes: Mapping[str, str | int] | None = None,
) -> "Iterator[Span | None]":
    """Open a span around what follows; yield None if traces are off.

    Its parent is the span that is open here. With a `traceparent`, the parent is that span of
    another process; with a malformed one, the span has no parent.
    """
    if _provider is None:
        yield None
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = None
    if traceparent is not None:
        parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
    with _provider.get_tracer("lifeboat").start_as_current_span(
        name, parent, SpanKind[kind.upper()], attributes
    ) as opened:
        yield opened


def traceparent() -> str | None:
    """Return the span that is open here, for a process that continues the work; None if none is."""
    if _provider is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")

"""OpenTelemetry traces, from the request to the stages of the run it asked for.

On where `OTEL_EXPORTER_OTLP_ENDPOINT` is set, a variable of OpenTelemetry, which reads its others,
too. Everywhere else nothing here does or imports anything.
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
"""Longest wait for a collector that does not answer: OpenTelemetry itself waits for up to 30."""

log = logging.getLogger(__name__)

_provider: "TracerProvider | None" = None


def is_wanted() -> bool:
    return bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def is_on() -> bool:
    """Return whether this process makes spans."""
    return _provider is not None


def start(service: str) -> None:
    """For this process, under that name unless `OTEL_SERVICE_NAME` has another."""
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
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and OpenTelemetry is not installed, so there are "
            "no traces. Build the images with LIFEBOAT_EXTRAS=otel, or install "
            "requirements/otel.txt"
        )
        return
    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
    _provider = TracerProvider(resource=Resource.create(name), shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))


def stop() -> None:
    """Sends what is left."""
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
    """A span around what follows; None where traces are off.

    It is below the span that is open here; with a `traceparent` below that one, of another process,
    or below none where the text is no such thing.
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
    """The span that is open here, for a process that goes on with its work."""
    if _provider is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")

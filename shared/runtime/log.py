"""The format of log lines: one for both services, their libraries and uncaught exceptions.

`text` is for a terminal; `json`, one object per line, for a collector of the lines of containers.
"""

import json
import logging
import logging.config
import os
import re
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NoReturn

from shared.runtime import log_context
from shared.runtime.log_flood import FloodFilter, bounded, plain

_WORD = re.compile(r"""[^\s"=]+""")

log = logging.getLogger(__name__)


class TextFormatter(logging.Formatter):
    """The message, what it is about, and the traceback; further lines are indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(process)d %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        about = [f"{name}={_word(value)}" for name, value in log_context.fields(record).items()]
        line = " ".join([super().formatMessage(record).strip(), *about])
        # A message may quote what a client sent, and must not look like two lines of ours.
        return line.replace("\n", "\n    ")

    def format(self, record: logging.LogRecord) -> str:
        return plain(bounded(super().format(record)))


def _word(value: str) -> str:
    """Return a value as one word, so that it cannot pass for two fields."""
    return value if _WORD.fullmatch(value) else json.dumps(value, ensure_ascii=False)


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": bounded(record.getMessage().strip()),
            "process": record.process,
            **log_context.fields(record),
        }
        if record.exc_info:
            line["exception"] = bounded(self.formatException(record.exc_info))
        # Not orjson: it refuses half of a surrogate pair, which the name of a file may contain.
        return json.dumps(line)


_FORMATTERS = {"text": TextFormatter, "json": JsonFormatter}


def log_config(level: str, shape: str) -> dict[str, Any]:
    """Return a `logging.config.dictConfig` for a process, its libraries' lines included."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": _FORMATTERS[shape]}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["flood"],
            },
        },
        "filters": {"flood": {"()": FloodFilter}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Celery logs every message that it takes; our own line tells the same event.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            # Celery logs each try to reach Redis; `Outage` says each cause once.
            "celery.worker.consumer.consumer": {"level": "CRITICAL"},
            "celery.worker.consumer.connection": {"level": "WARNING"},
            # billiard's logger passes nothing on to the root, and in the worker's child it has a
            # handler with a format of Celery's.
            "multiprocessing": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
            # urllib3 logs a line for each call of the exporter of traces.
            "urllib3": {"level": "INFO"},
        },
    }


def configure(level: str, shape: str) -> None:
    """Configure this process: its log lines, its warnings and its uncaught exceptions."""
    logging.config.dictConfig(log_config(level, shape))
    log_uncaught()


def log_uncaught() -> None:
    """Log warnings and uncaught exceptions, which Python writes to stderr in its own formats."""
    logging.captureWarnings(True)
    sys.excepthook = _log_exception
    threading.excepthook = lambda caught: _log_exception(
        caught.exc_type, caught.exc_value, caught.exc_traceback
    )
    sys.unraisablehook = lambda caught: log.error(
        "ignored: %s", caught.err_msg or caught.object, exc_info=caught.exc_value
    )


def refuse_to_start(*reasons: str) -> NoReturn:
    """End a process whose settings are wrong, with a line for each reason."""
    shape = os.environ.get("LIFEBOAT_LOG_FORMAT", "")
    configure("INFO", shape if shape in _FORMATTERS else "text")
    for reason in reasons:
        log.critical("%s", reason)
    sys.exit(1)


def _log_exception(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    if issubclass(kind, SystemExit | KeyboardInterrupt):
        return
    log.critical("uncaught", exc_info=(kind, error or kind(), traceback))

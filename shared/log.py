"""One shape of log line for both services; configured once per process, from here."""

from typing import Any


def log_config(level: str) -> dict[str, Any]:
    """A `logging.config.dictConfig` for a process, its libraries' lines included."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"format": "%(asctime)s %(levelname)-7s %(process)d %(name)s: %(message)s"}
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Celery logs every message it takes: noise beside our own line for the same event.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
        },
    }

"""What the number of fields costs: `make bench-fields`.

For each width a table is made, a record is proposed from it as by `make new-model`, and a worker
trains a logistic regression. Then a new API process starts with that version and answers.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from benchmarks.results import machine, short, table, write_section
from shared.schema.decoder import Decoder
from shared.versions.manifest import Manifest
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.processes import RUN_SECONDS, Api, Stack, wait_for
from worker.new_model import __main__ as new_model

WIDTHS = (7, 50, 499)
_ROWS = 2000
_CATEGORIES = 20
_ONE_IN = 5
"""Such a share of the fields are categories."""
_STARTS = 5
_MODEL = """from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def estimator() -> Pipeline:
    columns = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include="number")),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000))
"""
_HEAD = (
    *("fields", "first run, s", "start to ready, s", "1 record, ms", "100 records, ms"),
    *("decoder, ns a field", "OpenAPI, kB"),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        lines = []
        for width in WIDTHS:
            folder = Path(name) / str(width)
            folder.mkdir()
            lines.append(_line(folder, width))
            print(*lines[-1], sep="\t", flush=True)
    said = (
        f"{machine()}.\n\nTables of {_ROWS:,} rows, a fifth of the fields "
        f"categories of {_CATEGORIES}, a logistic regression; `make bench-fields`. Medians of "
        f"{_STARTS} starts, of requests one after another, and of decoding 1,000 records.\n\n"
    )
    write_section("The number of fields", said + table(_HEAD, lines))


def _line(folder: Path, width: int) -> list[str]:
    source = folder / "table.csv"
    frame = _table(width)
    frame.to_csv(source, index=False)
    new_model.main([str(folder / "definition"), str(source), "y"])
    (folder / "definition" / "model.py").write_text(_MODEL)
    stack = Stack(folder, model=str(folder / "definition"), training_data=str(source))
    try:
        api = stack.start_api()
        started = time.monotonic()
        worker = stack.start_worker()
        version = wait_for(lambda: _served(api), seconds=10 * RUN_SECONDS, why=worker.output)
        trained = time.monotonic() - started
        worker.end()
        manifest = ModelStore(LocalStorage(stack.models_dir)).manifest(version)
        records = frame.drop(columns="y").to_dict(orient="records")
        starts = [_start(stack) for _ in range(_STARTS)]
        alone, many = (_latency(api, records[:rows]) for rows in (1, 100))
        document = len(api.http.get("/openapi.json").content)
        decoding = _decoding(manifest, records[:1000]) / width
        figures = (trained, statistics.median(starts), alone, many, decoding, document / 1000)
        return [str(width), *map(short, figures)]
    finally:
        stack.end()


def _table(width: int) -> pd.DataFrame:
    draw = np.random.default_rng(width)
    columns: dict[str, object] = {}
    for place in range(width):
        if place % _ONE_IN == 0:
            columns[f"place_{place}"] = [
                f"district {x}" for x in draw.integers(_CATEGORIES, size=_ROWS)
            ]
        else:
            columns[f"measurement_{place}"] = draw.normal(size=_ROWS).round(4)
    columns["y"] = (np.asarray(columns["measurement_1"]) + draw.normal(size=_ROWS) > 0).astype(int)
    return pd.DataFrame(columns)


def _served(api: Api) -> str | None:
    answer = api.http.get("/health/ready")
    return str(answer.json()["model_version"]) if answer.status_code == 200 else None


def _start(stack: Stack) -> float:
    started = time.monotonic()
    api = stack.start_api()
    wait_for(lambda: _served(api), pause=0.005)
    seconds = time.monotonic() - started
    api.stop()
    return seconds


def _latency(api: Api, records: list[dict[Hashable, Any]]) -> float:
    """Return the median milliseconds of requests with these records, one after another."""
    body = orjson.dumps(records)

    def ask() -> None:
        assert api.http.post("/predict", content=body).status_code == 200

    return 1e3 * _median(ask, times=200)


def _decoding(manifest: Manifest, records: list[dict[Hashable, Any]]) -> float:
    """Return the median nanoseconds for a record."""
    decoder, body = Decoder(manifest.record_schema.features), orjson.dumps(records)
    return 1e9 * _median(lambda: decoder.decode(body), times=30) / len(records)


def _median(call: Callable[[], object], *, times: int) -> float:
    seconds = []
    for _ in itertools.repeat(None, times):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()

"""What training makes of the files in `tests/files/tables/`, which the page reads, too."""

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import BadTrainingData
from shared.schema.features import Feature
from shared.schema.schema import Schema
from tests.support.processes import ROOT
from tests.support.versions import definition
from worker.training.reading import plain_csv
from worker.training.reading.csv_file import LINE
from worker.training.reading.packing import unpack
from worker.training.table import features_of, parse
from worker.training.target import as_feature, target_of

FOLDER = ROOT / "tests" / "files" / "tables"
INDEX = json.loads((FOLDER / "cases.json").read_text())
READ = [case for case in INDEX["cases"] if "rows" in case]
MOST_BYTES = 1_000_000


def read(content: bytes, record: str | None = None) -> tuple[list[dict[str, Any]], list[int], Any]:
    """The rows, the labels and the lines of a table; raises BadTrainingData."""
    schema = definition().schema
    if record:
        features = tuple(Feature(**one) for one in INDEX["records"][record])
        schema = Schema(
            **schema.model_dump(exclude={"features", "target", "examples"}),
            features=features,
            target="y",
        )
    label = as_feature(schema)
    content = unpack(content, "t", MOST_BYTES)
    # Of the Titanic's features, those that are required or that the file has.
    text = content.replace(b"\0", b"")
    named = [f for f in schema.features if record or f.required or f.name.encode() in text]
    table = parse(content, "t", [*named, label])
    if table.empty:
        raise BadTrainingData("t has no rows")
    found = features_of(table, "t", named)
    labels = target_of(table[label.name], schema, label, "t").tolist()
    assert table.index.name == LINE
    columns = {
        f.name: [
            None if missing else value
            for value, missing in zip(
                found[f.name].tolist(), f.is_missing(found[f.name].to_numpy()), strict=True
            )
        ]
        for f in named
    }
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    return rows, labels, table.index.tolist()


@pytest.mark.parametrize("case", INDEX["cases"], ids=lambda case: case["file"])
def test_a_table_is_read_as_what_it_says_or_refused_in_words(case: dict[str, Any]) -> None:
    content = (FOLDER / case["file"]).read_bytes()
    if not content.strip():
        pytest.skip("what is empty is refused when it is fetched")
    if "refused" in case:
        with pytest.raises(BadTrainingData) as refused:
            read(content, case.get("record"))
        assert [word for word in case["refused"] if word not in str(refused.value)] == []
        assert len(str(refused.value)) < 500
        return
    rows, labels, lines = read(content, case.get("record"))
    wanted = [
        {name: np.float32(v) if isinstance(v, int | float) else v for name, v in row.items()}
        for row in case["rows"]
    ]
    assert rows == wanted
    assert labels == case["labels"]
    assert lines == case.get("lines", lines)


@pytest.mark.parametrize("case", READ, ids=lambda case: case["file"])
def test_what_is_read_fast_is_read_alike_closely(
    monkeypatch: pytest.MonkeyPatch, case: dict[str, Any]
) -> None:
    content = (FOLDER / case["file"]).read_bytes()
    found = read(content, case.get("record"))
    monkeypatch.setattr(plain_csv, "read", lambda *_: None)
    assert read(content, case.get("record")) == found


def test_a_plain_file_is_read_fast_and_a_file_with_surprises_is_not() -> None:
    fast = {case["file"] for case in READ if is_plain(case)}
    assert fast >= {"plain.csv", "semicolons.csv", "tabs.tsv", "crlf.csv", "windows-1252.csv"}
    assert fast.isdisjoint({"quoted.csv", "empty-rows.csv", "shorter.csv", "trailing-comma.csv"})


def is_plain(case: dict[str, Any]) -> bool:
    found: list[object] = []
    closer = plain_csv.read

    def noted(*arguments: Any) -> Any:
        found.append(closer(*arguments))
        return found[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plain_csv, "read", noted)
        read((FOLDER / case["file"]).read_bytes(), case.get("record"))
    return found != [] and found[-1] is not None


def test_every_file_is_a_case() -> None:
    there = {path.name for path in FOLDER.iterdir()} - {"README.md", "cases.json"}
    assert there == {case["file"] for case in INDEX["cases"]}


def test_a_number_is_read_to_the_last_bit_wherever_it_stands() -> None:
    texts = ["120.00000000000001", "1e-320", "5e-324", ".1", "0.30000000000000004", " 7 ", "-0.0"]
    for other in ("1", "NA"):
        body = "".join(f"{text}\n" for text in [*texts, other])
        feature = Feature(name="x", kind="number", required=False)
        found = parse(f"x,\n{body}".encode(), "t", [feature])["x"].tolist()
        assert [*map(repr, found[:-1])] == [repr(float(text)) for text in texts]


def test_a_fault_in_a_later_block_of_rows_is_told_with_its_line() -> None:
    rows = "".join(f"{i % 2},male,{i % 90}.5\n" for i in range(45_000))
    body = f"Survived,Sex,Age\n{rows}".replace("\n", "\r\n").encode()
    for broken, said in [
        (b"1,male,old\r\n", r"row 45001, column Age: .*'old' \(line 45002 of the file; 1 such row"),
        (b"1,male,3,4\r\n", "line 45002: expected 3 cells"),
        (b'1,male,"3\r\n', "line 45002: a quotation mark"),
        (b'1,male,"3,5"\r\n', r"comma in '3,5' \(line 45002, .* point in '0.5' \(line 2"),
    ]:
        with pytest.raises(BadTrainingData, match=said):
            read(body + broken)


def test_what_is_packed_may_not_be_larger_than_allowed(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb.csv", bytes(MOST_BYTES + 1))
    with pytest.raises(BadTrainingData, match="LIFEBOAT_TRAINING_DATA_MAX_BYTES"):
        unpack(bomb.read_bytes(), "t", MOST_BYTES)


def test_a_cell_without_end_is_taken_for_a_quotation_mark_that_is_not_closed() -> None:
    body = f'Survived,Sex\n0,"{"x" * (csv.field_size_limit() + 1)}\n'
    with pytest.raises(BadTrainingData, match="line 2: a quotation mark"):
        read(body.encode())

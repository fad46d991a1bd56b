"""A folder: imported as a package of its own, anew each time, its errors in one sentence."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared.errors import DefinitionBroken
from tests.unit.worker.definition.conftest import CLASS, MODEL, RECORD, Read
from worker.definition.definition import read
from worker.definition.package import NAME

GOOD = RECORD.format(code=CLASS)


def sentence(refused: pytest.ExceptionInfo[DefinitionBroken]) -> str:
    said = str(refused.value)
    assert "\n" not in said
    assert len(said) < 700
    assert "Traceback" not in said
    return said


# --- the folder ----------------------------------------------------------------------------------


def test_a_folder_without_the_two_files_is_refused(folder: Path) -> None:
    with pytest.raises(DefinitionBroken, match="nothing at .*nowhere; correct the path"):
        read(folder / "nowhere")
    with pytest.raises(DefinitionBroken, match="has no record.py, only nothing"):
        read(folder)
    (folder / "record.py").write_text(GOOD)
    with pytest.raises(DefinitionBroken, match=r"has no model.py, only record.py; add the file"):
        read(folder)
    with pytest.raises(DefinitionBroken, match="found a file at .*; name the folder"):
        read(folder / "record.py")
    (folder / "model.py").mkdir()
    with pytest.raises(DefinitionBroken, match=r"has no model.py, only"):
        read(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_folder_that_cannot_be_read_is_refused(folder: Path) -> None:
    folder.chmod(0)
    with pytest.raises(DefinitionBroken, match="cannot be read: Permission denied"):
        read(folder)


def test_nothing_is_written_into_the_folder_nor_put_on_the_path(
    read_files: Read, folder: Path
) -> None:
    before = [*sys.path]
    read_files()
    assert sys.path == before
    assert sorted(path.name for path in folder.iterdir()) == ["model.py", "record.py"]


def test_the_files_of_a_folder_import_each_other_also_late(read_files: Read, folder: Path) -> None:
    late = "    from .late.deep import STEPS\n    return"
    model = "from .record import TARGET\nfrom . import more\n" + MODEL.replace("    return", late)
    (folder / "late").mkdir()
    (folder / "late" / "deep.py").write_text("STEPS = 1")
    read_files(model=model, more="from .record import Thing\n")
    assert sys.modules[f"{NAME}.more"].Thing is sys.modules[f"{NAME}.record"].Thing


def test_a_mended_file_is_imported_anew(read_files: Read, folder: Path) -> None:
    more = "A = {}\n"
    model = "from .more import A\n" + MODEL + "METRIC = A\n"
    for name in ("'f1'", "'r2'"):
        definition = read_files(model=model, more=more.format(name))
        os.utime(folder / "more.py", (1, 1))  # The size is the same, and so is the time.
        assert definition.metric == name.strip("'")
    with pytest.raises(DefinitionBroken):
        read_files(model=model, more="A = (\n")
    assert read_files(model=model, more=more.format("'f1'")).metric == "f1"


def test_two_folders_never_meet(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.py").write_text(GOOD.replace("Thing", name.title()))
        (tmp_path / name / "model.py").write_text("from . import more\n" + MODEL)
    (tmp_path / "one" / "more.py").write_text("")
    assert read(tmp_path / "one").schema.record == "One"
    with pytest.raises(DefinitionBroken, match=r"two/model.py, line 1: .*more"):
        read(tmp_path / "two")
    assert not [name for name in sys.modules if name.startswith(f"{NAME}.more")]
    assert read(tmp_path / "one").schema.record == "One"


def test_a_file_named_like_a_library_hides_nothing(read_files: Read) -> None:
    read_files(pandas="raise SystemExit", json="raise SystemExit")
    import json

    assert json.dumps(1) == "1"
    assert sys.modules["pandas"] is pd


# --- what its code raises ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_library", "line 1: imports no_such_library, which is not installed"),
        ("\nimport sklearn.nothing", "line 2: imports sklearn.nothing"),
        ("from record import TARGET", "line 1: .*in this folder.*from .record import"),
        ("from .nothing import x", r"line 1: imports \.nothing, but the folder has no nothing.py"),
        ("from .record import nothing", "line 1: cannot be imported: ImportError: .*nothing"),
        ("x = (", "line 1: is not valid Python: '\\(' was never closed"),
        ("def f():\nreturn", "line 2: is not valid Python: expected an indented block"),
        ("x = 'a\x00b'", "null bytes|null byte"),
        ("1 / 0", "line 1: cannot be imported: ZeroDivisionError: division by zero"),
        ("raise ValueError", "line 1: cannot be imported: ValueError; correct it"),
        ("raise ValueError('a\\n\\nb')", "ValueError: a; correct it"),
        ("open('/nowhere')", "FileNotFoundError"),
        ("raise SystemExit(3)", r"line 1: ended its process by SystemExit\(3\)"),
        ("import sys\nsys.exit()", r"line 2: ended its process by SystemExit\(None\)"),
        ("def f(): f()\nf()", "line 1: cannot be imported: RecursionError"),
        ("assert 0, 'x' * 10_000", "AssertionError: x{300}; correct"),
        ("class E(Exception):\n    def __str__(self): 1 / 0\nraise E", "cannot be imported: E;"),
        ("import json\njson.loads('{')", "line 2: cannot be imported: JSONDecodeError"),
        ("raise MemoryError", "MemoryError"),
        ("eval('1 +')", "is not valid Python"),
    ],
)
@pytest.mark.parametrize("file", ["record", "model"])
def test_whatever_a_file_raises_is_a_sentence_with_its_line(
    read_files: Read, file: str, code: str, said: str
) -> None:
    files = {"record": GOOD, "model": MODEL}
    files[file] = f"{code}\n{files[file]}"
    if file == "record" and ".record" in code or "record import" in code and file == "record":
        pytest.skip("it would import itself")
    with pytest.raises(DefinitionBroken, match=f"things/{file}.py.*{said}") as refused:
        read_files(**files)
    sentence(refused)


def test_a_file_in_no_encoding_is_a_sentence(read_files: Read, folder: Path) -> None:
    read_files()
    (folder / "record.py").write_bytes(b"x = '\xff'\n")
    with pytest.raises(
        DefinitionBroken, match=r"record.py.*is not valid Python: .*utf-8"
    ) as refused:
        read(folder)
    sentence(refused)


def test_an_error_in_another_file_of_the_folder_names_that_file(read_files: Read) -> None:
    model = "from .more import x\n" + MODEL
    with pytest.raises(DefinitionBroken, match=r"things/more.py, line 2: .*ValueError: no"):
        read_files(model=model, more="\nraise ValueError('no')")
    with pytest.raises(DefinitionBroken, match=r"things/more.py, line 1: is not valid Python"):
        read_files(model=model, more="x x")


# --- the table -----------------------------------------------------------------------------------


def test_an_explicit_table_wins_over_the_folders_and_load_may_know_one(
    read_files: Read, folder: Path
) -> None:
    bare = read_files()
    assert (bare.data, bare.load, bare.source("a.csv")) == (None, None, "a.csv")
    for nothing in (None, ""):
        with pytest.raises(DefinitionBroken, match="LIFEBOAT_TRAINING_DATA.*data.csv.*load"):
            bare.source(nothing)
    loading = read_files(model=MODEL + "def load(source): ...")
    assert loading.source(None) == ""
    (folder / "data.csv").write_text("mass,y\n1,0\n")
    found = read(folder)
    assert (found.source(None), found.source("a.csv")) == (str(folder / "data.csv"), "a.csv")


def test_load_is_called_with_the_source_and_returns_a_data_frame(read_files: Read) -> None:
    more = "import pandas as pd\ndef load(source):\n    return pd.DataFrame({'source': [source]})\n"
    definition = read_files(model=MODEL + more)
    assert definition.load is not None
    assert definition.load("here")["source"].tolist() == ["here"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("pass", "expected a pandas DataFrame, found None; end it with `return`"),
        ("return [1]", "expected a pandas DataFrame, found a list"),
        ("raise OSError('gone')", r"line 10: load\(source\) raised OSError: gone"),
        ("return {}[source]", r"line 10: load\(source\) raised KeyError"),
        ("exit(1)", r"load\(source\) ended its process by SystemExit"),
        ("import nothing_at_all", "imports nothing_at_all"),
    ],
)
def test_a_load_that_returns_no_table_is_a_sentence(read_files: Read, body: str, said: str) -> None:
    definition = read_files(model=f"{MODEL}\ndef load(source):\n    {body}\n")
    assert definition.load is not None
    with pytest.raises(DefinitionBroken, match=f"things/model.py.*{said}") as refused:
        definition.load("")
    sentence(refused)


# --- the metric ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_record", "in_model", "metric"),
    [
        ("", "", None),
        ("METRIC = 'f1'", "", "f1"),
        ("", "METRIC = 'accuracy'", "accuracy"),
        ("METRIC = 'f1'", "from .record import METRIC", "f1"),
    ],
)
def test_a_metric_stands_in_either_file(
    read_files: Read, in_record: str, in_model: str, metric: str | None
) -> None:
    assert read_files(GOOD + in_record, f"{MODEL}\n{in_model}").metric == metric


@pytest.mark.parametrize(
    ("in_record", "in_model", "said"),
    [
        ("METRIC = 'f1'", "METRIC = 'accuracy'", "one METRIC, found 'f1' in record.py"),
        ("METRIC = 'roc'", "", "record.py: METRIC: .*found 'roc'; write one such as"),
        ("METRIC = 3", "", "record.py: METRIC: .*found 3"),
        ("", "METRIC = max", "model.py: METRIC: .*"),
        ("", "METRICS = 'f1'", "found METRICS, which nothing reads; write METRIC"),
    ],
)
def test_another_metric_is_refused(
    read_files: Read, in_record: str, in_model: str, said: str
) -> None:
    with pytest.raises(DefinitionBroken, match=said) as refused:
        read_files(GOOD + in_record, f"{MODEL}\n{in_model}")
    sentence(refused)


def test_what_is_read_can_be_fitted(read_files: Read) -> None:
    definition = read_files()
    features = pd.DataFrame({"mass": np.arange(20, dtype=np.float32)})
    labels = np.repeat([0, 1], 10)
    fitted = definition.fit(features, labels)
    assert fitted.predict(features).tolist() == labels.tolist()
    assert definition.fit(features, labels) is not fitted

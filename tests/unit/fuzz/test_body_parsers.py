"""What the fuzzer asks is right, and a short run of it finds nothing wrong."""

import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.v2.question import small
from tests.fuzz import body_parsers
from tests.fuzz.body_parsers import SEEDS, check
from tests.support.processes import ROOT
from tests.support.titanic import FEATURES, decode

HAS_WHEELS = (
    sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14)
)
IS_EXPECTED = HAS_WHEELS and os.environ.get("CI") == "true"


@pytest.mark.thorough
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None and not IS_EXPECTED,
    reason="atheris has no wheel for this machine",
)
def test_a_short_run_of_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    arguments = ["-m", "tests.fuzz", "-runs=30000", "-seed=1"]
    run = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert "Done 30000 runs" in run.stdout
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_fuzzer_begins_with_is_sound_and_taken(
    monkeypatch: pytest.MonkeyPatch, seed: bytes
) -> None:
    taken: list[object] = []
    validate = body_parsers._PASSENGERS
    monkeypatch.setattr(body_parsers, "_PASSENGERS", Noting(validate, taken))
    check(seed)
    assert len(taken) == 1


@pytest.mark.parametrize("deep", [b"[" * 20_000, b'{"a":' * 20_000, b"[" * 500 + b"]" * 500])
@pytest.mark.parametrize(
    "before",
    [
        b"\0",
        b"\0[",
        b'\0[{"Sex": "male", "Age": ',
        b'\0[{"Sex": "male", "x": ',
        b"\1",
        b'\1{"inputs": ',
        b'\1{"x": ',
        b'\1{"parameters": {"x": ',
        b'\1{"inputs": [{"name": "Sex", "shape": [1], "datatype": "BYTES", "data": ',
        b'\1{"inputs": [{"name": "Sex", "shape": [1], "datatype": "BYTES", "parameters": {"x": ',
    ],
)
def test_what_is_nested_deeper_than_the_fuzzer_goes_is_refused(before: bytes, deep: bytes) -> None:
    check(before + deep)
    check(before + deep + b"}]}")


class Noting:
    """Pydantic's adapter, noting what it has taken."""

    def __init__(self, adapter: Any, taken: list[object]) -> None:
        self._adapter, self._taken = adapter, taken

    def validate_json(self, body: bytes) -> Any:
        self._taken.append(result := self._adapter.validate_json(body))
        return result

    def validate_python(self, records: list[Any]) -> Any:
        self._taken.append(result := self._adapter.validate_python(records))
        return result


# --- the fuzzer would notice ---------------------------------------------------------------------


def test_a_decoder_that_takes_too_much_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    lax = msgspec.json.Decoder(list[dict[str, Any]]).decode
    monkeypatch.setattr(body_parsers, "decode", lax)
    with pytest.raises(AssertionError):
        check(b'\0[{"Sex": "male", "Age": -1}]')


def test_a_decoder_that_reads_another_value_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_parsers, "decode", lambda body: decode(body.replace(b"22.0", b"22.1")))
    with pytest.raises(AssertionError):
        check(SEEDS[0])


def test_an_error_that_is_not_declared_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: bytes) -> Any:
        raise MemoryError

    monkeypatch.setattr(body_parsers, "decode", fail)
    with pytest.raises(MemoryError):
        check(SEEDS[0])


def test_a_tensor_that_holds_what_no_record_may_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Question:
        values = {f.name: ["male" if f.name == "Sex" else 9e9] for f in FEATURES}

    monkeypatch.setattr(body_parsers, "read", lambda *_: Question)
    monkeypatch.setattr(body_parsers, "small", lambda *_: None)
    with pytest.raises(ValueError, match="less than or equal"):
        check(SEEDS[2])


def test_a_request_that_is_read_otherwise_at_once_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = small

    def lax(body: bytes, *others: Any) -> Any:
        return read(body.replace(b'"male"', b'"female"'), *others)

    monkeypatch.setattr(body_parsers, "small", lax)
    with pytest.raises(AssertionError):
        check(SEEDS[2])

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from shared.versions import external_data, onnx_model
from shared.versions.external_data import has_external_data
from shared.versions.onnx_model import OnnxModel
from tests.support.external_data import PLACES, with_external_data
from tests.support.titanic import SCHEMA
from tests.support.versions import exported_pipeline

_IN_OPEN, _IN_ACCESS = 0x20, 0x01


class Opened:
    """Whether anybody opened or read a file since the last time it was asked; by inotify."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = libc.inotify_init1(os.O_NONBLOCK)
        watch = libc.inotify_add_watch(self.descriptor, bytes(path), _IN_OPEN | _IN_ACCESS)
        assert self.descriptor >= 0 and watch >= 0

    def __bool__(self) -> bool:
        try:
            return bool(os.read(self.descriptor, 4096))
        except BlockingIOError:
            return False


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file to be read, in the working directory of the test."""
    path = tmp_path / "weights.bin"
    path.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    return path


@pytest.fixture
def opened(weights: Path) -> Iterator[Opened]:
    if sys.platform != "linux":
        pytest.skip("whether a file is opened is told by inotify, which is Linux's")
    opened = Opened(weights)
    yield opened
    os.close(opened.descriptor)


def locations(weights: Path) -> list[str]:
    up = "/".join([".."] * 30)
    return [
        weights.name,
        f"./{weights.name}",
        str(weights),
        f"../{weights.parent.name}/{weights.name}",
        f"{up}{weights}",
        "*/_ORT_MEM_ADDR_/*",
        "",
    ]


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_refused_wherever_it_is_and_its_file_is_not_opened(
    weights: Path, opened: Opened, place: str
) -> None:
    for location in locations(weights):
        with pytest.raises(ValueError, match="external data"):
            OnnxModel(PLACES[place](location), SCHEMA)
    assert not opened


@pytest.mark.parametrize("place", PLACES)
def test_onnxruntime_could_not_open_the_file_if_the_check_saw_nothing(
    monkeypatch: pytest.MonkeyPatch, weights: Path, opened: Opened, place: str
) -> None:
    monkeypatch.setattr(onnx_model, "has_external_data", lambda onnx: False)
    for location in locations(weights):
        try:
            OnnxModel(PLACES[place](location), SCHEMA)
        except ValueError as error:
            assert "\n" not in str(error)
    assert not opened


def test_onnxruntime_by_itself_opens_such_files(weights: Path, opened: Opened) -> None:
    """If it no longer does, so much the better: then this guard may go."""
    onnxruntime.InferenceSession(PLACES["attribute"](weights.name))
    assert opened
    onnxruntime.InferenceSession(
        PLACES["sparse initializer"](f"../{weights.parent.name}/{weights.name}")
    )
    assert opened


def test_a_sound_model_with_one_such_tensor_is_refused() -> None:
    OnnxModel(exported_pipeline(), SCHEMA)
    with pytest.raises(ValueError, match="external data"):
        OnnxModel(with_external_data(exported_pipeline(), "weights.bin"), SCHEMA)


def test_the_word_alone_is_none() -> None:
    model = onnx.load_from_string(exported_pipeline())
    model.doc_string = "location"
    model.graph.initializer.append(onnx.helper.make_tensor("location", 1, [1], [1.0]))
    assert not has_external_data(model.SerializeToString())
    OnnxModel(model.SerializeToString(), SCHEMA)


def test_bytes_that_are_no_model_have_none_or_are_refused() -> None:
    sound = with_external_data(exported_pipeline(), "weights.bin")
    for length in range(len(sound) - 200, len(sound)):
        try:
            has_external_data(sound[:length])
        except ValueError:
            continue
    for content in (b"location", b"\x0f" + b"location", b"\xff" * 20 + b"location"):
        with pytest.raises(ValueError, match="not an ONNX model"):
            has_external_data(content)


def test_deeply_nested_graphs_do_not_end_the_check() -> None:
    def field(number: int, content: bytes) -> bytes:
        length, size = b"", len(content)
        while size > 0x7F:
            length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    tensor = field(5, field(13, field(1, b"location")))
    for _ in range(3000):
        tensor = field(1, field(5, field(6, tensor)))
    assert has_external_data(field(7, tensor))


def test_every_way_to_a_tensor_is_known() -> None:
    """As onnx itself describes its messages."""
    leads: dict[str, dict[int, str]] = {}
    todo: list[Any] = [onnx.ModelProto.DESCRIPTOR]
    while todo:
        message = todo.pop()
        if message.name not in leads:
            parts = [field for field in message.fields if field.message_type is not None]
            leads[message.name] = {field.number: field.message_type.name for field in parts}
            todo += [field.message_type for field in parts]
    to_tensors = {"TensorProto"}
    while True:
        more = {n for n, parts in leads.items() if to_tensors & set(parts.values())} - to_tensors
        if not more:
            break
        to_tensors |= more
    expected = {
        name: {number: part for number, part in parts.items() if part in to_tensors}
        for name, parts in leads.items()
        if name in to_tensors - {"TensorProto"}
    }
    assert expected == external_data._PARTS
    assert onnx.TensorProto.DESCRIPTOR.fields_by_name["external_data"].number == 13

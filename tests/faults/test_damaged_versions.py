"""A new version is damaged: an API process refuses it once, in words, and serves on what it had."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from shared.runtime.redis_keys import VERSION
from shared.versions import digest
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE
from shared.versions.reader import digests
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.faults.conftest import Figure, Times
from tests.support.external_data import PLACES, with_external_data
from tests.support.processes import Stack, wait_for
from tests.support.versions import exported_pipeline, publish

KEY, OTHER_KEY = SecretStr("a key of ours"), SecretStr("another's")


class Serving:
    """An API process that serves a good version, and what it told of others since."""

    def __init__(self, stack: Stack, key: SecretStr | None) -> None:
        self.key = key
        self.good = publish(stack.models_dir, signing_key=key)
        self._stack = stack
        stack.redis.client.set(VERSION, self.good)
        if key is not None:
            stack.settings["signing_key"] = key.get_secret_value()
        self._api = stack.start_api()
        assert self._api.version() == self.good
        self._lines_at_start = len(self._api.log().splitlines())
        self._refused = 0

    def refuses(self, damage: Callable[[Path], None]) -> str:
        """Publishes a version, damages it and chooses it; the one line that the API logs of it."""
        version = publish(self._stack.models_dir, signing_key=self.key)
        folder = self._stack.models_dir / version
        damage(folder)
        self._stack.redis.client.set(VERSION, version)
        wait_for(lambda: len(self._told()) > self._refused, why=f"{version} is not refused")
        self._refused += 1
        # Once more, and by hand.
        self._stack.redis.client.set(VERSION, version)
        choice = self._api.http.put("/models/current", json={"model_version": version})
        assert choice.status_code == 409 and version in choice.text, choice.text
        answer = self._api.predict({"Sex": "male"}, {"Sex": "female"})
        assert (answer.status_code, answer.json()["model_version"]) == (200, self.good)
        assert f"lifeboat_model_swap_failures_total {self._refused}.0" in self._metrics()
        told = self._told()
        assert len(told) == self._refused, told
        assert f"refused: model version {version}" in told[-1] and self.good in told[-1], told[-1]
        shutil.rmtree(folder)
        return told[-1]

    def size_of(self, name: str) -> int:
        return (self._stack.models_dir / self.good / name).stat().st_size

    def version(self) -> str | None:
        return self._api.version()

    def _told(self) -> list[str]:
        """All but the line of each call that chose one."""
        lines = self._api.log().splitlines()[self._lines_at_start :]
        return [line for line in lines if " api.http.envelope: PUT " not in line]

    def _metrics(self) -> str:
        return self._api.http.get("/metrics").text


@pytest.fixture(scope="module", params=[None, KEY], ids=["without a key", "with a key"])
def serving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    stack = Stack(tmp_path_factory.mktemp("serving"))
    yield Serving(stack, request.param)
    stack.end()


def _cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])


def _flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def _edit(version: Path, key: SecretStr | None, change: Callable[[dict[str, Any]], None]) -> None:
    """With the digest made anew: it is the content that is wrong."""
    path = version / MANIFEST_FILE
    fields = json.loads(digest.check(path.read_bytes(), *([key] if key else [])))
    change(fields)
    path.write_bytes(digest.add(json.dumps(fields).encode(), key))


@pytest.mark.parametrize("name", [MANIFEST_FILE, ONNX_FILE])
def test_a_file_that_is_missing_or_cut_off_is_refused(
    serving: Serving, name: str, times: Times
) -> None:
    assert name in serving.refuses(lambda version: (version / name).unlink())
    size = serving.size_of(name)
    for length in [0, *random.Random(1).sample(range(1, size), times(3, 100))]:
        line = serving.refuses(lambda version, at=length: _cut(version / name, at))  # type: ignore[misc]
        assert name in line


@pytest.mark.parametrize("name", [MANIFEST_FILE, ONNX_FILE])
def test_a_flipped_bit_is_refused_wherever_it_is(
    serving: Serving, name: str, times: Times, figure: Figure
) -> None:
    size = serving.size_of(name)
    bits = random.Random(2).sample(range(size * 8), times(10, 500))
    for bit in bits:
        serving.refuses(lambda version, at=bit: _flip(version / name, at))  # type: ignore[misc]
    figure(f"{len(bits)} of {len(bits)} versions with a flipped bit in {name} were refused.")


def test_a_version_made_for_another_schema_is_refused(serving: Serving) -> None:
    def make_for_another(version: Path) -> None:
        _edit(version, serving.key, lambda fields: fields["inputs"].pop())

    assert "expected as inputs the features of its schema" in serving.refuses(make_for_another)


@pytest.mark.thorough
@pytest.mark.parametrize("location", ["weights.bin", "../current.json", "/etc/hostname"])
def test_external_data_is_refused_in_a_version_that_is_otherwise_sound(
    serving: Serving, location: str
) -> None:
    models = [make(location) for make in PLACES.values()]
    for content in [*models, with_external_data(exported_pipeline(), location)]:

        def put_in(version: Path, content: bytes = content) -> None:
            (version / ONNX_FILE).write_bytes(content)
            found = digests({ONNX_FILE: content})[ONNX_FILE].model_dump()
            _edit(version, serving.key, lambda fields: fields["files"].update({ONNX_FILE: found}))

        assert "external data" in serving.refuses(put_in)


def _digest_with(key: SecretStr | None, of: SecretStr | None) -> Callable[[Path], None]:
    def make(version: Path) -> None:
        path = version / MANIFEST_FILE
        path.write_bytes(digest.add(digest.check(path.read_bytes(), *([of] if of else [])), key))

    return make


def test_a_version_signed_with_another_key_is_refused(serving: Serving) -> None:
    line = serving.refuses(_digest_with(OTHER_KEY, of=serving.key))
    assert "LIFEBOAT_SIGNING_KEY" in line
    assert OTHER_KEY.get_secret_value() not in line


@pytest.mark.thorough
def test_an_unsigned_version_is_refused_where_there_is_a_key_until_it_is_signed(
    stack: Stack,
) -> None:
    serving = Serving(stack, KEY)
    line = serving.refuses(_digest_with(None, of=KEY))
    assert "not signed" in line and "make sign" in line
    from_before = publish(stack.models_dir)
    stack.redis.client.set(VERSION, from_before)
    assert ModelStore(LocalStorage(stack.models_dir), KEY).sign(from_before)
    wait_for(lambda: serving.version() == from_before)

from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.versions import publish
from worker import sign

KEY = "a key of ours"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, models_dir: Path) -> None:
    monkeypatch.setenv("LIFEBOAT_MODELS_DIR", str(models_dir))
    monkeypatch.setenv("LIFEBOAT_SIGNING_KEY", KEY)


def test_the_versions_that_were_there_are_signed_and_told(
    models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Names rise above those of sound versions, and with a key an unsigned one is none.
    before = publish(models_dir, version="20260102-030405-abcdef")
    after = publish(models_dir, signing_key=SecretStr(KEY))
    assert sign.main() == 0
    assert capsys.readouterr().out == f"{after}: was signed already\n{before}: signed\n"
    store = ModelStore(LocalStorage(models_dir), SecretStr(KEY))
    assert [manifest.model_version for manifest in store.manifests()] == [after, before]
    assert sign.main() == 0


def test_damaged_ones_are_refused_with_a_line_each_and_the_others_signed(
    models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, damaged = publish(models_dir), publish(models_dir)
    foreign = publish(models_dir, signing_key=SecretStr("another's"))
    (models_dir / damaged / ONNX_FILE).write_bytes(b"damaged")
    assert sign.main() == 1
    told = capsys.readouterr()
    assert told.out == f"{sound}: signed\n"
    refused = dict(line.split(": refused: ") for line in told.err.splitlines())
    assert refused.keys() == {foreign, damaged}
    assert "another key" in refused[foreign] and ONNX_FILE in refused[damaged]
    assert KEY not in told.out + told.err


def test_a_volume_that_does_not_take_a_signature_is_told(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = publish(models_dir)

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert sign.main() == 1
    assert capsys.readouterr().err == f"{version}: not signed: Read-only file system\n"


def test_without_a_key_there_is_nothing_to_sign_with(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LIFEBOAT_SIGNING_KEY")
    version = publish(models_dir)
    before = (models_dir / version / MANIFEST_FILE).read_bytes()
    assert sign.main() == 2
    assert "LIFEBOAT_SIGNING_KEY" in capsys.readouterr().err
    assert (models_dir / version / MANIFEST_FILE).read_bytes() == before


def test_an_empty_volume_has_nothing_to_sign(capsys: pytest.CaptureFixture[str]) -> None:
    assert sign.main() == 0
    assert capsys.readouterr().out == ""


def test_settings_that_are_wrong_are_sentences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIFEBOAT_PORT", "http")
    monkeypatch.setenv("LIFEBOAT_PROMOTION_TOLERANCE", "none")
    with pytest.raises(SystemExit) as refused:
        sign.main()
    assert refused.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        "lifeboat: LIFEBOAT_PORT: expected a whole number, found something else",
        "lifeboat: LIFEBOAT_PROMOTION_TOLERANCE: expected a number, found something else",
    ]

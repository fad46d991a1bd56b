from pathlib import Path

import pytest
from pydantic import SecretStr

from shared import resources
from shared.environment import UnreadableFile
from shared.settings import Settings
from tests.support.versions import publish

NOWHERE = SecretStr("redis://127.0.0.1:1/0")


def test_nothing_is_connected_before_its_first_use(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("sesame")
    settings = Settings(redis_url=NOWHERE, redis_password_file=tmp_path / "password")
    own = resources.build(settings)
    options = own.redis.connection_pool.connection_kwargs
    assert (options["host"], options["port"], options["password"]) == ("127.0.0.1", 1, "sesame")
    own.close()


def test_a_password_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    settings = Settings(redis_url=NOWHERE, redis_password_file=tmp_path / "nowhere")
    with pytest.raises(UnreadableFile, match="nowhere"):
        resources.build(settings)


def test_a_program_that_needs_no_redis_gets_the_same_store_of_versions(
    tmp_path: Path, models_dir: Path
) -> None:
    key = SecretStr("a key")
    version = publish(models_dir, signing_key=key)
    settings = Settings(
        models_dir=models_dir, signing_key=key, redis_password_file=tmp_path / "nowhere"
    )
    manifest, _ = resources.model_store(settings).load(version)
    assert manifest.model_version == version

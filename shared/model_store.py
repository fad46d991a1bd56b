"""Model versions and their life on the volume: published whole, read with their hash checked."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from shared.errors import VersionNotFound, VersionNotServable
from shared.manifest import MANIFEST_FILE, ONNX_FILE, VERSION_PATTERN, FileDigest, Manifest
from shared.onnx_model import OnnxModel

_CURRENT_FILE = "current.json"
_STAGING_PREFIX = ".staging-"
_TIME_FORMAT = "%Y%m%d-%H%M%S"

KEEP_REJECTED_VERSIONS = 3


class ModelStore:
    """The folder of model versions. Reading needs no more than a read-only mount."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    # --- reading -------------------------------------------------------------------------------

    def manifest(self, version: str) -> Manifest:
        """Raises VersionNotFound, or VersionNotServable with what is wrong with it."""
        path = self._path(version) / MANIFEST_FILE
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except OSError as error:
            raise VersionNotServable(
                f"model version {version}: {MANIFEST_FILE} cannot be read ({error.strerror})"
            ) from error
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise VersionNotServable(
                f"model version {version}: {MANIFEST_FILE} is damaged: {where}: {first['msg']}"
            ) from error
        if manifest.model_version != version:
            raise VersionNotServable(
                f"model version {version}: its manifest is that of {manifest.model_version}"
            )
        return manifest

    def load(self, version: str) -> tuple[Manifest, OnnxModel]:
        """A version warmed up to predict, from the very bytes whose hash was checked.

        Raises:
            VersionNotFound: there is none of that name.
            VersionNotServable: it is damaged, or made for another schema.
        """
        manifest = self.manifest(version)
        if not manifest.fits_this_schema:
            raise VersionNotServable(
                f"model version {version} was trained for other features than this release's"
            )
        try:
            onnx = (self._path(version) / ONNX_FILE).read_bytes()
        except OSError as error:
            raise VersionNotServable(
                f"model version {version}: {ONNX_FILE} cannot be read ({error.strerror})"
            ) from error
        if _digest(onnx) != manifest.files.get(ONNX_FILE):
            raise VersionNotServable(
                f"model version {version}: {ONNX_FILE} is not the file its manifest describes"
            )
        try:
            model = OnnxModel(onnx)
            model.warm_up()
        except ValueError as error:
            raise VersionNotServable(f"model version {version}: {error}") from error
        return manifest, model

    def manifests(self) -> Iterator[Manifest]:
        """Those of all versions whose manifest is sound, newest first."""
        for version in self._versions():
            try:
                yield self.manifest(version)
            except (VersionNotFound, VersionNotServable):
                continue

    def current(self) -> str | None:
        """The version that was last chosen to be served, as the worker noted it down."""
        try:
            version = json.loads((self._folder / _CURRENT_FILE).read_bytes())["model_version"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return version if isinstance(version, str) else None

    # --- writing: the worker only --------------------------------------------------------------

    def new_version(self) -> str:
        """A name later than every sound version's, even when the clock was set back."""
        moment = datetime.now(UTC)
        # Not every name that fits the pattern is a time: 99999999-999999-abcdef is none.
        for manifest in self.manifests():
            with suppress(ValueError, OverflowError):
                moment = max(moment, _time_of(manifest.model_version) + timedelta(seconds=1))
                break
        return f"{moment.strftime(_TIME_FORMAT)}-{secrets.token_hex(3)}"

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder on the volume to write a version's files into; gone afterwards.

        Also removes what workers that were killed left behind: only one run publishes at a time.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for leftover in self._folder.glob(f"{_STAGING_PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        staging = self._folder / f"{_STAGING_PREFIX}{secrets.token_hex(6)}"
        staging.mkdir()
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def publish(self, staging: Path, manifest: Manifest) -> Manifest:
        """Renames the staged files, with the manifest written last, to the version's name.

        Where an earlier attempt at the same job has already published that version, it stays, and
        its manifest is returned: a version never changes once it has its name.

        Raises:
            VersionNotServable: what was written does not read back as the API would read it.
        """
        for path in staging.iterdir():
            _sync(path)
        (staging / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2))
        _sync(staging / MANIFEST_FILE)
        _sync(staging)
        version = manifest.model_version
        target = self._path(version, must_exist=False)
        is_new = not target.exists()
        if is_new:
            staging.rename(target)
            _sync(self._folder)
        try:
            return self.load(version)[0]
        except VersionNotServable:
            if is_new:
                self.discard(version)
            raise

    def set_current(self, version: str) -> None:
        """Notes which version is chosen, for API processes that start without Redis."""
        if self.current() == version:
            return
        temporary = self._folder / f".{_CURRENT_FILE}-{secrets.token_hex(6)}"
        temporary.write_text(json.dumps({"model_version": version}))
        _sync(temporary)
        temporary.replace(self._folder / _CURRENT_FILE)
        _sync(self._folder)

    def discard(self, version: str) -> None:
        shutil.rmtree(self._path(version))

    def prune(self, keep: int, served: set[str]) -> list[str]:
        """Removes promoted versions beyond the newest `keep` and rejected ones beyond the newest
        three, never one of `served`; returns the names of those removed."""
        kept = {"promoted": keep, "rejected": KEEP_REJECTED_VERSIONS}
        removed = []
        for manifest in list(self.manifests()):
            kept[manifest.gate.outcome] -= 1
            if kept[manifest.gate.outcome] < 0 and manifest.model_version not in served:
                self.discard(manifest.model_version)
                removed.append(manifest.model_version)
        return removed

    # -------------------------------------------------------------------------------------------

    def _versions(self) -> list[str]:
        try:
            names = os.listdir(self._folder)
        except OSError:
            return []
        return sorted((n for n in names if VERSION_PATTERN.fullmatch(n)), reverse=True)

    def _path(self, version: str, *, must_exist: bool = True) -> Path:
        # The name may come from a client or from Redis: it never becomes a path unless it matches.
        path = self._folder / version
        if not VERSION_PATTERN.fullmatch(version) or (must_exist and not path.is_dir()):
            raise VersionNotFound(f"there is no model version {version[:80]!r}; see GET /models")
        return path


def digests(folder: Path) -> dict[str, FileDigest]:
    """SHA-256 and size of each file of a staged version."""
    return {path.name: _digest(path.read_bytes()) for path in sorted(folder.iterdir())}


def _time_of(version: str) -> datetime:
    return datetime.strptime(version.rpartition("-")[0], _TIME_FORMAT).replace(tzinfo=UTC)


def _digest(content: bytes) -> FileDigest:
    return FileDigest(sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

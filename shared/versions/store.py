"""Model versions and their life on the volume: published whole, read with their digests checked."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr, ValidationError

from shared.errors import PlotNotFound, VersionNotFound, VersionNotServable
from shared.versions import digest
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE, VERSION_PATTERN, FileDigest, Manifest
from shared.versions.onnx_model import OnnxModel

_CURRENT_FILE = "current.json"
_STAGING_PREFIX = ".staging-"
_TIME_FORMAT = "%Y%m%d-%H%M%S"

KEEP_REJECTED_VERSIONS = 3


class ModelStore:
    """The folder of model versions. Reading needs no more than a read-only mount.

    With a signing key it publishes signed versions, and reads no others.
    """

    def __init__(self, folder: Path, signing_key: SecretStr | None = None) -> None:
        self._folder = folder
        self._signing_key = signing_key

    # --- reading -------------------------------------------------------------------------------

    def manifest(self, version: str) -> Manifest:
        """Raises VersionNotFound, or VersionNotServable with what is wrong with it."""
        return _parsed(version, self._read(version, MANIFEST_FILE), self._signing_key)

    def load(self, version: str) -> tuple[Manifest, OnnxModel]:
        """A version warmed up to predict, from the very bytes whose hash was checked.

        Raises:
            VersionNotFound: there is none of that name.
            VersionNotServable: it is damaged, made for another schema, or not signed where there is
                a key.
        """
        manifest = self.manifest(version)
        if not manifest.fits_this_schema:
            raise VersionNotServable(
                f"model version {version} was trained for other features than this release's"
            )
        onnx = self._read_described(manifest, ONNX_FILE)
        try:
            model = OnnxModel(onnx)
            model.warm_up()
        except ValueError as error:
            raise VersionNotServable(f"model version {version}: {error}") from error
        return manifest, model

    def plot(self, version: str, name: str) -> bytes:
        """An SVG, from the very bytes whose hash was checked.

        Raises:
            VersionNotFound: there is no such version.
            PlotNotFound: it has no such plot.
            VersionNotServable: the plot or the manifest is damaged. A damaged plot keeps nobody
                from serving the version.
        """
        manifest = self.manifest(version)
        for plot in manifest.plots:
            if plot == name:
                return self._read_described(manifest, plot.file)
        raise PlotNotFound(
            f"model version {version} has no plot {name[:40]!r}; it has "
            f"{', '.join(manifest.plots) or 'none'}"
        )

    def versions(self) -> list[str]:
        """The names of all versions, sound or not, newest first."""
        try:
            names = os.listdir(self._folder)
        except OSError:
            return []
        return sorted((n for n in names if VERSION_PATTERN.fullmatch(n)), reverse=True)

    def manifests(self) -> Iterator[Manifest]:
        """Those of all versions whose manifest is sound, newest first."""
        for version in self.versions():
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

    def create(self) -> None:
        """Makes the folder, where there is none yet.

        Not done by each run: where the volume is gone, it would fill the folder it was mounted on.
        """
        self._folder.mkdir(parents=True, exist_ok=True)

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

        Raises:
            OSError: the volume does not take it, or is gone.
        """
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
            OSError: the volume does not take it.
        """
        for path in staging.iterdir():
            _sync(path)
        text = manifest.model_dump_json(indent=2).encode()
        (staging / MANIFEST_FILE).write_bytes(digest.add(text, self._signing_key))
        _sync(staging / MANIFEST_FILE)
        _sync(staging)
        version = manifest.model_version
        target = self._path(version, must_exist=False)
        is_new = not target.exists()
        try:
            if is_new:
                staging.rename(target)
                _sync(self._folder)
            return self.load(version)[0]
        except (VersionNotServable, OSError):
            if is_new:
                # What is wrong with the volume may stand in the way of this, too.
                with suppress(VersionNotFound, OSError):
                    self.discard(version)
            raise

    def set_current(self, version: str) -> None:
        """Notes which version is chosen, for API processes that start without Redis."""
        if self.current() == version:
            return
        content = json.dumps({"model_version": version}).encode()
        self._replace(self._folder / _CURRENT_FILE, content)

    def sign(self, version: str) -> bool:
        """Signs a sound version that was published without the key; False if it is signed already.

        Raises:
            VersionNotFound: there is none of that name.
            VersionNotServable: it is damaged, or signed with another key.
            OSError: the volume does not take the signature.
        """
        content = self._read(version, MANIFEST_FILE)
        if digest.is_signed(content):
            _parsed(version, content, self._signing_key)
            return False
        self._read_described(_parsed(version, content, None), ONNX_FILE)
        signed = digest.add(digest.check(content, None), self._signing_key)
        self._replace(self._path(version) / MANIFEST_FILE, signed)
        return True

    def discard(self, version: str) -> None:
        shutil.rmtree(self._path(version))

    def prune(self, keep: int, served: Callable[[], set[str]]) -> list[str]:
        """Removes promoted versions beyond the newest `keep` and rejected ones beyond the newest
        three, never one of those served; returns the names of those removed.

        `served` is asked before each, because somebody may choose the next one meanwhile.
        """
        kept = {"promoted": keep, "rejected": KEEP_REJECTED_VERSIONS}
        removed = []
        for manifest in list(self.manifests()):
            kept[manifest.gate.outcome] -= 1
            if kept[manifest.gate.outcome] < 0 and manifest.model_version not in served():
                self.discard(manifest.model_version)
                removed.append(manifest.model_version)
        return removed

    # -------------------------------------------------------------------------------------------

    def _read(self, version: str, name: str) -> bytes:
        try:
            return (self._path(version) / name).read_bytes()
        except OSError as error:
            raise VersionNotServable(
                f"model version {version}: {name} cannot be read ({error.strerror})"
            ) from error

    def _read_described(self, manifest: Manifest, name: str) -> bytes:
        version = manifest.model_version
        content = self._read(version, name)
        if _digest(content) != manifest.files.get(name):
            raise VersionNotServable(
                f"model version {version}: {name} is not the file its manifest describes"
            )
        return content

    def _replace(self, path: Path, content: bytes) -> None:
        """Whoever reads the file gets the old content or the new, whole."""
        temporary = self._folder / f".{path.name}-{secrets.token_hex(6)}"
        try:
            temporary.write_bytes(content)
            _sync(temporary)
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync(path.parent)

    def _path(self, version: str, *, must_exist: bool = True) -> Path:
        # The name may come from a client or from Redis: it never becomes a path unless it matches.
        path = self._folder / version
        if not VERSION_PATTERN.fullmatch(version) or (must_exist and not path.is_dir()):
            raise VersionNotFound(f"there is no model version {version[:80]!r}; see GET /models")
        return path


def _parsed(version: str, content: bytes, key: SecretStr | None) -> Manifest:
    """A version's manifest, from the very bytes whose digest was checked."""
    try:
        manifest = Manifest.model_validate_json(digest.check(content, key))
    except digest.DigestWrong as error:
        raise VersionNotServable(f"model version {version}: {MANIFEST_FILE} {error}") from error
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

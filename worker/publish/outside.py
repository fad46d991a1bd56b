"""A run without Redis: the same stages, and the choice by compare-and-swap in the store."""

import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.errors import VersionNotFound, VersionNotServable
from shared.resources import local_store, model_store, storage
from shared.settings import Settings
from shared.versions.current import Note
from shared.versions.manifest import MANIFEST_FILE, Manifest
from shared.versions.pruning import prune
from shared.versions.storage.base import KeyChanged
from shared.versions.store import ModelStore
from worker.backup import archive
from worker.definition.definition import read
from worker.publish.attempt import PlainAttempt
from worker.training.gate import Candidate, promotion_gate
from worker.training.scoring import metrics_of
from worker.training.served import look
from worker.training.stages import run_stages

_TRIES = 5


def compared(models: ModelStore, manifest: Manifest) -> Manifest | None:
    """Return the manifest that the gate compared this one with, if it is still there."""
    if manifest.gate.compared_with is None:
        return None
    try:
        return models.manifest(manifest.gate.compared_with)
    except (VersionNotFound, VersionNotServable):
        return None


class Outside:
    """Trains, publishes and chooses where no Redis, no worker and no job is."""

    def __init__(self, settings: Settings, forced: bool) -> None:
        self._settings = settings
        self._forced = forced
        self._models = model_store(settings, is_locked=False)
        self._definition = read(settings.model)

    def train(self) -> tuple[Manifest, Note | None]:
        """Train and publish; return the manifest, and the choice that the gate compared it with.

        Raises:
            TrainingFailed, VersionNotServable, OSError: as `run_stages`.
        """
        self._models.create()
        seen = self._models.note()
        return self._run(self._models), seen

    def try_out(self) -> tuple[Manifest, Manifest | None]:
        """Train, and publish nothing; return the manifest, and that of what is served."""
        with TemporaryDirectory(prefix="lifeboat-") as folder:
            manifest = self._run(local_store(self._settings, Path(folder)))
        return manifest, look(self._models, None).manifest

    def _run(self, into: ModelStore) -> Manifest:
        return run_stages(
            PlainAttempt(secrets.token_hex(16), self._forced),
            definition=self._definition,
            training_data=self._settings.training_data,
            model_store=into,
            served=lambda: look(self._models, None),
            promotion_tolerance=self._settings.promotion_tolerance,
            most_bytes=self._settings.training_data_max_bytes,
            timeout_seconds=self._settings.training_data_timeout_seconds,
            endpoint=self._settings.store_endpoint,
        )

    def choose(
        self, manifest: Manifest, seen: Note | None
    ) -> tuple[Manifest, Note | None, Note | None]:
        """Choose a promoted version in place of what the gate has compared it with.

        If another publisher was quicker, the gate decides again, about the same model under a new
        name: its manifest never changes. Return what was published, the note that it has replaced,
        and its own note: None if the gate has rejected it.

        Raises:
            KeyChanged: others are quicker again and again.
            VersionNotServable, OSError: the store does not take it.
        """
        for _ in range(_TRIES):
            try:
                noted = self._models.replace_current(manifest.model_version, seen)
                return manifest, seen, noted
            except KeyChanged:
                seen = self._models.note()
                manifest = self._gated_again(manifest)
                if manifest.gate.outcome == "rejected":
                    return manifest, seen, None
        raise KeyChanged(f"others chose a version {_TRIES} times meanwhile; try again")

    def _gated_again(self, manifest: Manifest) -> Manifest:
        metric, _ = metrics_of(self._definition.schema, self._definition.metric)
        before = manifest.model_version
        stored = archive.sound(before, storage(self._settings), self._models)
        if stored.damaged:
            raise VersionNotServable(
                f"model version {before}: {', '.join(stored.damaged)} cannot be read again, so it "
                "is not published under a new name; call again"
            )
        gate = promotion_gate(
            Candidate(manifest.record_schema, manifest.metrics, metric, manifest.data),
            look(self._models, None),
            tolerance=self._settings.promotion_tolerance,
            forced=self._forced,
        )
        new = {
            "gate": gate,
            "model_version": self._models.new_version(),
            "created_at": datetime.now(UTC),
        }
        kept = {name: content for name, content in stored.files.items() if name != MANIFEST_FILE}
        published = self._models.publish(manifest.model_copy(update=new), kept)
        # If it stays, it is never chosen, and a later pruning removes it.
        with suppress(OSError, VersionNotFound):
            self._models.discard(before)
        return published

    def compared_with(self, manifest: Manifest) -> Manifest | None:
        """Return the manifest that the gate compared this one with, if it is still there."""
        return compared(self._models, manifest)

    def put_back(self, before: Note | None, noted: Note) -> str:
        """Choose again what was chosen before; say in a sentence what became of it."""
        if before is None or before.version is None:
            return "there was no version before it, so it stays chosen"
        try:
            self._models.replace_current(before.version, noted)
        except KeyChanged:
            return "somebody has chosen another version meanwhile, which stays chosen"
        return f"{before.version} is chosen again"

    def prune(self) -> None:
        """Remove old versions, as a worker does, unless the store does not answer."""
        with suppress(OSError):
            prune(self._models, self._settings.keep_versions)

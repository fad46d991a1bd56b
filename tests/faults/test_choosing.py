"""Choosing versions while they are removed: the version key never names one that is not there."""

import random
import threading

from shared.errors import VersionNotFound, VersionNotServable
from shared.versions.pruning import prune
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from shared.versions.version_key import VersionKey
from tests.faults.conftest import Times
from tests.support.manifests import write_manifest
from tests.support.processes import Stack

_ROUNDS = 40
_CHOOSERS = 3


class _World:
    def __init__(self, stack: Stack) -> None:
        self.key = VersionKey(stack.redis.client)
        self.models = ModelStore(LocalStorage(stack.models_dir), removal=self.key.removal)
        self.models.create()
        self.done = threading.Event()
        self.chosen: list[str] = []
        self.wrong: list[str] = []

    def choose_and_choose(self) -> None:
        while not self.done.is_set():
            # The oldest, too: they are removed next.
            version = random.choice(self.models.versions())
            try:
                self.key.choose(version, self.models.manifest)
            except (VersionNotFound, VersionNotServable):
                continue
            self.chosen.append(version)
            self.check()

    def check(self) -> None:
        named = self.key.get()
        assert named is not None
        try:
            self.models.manifest(named)
        except (VersionNotFound, VersionNotServable):
            # It may have been replaced, and then removed, since the key was read.
            if self.key.get() == named:
                self.wrong.append(named)


def test_no_choice_meets_a_removal(stack: Stack, times: Times) -> None:
    world = _World(stack)
    write_manifest(stack.models_dir, "20260101-000000-000000")
    choosers = [threading.Thread(target=world.choose_and_choose) for _ in range(_CHOOSERS)]
    for chooser in choosers:
        chooser.start()
    removed = []
    for turn in range(times(_ROUNDS, 1000)):
        for each in range(4):
            write_manifest(stack.models_dir, f"20260102-{turn:06}-{each:06x}")
        removed += prune(world.models, 2)
    world.done.set()
    for chooser in choosers:
        chooser.join()
    world.check()
    assert world.wrong == []
    assert len(removed) > _ROUNDS and len(world.chosen) > _CHOOSERS

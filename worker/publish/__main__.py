"""Trains, and deploys the model by itself: `python -m worker.publish`, for CI/CD.

It runs the stages that a worker runs, and needs no worker. Without Redis it chooses the version in
the store, for APIs that follow it. Beside a Redis (LIFEBOAT_REDIS_URL is set) the run is a job.
"""

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import redis

from shared import command, refusal
from shared.environment import UnreadableFile
from shared.errors import LifeboatError, TrainingFailed
from shared.resources import build
from shared.runtime.redis_outage import cause
from shared.settings import Settings
from shared.versions.manifest import Manifest
from worker.publish import comparison
from worker.publish.outside import Outside
from worker.publish.servers import NotServed, wait_until_served

PROMOTED, FAILED, REJECTED = 0, 1, 3
"""Exit statuses, as of `make retrain`."""

_WAIT_SECONDS = 60.0


def main() -> int:
    """Train, gate, publish, choose, and see to it that the servers serve it."""
    asked = _asked()
    asked.servers = _servers(asked.servers)
    settings = refusal.settings(2)
    for sentence in refusal.oddities():
        refusal.say(sentence)
    try:
        if asked.dry_run:
            return _try_out(settings, asked)
        return _publish(settings, asked)
    except UnreadableFile as error:
        refusal.refuse(str(error), 2)
    except redis.RedisError as error:
        refusal.say(f"failed: {cause(error)}")
    except LifeboatError as error:
        refusal.say(f"failed: {error}")
    except OSError as error:
        refusal.say(f"failed: the store did not take the version: {error.strerror or error}")
    return FAILED


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m worker.publish",
        description="Train, gate, publish and choose a version; exit 0 if it was promoted, 3 if "
        "it was rejected, 1 if that failed.",
    )
    parser.add_argument("--force", action="store_true", help="promote whatever the gate says")
    parser.add_argument(
        "--dry-run", action="store_true", help="train and gate, and publish nothing"
    )
    parser.add_argument(
        "--servers",
        default="",
        metavar="URL,...",
        help="wait until each of these serves the version and predicts with it, else choose again "
        "what was chosen before",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=_WAIT_SECONDS,
        metavar="SECONDS",
        help="how long the servers may take together (%(default)g)",
    )
    parser.add_argument(
        "--summary", type=Path, metavar="FILE", help="write the comparison as Markdown"
    )
    return parser.parse_args()


def _try_out(settings: Settings, asked: argparse.Namespace) -> int:
    manifest, served = Outside(settings, asked.force).try_out()
    _summarize(asked, comparison.markdown(manifest, served))
    return _told(manifest, "would be served", "would not be served")


def _publish(settings: Settings, asked: argparse.Namespace) -> int:
    has_redis = "redis_url" in settings.model_fields_set and not settings.serves_only
    return (_publish_beside if has_redis else _publish_outside)(settings, asked)


def _publish_beside(settings: Settings, asked: argparse.Namespace) -> int:
    # Here, because it is configured as a worker is, which needs Redis.
    from worker.publish.beside import Beside

    with closing(build(settings)) as resources:
        run = Beside(resources, asked.force, settings.job_timeout_seconds)
        manifest = run.train()
        _summarize(asked, comparison.markdown(manifest, run.compared_with(manifest)))
        try:
            if manifest.gate.outcome == "rejected":
                return _told(manifest)
            return _deployed(settings, asked, manifest, lambda: run.put_back(manifest))
        finally:
            run.prune()


def _publish_outside(settings: Settings, asked: argparse.Namespace) -> int:
    run = Outside(settings, asked.force)
    manifest, seen = run.train()
    noted = None
    if manifest.gate.outcome == "promoted":
        manifest, seen, noted = run.choose(manifest, seen)
    _summarize(asked, comparison.markdown(manifest, run.compared_with(manifest)))
    try:
        if noted is None:
            return _told(manifest)
        return _deployed(settings, asked, manifest, lambda: run.put_back(seen, noted))
    finally:
        # Last: what was chosen before may be old, and is needed to put it back.
        run.prune()


def _deployed(
    settings: Settings,
    asked: argparse.Namespace,
    manifest: Manifest,
    put_back: Callable[[], str],
) -> int:
    try:
        wait_until_served(
            asked.servers,
            manifest.model_version,
            manifest.record_schema,
            settings.api_keys,
            asked.wait,
        )
    except NotServed as error:
        try:
            then = put_back()
        except (OSError, redis.RedisError) as away:
            then = f"it stays chosen, because what was chosen before cannot be chosen: {away}"
        raise TrainingFailed(f"{manifest.model_version} was chosen, but {error}; {then}") from error
    return _told(manifest, "is served" if asked.servers else "is chosen")


def _told(
    manifest: Manifest, if_promoted: str = "", if_rejected: str = "is stored and not served"
) -> int:
    is_promoted = manifest.gate.outcome == "promoted"
    what = if_promoted if is_promoted else if_rejected
    print(f"{manifest.gate.outcome}: {manifest.model_version} {what}. {manifest.gate.reason}")
    return PROMOTED if is_promoted else REJECTED


def _summarize(asked: argparse.Namespace, text: str) -> None:
    if asked.summary is None:
        return
    try:
        asked.summary.write_text(text, encoding="utf-8")
    except OSError as error:
        # It must not keep a version that is chosen from being looked after.
        refusal.say(f"the summary is not written: {error}")


def _servers(listed: str) -> list[str]:
    """Return the URLs of the servers, or refuse before anything is trained."""
    servers = [url.strip() for url in listed.split(",") if url.strip()]
    for url in servers:
        try:
            parts = urlsplit(url)
            sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            sound = False
        if not sound:
            refusal.refuse(f"--servers: expected URLs like http://host:8000, found {url!r}", 2)
    return servers


if __name__ == "__main__":
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    command.run(main)

"""Users of a bucket, each with one access policy, and what a user's key can do there."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tests.support.processes import ROOT
from tests.support.weed import REGION, BucketServer

PREFIX = "models"
_POLICIES = ROOT / "deploy" / "iam" / "aws"


def policy(name: str, bucket: str) -> dict[str, Any]:
    """Return a shipped policy, with its placeholders filled in as the page says."""
    text = (_POLICIES / f"{name}.json").read_text()
    filled: dict[str, Any] = json.loads(text.replace("BUCKET", bucket).replace("PREFIX", PREFIX))
    return filled


def policy_files() -> list[Path]:
    return sorted(_POLICIES.glob("*.json"))


class BucketUsers:
    """Makes users on a server, and asks with the administrator's key for what only it may do."""

    def __init__(self, server: BucketServer) -> None:
        # Only the environment of `make cloud` has it.
        import boto3
        from botocore.config import Config

        self.server = server
        self.root = server.client()
        self._clients = {
            name: boto3.client(
                name,
                endpoint_url=server.endpoint,
                aws_access_key_id=server.access_key,
                aws_secret_access_key=server.secret_key,
                region_name=REGION,
                config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
            )
            for name in ("iam", "s3")
        }

    def keys(self, name: str, document: dict[str, Any]) -> tuple[str, str]:
        """Make a user with this policy alone; return its access key and its secret key."""
        iam = self._clients["iam"]
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def user(self, name: str, document: dict[str, Any], prefix: str | None = None) -> S3Store:
        """Make a user with this policy alone; return a client with the user's key."""
        return self.server.client(*self.keys(name, document), prefix=prefix)

    def set_bucket_policy(self, document: dict[str, Any]) -> None:
        self._clients["s3"].put_bucket_policy(
            Bucket=self.server.bucket, Policy=json.dumps(document)
        )


def succeeds(call: Callable[[], object]) -> bool:
    """Return whether the server does what it is asked.

    A deletion is refused with an error of no kind of its own, so the message has to say why.
    """
    try:
        call()
    except (PermissionError, BaseError) as error:
        assert "AccessDenied" in str(error), error
        return False
    return True


def done_with(client: S3Store, root: S3Store, keys: list[str], new: list[str]) -> set[str]:
    """Try everything with a key of S3, and return what succeeded, such as "put models/a".

    Args:
        client: who tries.
        root: who puts back what was there.
        keys: what is there, and is read, written over, replaced and deleted.
        new: what is not there, and is created.
    """
    tries: dict[str, Callable[[], object]] = {
        "list": lambda: obstore.list(client, prefix=PREFIX).collect()
    }
    for key in keys:
        tries[f"get {key}"] = partial(obstore.get, client, key)
        tries[f"put {key}"] = partial(obstore.put, client, key, b"new")
        tries[f"swap {key}"] = partial(_swap, client, root, key)
        tries[f"delete {key}"] = partial(obstore.delete, client, key)
    for key in new:
        tries[f"create {key}"] = partial(obstore.put, client, key, b"new", mode="create")
    done = set()
    for name, call in tries.items():
        for key in keys:
            obstore.put(root, key, b"old")
        obstore.delete(root, new)
        if succeeds(call):
            done.add(name)
    return done


def _swap(client: S3Store, root: S3Store, key: str) -> None:
    """Replace what is there now, and nothing else."""
    obstore.put(client, key, b"new", mode={"e_tag": obstore.head(root, key)["e_tag"]})

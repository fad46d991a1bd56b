"""The access policies that are shipped, put on a real server of S3's protocol."""

import copy
import json
import re
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import obstore
import pytest
import yaml
from pydantic import SecretStr

from shared.versions.storage.bucket import BucketStorage
from shared.versions.store import ModelStore
from tests.support.bucket_users import (
    PREFIX,
    BucketUsers,
    done_with,
    policy,
    policy_files,
    succeeds,
)
from tests.support.processes import ROOT, free_port
from tests.support.tls import Authority
from tests.support.versions import publish
from tests.support.weed import BucketServer, bucket_server

CURRENT = f"{PREFIX}/current.json"
FILE = f"{PREFIX}/20261126-120000-7f3a9c/model.onnx"
MANIFEST = f"{PREFIX}/20261126-120000-7f3a9c/manifest.json"
NEW_FILE = f"{PREFIX}/20261126-130000-a91b02/model.onnx"
NEW_MANIFEST = f"{PREFIX}/20261126-130000-a91b02/manifest.json"
NEW_BESIDE = f"{PREFIX}/beside.json"
TABLE = "data/table.csv"
ANOTHER = "another/current.json"
KEYS = [CURRENT, FILE, MANIFEST, TABLE, ANOTHER]
NEW = [NEW_FILE, NEW_MANIFEST, NEW_BESIDE, "another/new.json"]

READS = {"list", f"get {CURRENT}", f"get {FILE}", f"get {MANIFEST}"}
CHOOSES = {f"put {CURRENT}", f"swap {CURRENT}"}
MAY = {
    "serve": READS,
    "choose": READS | CHOOSES,
    "publish": READS
    | CHOOSES
    | {f"get {TABLE}", f"create {NEW_FILE}", f"create {NEW_MANIFEST}"}
    # Prunes.
    | {f"delete {FILE}", f"delete {MANIFEST}"}
    # Signs. That a file is never written over is the bucket's policy, not the role's.
    | {f"{how} {key}" for how in ("put", "swap") for key in (FILE, MANIFEST)},
}

Defect = Callable[[list[dict[str, Any]]], object]


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketUsers]:
    with bucket_server(tmp_path_factory.mktemp("access") / "weed") as server:
        users = BucketUsers(server)
        users.set_bucket_policy(_bucket_policy(server, "TheChoiceIsNeverDeleted"))
        yield users


def _bucket_policy(server: BucketServer, *names: str) -> dict[str, Any]:
    """Return some statements of the bucket's own policy.

    One asks for what this server refuses every put for, and one for TLS, which has its own test.
    """
    document = policy("bucket", server.bucket)
    statements = [s for s in document["Statement"] if s["Sid"] in names]
    assert len(statements) == len(names)
    return {**document, "Statement": statements}


@pytest.mark.parametrize("role", MAY)
def test_a_role_may_do_what_it_is_for_and_nothing_else(users: BucketUsers, role: str) -> None:
    client = users.user(role, policy(role, users.server.bucket))
    assert done_with(client, users.root, KEYS, NEW) == MAY[role]


@pytest.mark.parametrize(
    ("role", "defect", "found"),
    [
        ("serve", lambda s: s[0].update(Action=["s3:GetObject", "s3:PutObject"]), f"put {FILE}"),
        ("serve", lambda s: s[0].update(Action="s3:*"), f"delete {FILE}"),
        ("serve", lambda s: s.pop(1), "list"),
        ("choose", lambda s: s[2].update(Resource=s[0]["Resource"]), f"create {NEW_BESIDE}"),
        ("choose", lambda s: s[2].update(Action="s3:PutObjectTagging"), f"swap {CURRENT}"),
        ("publish", lambda s: s[3].update(Resource=s[0]["Resource"]), f"put {TABLE}"),
        ("publish", lambda s: s.pop(4), f"delete {MANIFEST}"),
    ],
)
def test_a_policy_that_allows_something_else_is_found(
    users: BucketUsers, role: str, defect: Defect, found: str
) -> None:
    document = copy.deepcopy(policy(role, users.server.bucket))
    defect(document["Statement"])
    client = users.user(f"{role}-{secrets.token_hex(4)}", document)
    assert found in done_with(client, users.root, KEYS, NEW) ^ MAY[role]


def test_only_the_bucket_s_policy_keeps_a_publisher_from_deleting_the_choice(
    tmp_path: Path,
) -> None:
    with bucket_server(tmp_path / "weed") as server:
        users = BucketUsers(server)
        client = users.user("publish", policy("publish", server.bucket))
        done = done_with(client, users.root, [CURRENT], [])
        assert f"delete {CURRENT}" in done
        users.set_bucket_policy(_bucket_policy(server, "TheChoiceIsNeverDeleted"))
        assert done_with(client, users.root, [CURRENT], []) == done - {f"delete {CURRENT}"}


def _store(users: BucketUsers, role: str, key: str | None = None) -> ModelStore:
    """Return the product's own store, which asks as a user of the role."""
    document = policy(role, users.server.bucket)
    client = users.user(f"{role}-{key is not None}", document, PREFIX)
    return ModelStore(BucketStorage(role, client, client), SecretStr(key) if key else None)


def test_the_product_does_all_it_does_with_the_roles(users: BucketUsers) -> None:
    publishes = users.user("publishes", policy("publish", users.server.bucket), PREFIX)
    storage = BucketStorage("publish", publishes, publishes)
    first, second = (publish(storage) for _ in range(2))
    serve, choose = _store(users, "serve"), _store(users, "choose")
    signs = _store(users, "publish", "the signing key")
    try:
        signs.set_current(first)
        assert serve.current() == first
        assert {first, second} <= {*serve.versions()}
        for refused in (partial(serve.set_current, second), partial(serve.discard, second)):
            with pytest.raises(OSError):
                refused()
        choose.set_current(second)
        assert serve.current() == second
        chooser_with_key = _store(users, "choose", "the signing key")
        for refused in (partial(choose.discard, first), partial(chooser_with_key.sign, first)):
            with pytest.raises(OSError):
                refused()
        assert signs.sign(second)
        assert signs.discard(first)
    finally:
        found = {found["path"] for found in obstore.list(users.root).collect()}
        obstore.delete(users.root, sorted(found - {CURRENT}))


def test_a_missing_object_is_missing_and_not_forbidden(users: BucketUsers) -> None:
    """S3 says so only to those who may list."""
    client = users.user("first-start", policy("serve", users.server.bucket))
    with pytest.raises(FileNotFoundError):
        obstore.get(client, f"{PREFIX}/none.json")


def test_the_bucket_takes_nobody_without_tls(tmp_path: Path) -> None:
    Authority(tmp_path / "authority").certify("IP:127.0.0.1")
    port = free_port()
    with bucket_server(
        tmp_path / "weed",
        arguments=[
            f"-s3.port.https={port}",
            f"-s3.cert.file={tmp_path / 'authority' / 'server.pem'}",
            f"-s3.key.file={tmp_path / 'authority' / 'server.key'}",
        ],
    ) as server:
        endpoints = [server.endpoint, f"https://127.0.0.1:{port}"]
        assert _taken(server, endpoints) == endpoints
        BucketUsers(server).set_bucket_policy(_bucket_policy(server, "OnlyWithTls"))
        assert _taken(server, endpoints) == endpoints[1:]


def _taken(server: BucketServer, endpoints: list[str]) -> list[str]:
    """Return the endpoints over which an object is taken."""
    clients = {endpoint: server.client(endpoint=endpoint) for endpoint in endpoints}
    return [e for e, client in clients.items() if succeeds(partial(obstore.put, client, "a", b"1"))]


def test_nothing_but_the_two_placeholders_is_to_be_filled_in() -> None:
    for path in policy_files():
        words = set(re.findall(r"\b[A-Z]{3,}\b", path.read_text()))
        assert words <= {"BUCKET", "PREFIX"}, path
        # No other bucket is named.
        assert set(re.findall(r"arn:aws:s3:::([^/\"]*)", path.read_text())) == {"BUCKET"}, path


def test_google_and_azure_have_the_same_three_roles() -> None:
    """Nothing here can enforce them; so their files are at least held to what they mean."""
    google = {role: set(_yaml(f"google/{role}.yaml")["includedPermissions"]) for role in MAY}
    assert google["serve"] == {"storage.objects.get", "storage.objects.list"}
    assert google["choose"] == {"storage.objects.create", "storage.objects.delete"}
    # What sets them apart is the condition.
    assert google["choose"] == google["publish"]
    assert _yaml("google/choose-condition.yaml")["expression"].endswith(
        '== "projects/_/buckets/BUCKET/objects/PREFIX/current.json"'
    )
    assert "objects/PREFIX/" in _yaml("google/publish-condition.yaml")["expression"]

    azure = {}
    for role in MAY:
        definition = json.loads((ROOT / "deploy/iam/azure" / f"{role}.json").read_text())
        blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/"
        assert all(action.startswith(blobs) for action in definition["DataActions"])
        azure[role] = {action.removeprefix(blobs) for action in definition["DataActions"]}
    assert azure == {
        "serve": {"read"},
        "choose": {"read", "write", "add/action"},
        "publish": {"read", "write", "add/action", "delete"},
    }
    for role in ("choose", "publish"):
        condition = (ROOT / "deploy/iam/azure" / f"{role}-condition.txt").read_text()
        assert condition.count("(") == condition.count(")")
        limited = set(re.findall(r"ActionMatches\{'[^']*/blobs/([\w/]+)'\}", condition))
        assert limited == azure[role] - {"read"}


def _yaml(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy/iam" / path).read_text())
    return found

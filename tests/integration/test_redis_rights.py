"""Lifeboat with a Redis user of its own, which has the rights that docs/operations.md lists.

And beside the variables of another Celery project.
"""

import re
from typing import Any

import pytest

from shared.runtime.redis_keys import VERSION
from tests.support.processes import ROOT, Stack, wait_for
from tests.support.versions import publish

pytestmark = pytest.mark.thorough


def _rights() -> list[str]:
    text = (ROOT / "docs" / "operations.md").read_text()
    found = re.search(r"```text\nACL SETUSER lifeboat (.*?)```", text, re.DOTALL)
    assert found
    return found[1].split()


@pytest.fixture
def stack_of_a_user(stack: Stack) -> Stack:
    """Everything is done by the user; what the test itself does is not."""
    _set_user(stack, *_rights())
    stack.settings["redis_url"] = stack.redis.url.replace("redis://", "redis://lifeboat:sesame@")
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.5))
    # Those of another project of the user's.
    stack.environment |= {
        **{f"CELERY_{name}": "redis://127.0.0.1:1/0" for name in ("BROKER_URL", "RESULT_BACKEND")},
        **{"BROKER_URL": "redis://127.0.0.1:1/0", "CELERY_BROKER_READ_URL": "amqp://another"},
        **{"CELERY_CONFIG_MODULE": "nowhere", "CELERY_LOADER": "nowhere:Loader", "LOADER": "none"},
        **{"CELERY_WORKER_POOL": "solo", "CELERY_WORKER_QUEUES": "another"},
    }
    return stack


def _set_user(stack: Stack, *rules: str) -> None:
    client: Any = stack.redis.client
    client.execute_command("ACL", "SETUSER", "lifeboat", *rules)


def test_the_documented_rights_are_enough_and_a_missing_one_is_named(
    stack_of_a_user: Stack,
) -> None:
    stack = stack_of_a_user
    api, worker = stack.start_api(), stack.start_worker()
    job_id = api.run_pipeline()
    job = api.wait_for_end(job_id)
    assert job["status"] == "succeeded"
    assert job_id in api.http.get(f"/jobs/{job_id}/events").text
    cancelled = api.run_pipeline()
    api.http.delete(f"/jobs/{cancelled}").raise_for_status()
    api.wait_for_end(cancelled)
    version = api.version()
    api.http.put("/models/current", json={"model_version": version}).raise_for_status()
    assert api.http.get("/processes").is_success and api.http.get("/jobs").is_success
    assert "lifeboat_queue_length" in api.http.get("/metrics").text
    refused: Any = stack.redis.client
    # Switching notifications on is tried, and not needed: the server has them.
    assert {entry["object"] for entry in refused.acl_log()} <= {"config|get"}

    _set_user(stack, "-brpop", "-hset")
    wait_for(lambda: "lacks a right" in worker.output(), why=worker.output)
    assert "'brpop'" in worker.output()
    answer = api.http.put("/run-pipeline")
    assert answer.status_code == 503
    assert "lacks a right" in answer.json()["detail"] and "hset" in answer.json()["detail"]
    _set_user(stack, "+brpop", "+hset")
    wait_for(lambda: "Redis answers again" in worker.output(), why=worker.output)
    assert worker.output().count("lacks a right") == 1
    again = api.run_pipeline()
    wait_for(lambda: api.job(again)["started_at"])

"""The section Train: runs are started, watched, cancelled and told of."""

import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from shared.jobs.attempts import AttemptStore
from shared.jobs.job import JobStatus, Stage
from shared.jobs.store import JobStore, Origin
from tests.browser.visit import Visit
from tests.support.processes import RUN_SECONDS, Api, Process, Stack, wait_for


def _open(page: Page, api: Api) -> None:
    page.goto(f"{api.url}/#train")
    expect(page.get_by_role("heading", name="Train", level=1)).to_be_visible()


def test_a_run_is_started_and_told_of_to_its_end(page: Page, api: Api) -> None:
    before = api.version()
    _open(page, api)
    page.get_by_role("button", name="Start a run").click()
    run = page.locator(".card", has=page.get_by_role("heading", name="Run", exact=True))
    expect(run.locator(".steps li")).to_have_text([stage.value for stage in Stage])
    said = run.locator("[role=status]").first
    expect(said).to_have_text("succeeded", timeout=1000 * RUN_SECONDS)
    expect(run.locator(".steps li.done")).to_have_count(len(Stage))
    # The job ends a moment before both processes serve its version.
    wait_for(lambda: api.version() != before)
    after = api.version()
    expect(run.locator(".outcome")).to_contain_text(f"promoted {after}")
    expect(run.locator(".outcome")).to_contain_text(f"of the served {before}")
    # Against the served model, metric by metric.
    expect(run.get_by_role("row", name="ROC AUC")).to_contain_text("the same")
    newest = page.locator("tbody tr", has_text=str(after)).last
    expect(newest).to_contain_text("page")
    expect(newest).to_contain_text("succeeded")
    expect(page.get_by_role("button", name="Start a run")).to_be_enabled()


@pytest.fixture
def frozen_worker(worker: Process) -> Iterator[Process]:
    """The only worker takes up no job while the test lasts."""
    worker.send(signal.SIGSTOP)
    yield worker
    worker.send(signal.SIGCONT)


@pytest.mark.usefixtures("frozen_worker")
def test_a_run_that_goes_on_is_joined_and_cancelled(page: Page, api: Api, running: Stack) -> None:
    job_id = JobStore(running.redis.client).create(force=True, origin=Origin("somebody"))[0].job_id
    _open(page, api)
    run = page.locator(".card", has=page.get_by_role("heading", name="Run", exact=True))
    expect(run).to_contain_text(f"Run {job_id[:8]}")
    expect(page.get_by_role("button", name="Start a run")).to_be_disabled()
    run.get_by_role("button", name="Cancel this run").click()
    page.get_by_role("button", name="Leave it as it is").click()
    assert api.job(job_id)["status"] in ("queued", "running", "succeeded")
    run.get_by_role("button", name="Cancel this run").click()
    page.get_by_role("button", name="Cancel the run").click()
    expect(run.locator("[role=status]").first).to_have_text(re.compile("cancelled"))
    expect(run).to_contain_text("nothing was published")
    first = page.locator("tbody tr").first
    expect(first).to_contain_text("somebody")
    expect(first).to_contain_text("forced")
    expect(first).to_contain_text("cancelled")


def test_why_a_run_failed_can_be_read_and_is_text(page: Page, api: Api, running: Stack) -> None:
    jobs, attempts = JobStore(running.redis.client), AttemptStore(running.redis.client)
    job_id = jobs.create(force=False, origin=Origin("<b>me</b>"))[0].job_id
    attempt = wait_for(lambda: attempts.claim(job_id, "a-test#1"))
    error = "the table has no column Sex\n<script>document.title = 'no'</script>"
    attempts.end(job_id, attempt, JobStatus.FAILED, error)
    _open(page, api)
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("<b>me</b>")
    expect(row).to_contain_text("failed")
    row.get_by_text("the table has no column Sex").first.click()
    expect(row.locator(".error-text")).to_have_text(error)
    # It stays open when the page looks again: the second look comes after the first was shown.
    for _ in range(2):
        page.wait_for_event("response", lambda response: "/jobs?limit" in response.url)
    expect(row.locator(".error-text")).to_be_visible()
    expect(page.locator("td script, td b")).to_have_count(0)


def test_without_redis_it_says_so_and_comes_back_by_itself(
    page: Page, api: Api, running: Stack, visit: Visit
) -> None:
    visit.expected.add(503)
    _open(page, api)
    running.redis.stop()
    try:
        expect(page.get_by_text("Redis does not answer, so no run can be started")).to_be_visible()
        expect(page.get_by_role("button", name="Start a run")).to_be_disabled()
        expect(page.locator("#status")).to_contain_text("down")
        assert api.predict().status_code == 200
    finally:
        running.redis.start()
    expect(page.get_by_role("button", name="Start a run")).to_be_enabled()
    expect(page.get_by_text("Redis does not answer, so no run")).to_have_count(0)
    expect(page.locator("#status")).to_contain_text("up")

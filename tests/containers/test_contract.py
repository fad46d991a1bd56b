"""`docker compose --profile test run --rm tests`, for those who have Docker and nothing else."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from tests.containers.conftest import Compose
from tests.support.processes import ROOT, Api

pytestmark = pytest.mark.thorough

REPORT = ROOT / "tests" / "reports" / "contract.xml"


def _run(compose: Compose, *options: str) -> tuple[int, str]:
    arguments = ("--profile", "test", "run", "--rm", "-T", *options, "tests")
    return compose.call(*compose.command, *arguments)


def test_the_contract_is_tested_in_a_container_of_the_stack(compose: Compose, api: Api) -> None:
    before = api.version()
    REPORT.unlink(missing_ok=True)
    compose("build", "tests")
    status, said = _run(compose)
    assert status == 0, said
    (suite,) = ET.parse(REPORT).getroot()
    counted = {name: int(suite.attrib[name]) for name in ("errors", "failures", "skipped")}
    assert counted == {"errors": 0, "failures": 0, "skipped": 0}
    assert int(suite.attrib["tests"]) >= 20
    assert REPORT.stat().st_uid == REPORT.parent.stat().st_uid
    assert api.version() == before


def test_the_exit_status_and_the_report_say_that_tests_failed(compose: Compose) -> None:
    status, said = _run(compose, "--no-deps", "--env", "LIFEBOAT_TESTS_URL=http://127.0.0.1:1")
    assert status == 1, said
    (suite,) = ET.parse(REPORT).getroot()
    assert int(suite.attrib["errors"]) >= 20


@pytest.fixture(autouse=True, scope="module")
def _no_report_is_left() -> Iterator[None]:
    yield
    REPORT.unlink(missing_ok=True)

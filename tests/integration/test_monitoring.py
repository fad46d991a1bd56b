"""`monitoring/`, by Prometheus's own tools and by a Prometheus that watches a real API."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from api.telemetry.exposition import exposition
from shared.jobs.durations import JobStatistics, durations
from tests.support.processes import ROOT, Api, Process, Stack, free_port, http_client, wait_for
from tests.support.versions import publish

MONITORING = ROOT / "monitoring"
DASHBOARD = MONITORING / "grafana" / "lifeboat.json"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
API_KEY = "sesame"
PROCESSES = 2


@pytest.fixture(scope="module")
def tools() -> None:
    for tool in ("promtool", "prometheus"):
        if shutil.which(tool) is None:
            sentence = f"{tool} is not on PATH; on Debian and Ubuntu: apt install prometheus"
            if os.environ.get("CI") == "true":
                pytest.fail(sentence)
            pytest.skip(sentence)


def promtool(*arguments: str, text: str | None = None) -> str:
    run = subprocess.run(
        ["promtool", *arguments], cwd=MONITORING, input=text, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


# --- as files ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("tools")
def test_the_scrape_configuration_is_valid() -> None:
    # The syntax alone: the file of the key is there in the container.
    promtool("check", "config", "--syntax-only", "prometheus.yml")


@pytest.mark.usefixtures("tools")
def test_the_alerts_are_valid_and_fire_when_they_should() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")
    tests = sorted(path.name for path in MONITORING.glob("*.test.yml"))
    assert len(tests) == 2
    promtool("test", "rules", *tests)


def test_every_alert_is_fired_by_a_test() -> None:
    alerts = set(re.findall(r"- alert: (\w+)", (MONITORING / "alerts.yml").read_text()))
    tested = "".join(path.read_text() for path in MONITORING.glob("*.test.yml"))
    assert set(re.findall(r'labels: ALERTS\{alertname="(\w+)"', tested)) == alerts


def _panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def _dashboard_expressions() -> list[tuple[str, str]]:
    """Title of a panel, expression."""
    return [(panel["title"], target["expr"]) for panel in _panels() for target in panel["targets"]]


def test_the_dashboard_is_laid_out_without_gaps_or_overlaps() -> None:
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in _panels()
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    height = max(y for _, y in cells) + 1
    assert sorted(cells) == [(x, y) for x in range(24) for y in range(height)]
    assert len({panel["id"] for panel in _panels()}) == len(_panels())


def test_the_dashboard_asks_the_data_source_that_is_provisioned() -> None:
    provisioned = (MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text()
    (uid,) = re.findall(r"^ +uid: (\w+)$", provisioned, re.M)
    asked = [each for panel in _panels() for each in (panel, *panel["targets"])]
    assert {each["datasource"]["uid"] for each in asked} == {uid}


# --- names ---------------------------------------------------------------------------------------


DOCUMENTED: list[tuple[str, str, str]] = re.findall(
    r"^\| `(lifeboat_\w+)(?:\{([^}]*)\})?` \| (\w+) \|", OPERATIONS, re.M
)
"""Name, labels and type of each metric."""
OF_A_REGRESSION = "lifeboat_predicted_value"
"""The model that is watched here classifies; tests/integration/test_kinds.py looks at this one."""


def _families(text: str) -> dict[str, str]:
    """Name -> type."""
    found = re.findall(r"^# TYPE (lifeboat_\w+) (\w+)$", text, re.M)
    # When a counter began: told by a process that stands alone, as that of a test.
    return {name: kind for name, kind in found if not name.endswith("_created")}


def _all_families() -> dict[str, str]:
    """Every metric there is, also of what has not happened yet."""
    jobs = JobStatistics(queued=0, durations=durations({}))
    return _families(exposition("abc", "20260102-030405-abcdef", jobs, 0).decode())


def test_the_documents_list_every_metric_with_its_type() -> None:
    assert [name for name, _, _ in DOCUMENTED] == [
        *dict.fromkeys(name for name, _, _ in DOCUMENTED)
    ]
    assert {name: kind for name, _, kind in DOCUMENTED} == _all_families()


def test_the_documents_explain_every_alert() -> None:
    rules = (MONITORING / "alerts.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert re.findall(r"^\| `(Lifeboat\w+)` \|", OPERATIONS, re.M) == alerts
    headings = re.findall(r"^## (.*)$", OPERATIONS, re.M)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    named = re.findall(r"docs/operations\.md#([\w-]+)", rules)
    assert len(named) == len(alerts)
    assert set(named) <= anchors


# --- as they run ---------------------------------------------------------------------------------


class Prometheus:
    """Debian's, with the rules as they are and the scrape configuration but for the addresses."""

    def __init__(self, folder: Path, target: str) -> None:
        folder.mkdir()
        (folder / "api-key").write_text(f"{API_KEY}\n")
        shutil.copy(MONITORING / "alerts.yml", folder)
        config = (MONITORING / "prometheus.yml").read_text()
        for pattern, replacement in (
            (
                r"    dns_sd_configs:\n(?:      .*\n)+",
                f"    static_configs: [{{targets: ['{target}']}}]\n",
            ),
            (r"/tmp/api-key", str(folder / "api-key")),
            (r"_interval: 15s", "_interval: 1s"),
        ):
            config, times = re.subn(pattern, replacement, config)
            assert times
        (folder / "prometheus.yml").write_text(config)
        promtool("check", "config", str(folder / "prometheus.yml"))
        port = free_port()
        self._process = Process(
            [
                *("prometheus", f"--config.file={folder / 'prometheus.yml'}"),
                f"--web.listen-address=127.0.0.1:{port}",
                f"--storage.tsdb.path={folder / 'data'}",
            ],
            folder / "prometheus.log",
            {},
        )
        self.http = http_client(f"http://127.0.0.1:{port}")

    def get(self, path: str, **parameters: str) -> Any:
        answer = self.http.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an expression as Grafana would ask for it."""
        for variable, value in (("$__rate_interval", "10s"), ("$__range", "30m")):
            expression = expression.replace(variable, value)
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def is_ready(self) -> bool:
        assert self._process.is_running(), self._process.output()
        try:
            return self.http.get("/-/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def end(self) -> None:
        self.http.close()
        self._process.end()


@pytest.fixture(scope="module")
def watched(
    tools: None, tmp_path_factory: pytest.TempPathFactory, tiny_table: str
) -> Iterator[Api]:
    stack = Stack(tmp_path_factory.mktemp("watched"), training_data=tiny_table, api_key=API_KEY)
    version = publish(stack.models_dir, roc_auc=0.5)
    stack.start_worker()
    api = stack.start_api(processes=PROCESSES)
    api.wait_for_version(version)
    api.http.headers["X-API-Key"] = API_KEY
    yield api
    stack.end()


@pytest.fixture(scope="module")
def prometheus(watched: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has seen predictions, a run, and what followed from them."""
    target = watched.url.removeprefix("http://")
    prometheus = Prometheus(tmp_path_factory.mktemp("monitoring") / "prometheus", target)
    try:
        wait_for(prometheus.is_ready)
        wait_for(lambda: prometheus.query('up{job="lifeboat"} == 1'))
        watched.predict()
        assert watched.wait_for_end(watched.run_pipeline())["status"] == "succeeded"
        watched.predict({"Sex": "male"}, {"Sex": "female"})
        # Two samples after the last of these: rates are seen.
        ended = 'increase(lifeboat_job_duration_seconds_count{outcome="promoted"}[1m]) > 0'
        wait_for(lambda: prometheus.query(ended))
        wait_for(lambda: prometheus.query('lifeboat_predictions_total{label="1"} > 0'))
        yield prometheus
    finally:
        prometheus.end()


@pytest.mark.usefixtures("tools")
def test_what_the_api_exposes_keeps_to_the_conventions_of_prometheus(
    watched: Api, prometheus: Prometheus
) -> None:
    text = watched.http.get("/metrics").text
    assert promtool("check", "metrics", text=text) == ""
    assert _families(text).items() <= _all_families().items()


def test_the_documents_list_every_label(watched: Api, prometheus: Prometheus) -> None:
    text = watched.http.get("/metrics").text
    for name, labels, kind in DOCUMENTED:
        if name == OF_A_REGRESSION:
            continue
        sample = f"{name}_count" if kind == "histogram" else name
        shown = re.findall(rf"^{sample}(?:{{(.*)}})? ", text, re.M)
        assert {", ".join(re.findall(r"(\w+)=", each)) for each in shown} == {labels}, name


def test_the_rules_are_loaded_and_each_alert_says_what_to_do(prometheus: Prometheus) -> None:
    (group,) = prometheus.get("rules")["groups"]
    wait_for(
        lambda: all(
            rule["health"] == "ok" for rule in prometheus.get("rules")["groups"][0]["rules"]
        )
    )
    for rule in group["rules"]:
        assert rule["duration"] >= 60, rule["name"]
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["name"]
        assert rule["annotations"]["summary"].endswith("."), rule["name"]
        assert "docs/operations.md#" in rule["annotations"]["description"], rule["name"]


def test_while_all_is_well_no_alert_is_pending(prometheus: Prometheus) -> None:
    wait_for(lambda: prometheus.get("alerts")["alerts"] == [])


def test_every_expression_names_metrics_that_exist(prometheus: Prometheus) -> None:
    exposed = {
        f"{family}{suffix}"
        for family in _all_families()
        for suffix in ("", "_bucket", "_sum", "_count")
    }
    (group,) = prometheus.get("rules")["groups"]
    expressions = [rule["query"] for rule in group["rules"]]
    expressions += [expression for _, expression in _dashboard_expressions()]
    for expression in expressions:
        named = set(re.findall(r"lifeboat_\w+", expression))
        assert named <= exposed, expression
        assert named or re.search(r"up\{|ALERTS", expression), expression


@pytest.mark.parametrize(
    ("title", "expression"),
    [each for each in _dashboard_expressions() if OF_A_REGRESSION not in each[1]],
)
def test_every_panel_of_the_dashboard_has_data(
    prometheus: Prometheus, title: str, expression: str
) -> None:
    wait_for(lambda: prometheus.query(expression), why=f"{title}: {expression}")


def test_the_figures_are_those_of_the_api(watched: Api, prometheus: Prometheus) -> None:
    version = watched.version()
    (info,) = wait_for(
        lambda: [
            sample
            for sample in prometheus.query("lifeboat_model_info")
            if sample["metric"]["model_version"] == version
        ]
    )
    assert info["value"][1] == str(PROCESSES)
    rows = "lifeboat_predicted_rows_total"
    labels = "sum without (label) (lifeboat_predictions_total)"
    probabilities = "lifeboat_predicted_probability_count"
    wait_for(lambda: prometheus.query(f"{rows} == {labels} == {probabilities}"))

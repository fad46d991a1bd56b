"""HAProxy as docs/proxies.md has it: TLS, a path of a site, event streams, and no smuggling."""

import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.support import haproxy
from tests.support.one_model import serving
from tests.support.processes import LONG_SECONDS, ROOT, Api, Process, free_port, wait_for
from tests.support.tls import Authority

ROOT_PATH = "/lifeboat"
CLIENT = "127.0.0.7"


def config(folder: Path, port: int, api: Api, certificate: Path) -> Path:
    """The file of the page, with the ports and the certificate of this test."""
    page = (ROOT / "docs" / "proxies.md").read_text()
    (text,) = re.findall(r"```haproxy\n(.*?)```", page, re.S)
    for documented, own in {
        ":443": f"127.0.0.1:{port}",
        "/etc/haproxy/site.pem": str(certificate),
        "127.0.0.1:8000": api.url.removeprefix("http://"),
    }.items():
        assert documented in text
        text = text.replace(documented, own)
    file = folder / "haproxy.cfg"
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    settings = {"root_path": ROOT_PATH, "trusted_proxies": "127.0.0.1", "log_format": "json"}
    with serving(tmp_path_factory.mktemp("behind"), **settings) as api:
        yield api


@pytest.fixture(scope="module")
def site(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of HAProxy."""
    executable = haproxy.executable()
    if executable is None:
        pytest.skip("HAProxy is not installed")
    folder = tmp_path_factory.mktemp("site")
    authority = Authority(folder / "tls")
    authority.certify("IP:127.0.0.1")
    pair = folder / "site.pem"
    pair.write_text(
        "".join((folder / "tls" / f"server.{end}").read_text() for end in ("pem", "key"))
    )
    port = free_port()
    process = Process(
        [executable, "-db", "-f", str(config(folder, port, api, pair))], folder / "haproxy.log", {}
    )
    context = ssl.create_default_context(cafile=authority.certificate)
    # From another address than the proxy's.
    transport = httpx.HTTPTransport(verify=context, local_address=CLIENT)
    client = httpx.Client(
        base_url=f"https://127.0.0.1:{port}", transport=transport, timeout=LONG_SECONDS
    )

    def answers() -> bool:
        try:
            return client.get(f"{ROOT_PATH}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_for(answers, why=process.output)
        yield client
    finally:
        client.close()
        process.end()


def test_every_link_of_the_pages_leads_somewhere(site: httpx.Client) -> None:
    page = site.get(ROOT_PATH, follow_redirects=True)
    assert page.url.path == f"{ROOT_PATH}/"
    for frame in (page, site.get(f"{ROOT_PATH}/docs")):
        links = re.findall(r'(?:src|href)="([^"#]+)"', frame.text)
        assert len(links) > 3
        for link in links:
            assert site.get(frame.url.join(link)).status_code == 200, link
    (server,) = site.get(f"{ROOT_PATH}/openapi.json").json()["servers"]
    assert site.post(f"{server['url']}/predict", json=[{"Sex": "male"}]).status_code == 200


def test_a_run_is_followed_where_location_says(site: httpx.Client) -> None:
    started = site.put(f"{ROOT_PATH}/run-pipeline")
    where = started.headers["Location"]
    assert where == started.json()["status_url"] == f"{ROOT_PATH}/jobs/{started.json()['job_id']}"
    assert site.get(where).json()["status"] == "queued"
    with site.stream("GET", f"{where}/events") as events:
        lines = events.iter_lines()
        # Not held back until there is more of it.
        assert next(lines).startswith("id: ") and '"queued"' in next(lines)
    assert site.delete(where).json()["status"] == "cancelled"


def test_a_request_to_upgrade_reaches_nobody_else(site: httpx.Client) -> None:
    """HAProxy forwards `Upgrade`."""
    smuggled = b"PUT /run-pipeline HTTP/1.1\r\nHost: api\r\n\r\n"
    headers = {"Connection": "Upgrade", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}
    for body, status in ((b'[{"Sex": "male"}]', 200), (smuggled, 422)):
        answer = site.post(f"{ROOT_PATH}/predict", content=body, headers=headers)
        assert answer.status_code == status
    (job,) = site.get(f"{ROOT_PATH}/jobs").json()["jobs"]
    assert job["status"] == "cancelled"


@pytest.mark.parametrize("forged", [{}, {"X-Forwarded-For": "203.0.113.7"}])
def test_the_log_names_the_client_and_not_the_proxy(
    site: httpx.Client, api: Api, forged: dict[str, str]
) -> None:
    answer = site.put(f"{ROOT_PATH}/none", headers={"X-Requested-By": "ada"} | forged)
    assert answer.status_code == 404
    asked = answer.headers["X-Request-ID"]
    # The line follows the answer.
    wait_for(lambda: f'"{asked}"' in api.log(), why=api.log)
    (line,) = [line for line in map(json.loads, api.log().splitlines()) if asked in line.values()]
    assert (line["client"], line["requested_by"]) == (CLIENT, "ada")

"""Redis behind TLS: both clients check its certificate, against an authority of one's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from shared.jobs.queue import broker
from shared.runtime.redis_client import connect
from shared.runtime.redis_keys import QUEUE
from shared.runtime.redis_outage import cause
from shared.runtime.redis_url import RedisServer
from tests.support.processes import Stack, wait_for
from tests.support.tls import Authority, TlsProxy
from tests.support.versions import publish
from worker.celery_app import celery_application


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def proxy(stack: Stack, authority: Authority) -> Iterator[TlsProxy]:
    proxy = TlsProxy(authority.certify("IP:127.0.0.1"), stack.redis.port)
    yield proxy
    proxy.close()


def test_a_run_behind_tls_with_an_authority_of_ones_own(
    stack: Stack, proxy: TlsProxy, authority: Authority
) -> None:
    publish(stack.models_dir)
    stack.settings |= {
        "redis_url": f"rediss://127.0.0.1:{proxy.port}/0",
        "redis_ca_file": str(authority.certificate),
    }
    api = stack.start_api()
    stack.start_worker()
    job_id = api.run_pipeline()
    wait_for(lambda: api.job(job_id)["started_at"])


@pytest.mark.parametrize("name", ["an unknown authority", "another host"])
def test_no_client_takes_a_certificate_that_is_not_to_be_trusted(
    stack: Stack, proxy: TlsProxy, authority: Authority, name: str
) -> None:
    url = f"rediss://127.0.0.1:{proxy.port}/0"
    server, said = RedisServer(url), "LIFEBOAT_REDIS_CA_FILE"
    if name == "another host":
        other = TlsProxy(authority.certify("DNS:another.example"), stack.redis.port)
        said = "for another host"
        server = RedisServer(f"rediss://127.0.0.1:{other.port}/0", ca_file=authority.certificate)
    with pytest.raises(redis.ConnectionError) as refused:
        connect(server).ping()
    assert said in cause(refused.value)
    for other_client in (broker(server), celery_application(server).connection_for_write()):
        with pytest.raises(redis.ConnectionError) as refused:
            other_client.connect()
        assert said in cause(refused.value)
    assert not stack.redis.client.exists(QUEUE)


def test_a_url_may_say_that_no_certificate_is_checked(stack: Stack, proxy: TlsProxy) -> None:
    server = RedisServer(f"rediss://127.0.0.1:{proxy.port}/0?ssl_cert_reqs=none")
    assert connect(server).ping()
    broker(server).connect()
    celery_application(server).connection_for_write().connect()

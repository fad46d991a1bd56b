"""A URL is either read alike by redis-py and by Celery's client, or refused."""

import kombu
import pytest
import redis

from shared.runtime import redis_url
from shared.runtime.redis_url import RedisServer


@pytest.mark.parametrize(
    "url",
    [
        "redis://host",
        "redis://host/",
        "redis://host:6380/12",
        "redis://HOST.example:6379/0",
        "redis://127.0.0.1:6379/0",
        "redis://[::1]:6379/1",
        "redis://[fe80::1]/0",
        "redis://user@host:6379/0",
        "redis://:sesame@host:6379/0",
        "redis://user:p%40ss%3Aw%2Frd%3F%23%25@host:6379/3",
        "redis://:@host:6379/0",
        "redis://us%40er:a+b@host/0",
        "rediss://user:sesame@host:6380/3",
        "rediss://host/0?ssl_cert_reqs=none",
    ],
)
def test_what_is_accepted_both_clients_read_alike(url: str) -> None:
    server = RedisServer(redis_url.checked(url))
    pool = redis.Redis.from_url(server.plain_url).connection_pool.connection_kwargs
    celerys = kombu.Connection(server.plain_url, ssl=server.tls or False)
    assert (pool.get("host", "127.0.0.1"), pool.get("port", 6379)) == (
        celerys.hostname,
        celerys.port or 6379,
    )
    assert (pool.get("db") or 0) == int((celerys.virtual_host or "").strip("/") or 0)
    assert (pool.get("username") or None) == celerys.userid
    assert (pool.get("password") or None) == celerys.password


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:6379",
        "sesame",
        "http://:sesame@host",
        "unix:///run/redis.sock",
        "redis+socket:///run/redis.sock",
        "socket:///run/redis.sock",
        "redis-socket:///run/redis.sock",
        "sentinel://:sesame@host:26379",
        "redis://",
        "redis:///0",
        "redis://:sesame@/0",
        "redis://:6379/0",
        "redis://host:0/0",
        "redis://host:65536/0",
        "redis://host:port/0",
        "redis://host:6379?db=5",
        "redis://host:6379/?db=5",
        "redis://host:6379/0?socket_timeout=1",
        "redis://host:6379/0?virtual_host=1",
        "redis://host:6379/0?ssl_cert_reqs=none",
        "rediss://host/0?ssl_ca_certs=/ca.pem",
        "rediss://host/0?ssl_cert_reqs=required&ssl_check_hostname=false",
        "rediss://host/0?ssl_cert_reqs=perhaps",
        "redis://host/abc",
        "redis://host/-1",
        "redis://host/1/2",
        "redis://host/0/",
        "redis://host//",
        "redis://host/%31",
        "redis://host/\u0661",
        "redis://:se@same@host/0",
        "redis://user@name:sesame@host/0",
        "redis://:ses/ame@host:6379/0",
        "redis://:ses#ame@host:6379/0",
        "redis://:ses?ame@host:6379/0",
        "redis://host/0#1",
        "redis://host/0#",
        "redis://ho%73t/0",
        "redis://[::1/0",
        "redis://::1/0",
        "redis://host /0",
        "redis://host/0\n",
        " redis://host/0",
        "redis://:ses ame@host/0",
        "redis://one:6379,two:6379/0",
        "redis://one:6379/0;redis://two:6379/0",
    ],
)
def test_what_one_of_them_cannot_read_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="expected a URL like redis://") as refused:
        redis_url.checked(url)
    assert "ses" not in str(refused.value).replace("user:password", "")


@pytest.mark.parametrize(
    ("query", "required"),
    [("", True), ("?ssl_cert_reqs=required", True), ("?ssl_cert_reqs=none", False)],
)
def test_both_clients_check_the_certificate_unless_the_url_says_otherwise(
    query: str, required: bool
) -> None:
    tls = RedisServer(f"rediss://host/0{query}").tls
    assert tls["ssl_cert_reqs"] == ("required" if required else "none")
    assert tls["ssl_check_hostname"] is required
    assert RedisServer("redis://host/0").tls == {}

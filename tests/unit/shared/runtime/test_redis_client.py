from shared.runtime.redis_client import connect
from shared.runtime.redis_url import RedisServer


def test_connecting_opens_nothing_yet() -> None:
    client = connect(RedisServer("redis://user:sesame@no-such-host.invalid:1/3"))
    options = client.connection_pool.connection_kwargs
    assert (options["host"], options["port"], options["db"]) == ("no-such-host.invalid", 1, 3)
    assert (options["username"], options["password"]) == ("user", "sesame")


def test_no_call_waits_for_redis_for_longer_than_a_second_at_a_time() -> None:
    options = connect(RedisServer("redis://127.0.0.1:6379/0")).connection_pool.connection_kwargs
    assert options["socket_timeout"] <= 1
    assert options["socket_connect_timeout"] <= 1

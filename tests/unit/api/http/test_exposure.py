import pytest
from pydantic import SecretStr

from api.http.exposure import warn_where_open
from shared.settings import Settings


def warnings(caplog: pytest.LogCaptureFixture, settings: Settings) -> list[str]:
    with caplog.at_level("WARNING"):
        warn_where_open(settings)
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.7", "fe80::1", "example.org"])
def test_an_address_that_others_reach_without_a_key_is_warned_of_once(
    caplog: pytest.LogCaptureFixture, host: str
) -> None:
    (said,) = warnings(caplog, Settings(host=host, port=8123))
    assert "LIFEBOAT_API_KEY" in said and "8123" in said
    assert (host or "every address") in said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_an_address_of_this_machine_alone_can_be_reached_by_a_browser(
    caplog: pytest.LogCaptureFixture, host: str
) -> None:
    (said,) = warnings(caplog, Settings(host=host, port=8123))
    assert "DNS rebinding" in said and "LIFEBOAT_ALLOWED_HOSTS=localhost" in said
    caplog.clear()
    assert warnings(caplog, Settings(host=host, allowed_hosts="localhost")) == []


def test_allowed_hosts_are_no_key_to_those_who_reach_the_port(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (said,) = warnings(caplog, Settings(host="0.0.0.0", allowed_hosts="example.org"))
    assert "without a key" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_with_a_key_there_is_nothing_to_warn_of(
    caplog: pytest.LogCaptureFixture, host: str
) -> None:
    assert warnings(caplog, Settings(host=host, api_key=SecretStr("sesame"))) == []

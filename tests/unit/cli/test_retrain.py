import pytest

from cli.retrain import requested_by


def test_who_asks_is_named_in_printable_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "zoë\n")
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 100)
    assert requested_by() == ("zo??@" + "h" * 100)[:64]

    def nameless() -> str:
        raise OSError("no such user")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert requested_by()[0].isdigit()

import io

import pytest
from honcho.manager import Manager
from honcho.printer import Printer

from local.supervisor import Supervisor


def test_a_signal_that_comes_before_every_child_has_started_is_heeded_when_they_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminated: list[bool] = []
    started = False
    monkeypatch.setattr(Manager, "_all_started", lambda _: started)
    monkeypatch.setattr(Manager, "terminate", lambda _: terminated.append(started))
    supervisor = Supervisor(Printer(io.StringIO()))
    supervisor.terminate()
    assert not supervisor._all_started()
    assert terminated == []
    started = True
    assert supervisor._all_started() and supervisor._all_started()
    assert terminated == [True]
    supervisor.terminate()
    assert terminated == [True, True]

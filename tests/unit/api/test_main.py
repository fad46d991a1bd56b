"""How the API ends if it cannot start."""

import pytest
import uvicorn

from api import __main__ as module


@pytest.mark.parametrize(("started", "status"), [(False, 3), (True, None)])
def test_an_api_that_could_not_start_says_so_by_its_exit_status(
    monkeypatch: pytest.MonkeyPatch, started: bool, status: int | None
) -> None:
    def run(self: uvicorn.Server) -> None:
        self.started = started

    monkeypatch.setenv("LIFEBOAT_API_WORKERS", "1")
    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setattr(module, "configure", lambda *_: None)
    monkeypatch.setattr(module, "raise_open_files", lambda: None)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    if status is None:
        return module.main()
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == status

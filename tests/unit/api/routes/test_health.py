"""What a scrape does not wait for."""

import threading

import pytest

from api import limits
from tests.unit.api.conftest import Start


class Hanging:
    """A models folder that does not answer, as one of NFS without its server."""

    def __init__(self) -> None:
        self.back = threading.Event()
        self.asked: list[int] = []

    def free_bytes(self) -> int:
        self.asked.append(len(self.asked))
        if len(self.asked) == 1:
            self.back.wait(60)
        return 4711


def test_a_folder_that_does_not_answer_holds_no_scrape_and_one_thread(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "METRICS_SECONDS", 0.1)
    models = Hanging()
    client = start(models=models)
    try:
        for _ in range(3):
            answer = client.get("/metrics")
            assert answer.status_code == 200
            assert "lifeboat_build_info" in answer.text
            assert "lifeboat_models_free_bytes" not in answer.text
        assert len(models.asked) == 1
    finally:
        models.back.set()
    while "lifeboat_models_free_bytes 4711.0" not in client.get("/metrics").text:
        pass

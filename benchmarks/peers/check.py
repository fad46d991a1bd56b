"""Every server is asked once, and must answer as the pipeline itself does, before it is timed."""

from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np

from benchmarks import passengers
from benchmarks.peers.plan import CASES
from benchmarks.server import Call, Running
from shared.versions.manifest import PIPELINE_FILE

_TOLERANCE = 1e-5
"""Of probabilities; what Lifeboat promises for its ONNX file."""


def check(running: Sequence[Running], version: Path) -> dict[str, str]:
    """Name of a call that its server refuses -> how it does.

    Raises:
        AssertionError: a server refuses what it must not, or predicts otherwise than the pipeline.
    """
    pipeline = joblib.load(version / PIPELINE_FILE)
    refusals: dict[str, str] = {}
    for case in CASES:
        expected = pipeline.predict_proba(passengers.table(case.rows))[:, 1]
        for one, call in calls(running, {}):
            answer = one.post(call, case.rows)
            if call.may_refuse and not answer.is_success:
                refusals[call.name] = f"{answer.status_code} {answer.reason_phrase}"
                continue
            assert answer.status_code == 200, f"{call.name}: {answer.status_code} {answer.text}"
            if call.read is not None:
                probabilities = call.read(answer.content, answer.headers)
                assert probabilities.shape == expected.shape, f"{call.name}: {probabilities.shape}"
                difference = float(np.abs(probabilities - expected).max())
                assert difference <= _TOLERANCE, f"{call.name} is off by {difference}"
    return refusals


def calls(running: Sequence[Running], refusals: dict[str, str]) -> list[tuple[Running, Call]]:
    """Every call that is not refused, with its server."""
    return [
        (one, call) for one in running for call in one.server.calls if call.name not in refusals
    ]

"""The pipeline behind LitServe: `python -m benchmarks.peers.litserve_server PORT`.

One inference process and one HTTP process, the least it can do. Its `fast_queue` halved its speed
on one core, so it has the usual queue.
"""

import os
import sys
from typing import Any

import joblib
import litserve
import pandas as pd


class Titanic(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.pipeline: Any = joblib.load(os.environ["MODEL"])

    def decode_request(self, request: dict[str, Any]) -> pd.DataFrame:
        return pd.DataFrame(request["passengers"])

    def predict(self, passengers: pd.DataFrame) -> Any:
        return self.pipeline.predict_proba(passengers)

    def encode_response(self, probabilities: Any) -> dict[str, Any]:
        return {
            "predictions": self.pipeline.classes_[probabilities.argmax(axis=1)].tolist(),
            "probabilities": probabilities[:, 1].tolist(),
        }


def main() -> None:
    server = litserve.LitServer(Titanic(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        access_log=False,
    )


if __name__ == "__main__":
    main()

"""Saves the pipeline as an MLflow model: `python -m benchmarks.peers.mlflow_model PIPELINE FOLDER`.

Run in MLflow's environment. Without a signature, which MLflow would check at each request for about
a tenth of its speed.
"""

import sys

import joblib
import mlflow.sklearn


def main() -> None:
    pipeline, folder = sys.argv[1:]
    mlflow.sklearn.save_model(
        joblib.load(pipeline),
        folder,
        pyfunc_predict_fn="predict_proba",
        # Its default, skops, trusts no tree of scikit-learn.
        serialization_format="cloudpickle",
        # None given, it would look for them by loading the model in yet another process.
        pip_requirements=[],
    )


if __name__ == "__main__":
    main()

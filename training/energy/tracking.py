"""One MLflow run as a context: parameters, the data set's hash, and a function that logs metrics."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import mlflow

from ionscout.datasets.settings import settings


@contextmanager
def track(experiment: str, name: str, parameters: dict, digest: str) -> Iterator[Callable[[dict, int], None]]:
    """Open a run in the home folder's sqlite record (or in `MLFLOW_TRACKING_URI`) and yield `log(metrics, step)`."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    home = settings().home / "mlruns"
    home.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}"))
    if mlflow.get_experiment_by_name(experiment) is None:
        mlflow.create_experiment(experiment, artifact_location=(home / "artifacts" / experiment).as_uri())
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=name):
        mlflow.log_params(parameters)
        mlflow.log_param("data_sha256", digest)
        yield lambda metrics, step: mlflow.log_metrics(metrics, step=step)

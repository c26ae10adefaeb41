"""MLflow as the record of every training: where it is kept, and one run as a context."""

import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import mlflow
import mlflow.data.pandas_dataset
import pandas as pd
import psutil
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from pydantic import BaseModel

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.base import Measurement, content_hash
from ionscout.training.config import as_yaml

# (table, column) of the sqlite record that hold absolute artifact addresses.
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def use_record() -> str:
    """Point MLflow at its record and return the address.

    `MLFLOW_TRACKING_URI` wins; the default is `mlruns/mlflow.db` in the home folder, artifacts beside it.

    Raises:
        DataUnavailable: nothing answers at that address.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a line for every small file
    os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    address = os.environ.get("MLFLOW_TRACKING_URI")
    if not address:
        home = settings().home / "mlruns"
        home.mkdir(parents=True, exist_ok=True)
        database = home / "mlflow.db"
        if database.is_file():
            relocate(database, home / "artifacts")
        address = f"sqlite:///{database}"
        mlflow.set_tracking_uri(address)
        # MLflow writes the address into the environment, where it would pass for the user's wish from then on.
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    elif address.startswith(("http://", "https://")):
        _knock(address)
    return address


def _knock(address: str) -> None:
    """MLflow asks a server that is not there for four minutes before it gives up, and does not say what to do."""
    for wait in (0.5, 2.0, None):  # a server that restarts is back after a moment
        try:
            httpx.get(address, timeout=10.0)
            return
        except httpx.TransportError as error:
            if wait is None:
                raise DataUnavailable(
                    f"The MLflow record at {address} does not answer ({error}); start it, or correct "
                    "MLFLOW_TRACKING_URI (without it the record is kept in a local file)."
                ) from None
            time.sleep(wait)


def relocate(database: Path, artifacts: Path) -> None:
    """Mend the artifact addresses of a record that was moved; MLflow stores them as absolute paths."""
    with closing(sqlite3.connect(database)) as connection, connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "experiments" not in tables:
            return
        marker = "/mlruns/artifacts"
        row = connection.execute(
            "SELECT artifact_location FROM experiments WHERE artifact_location LIKE ? LIMIT 1", (f"%{marker}%",)
        ).fetchone()
        if row is None:
            return
        old = row[0][: row[0].index(marker) + len(marker)]
        new = artifacts.as_uri()
        if old == new:
            return
        for table, column in _ADDRESSES:
            if table in tables and column in {c[1] for c in connection.execute(f"PRAGMA table_info({table})")}:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} LIKE ?",
                    (new, len(old) + 1, f"{old}%"),
                )


CONFIGURATION = "configuration.yaml"
PROCESS = "process"  # tag of a run: machine, process and when that began, as process numbers are used again
CLOCK_SECONDS = 5  # by which a corrected clock may shift when a process is said to have begun


@contextmanager
def run(
    experiment: str, name: str, parameters: dict, *, nested: bool = False, resume: str | None = None
) -> Iterator[mlflow.ActiveRun]:
    """Open a run in the record; parameters are logged at once.

    Args:
        resume: id of a run to go on with, if the record still has it.
    """
    address = use_record()
    if mlflow.get_experiment_by_name(experiment) is None:
        mlflow.create_experiment(experiment, artifact_location=_artifact_location(address, experiment))
    mlflow.set_experiment(experiment)
    kept = resume if resume is not None and _has_run(resume) else None
    end_abandoned(experiment)
    with mlflow.start_run(run_id=kept, run_name=None if kept else name, nested=nested) as active:
        mlflow.set_tag(PROCESS, _process())
        if kept is None:
            mlflow.log_params(parameters)
        yield active


def end_abandoned(experiment: str) -> None:
    """Mark as killed what the record holds as running, but whose process on this machine is gone, with nested runs."""
    running = mlflow.search_runs(
        experiment_names=[experiment], filter_string="attributes.status = 'RUNNING'", output_format="list"
    )
    gone = {run.info.run_id for run in running if _is_gone(run.data.tags.get(PROCESS, "unknown"))}
    for run in running:
        if run.info.run_id in gone or run.data.tags.get(MLFLOW_PARENT_RUN_ID) in gone:
            mlflow.MlflowClient().set_terminated(run.info.run_id, "KILLED")


def _process() -> str:
    return f"{_machine()} {os.getpid()} {psutil.Process().create_time():.0f}"


def _machine() -> str:
    """Name and network address: many machines that share a record are called `localhost`."""
    return f"{socket.gethostname()}-{uuid.getnode():x}"


def _is_gone(tag: str) -> bool:
    """Whether a tag names a process of this machine that runs no more; nothing is said of other machines."""
    machine, *numbers = tag.split()
    if machine != _machine():
        return False
    number, began = map(int, numbers)
    try:
        return abs(psutil.Process(number).create_time() - began) > CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return True


def _has_run(run_id: str) -> bool:
    try:
        return mlflow.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException:
        return False


def log_config(config: BaseModel) -> None:
    """Record the whole configuration of the open run, defaults included, as a file that `--config` takes."""
    mlflow.log_text(as_yaml(config), CONFIGURATION)


def _artifact_location(address: str, experiment: str) -> str | None:
    """Beside the database of a sqlite record; MLflow would use the working folder. A server knows its own place."""
    if not address.startswith("sqlite:///"):
        return None
    return (Path(address.removeprefix("sqlite:///")).resolve().parent / "artifacts" / experiment).as_uri()


def log_measurements(measurements: Sequence[Measurement], name: str, split: str) -> None:
    """Record a data set (columns, size, content hash) and what it was used for."""
    table = pd.DataFrame(
        {
            "id": [m.id for m in measurements],
            "source": [m.source for m in measurements],
            "formula": [m.formula for m in measurements],
            "log10_conductivity": [m.log10_conductivity for m in measurements],
            "censored": [m.censored for m in measurements],
            "has_structure": [m.structure is not None for m in measurements],
        }
    )
    # MLflow keeps 36 characters of a digest; the whole hash is a tag.
    digest = content_hash(measurements)
    data = mlflow.data.pandas_dataset.from_pandas(table, name=name, targets="log10_conductivity", digest=digest[:32])
    mlflow.log_input(data, context=split, tags={"sha256": digest, "split": split})

"""The record on a tracking server: PostgreSQL behind it, artifacts through it, and an address all that a client has."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import mlflow
import pytest
import sqlalchemy as sa
from mlflow_server import running_mlflow

from ionscout.datasets.errors import DataUnavailable
from ionscout.serving.launch import free_port
from ionscout.training.tracking import use_record

CLIENT = Path(__file__).with_name("tracking_client.py")


@pytest.fixture(scope="module")
def address(postgres, tmp_path_factory):
    name = f"mlflow_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    with running_mlflow(f"{postgres.rsplit('/', 1)[0]}/{name}", tmp_path_factory.mktemp("mlflow")) as url:
        yield url


def on_a_machine(folder: Path, address: str, step: str) -> dict:
    """Run one step in a process that knows the address and has an empty home."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "IONSCOUT_HOME": str(folder),
        "MLFLOW_TRACKING_URI": address,
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run([sys.executable, CLIENT, step], env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def trained(address, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("trains")
    found = on_a_machine(folder, address, "trains")
    assert not list(folder.rglob("*.db"))  # nothing went into a record of its own
    assert not list(folder.rglob("*.safetensors"))
    return found


@pytest.fixture(scope="module")
def record(address, trained) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(tracking_uri=address, registry_uri=address)


def test_the_gate_promotes_and_another_machine_fetches_the_champion_and_rolls_back(address, trained, record, tmp_path):
    first, second = trained["trained"]
    assert trained["outcome"] == "promoted", trained["words"]
    assert record.get_model_version_by_alias("conductivity", "champion").version in (2, "2")
    found = on_a_machine(tmp_path, address, "follows")
    assert (found["fetched"], found["back"]) == (second, first)
    assert (found["left"], found["now"]) == ("2", "1")
    assert found["sigma"] > 0
    aliases = record.get_registered_model("conductivity").aliases
    assert {name: str(version) for name, version in aliases.items()} == {"champion": "1", "previous": "2"}


def test_a_training_leaves_runs_data_figures_card_gate_and_environment(record, trained):
    run = record.get_run(record.get_model_version("conductivity", "2").run_id)
    nested = record.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'", order_by=["params.fold"]
    )
    assert [child.data.params["fold"] for child in nested] == ["0", "1"]
    assert all(len(record.get_metric_history(c.info.run_id, "training_loss")) == 2 for c in nested)

    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "main"
    assert json.loads(data.dataset.profile)["num_rows"] == 30
    assert len(next(tag.value for tag in data.tags if tag.key == "sha256")) == 64

    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    names = {file.path for file in record.list_artifacts(run.info.run_id)}
    assert {"parity.png", "calibration.png", "losses.png", "model_card.json", "out_of_fold.csv", "gate.json"} <= names
    assert _bytes(record, run, "parity.png").startswith(b"\x89PNG")
    card, gate = (json.loads(_bytes(record, run, name)) for name in ("model_card.json", "gate.json"))
    assert card["version"] == trained["trained"][1]
    assert card["environment"]["torch"]
    assert card["environment"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert gate["outcome"] == "promoted"
    assert {"accuracy", "rotation", "latency"} <= {test["name"] for test in gate["gate"]["tests"]}
    assert record.get_model_version("conductivity", "2").tags["ionscout.gate"] == "promoted"


def _bytes(record: mlflow.MlflowClient, run, name: str) -> bytes:
    return Path(record.download_artifacts(run.info.run_id, name)).read_bytes()


def test_an_address_where_nothing_answers_is_told_at_once_and_with_what_to_do(monkeypatch):
    nobody = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", nobody)
    with pytest.raises(DataUnavailable, match=rf"{nobody} does not answer .*MLFLOW_TRACKING_URI"):
        use_record()

"""A small real training, end to end: it converges, repeats itself, is recorded, registered and loaded from MLflow."""

from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.structure import parse_material
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.training import registry
from ionscout.training.conductivity import TrainingData, train, training_data
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.evaluate import evaluate_measurements, score
from ionscout.training.examples import make_examples
from ionscout.training.fit import conductivity_loss, fit_network
from ionscout.training.tracking import use_record

SMALL = read_config(ConductivityConfig, None, "conductivity").model_copy(
    update={
        "members": 1,
        "folds": 3,
        "epochs": 3,
        "workers": 1,
        "network": NetworkConfig(width=8, head=16, crystal_layers=1),
    }
)


@pytest.fixture(scope="module")
def rows():
    return Embedded().load()


@pytest.fixture(scope="module")
def trained(home, rows):
    return train(TrainingData(rows, [], "embedded"), SMALL, home / "weights")


def test_a_network_learns_what_it_is_shown(rows):
    config = SMALL.model_copy(update={"epochs": 40, "network": NetworkConfig(dropout=0, structure_dropout=0)})
    examples = make_examples([m for m in rows if not m.censored][:40], config.network.cutoff)
    fitted = fit_network(examples, config, seed=0)
    spread = np.abs(examples.label - np.median(examples.label)).mean()
    assert fitted.history[-1][0] < fitted.history[0][0]  # the likelihood improves …
    assert min(error for _, error in fitted.history) < 1.5 * spread  # … and held-out rows do not get absurd


def test_one_seed_gives_one_network_and_another_seed_another(rows):
    examples = make_examples(rows[:30], SMALL.network.cutoff)
    first, second, other = (fit_network(examples, SMALL, seed).state for seed in (5, 5, 6))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_the_loss_punishes_crossing_a_bound_and_rewards_staying_below():
    def loss(location: float, censored: bool) -> float:
        arguments = (torch.tensor([location]), torch.zeros(1), torch.tensor([4.5]), torch.tensor([-10.0]))
        return float(conductivity_loss(*arguments, torch.tensor([censored]), torch.tensor([float("nan")])))

    assert loss(-14, True) < loss(-10, True) < loss(-6, True)
    assert loss(-14, False) > loss(-10, False)


def test_training_is_recorded_with_data_split_figures_and_weights(trained, home):
    use_record()
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("conductivity")
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    nested = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(parents) == 1
    assert len(nested) == SMALL.folds * SMALL.members
    assert len(client.get_metric_history(nested[0].info.run_id, "validation_mae")) == SMALL.epochs
    (data,) = parents[0].inputs.dataset_inputs
    assert {tag.key for tag in data.tags} >= {"sha256", "split"}
    names = {file.path for file in client.list_artifacts(parents[0].info.run_id)}
    assert {"parity.png", "calibration.png", "model_card.json", "configuration.yaml"} <= names
    path = mlflow.artifacts.download_artifacts(run_id=parents[0].info.run_id, artifact_path="configuration.yaml")
    assert read_config(ConductivityConfig, Path(path), "conductivity") == SMALL
    assert parents[0].data.params["network.width"] == "8"
    assert (home / "mlruns" / "mlflow.db").is_file()
    assert not list(home.rglob("*.pkl"))
    assert trained.card["bulk_shift"] is None  # no embedded sample states both in one row


def test_the_first_version_is_champion_and_loads_by_its_alias(trained):
    served = registry.load_registered("models:/conductivity@champion")
    material = parse_material("Li6PS5Cl")
    assert served.version == trained.version
    assert served.predict([material]) == trained.predict([material])


def test_mlflow_itself_can_load_and_ask_the_model(trained):
    import pandas as pd

    use_record()
    model = mlflow.pyfunc.load_model("models:/conductivity@champion")
    answer = model.predict(pd.DataFrame({"text": ["Li6PS5Cl"]}))
    assert answer["version"][0] == trained.version


def test_a_later_version_is_challenger_and_the_champion_stays(trained, rows):
    later = train(TrainingData(rows[:60], [], "part"), SMALL.model_copy(update={"seed": 1}))
    assert later.version != trained.version
    assert registry.load_registered("models:/conductivity@champion").version == trained.version
    assert registry.load_registered("models:/conductivity@challenger").version == later.version


def test_a_record_that_was_moved_still_finds_its_artifacts(trained, home, tmp_path, monkeypatch):
    import shutil

    shutil.copytree(home / "mlruns", tmp_path / "elsewhere" / "mlruns")
    monkeypatch.setenv("IONSCOUT_HOME", str(tmp_path / "elsewhere"))
    settings.cache_clear()
    try:
        shutil.move(home / "mlruns" / "artifacts", home / "gone")
        assert registry.load_registered("models:/conductivity@champion").version == trained.version
    finally:
        shutil.move(home / "gone", home / "mlruns" / "artifacts")
        monkeypatch.undo()
        settings.cache_clear()


def test_an_unknown_model_address_is_one_sentence(trained):
    with pytest.raises(DataUnavailable, match="ionscout train"):
        registry.load_registered("models:/conductivity@nobody")


def test_evaluation_of_own_rows_counts_and_bounds(trained, rows):
    report = evaluate_measurements(trained, rows[:10])
    assert report["scores"]["all"]["n"] == 10
    assert all(r["lower"] < r["predicted"] < r["upper"] for r in report["rows"])


def test_protocols_differ_only_on_bounds():
    label, censored = np.array([-5.0, -10.0]), np.array([False, True])
    s = score(np.array([-5.0, -8.0]), label, censored, half_width=np.array([1.0, 1.0]))
    assert (s.mae_P, s.mae_B, s.mae_C) == (3.5, 1.0, 1.0)
    assert s.coverage_90 == 0.5
    below = score(np.array([-5.0, -12.0]), label, censored)
    assert (below.mae_P, below.mae_B, below.mae_C) == (1.5, 1.0, 0.0)
    assert below.coverage_90 is None


def test_a_training_that_diverges_says_so(rows):
    examples = make_examples(rows[:30], SMALL.network.cutoff)
    examples.log_conductivity[:] = np.nan
    with pytest.raises(BadData, match="diverged"):
        fit_network(examples, SMALL, seed=0)


def test_own_rows_join_the_training_unless_their_temperature_says_nothing(tmp_path, monkeypatch):
    (tmp_path / "own.csv").write_text(
        "formula,conductivity_S_cm,temperature_K\nLi3PS4,1e-4,298\nLi3PS4,1e-2,500\nLi2S,1e-12,\n"
    )
    monkeypatch.setattr("ionscout.training.measurements.Obelix", _NoObelix)
    data = training_data(tmp_path / "own.csv")
    assert [m.formula for m in data.main if m.source == "user"] == ["Li3PS4", "Li2S"]


class _NoObelix:
    def __init__(self, *arguments, **named):
        raise DataUnavailable("no OBELiX here")


def test_a_configuration_with_a_typo_or_a_wrong_value_is_refused(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("epochz: 3\n")
    with pytest.raises(BadData, match="epochz"):
        read_config(ConductivityConfig, path, "conductivity")
    path.write_text("epochs: 0\n")
    with pytest.raises(BadData, match="epochs"):
        read_config(ConductivityConfig, path, "conductivity")
    assert read_config(ConductivityConfig, None, "conductivity").members >= 3

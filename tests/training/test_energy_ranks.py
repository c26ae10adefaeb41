"""Fits of the energy GNN by several workers at once: the loss falls, and the fit is that of one process."""

import threading
from contextlib import suppress
from dataclasses import replace

import mlflow
import numpy as np
import psutil
import pytest
import torch
from pymatgen.core import Element

from ionscout.datasets.errors import BadData
from ionscout.datasets.settings import settings
from ionscout.models.energy import EnergyNet, EnergyNetConfig
from ionscout.training.energy import fit
from ionscout.training.energy.config import load_config
from ionscout.training.energy.data import CompositionTable
from ionscout.training.energy.descent import Snapshot, Work, _begin, _loss, descend
from ionscout.training.energy.ray_ranks import RayRanks
from ionscout.training.engines import FitStopped

CONFIG = load_config(
    None,
    ["width=32", "layers=1", "batch=50", "members=1", "bfloat16=false", "muon_rate=0.02", "adam_rate=0.005"],
)


class Heard:
    """A recorder that keeps what it is told."""

    def __init__(self):
        self.errors, self.steps, self.kept = [], [], []

    def step(self, progress):
        self.steps.append(progress)

    def epoch(self, number, step, progress, error):
        self.errors.append(error)

    def keep(self, tensors):
        self.kept.append(tensors)


@pytest.fixture(scope="module")
def table():
    """300 binaries whose energy is that of a regular solution; every third has no decomposition energy."""
    rng = np.random.default_rng(0)
    numbers = np.array([Element(symbol).Z for symbol in ("Li", "Na", "Mg", "O", "S", "Cl", "P", "F")])
    z, fraction = np.zeros((300, 9), int), np.zeros((300, 9), np.float32)
    targets = np.full((300, 6), np.nan, np.float32)
    for i in range(300):
        a, b = rng.choice(len(numbers), 2, replace=False)
        x = rng.uniform(0.1, 0.9)
        z[i, :2], fraction[i, :2] = numbers[[a, b]], [x, 1 - x]
        targets[i, 0] = -abs(a - b) * x * (1 - x)
        targets[i, 1] = 0.1 if i % 3 else np.nan
    return CompositionTable(np.arange(300).astype(str), z, fraction, targets, "toy")


def work(table, epochs, **changes):
    return Work(CONFIG.model_copy(update=changes), table, np.ones(len(table), dtype=bool), epochs=epochs, seed=3)


def distance(a, b):
    """Largest difference between two sets of weights, in units of how far the second has moved from zero."""
    return max(float((a[k] - b[k]).abs().max() / b[k].abs().max().clamp(min=1e-3)) for k in b)


def test_the_mean_of_the_gradients_of_all_shares_is_the_gradient_of_the_batch(table):
    torch.manual_seed(0)
    net, weights = EnergyNet(EnergyNetConfig(width=32, layers=1)), torch.ones(6)
    z, fraction, targets = (torch.from_numpy(x[:50]) for x in (table.z[:, :2], table.fraction[:, :2], table.targets))

    def gradient(rows, count):
        net.zero_grad()
        _loss(net(z[rows], fraction[rows]), targets[rows], weights, count).backward()
        return torch.cat([p.grad.flatten() for p in net.parameters()])

    whole = gradient(slice(None), 50)
    shares = sum(gradient(slice(k, None, 3), 50 / 3) for k in range(3)) / 3  # 17, 17 and 16 rows
    torch.testing.assert_close(shares, whole, rtol=1e-4, atol=1e-6)


def test_two_workers_fit_what_one_process_fits(table, cluster):
    alone, together = Heard(), Heard()
    one = descend(work(table, 2), alone)
    two = RayRanks(cluster).descend(replace(work(table, 2), save_every=0.0), together)
    assert len(together.errors) == len(alone.errors)
    assert 0 < float(together.kept[-1]["progress"]) <= 1  # checkpoints reach the caller
    assert distance({k[5:]: v for k, v in together.kept[-1].items() if k.startswith("mean.")}, two.weights) == 0
    # Muon works in bfloat16, so that the last bits of a gradient become 1 % of the weights within these 14 steps.
    another = Heard()
    other = descend(Work(CONFIG, table, np.ones(300, dtype=bool), epochs=2, seed=4), another)
    np.testing.assert_allclose(together.errors[0], alone.errors[0], rtol=1e-3)
    np.testing.assert_allclose(together.errors, alone.errors, rtol=0.01)
    assert np.abs(np.divide(another.errors, alone.errors) - 1).min() > 0.1
    assert distance(two.weights, one.weights) < 0.02 < 0.2 * distance(other.weights, one.weights)


def test_the_loss_falls_with_two_workers_and_the_fit_is_recorded_by_the_caller(table, cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("IONSCOUT_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings.cache_clear()
    try:
        config = CONFIG.model_copy(update={"epochs_holdout": 25})
        (found,) = fit.run(config, holdout=True, minutes=9, quiet=True, table=table, fit=RayRanks(cluster).descend)
        spread = float(np.abs(table.targets[:, 0] - table.targets[:, 0].mean()).mean())
        assert found.last_error < 0.3 * spread
        assert found.weights.is_file()
        (run,) = mlflow.search_runs(experiment_names=["energy"], output_format="list")
        errors = mlflow.MlflowClient().get_metric_history(run.info.run_id, "train_error_meV_atom")
        assert errors[-1].value < 0.5 * errors[0].value
    finally:
        settings.cache_clear()


def test_a_fit_goes_on_from_a_checkpoint_and_refuses_one_of_another_shape(table):
    state = _begin(work(table, 1), torch.device("cpu"))
    kept = Snapshot(state.net, state.mean, 1.0).tensors()
    unchanged = descend(replace(work(table, 1), weights=kept), Heard())
    assert distance(unchanged.weights, dict(state.mean.state_dict())) == 0
    with pytest.raises(BadData, match="not of width 16 and 1 layers; move mlruns/energy away"):
        descend(replace(work(table, 1, width=16), weights=kept), Heard())


def test_a_lost_worker_ends_the_fit_of_all_with_one_sentence(table, cluster):
    heard, ended = Heard(), threading.Event()

    def kill():
        while not (heard.steps or ended.wait(0.2)):  # a rank that is lost before the first step is started again
            pass
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if any("RayTrainWorker" in word for word in child.cmdline()):
                    child.kill()
                    return

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(FitStopped, match="run the same command again"):
            RayRanks(cluster).descend(work(table, 100_000), heard)
    finally:
        ended.set()
        killer.join()


def test_more_workers_than_rows_in_a_batch_are_refused(table, cluster):
    with pytest.raises(BadData, match="cannot share a batch of 1"):
        RayRanks(cluster).descend(work(table, 1, batch=1), Heard())

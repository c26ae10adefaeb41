"""Fit one network: seeded, with early stopping on rows of publications held out for it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ionscout.datasets.errors import BadData
from ionscout.models import arrhenius
from ionscout.models.conductivity.inputs import batch_of
from ionscout.models.conductivity.network import ConductivityNetwork
from ionscout.training.config import ConductivityConfig
from ionscout.training.examples import Examples
from ionscout.training.folds import publications

ENERGY_WEIGHT = 3.0  # an error of 0.1 eV in Ea then costs as much as 0.3 decades of conductivity
# Weights are averaged over about 50 steps (4 epochs): one step on 32 rows is noise, and so is a validation of 40 rows.
AVERAGING = 0.98
WARM_UP = 0.3  # share of the schedule before the best epoch is looked for; earlier ones win by luck only


@dataclass(frozen=True)
class FittedNetwork:
    """Averaged weights of the best epoch, and all epochs: `history` is [(training loss, validation error), …].

    The validation error is the mean absolute one, in decades: a likelihood on 40 rows follows its outliers.
    """

    state: dict[str, Tensor]
    history: list[tuple[float, float]]
    best_epoch: int


def fit_network(
    examples: Examples,
    config: ConductivityConfig,
    seed: int,
    on_epoch: Callable[[int], None] | None = None,
    initial: Mapping[str, Tensor] | None = None,
) -> FittedNetwork:
    """Train one network; `on_epoch` is told the number of each finished epoch.

    Args:
        initial: weights to start from, by name, instead of random ones; those that are missing stay random.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    training, validation = _hold_out(examples, config, rng)
    network = ConductivityNetwork(config.network).to(device)
    if initial:
        network.load_state_dict(dict(network.state_dict()) | dict(initial))
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * math.ceil(len(training) / config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, steps, pct_start=0.15)
    label = torch.tensor(examples.label, dtype=torch.float32, device=device)
    censored = torch.tensor(examples.censored, device=device)
    energy = torch.tensor(examples.energy, dtype=torch.float32, device=device)

    def loss_of(rows: np.ndarray) -> Tensor:
        batch = batch_of(examples.graphs[i] for i in rows).to(device)
        location, log_scale, prefactor = network(batch)
        return conductivity_loss(location, log_scale, prefactor, label[rows], censored[rows], energy[rows])

    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGING))
    held_out = batch_of(examples.graphs[i] for i in validation).to(device)
    best, best_epoch, best_state = math.inf, 0, {}
    history: list[tuple[float, float]] = []
    for epoch in range(config.epochs):
        network.train()
        losses = []
        shuffled = rng.permutation(training)
        for start in range(0, len(shuffled), config.batch_size):
            loss = loss_of(shuffled[start : start + config.batch_size])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            averaged.update_parameters(network)
            losses.append(float(loss.detach()))
        averaged.eval()
        with torch.no_grad():
            error = float(_error(averaged(held_out)[0], label[validation], censored[validation]))
        history.append((float(np.mean(losses)), error))
        if error < best and epoch + 1 >= WARM_UP * config.epochs:
            best, best_epoch = error, epoch
            best_state = {name: value.cpu().clone() for name, value in averaged.module.state_dict().items()}
        if on_epoch:
            on_epoch(epoch)
        if best_state and epoch - best_epoch >= config.patience:
            break
    if not best_state:
        raise BadData("The training diverged: no epoch had a finite validation error; lower learning_rate.")
    return FittedNetwork(best_state, history, best_epoch)


def _error(location: Tensor, label: Tensor, censored: Tensor) -> Tensor:
    """Mean absolute error in decades; an upper bound is violated only from above."""
    error = location - label
    return torch.where(censored, error.clamp(min=0), error.abs()).mean()


def conductivity_loss(
    location: Tensor, log_scale: Tensor, prefactor: Tensor, label: Tensor, censored: Tensor, energy: Tensor
) -> Tensor:
    """Mean negative log-likelihood [scalar] of a Laplace law, which forgives the handful of extreme labels.

    An upper bound contributes the probability of lying below it (censored likelihood, Tobin 1958). Where the paper
    gives an activation energy, its absolute error is added.
    """
    z = (label - location) * torch.exp(-log_scale)
    seen = z.abs() + log_scale
    below = torch.where(z < 0, z - math.log(2), torch.log1p(-0.5 * torch.exp(-z.clamp(min=0))))
    loss = torch.where(censored, -below, seen)
    error = (arrhenius.activation_energy(location.detach(), prefactor) - energy).abs()
    known = torch.isfinite(energy)
    return loss.mean() + ENERGY_WEIGHT * torch.where(known, error, 0.0).sum() / known.sum().clamp(min=1)


def _hold_out(
    examples: Examples, config: ConductivityConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to train on and to stop on; whole publications are held out, other ones for every seed."""
    groups = publications(examples.measurements)
    chosen = np.zeros(len(groups), dtype=bool)
    for group in rng.permutation(np.unique(groups)):
        if chosen.sum() >= config.validation_share * len(groups):
            break
        chosen |= groups == group
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)

"""The descent of the energy GNN: batches, loss, optimisers, running mean; by one process or several ranks in step."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ionscout.datasets.errors import BadData
from ionscout.models.energy.network import PROPERTIES, EnergyNet, EnergyNetConfig
from ionscout.training.energy.batches import batches, mean_draws
from ionscout.training.energy.config import FitConfig
from ionscout.training.energy.data import CompositionTable
from ionscout.training.energy.ranks import Alone, Ranks

_WARMUP = 0.02  # share of a fit; Muon diverges in the first steps at the full rate
_HUBER = 0.1  # eV/atom; decomposition energies have a long tail of impossible compounds


@dataclass(frozen=True)
class Work:
    """One fit, complete, so that it can be done anywhere.

    Attributes:
        train: rows to learn from, [N] bool.
        epochs: of the whole fit. seed: of every random stream. restart: share of both learning rates.
        weights: what the fit starts from: a checkpoint (`Snapshot.tensors`), or a network alone; None: random ones.
        minutes: wall-clock budget. save_every: s between checkpoints; so much is lost when a fit is stopped.
    """

    config: FitConfig
    table: CompositionTable
    train: np.ndarray
    epochs: int
    seed: int
    restart: float = 1.0
    weights: Mapping[str, Tensor] | None = None
    minutes: float | None = None
    save_every: float = 60.0


@dataclass
class Snapshot:
    """Where a fit is. The optimisers' momenta are not in it: they are back after a few dozen steps."""

    net: EnergyNet
    mean: EnergyNet  # running mean of the weights; this is what is shipped
    progress: float = 0.0  # share of the fit that is done

    def tensors(self) -> dict[str, Tensor]:
        """As a checkpoint."""
        kept = {f"net.{k}": v.cpu() for k, v in self.net.state_dict().items()}
        kept |= {f"mean.{k}": v.cpu() for k, v in self.mean.state_dict().items()}
        return kept | {"progress": torch.tensor(self.progress, dtype=torch.float64)}


class Recorder(Protocol):
    """Told how a fit goes."""

    def step(self, progress: float) -> None:
        """A batch is done."""

    def epoch(self, number: int, step: int, progress: float, error: float) -> None:
        """An epoch is done, with the mean training error of the formation energy, eV/atom."""

    def keep(self, tensors: dict[str, Tensor]) -> None:
        """A checkpoint is due."""


@dataclass(frozen=True)
class Descended:
    """Averaged weights, and the mean training error (eV/atom) over the draws of the last epoch, before averaging."""

    weights: dict[str, Tensor]
    last_error: float


def descend(work: Work, record: Recorder, ranks: Ranks | None = None) -> Descended:
    """Do a fit.

    Of several ranks each takes its share of every batch and all take the step of the whole batch, so that the fit is
    that of one process up to rounding; the first one records.

    Raises:
        BadData: the weights to start from have another shape.
    """
    ranks = ranks or Alone()
    config, table = work.config, work.table
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(work.seed)
    rng = np.random.default_rng(work.seed)
    state = _begin(work, device)
    joined = ranks.joined(state.net)
    forward = torch.compile(joined, dynamic=False) if config.compile else joined
    optimizers = _optimizers(state.net, config, work.restart)
    draws = mean_draws(table, config.draws) * work.train
    z, fraction, targets = (torch.from_numpy(x).to(device) for x in (table.z, table.fraction, table.targets))
    weights = torch.tensor([getattr(config.loss, name) for name in PROPERTIES], device=device)

    steps = work.epochs * draws.sum() / config.batch
    done, begun, saved = state.progress, time.monotonic(), time.monotonic()
    step, epoch, error = 0, 0, float("nan")
    while state.progress < 1:
        errors = []
        for rows, width in batches(table, draws, config.batch, rng):
            spent = ranks.agreed((time.monotonic() - begun) / (60 * work.minutes)) if work.minutes else 0.0
            state.progress = done + max(step / steps, (1 - done) * spent)
            if state.progress >= 1:
                break
            for optimizer, rate in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate * min((step + 1) / (_WARMUP * steps + 1), 1 - state.progress)
            mine = ranks.share_of(rows)
            with torch.autocast(device.type, torch.bfloat16, enabled=config.bfloat16):
                predicted = forward(z[mine, :width], fraction[mine, :width])
            _descend(_loss(predicted, targets[mine], weights, len(rows) / ranks.count), state, optimizers)
            # the mean starts short, so that it forgets the first steps, and grows to its full length
            _average(state, min(config.average, (step + 1) / (step + 10)))
            missed = (predicted[:, 0].detach() - targets[mine, 0]).abs()
            errors.append((float(missed.nansum()), float(missed.isfinite().sum())))
            step += 1
            if ranks.first:
                record.step(state.progress)
                if time.monotonic() - saved > work.save_every:
                    record.keep(state.tensors())
                    saved = time.monotonic()
        if errors:
            summed = ranks.summed(np.array(errors))
            known = summed[:, 1] > 0
            error, epoch = (
                float((summed[known, 0] / summed[known, 1]).mean()) if known.any() else float("nan"),
                epoch + 1,
            )
            if ranks.first:
                record.epoch(epoch, step, state.progress, error)
    return Descended({k: v.cpu() for k, v in state.mean.state_dict().items()}, error)


def _begin(work: Work, device: torch.device) -> Snapshot:
    """The checkpoint or the network that the fit starts from, else random weights."""
    size = EnergyNetConfig(width=work.config.width, layers=work.config.layers)
    state = Snapshot(EnergyNet(size), EnergyNet(size).requires_grad_(False))
    given = dict(work.weights or {})
    try:
        if "progress" in given:
            state.progress = float(given["progress"])
            state.net.load_state_dict({k[4:]: v for k, v in given.items() if k.startswith("net.")})
            state.mean.load_state_dict({k[5:]: v for k, v in given.items() if k.startswith("mean.")})
        else:
            if given:
                state.net.load_state_dict(given)
            state.mean.load_state_dict(state.net.state_dict())
    except RuntimeError:
        raise BadData(
            f"The weights that this fit would start from are not of width {size.width} and {size.layers} layers; "
            "move mlruns/energy away."
        ) from None
    state.net.to(device)
    state.mean.to(device)
    return state


def _loss(predicted: Tensor, target: Tensor, weights: Tensor, count: float) -> Tensor:
    """Weighted sum of the absolute errors (Huber for decomposition energies) of the known targets, over `count`."""
    known = torch.isfinite(target)
    difference = (predicted - target.nan_to_num()).abs() * known
    huber = torch.where(difference < _HUBER, difference.square() / (2 * _HUBER), difference - _HUBER / 2)
    k = PROPERTIES.index("decomposition_energy")
    cost = torch.cat([difference[:, :k], huber[:, k : k + 1], difference[:, k + 1 :]], dim=1)
    return (weights * cost.sum(0) / count).sum()


def _optimizers(net: EnergyNet, config: FitConfig, scale: float) -> list[tuple[torch.optim.Optimizer, float]]:
    """Muon (orthogonalised momentum) for the matrices of the hidden layers, AdamW for the rest, with their rates."""
    hidden = [
        p
        for name, p in net.named_parameters()
        if p.ndim == 2
        and name.startswith(("layers", "value", "trunk"))
        and not name.endswith(("attention.weight", "edge.weight"))
    ]
    chosen = {id(p) for p in hidden}
    rest = [p for p in net.parameters() if id(p) not in chosen]
    decay = config.weight_decay
    muon = torch.optim.Muon(hidden, lr=config.muon_rate, weight_decay=decay)
    adam = torch.optim.AdamW(rest, lr=config.adam_rate, weight_decay=decay, betas=(0.9, 0.98), fused=True)
    return [(muon, scale * config.muon_rate), (adam, scale * config.adam_rate)]


def _descend(loss: Tensor, state: Snapshot, optimizers: list[tuple[torch.optim.Optimizer, float]]) -> None:
    for optimizer, _ in optimizers:
        optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(state.net.parameters(), 1.0)
    for optimizer, _ in optimizers:
        optimizer.step()


@torch.no_grad()
def _average(state: Snapshot, decay: float) -> None:
    torch._foreach_lerp_(list(state.mean.parameters()), list(state.net.parameters()), 1 - decay)

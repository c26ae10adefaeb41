"""Pre-train the crystal encoder of the conductivity network: species of emptied sites, energies, moduli, a teacher."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

from ionscout.datasets.composition import HEAVIEST
from ionscout.datasets.graph import CrystalData
from ionscout.models.conductivity.inputs import batch_of
from ionscout.models.conductivity.network import ConductivityNetwork, NetworkConfig
from ionscout.training.crystals import PROPERTIES, Crystal

Task = Literal["species", "properties", "teacher"]
ENCODER = ("element.", "vacancy", "convolutions.")  # names of the weights that a conductivity network takes over
TEACHER = 64  # channels of CHGNet's site features
BATCH = 64
LEARNING_RATE = 4e-3
WEIGHT = {"species": 0.5, "properties": 2.0, "teacher": 2.0}  # brings the losses to one size
HELD_OUT = 500  # crystals that tell how well it went


@dataclass(frozen=True)
class Pretrained:
    """Weights of the crystal encoder by name, and how well held-out crystals were told at the end.

    Attributes:
        errors: share of emptied sites told right, mean absolute errors of the properties, and of the teacher's
            features in standard deviations; those that were asked for.
    """

    state: dict[str, Tensor]
    errors: dict[str, float]
    crystals: int


class _Learner(nn.Module):
    """The encoder with one head a task; every head gives standardised values."""

    def __init__(self, config: NetworkConfig):
        super().__init__()
        width = config.width
        self.network = ConductivityNetwork(config)
        self.species, self.properties, self.teacher = (
            nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, channels))
            for channels in (HEAVIEST + 1, len(PROPERTIES), TEACHER)
        )

    def losses(self, batch: Batch, tasks: Sequence[Task], draw: Tensor) -> dict[Task, Tensor]:
        """Loss of each task; sites are emptied in the first half of the crystals, the others are seen whole.

        Args:
            draw [n]: a random number a site; the largest of a crystal is emptied.
        """
        graphs, emptied = len(batch.target), torch.zeros(len(draw), dtype=torch.bool)
        if "species" in tasks:
            first_half = batch.batch < graphs // 2
            several = scatter(torch.ones_like(draw), batch.batch, 0, graphs)[batch.batch] > 1
            emptied = (draw == scatter(draw, batch.batch, 0, graphs, "max")[batch.batch]) & first_half & several
        whole = scatter(emptied.float(), batch.batch, 0, graphs) == 0
        z = torch.zeros(len(draw), dtype=torch.long).scatter(0, batch.species_site, batch.species_z)
        h = self.network.sites(_without(batch, emptied))
        losses: dict[Task, Tensor] = {}
        if "species" in tasks:
            told = self.species(h[emptied])
            losses["species"] = functional.cross_entropy(told, z[emptied])
            self.told = float((told.argmax(1) == z[emptied]).float().mean())
        if "properties" in tasks:
            pooled = scatter(h * batch.multiplicity[:, None], batch.batch, 0, graphs)
            losses["properties"] = _absolute(self.properties(pooled[whole]), batch.target[whole]).sum()
        if "teacher" in tasks:
            seen = whole[batch.batch]
            losses["teacher"] = _absolute(self.teacher(h[seen]), batch.teacher[seen]).mean()
        return losses


def pretrain(
    crystals: Sequence[Crystal],
    config: NetworkConfig,
    tasks: Sequence[Task],
    epochs: int,
    teacher: Sequence[np.ndarray | None] = (),
    seed: int = 0,
    on_epoch: Callable[[], None] = lambda: None,
) -> Pretrained:
    """Train the encoder on all tasks at once.

    Args:
        teacher: features of the sites of each crystal's graph [n, 64], None where not known; for the task `teacher`.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    graphs, scale = _standardised(crystals, teacher)
    order = rng.permutation(len(graphs))
    kept = min(HELD_OUT, len(graphs) // 10)
    held_out, training = batch_of(graphs[int(i)] for i in order[:kept]), order[kept:]
    learner = _Learner(config)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    steps = epochs * -(-len(training) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.1)
    for _ in range(epochs):
        shuffled = rng.permutation(training)
        for start in range(0, len(shuffled), BATCH):
            batch = batch_of(graphs[int(i)] for i in shuffled[start : start + BATCH])
            losses = learner.losses(batch, tasks, torch.rand(len(batch.vacancy)))
            optimizer.zero_grad()
            torch.stack([WEIGHT[task] * loss for task, loss in losses.items()]).sum().backward()
            nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        on_epoch()
    errors = _errors(learner, held_out, tasks, scale)
    state = {name: value for name, value in learner.network.state_dict().items() if name.startswith(ENCODER)}
    return Pretrained(state, errors, len(training))


@torch.inference_mode()
def crystal_embeddings(state: dict[str, Tensor], config: NetworkConfig, graphs: Sequence[CrystalData]) -> np.ndarray:
    """Means of the encoder's site features over all atoms and over lithium, [n, 2 width]; NaN without a crystal."""
    network = ConductivityNetwork(config).eval()
    network.load_state_dict(dict(network.state_dict()) | state)
    rows = []
    for start in range(0, len(graphs), BATCH):
        part = list(graphs[start : start + BATCH])
        batch = Batch.from_data_list(part, exclude_keys=["formula_embedding"])  # graphs of templates carry none
        pooled = network.structure(batch)[:, : 2 * config.width]
        rows.append(torch.where(batch.has_structure[:, None] > 0.5, pooled, torch.nan).double().numpy())
    return np.concatenate(rows)


def _standardised(
    crystals: Sequence[Crystal], teacher: Sequence[np.ndarray | None]
) -> tuple[list[CrystalData], np.ndarray]:
    """Graphs whose targets have mean 0 and width 1, and the width of each property before, [3]."""
    targets = torch.cat([crystal.graph.target for crystal in crystals])
    known = [torch.tensor(f) for f in teacher if f is not None] or [torch.zeros(1, TEACHER)]
    (middle, width), (mean, spread) = _moments(targets), _moments(torch.cat(known))
    graphs = []
    for number, crystal in enumerate(crystals):
        graph = copy(crystal.graph)
        graph.target = (graph.target - middle) / width
        features = teacher[number] if teacher else None
        unknown = torch.full((int(graph.num_nodes or 0), TEACHER), torch.nan)
        graph.teacher = unknown if features is None else (torch.tensor(features) - mean) / spread
        graphs.append(graph)
    return graphs, width.numpy()


def _moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the known values of each column."""
    mean = values.nanmean(0)
    return mean, ((values - mean) ** 2).nanmean(0).sqrt().clamp(min=1e-3)


def _without(batch: Batch, emptied: Tensor) -> Batch:
    """The batch with the sites [n] vacant: the encoder sees a site where something could be."""
    changed = copy(batch)
    changed.species_occupancy = batch.species_occupancy * ~emptied[batch.species_site]
    changed.vacancy = torch.where(emptied, 1.0, batch.vacancy)
    return changed


def _absolute(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of the known targets, by column."""
    known = torch.isfinite(target)
    error = torch.where(known, predicted - torch.nan_to_num(target), 0.0).abs()
    return error.sum(0) / known.sum(0).clamp(min=1)


@torch.no_grad()
def _errors(learner: _Learner, batch: Batch, tasks: Sequence[Task], scale: np.ndarray) -> dict[str, float]:
    learner.eval()
    draw = torch.rand(len(batch.vacancy), generator=torch.Generator().manual_seed(0))
    losses = learner.losses(batch, tasks, draw)
    errors = {"emptied sites told right": learner.told} if "species" in tasks else {}
    if "properties" in tasks:
        whole = learner.network.sites(batch)
        pooled = scatter(whole * batch.multiplicity[:, None], batch.batch, 0, len(batch.target))
        found = _absolute(learner.properties(pooled), batch.target).numpy() * scale
        errors |= {name: float(error) for name, error in zip(PROPERTIES, found, strict=True)}
    if "teacher" in tasks:
        errors["features of the teacher (standard deviations)"] = float(losses["teacher"])
    return errors

"""The published state of the art for structures: CGCNN on the average crystal, with occupancy-averaged atom features.

Xie & Grossman, Phys. Rev. Lett. 120, 145301 (2018): one-hot atom features through a linear map to 64 channels, three
gated convolutions with batch normalisation over the 12 nearest neighbours, distances as Gaussians 0.2 Å apart up to
8 Å, mean over atoms, one hidden layer of 128. A mixed site carries the occupancy-weighted mean of the features.
Trained on labels of protocol P with the squared error, as the OBELiX paper does.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Batch
from torch_geometric.nn import CGConv
from torch_geometric.utils import scatter

from ionscout.datasets.composition import HEAVIEST
from ionscout.datasets.elements import element_table
from ionscout.datasets.graph import CrystalData, crystal_graph
from ionscout.datasets.sources.base import Measurement
from ionscout.models.conductivity.inputs import batch_of
from ionscout.training.evaluate import UNMEASURABLE

RADIUS = 8.0  # Å
NEIGHBOURS = 12
GAUSSIANS = 41  # 0 to 8 Å in steps of 0.2 Å
CHANNELS = 64
LAYERS = 3
HIDDEN = 128
EPOCHS = 60
BATCH_SIZE = 64
LEARNING_RATE = 3e-3  # peak of a one-cycle schedule, Adam


class CGCNN(nn.Module):
    """Graph of `neighbour_graph` in, one number out; [b]."""

    elements: Tensor
    centres: Tensor

    def __init__(self) -> None:
        super().__init__()
        one_hot = torch.eye(HEAVIEST + 1)
        table = torch.tensor(element_table(), dtype=torch.float32)
        self.register_buffer("elements", torch.cat([one_hot, table], 1))
        self.register_buffer("centres", torch.linspace(0, RADIUS, GAUSSIANS))
        self.embedding = nn.Linear(self.elements.shape[1], CHANNELS)
        self.convolutions = nn.ModuleList(CGConv(CHANNELS, GAUSSIANS, batch_norm=True) for _ in range(LAYERS))
        self.hidden = nn.Linear(CHANNELS, HIDDEN)
        self.output = nn.Linear(HIDDEN, 1)

    def forward(self, batch: Batch) -> Tensor:
        sites, graphs = len(batch.vacancy), len(batch.volume_per_atom)
        mixture = scatter(
            self.elements[batch.species_z] * batch.species_occupancy[:, None], batch.species_site, 0, sites
        )
        h = self.embedding(mixture / (1 - batch.vacancy).clamp(min=1e-6)[:, None])
        edges = torch.exp(-(((batch.edge_distance[:, None] - self.centres) / 0.2) ** 2))
        edges = torch.where(edges > 1e-6, edges, 0.0)  # denormal numbers make the products a hundred times slower
        for convolution in self.convolutions:
            h = convolution(h, batch.edge_index, edges)
        # Sites that nothing tells apart are one node with a multiplicity: the mean over nodes weighs them by it.
        pooled = scatter(h * batch.multiplicity[:, None], batch.batch, 0, graphs)
        return self.output(functional.softplus(self.hidden(functional.softplus(pooled))))[:, 0]


def neighbour_graph(m: Measurement) -> CrystalData:
    """The 12 nearest neighbours of every site class, each as an edge of its own."""
    assert m.structure is not None
    graph = crystal_graph(m.structure, RADIUS)
    count = graph.edge_count.round().long()
    index = graph.edge_index.repeat_interleave(count, 1)
    distance = graph.edge_distance.repeat_interleave(count)
    order = torch.argsort(distance, stable=True)
    kept = [order[index[1][order] == site][:NEIGHBOURS] for site in range(graph.num_nodes)]
    chosen = torch.cat(kept)
    graph.edge_index, graph.edge_distance = index[:, chosen], distance[chosen]
    graph.edge_count = torch.ones(len(chosen))
    return graph


def fit_predict_cgcnn(training: Sequence[Measurement], test: Sequence[Measurement], seed: int = 0) -> np.ndarray:
    """Fit on the training rows with structure and return log10 σ of the test rows [n].

    A test row without structure gets the mean of the training labels: the network has nothing to say about it.
    """
    label_all = np.array([UNMEASURABLE if m.censored else m.log10_conductivity for m in training])
    with_structure = [i for i, m in enumerate(training) if m.structure is not None]
    graphs = [neighbour_graph(training[i]) for i in with_structure]
    label = torch.tensor(label_all[with_structure], dtype=torch.float32)
    network = _fit(graphs, (label - label.mean()) / label.std(), seed)
    prediction = np.full(len(test), label_all.mean())
    rows = [i for i, m in enumerate(test) if m.structure is not None]
    if rows:
        with torch.inference_mode():
            output = network(batch_of(neighbour_graph(test[i]) for i in rows))
        prediction[rows] = (output * label.std() + label.mean()).numpy()
    return prediction


def _fit(graphs: Sequence[CrystalData], target: Tensor, seed: int) -> CGCNN:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = CGCNN()
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    steps = EPOCHS * math.ceil(len(graphs) / BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    for _ in range(EPOCHS):
        shuffled = rng.permutation(len(graphs))
        for start in range(0, len(shuffled), BATCH_SIZE):
            rows = shuffled[start : start + BATCH_SIZE]
            loss = functional.mse_loss(network(batch_of(graphs[i] for i in rows)), target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()

"""The energy GNN: message passing over the complete graph of a composition, one node an element."""

from dataclasses import dataclass

import torch
from pymatgen.core import Composition
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data
from torch_geometric.utils import to_dense_batch

from ionscout.datasets.composition import HEAVIEST

PROPERTIES = (
    "formation_energy",  # eV/atom, MP 2019 (legacy corrections)
    "decomposition_energy",  # eV/atom, against all competing phases; ≤ 0 is on the hull
    "band_gap",  # eV, PBE
    "experimental_gap",  # eV
    "log10_shear",  # log10(G_VRH / GPa)
    "log10_bulk",  # log10(K_VRH / GPa)
)

_LINEAR_WAVES = 8  # fastest wave resolves fractions 1/16 apart
_LOG_WAVES = 8  # fastest wave resolves amounts 10 % apart, which tells 6:7 from 7:8


@dataclass(frozen=True)
class EnergyNetConfig:
    """Size of the network. `width` must be divisible by `heads`."""

    width: int = 384
    layers: int = 4
    heads: int = 8
    pair_features: int = 32


class EnergyNet(nn.Module):
    """Maps compositions to `PROPERTIES` through messages between all pairs of their elements.

    Roost (Goodall & Lee, Nat. Commun. 11, 6280 (2020)) in dense form: elements with amounts are the nodes, every
    ordered pair exchanges a message weighted by attention and by the sender's fraction. Elements and amounts carry no
    order and only ratios of amounts enter, so the answer is invariant under both.

    Inputs of `forward`: `z` [B, n] int, atomic numbers with 0 as padding; `fraction` [B, n] float, atomic fractions,
    0 at the padding, summing to 1.
    """

    def __init__(self, config: EnergyNetConfig | None = None):
        super().__init__()
        self.config = config = config or EnergyNetConfig()
        d = config.width
        self.element = nn.Embedding(HEAVIEST + 1, d, padding_idx=0)
        self.pair = nn.Embedding((HEAVIEST + 1) ** 2, config.pair_features)
        nn.init.normal_(self.pair.weight, std=0.3)
        self.amount = nn.Linear(2 + 2 * _LINEAR_WAVES + 2 * _LOG_WAVES, d)
        edge = config.pair_features + 2 * _LOG_WAVES + 1
        self.layers = nn.ModuleList(MessageLayer(d, edge, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(d)
        self.gate = nn.Linear(d, config.heads)
        self.value = nn.Linear(d, d)
        self.trunk = nn.Sequential(nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d))
        self.pooled_norm = nn.LayerNorm(d)
        self.hidden = nn.Linear(d, len(PROPERTIES) * (d // 2))
        self.out = nn.Parameter(torch.randn(len(PROPERTIES), d // 2) / (d // 2) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(len(PROPERTIES)))

    def embed(self, z: Tensor, fraction: Tensor) -> Tensor:
        """The pooled encoding of each composition, [B, width]."""
        mask = z > 0
        log_fraction = torch.log(fraction.clamp(min=1e-6))
        h = self.element(z) + self.amount(_encode_amount(fraction, log_fraction))  # [B, n, d]
        ratio = log_fraction[:, None, :] - log_fraction[:, :, None]  # log(amount of sender / amount of receiver)
        pair = self.pair(z[:, :, None] * (HEAVIEST + 1) + z[:, None, :])
        edge = torch.cat([pair, ratio[..., None] / 3, _waves(ratio, _LOG_WAVES)], dim=-1)  # [B, n, n, edge]
        # attention starts from the fractions themselves: softmax(logit + log fraction) = fraction · exp(logit) / Σ
        prior = log_fraction.masked_fill(~mask, -1e4)  # [B, n]
        for layer in self.layers:
            h = layer(h, edge, prior)
        h = self.norm(h)
        share = torch.softmax(self.gate(h).float() + prior[..., None], dim=1)  # [B, n, heads]
        value = self.value(h).unflatten(-1, (self.config.heads, -1))
        pooled = (share[..., None] * value).sum(1).flatten(1)
        return self.pooled_norm(pooled + self.trunk(pooled))

    def forward(self, z: Tensor, fraction: Tensor) -> Tensor:
        """Predict all properties, [B, len(PROPERTIES)], in the units of `PROPERTIES`.

        The formation energy is multiplied by 1 − Σ fraction², which vanishes for a pure element, so that elements are
        at exactly zero as the convention has it.
        """
        hidden = F.silu(self.hidden(self.embed(z, fraction))).float().unflatten(-1, (len(PROPERTIES), -1))
        y = (hidden * self.out).sum(-1) + self.bias
        mixing = 1 - fraction.square().sum(1)
        return torch.cat([(y[:, 0] * mixing)[:, None], y[:, 1:]], dim=1)

    def forward_graphs(self, batch: Data) -> Tensor:
        """The same for a PyG batch of `composition_graph`s, [n_graphs, len(PROPERTIES)]."""
        z, _ = to_dense_batch(batch.z, batch.batch)
        fraction, _ = to_dense_batch(batch.fraction, batch.batch)
        return self(z, fraction)


def composition_graph(composition: Composition) -> Data:
    """The complete graph of a composition: `z` [n] and `fraction` [n] on the nodes, all ordered pairs as edges.

    Messages run over all pairs, so the network itself works on the dense form; the edges are for other PyG models.
    """
    elements = list(composition.items())
    n = len(elements)
    pairs = torch.cartesian_prod(torch.arange(n), torch.arange(n)).T
    amounts = torch.tensor([float(amount) for _, amount in elements], dtype=torch.float64)
    return Data(
        num_nodes=n,
        z=torch.tensor([element.Z for element, _ in elements]),
        fraction=(amounts / amounts.sum()).float(),
        edge_index=pairs,
    )


class MessageLayer(nn.Module):
    """One round of messages between all pairs of elements, then an update of every element."""

    def __init__(self, width: int, edge: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        pair = width // 2  # the work on pairs is bound by memory, not arithmetic: half the width costs half the time
        self.receive = nn.Linear(width, pair)
        self.send = nn.Linear(width, pair, bias=False)
        self.edge = nn.Linear(edge, pair, bias=False)
        self.attention = nn.Linear(pair, heads)
        self.message = nn.Linear(pair, width)
        self.update = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(self, h: Tensor, edge: Tensor, prior: Tensor) -> Tensor:
        """`h` [B, n, width], `edge` [B, n, n, edge] (receiver, sender), `prior` [B, n] log weight of each sender."""
        x = self.norm(h)
        pair = F.silu(self.receive(x)[:, :, None] + self.send(x)[:, None] + self.edge(edge))  # [B, n, n, pair]
        share = torch.softmax(self.attention(pair).float() + prior[:, None, :, None], dim=2)  # [B, n, n, heads]
        message = (share[..., None].to(pair.dtype) * pair.unflatten(-1, (self.heads, -1))).sum(2).flatten(2)
        h = h + self.message(message)
        return h + self.update(h)


def _waves(x: Tensor, count: int) -> Tensor:
    """Sines and cosines of x at `count` frequencies, [..., 2·count]."""
    frequency = torch.pi * torch.arange(1, count + 1, device=x.device) / 2
    phase = x[..., None] * frequency
    return torch.cat([phase.sin(), phase.cos()], dim=-1)


def _encode_amount(fraction: Tensor, log_fraction: Tensor) -> Tensor:
    plain = torch.stack([fraction, log_fraction / 3], dim=-1)
    return torch.cat([plain, _waves(4 * fraction, _LINEAR_WAVES), _waves(log_fraction, _LOG_WAVES)], dim=-1)

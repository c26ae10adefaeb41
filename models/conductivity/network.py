"""The conductivity graph network: sites as occupancy-weighted mixtures with a vacancy embedding.

Two encoders feed one head. The composition encoder passes messages between the elements of a formula; the crystal
encoder passes messages between sites. A material without a structure enters with a learned stand-in for the
second, so one set of weights answers for crystals and for bare formulas.
"""

import math

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

from ionscout.datasets.composition import HEAVIEST
from ionscout.datasets.elements import PROPERTIES, element_table
from ionscout.datasets.graph import CUTOFF

LITHIUM = 3
EMBEDDING = 768  # of the energy network: two members of 384 channels


class NetworkConfig(BaseModel):
    """Shape of one network; stored in the model card and enough to build it again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(32, ge=1, le=1024, description="Channels of every embedding.")
    crystal_layers: int = Field(3, ge=1, le=1024, description="Rounds of messages between sites.")
    composition_layers: int = Field(2, ge=1, le=1024, description="Rounds of messages between elements.")
    radial: int = Field(12, ge=1, le=1024, description="Gaussian functions of distance on an edge.")
    cutoff: float = Field(CUTOFF, gt=1, le=10, description="Longest edge, Å.")
    head: int = Field(64, ge=1, le=1024, description="Channels inside the head.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout before and inside the head.")
    structure_dropout: float = Field(0.15, ge=0, lt=1, description="Crystals shown without structure in training.")
    embedding_dropout: float = Field(0.2, ge=0, lt=1, description="Dropout on the pre-trained embedding.")
    use_embedding: bool = Field(True, description="Off: no pre-trained composition embedding (ablation).")
    use_structure: bool = Field(True, description="Off: composition alone (ablation).")
    use_composition: bool = Field(True, description="Off: crystal graph alone (ablation).")


class ElementEncoder(nn.Module):
    """Tabulated properties through a linear map, plus a free embedding: [m] atomic numbers → [m, width]."""

    properties: Tensor

    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("properties", torch.tensor(element_table(), dtype=torch.float32))
        self.linear = nn.Linear(len(PROPERTIES), width)
        self.embedding = nn.Embedding(HEAVIEST + 1, width)
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(self, z: Tensor) -> Tensor:
        return self.linear(self.properties[z]) + self.embedding(z)


class CompositionEncoder(nn.Module):
    """Messages between all elements of a formula, weighted by fraction, and what a network pre-trained on formation
    energies makes of it: [b, 95] and [b, 768] → [b, width]."""

    def __init__(self, width: int, layers: int, dropout: float):
        super().__init__()
        self.pretrained = nn.Sequential(
            nn.LayerNorm(EMBEDDING, elementwise_affine=False), nn.Dropout(dropout), nn.Linear(EMBEDDING, width)
        )
        self.element = ElementEncoder(width)
        self.fraction = nn.Linear(1, width)
        self.messages = nn.ModuleList(nn.Linear(2 * width + 1, 2 * width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))

    def forward(self, fractions: Tensor, embedding: Tensor | None) -> Tensor:
        row, z = fractions.nonzero(as_tuple=True)
        weight = fractions[row, z][:, None]
        h = self.element(z) + self.fraction(weight.sqrt())
        for message, norm in zip(self.messages, self.norms, strict=True):
            around = scatter(weight * h, row, 0, len(fractions))[row]
            h = norm(h + _gated(message(torch.cat([h, around, weight], 1))))
        pooled = scatter(weight * h, row, 0, len(fractions))
        return pooled if embedding is None else pooled + self.pretrained(embedding)


class SiteConvolution(nn.Module):
    """One round of messages between sites. What arrives over the occupied and over the vacant share of a
    neighbour is summed apart: the first is coordination, the second is where an ion could go."""

    def __init__(self, width: int, radial: int):
        super().__init__()
        self.centre = nn.Linear(width, 2 * width)
        self.neighbour = nn.Linear(width, 2 * width, bias=False)
        self.distance = nn.Linear(radial, 2 * width, bias=False)
        self.update = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, h: Tensor, edge_index: Tensor, radial: Tensor, weight: Tensor, vacancy: Tensor) -> Tensor:
        j, i = edge_index
        message = _gated(self.centre(h)[i] + self.neighbour(h)[j] + self.distance(radial)) * weight[:, None]
        free = vacancy[j][:, None]
        incoming = torch.cat([scatter(message * part, i, 0, len(h)) for part in (1 - free, free)], 1)
        return self.norm(h + self.update(incoming))


class ConductivityNetwork(nn.Module):
    """Graph in, (location, log scale) of log10(σ₂₉₈ / S cm⁻¹) and log10 A out."""

    centres: Tensor

    def __init__(self, config: NetworkConfig | None = None):
        super().__init__()
        self.config = c = config or NetworkConfig()
        self.composition = CompositionEncoder(c.width, c.composition_layers, c.embedding_dropout)
        self.element = ElementEncoder(c.width)
        self.vacancy = nn.Parameter(0.1 * torch.randn(c.width))
        self.convolutions = nn.ModuleList(SiteConvolution(c.width, c.radial) for _ in range(c.crystal_layers))
        self.register_buffer("centres", torch.linspace(0.5, c.cutoff, c.radial))
        self.no_structure = nn.Parameter(torch.zeros(2 * c.width + 2))
        self.head = nn.Sequential(
            nn.Dropout(c.dropout),
            nn.Linear(3 * c.width + 2, c.head),
            nn.SiLU(),
            nn.Dropout(c.dropout),
            nn.Linear(c.head, c.head),
            nn.SiLU(),
        )
        self.output = nn.Linear(c.head, 3)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return location [b] (log10 S/cm at 298.15 K), log scale [b] and log10(A / S K cm⁻¹) [b]."""
        location, log_scale, prefactor = self.output(self.embed(batch)).unbind(1)
        # Offsets put an untrained network at the middle of the data: 1e-5 S/cm, and the usual Arrhenius prefactor.
        return -5 + 3 * location, log_scale.clamp(-3, 3), 4.5 + prefactor

    def embed(self, batch: Batch) -> Tensor:
        """The last hidden layer, [b, head]: what the in-domain distance is measured in."""
        composition = self.composition(
            batch.composition, batch.formula_embedding if self.config.use_embedding else None
        )
        structure = self.structure(batch)
        if not self.config.use_composition:
            composition = torch.zeros_like(composition)
        absent = batch.has_structure[:, None] < 0.5
        if not self.config.use_structure:
            absent = torch.ones_like(absent)
        elif self.training:
            absent = absent | (torch.rand_like(absent, dtype=torch.float32) < self.config.structure_dropout)
        structure = torch.where(absent, self.no_structure, structure)
        return self.head(torch.cat([composition, structure], 1))

    def sites(self, batch: Batch) -> Tensor:
        """What the crystal encoder makes of every site, [n, width]."""
        sites = len(batch.vacancy)
        h = scatter(self.element(batch.species_z) * batch.species_occupancy[:, None], batch.species_site, 0, sites)
        h = h + batch.vacancy[:, None] * self.vacancy
        radial, weight = self._edges(batch)
        for convolution in self.convolutions:
            h = convolution(h, batch.edge_index, radial, weight, batch.vacancy)
        return h

    def structure(self, batch: Batch) -> Tensor:
        """Crystal encoder: means over all atoms and over lithium, volume per atom, lithium occupancy. [b, 2w + 2]"""
        graphs, sites, h = len(batch.has_structure), len(batch.vacancy), self.sites(batch)
        lithium = scatter(batch.species_occupancy * (batch.species_z == LITHIUM), batch.species_site, 0, sites)
        lithium_sites = scatter((lithium > 0) * batch.multiplicity, batch.batch, 0, graphs)
        everything, _ = _mean(h, (1 - batch.vacancy) * batch.multiplicity, batch.batch, graphs)
        mobile, amount = _mean(h, lithium * batch.multiplicity, batch.batch, graphs)
        # Volume per atom runs from 8 to 25 Å³; the log, shifted and doubled, has mean 0 and width 1.
        volume = 2 * (batch.volume_per_atom.log() - 2.6)[:, None]
        return torch.cat([everything, mobile, volume, (amount / lithium_sites.clamp(min=1e-6))[:, None]], 1)

    def _edges(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Gaussian features of distance, and the weight of an edge: its count, fading to 0 at the cut-off."""
        cutoff, distance = self.config.cutoff, batch.edge_distance
        radial = torch.exp(-(((distance[:, None] - self.centres) * (len(self.centres) / cutoff)) ** 2))
        fade = 0.5 * (torch.cos(math.pi * (distance / cutoff).clamp(max=1)) + 1)
        return radial, 0.3 * batch.edge_count * fade  # 0.3: about 30 neighbours then sum to order 1


def _gated(x: Tensor) -> Tensor:
    gate, core = x.chunk(2, 1)
    return torch.sigmoid(gate) * functional.silu(core)


def _mean(h: Tensor, weight: Tensor, graph: Tensor, graphs: int) -> tuple[Tensor, Tensor]:
    total = scatter(weight, graph, 0, graphs)
    return scatter(h * weight[:, None], graph, 0, graphs) / total.clamp(min=1e-6)[:, None], total

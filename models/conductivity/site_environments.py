"""What lithium sees: one round of messages between sites with fixed filters, pooled over the lithium sites.

Nothing here is learned. 250 crystals with a conductivity do not support learned filters (measured: a trained element
table and trained radial functions lost 2 % against these), but they do support a kernel on what fixed ones extract.
Sites stay mixtures: a half-occupied site sends half a message, and what is vacant sends one of its own.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

from ionscout.datasets.composition import HEAVIEST
from ionscout.datasets.elements import PROPERTIES, element_table
from ionscout.datasets.graph import CrystalData
from ionscout.models.conductivity.inputs import batch_of

LITHIUM = 3
ANIONS = (7, 8, 9, 16, 17, 34, 35, 52, 53)  # N, O, F, S, Cl, Se, Br, Te, I
# Å: lithium–anion contacts (1.8–2.6), split lithium sites and lithium hops (1.8–4.1), cations around (2.6–4.8)
RADII = (1.8, 2.2, 2.6, 3.0, 3.5, 4.1, 4.8)
WIDTH = 0.35  # Å, of the Gaussian around each radius: neighbours of the list overlap, so no distance falls between two
SPREAD_CHANNELS = 5  # of the element channels, whose spread over the lithium sites is kept beside the mean
SOFT = 1e-4  # keeps the slope of the root finite at zero
CRYSTALS = 32  # per pass: bounds memory for crystals of thousands of distinct pairs
ELEMENT_CHANNELS = 8
CHANNELS = ELEMENT_CHANNELS + 2
WHOLE = 5  # features of the whole crystal
SIZE = len(RADII) * (CHANNELS + SPREAD_CHANNELS) + WHOLE


def site_environments(graphs: Sequence[CrystalData]) -> np.ndarray:
    """Embedding of each crystal, [n, 110] float64; all graphs must have sites (`has_structure` 1).

    For seven distances, the summed channels of a lithium site's neighbours (square root, mean over the lithium sites,
    and for five of them the spread over these sites), and of the whole crystal: log volume per atom, lithium per
    lithium site, vacancy there, share of lithium sites, and lithium per atom.
    """
    chunks = [graphs[start : start + CRYSTALS] for start in range(0, len(graphs), CRYSTALS)]
    with torch.inference_mode():
        parts = [_embed(batch_of(chunk), len(chunk)) for chunk in chunks]
    return torch.cat(parts).double().numpy() if parts else np.zeros((0, SIZE))


@lru_cache
def element_channels() -> Tensor:
    """Channels by atomic number, [95, 8]: lithium, anion, other cation, and standardised properties of the latter two:
    anion electronegativity, cation electronegativity, charge, anion radius, cation radius."""
    table = element_table()
    lithium, anion = np.zeros(HEAVIEST + 1), np.zeros(HEAVIEST + 1)
    lithium[LITHIUM], anion[list(ANIONS)] = 1, 1
    cation = 1 - lithium - anion
    named = [
        (anion, "electronegativity"),
        (cation, "electronegativity"),
        (cation, "largest_oxidation_state"),
        (anion, "atomic_radius"),
        (cation, "ionic_radius"),
    ]
    columns = [lithium, anion, cation, *(kind * table[:, PROPERTIES.index(name)] for kind, name in named)]
    return torch.tensor(np.stack(columns, 1), dtype=torch.float32)


def _embed(batch: Batch, crystals: int) -> Tensor:
    """[crystals, SIZE]"""
    sites, graph = len(batch.vacancy), batch.batch
    lithium = scatter(batch.species_occupancy * (batch.species_z == LITHIUM), batch.species_site, 0, sites)
    host = (lithium > 1e-3).float()  # a site that lithium may take
    mixture = scatter(
        element_channels()[batch.species_z] * batch.species_occupancy[:, None], batch.species_site, 0, sites
    )
    channels = torch.cat([mixture, (host * (1 - lithium))[:, None], (host * batch.vacancy)[:, None]], 1)
    message = _messages(batch, channels)

    weight = lithium * batch.multiplicity
    amount = scatter(weight, graph, 0, crystals).clamp(min=1e-9)
    weight = weight / amount[graph]
    mean = scatter(message * weight[:, None], graph, 0, crystals)
    deviation = (scatter((message - mean[graph]) ** 2 * weight[:, None], graph, 0, crystals) + 1e-6).sqrt()
    spread = deviation.reshape(crystals, len(RADII), CHANNELS)[:, :, :SPREAD_CHANNELS].flatten(1)

    lithium_sites = scatter(host * batch.multiplicity, graph, 0, crystals)
    atoms = scatter(batch.multiplicity * (1 - batch.vacancy), graph, 0, crystals)
    whole = [
        batch.volume_per_atom.log(),
        amount / lithium_sites.clamp(min=1e-6),
        scatter(weight * batch.vacancy, graph, 0, crystals),
        lithium_sites,
        amount / atoms,
    ]
    return torch.cat([mean, spread, torch.stack(whole, 1)], 1)


def _messages(batch: Batch, channels: Tensor) -> Tensor:
    """Root of the neighbours' summed channels at each distance, [sites, radii · channels]."""
    j, i = batch.edge_index
    radial = torch.exp(-(((batch.edge_distance[:, None] - torch.tensor(RADII)) / WIDTH) ** 2))
    sent = radial[:, :, None] * batch.edge_count[:, None, None] * channels[j][:, None, :]
    total = scatter(sent.flatten(1), i, 0, len(channels))
    # The root tells one neighbour from two as well as eight from eleven.
    return total.sign() * ((total.abs() + SOFT).sqrt() - SOFT**0.5)

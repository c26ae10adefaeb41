"""Crystal graph of a disordered structure: sites as species mixtures, edges from the average structure.

The graph is stored as its quotient: sites that no message-passing network can tell apart (same species mixture,
same neighbours at the same distances, and so on outwards) become one node with a multiplicity. This changes
no prediction, makes a supercell the very same graph as its primitive cell, and a garnet of 256 sites
becomes five or six nodes.
"""

import numpy as np
import torch
from pymatgen.core import Composition, Structure
from torch_geometric.data import Data

from ionscout.datasets.composition import atomic_fractions

CUTOFF = 5.0  # Å: holds the first lithium–lithium shell (2–4 Å) and the second cation shell of every family
# Å: sites whose distances agree to this are merged. Far below thermal motion (0.1 Å), far above rounding in a CIF.
RESOLUTION = 2e-3
_ROUNDS = 12  # refinement stops by itself long before, at the number of site classes


class CrystalData(Data):
    """PyG `Data` whose sparse species triples batch correctly.

    n site classes, m (site, element) entries, e directed edges:

    - `species_site` [m] int, `species_z` [m] int (atomic number), `species_occupancy` [m] float
    - `vacancy` [n] float, 1 − total occupancy
    - `multiplicity` [n] float, share of the cell's sites in each class (adds up to 1)
    - `edge_index` [2, e] int (neighbour, centre), `edge_distance` [e] float, Å
    - `edge_count` [e] float, number of such neighbours of one centre
    - `cell` [1, 3, 3] float, Å, as given; `volume_per_atom` [1] float, Å³ per occupied atom
    - `composition` [1, 95] float, atomic fractions by atomic number
    """

    def __inc__(self, key, value, *args, **kwargs):
        return self.num_nodes if key == "species_site" else super().__inc__(key, value, *args, **kwargs)


def composition_vector(composition: Composition) -> torch.Tensor:
    """Atomic fractions by atomic number as a tensor, [95] float."""
    return torch.tensor(atomic_fractions(composition), dtype=torch.float32)


def crystal_graph(structure: Structure, cutoff: float = CUTOFF) -> CrystalData:
    """Build the graph of one structure.

    Edges join every pair of sites (periodic images included) closer than `cutoff` Å, occupied or not, with no
    limit on their number: so the graph does not depend on site order, orientation or choice of cell.
    """
    centre, neighbour, _, distance = structure.get_neighbor_list(cutoff)
    bins = np.round(distance / RESOLUTION).astype(np.int64)
    colours = _site_colours(structure, centre, neighbour, bins)
    _, first, label, count = np.unique(colours, return_index=True, return_inverse=True, return_counts=True)
    representative = np.zeros(len(structure), dtype=bool)
    representative[first] = True
    keep = representative[centre]
    pairs, index, edge_count = np.unique(
        np.stack([label[neighbour[keep]], label[centre[keep]], bins[keep]]),
        axis=1,
        return_index=True,
        return_counts=True,
    )
    entries = [(n, el.Z, occ) for n, i in enumerate(first) for el, occ in structure[i].species.items() if occ > 0]
    site, z, occupancy = (list(column) for column in zip(*entries, strict=True))
    total = np.bincount(site, weights=occupancy, minlength=len(first))
    return CrystalData(
        num_nodes=len(first),
        species_site=torch.tensor(site),
        species_z=torch.tensor(z),
        species_occupancy=torch.tensor(occupancy, dtype=torch.float32),
        vacancy=torch.tensor(np.clip(1.0 - total, 0.0, 1.0), dtype=torch.float32),
        multiplicity=torch.tensor(count / len(structure), dtype=torch.float32),
        edge_index=torch.tensor(pairs[:2], dtype=torch.long),
        edge_distance=torch.tensor(distance[keep][index], dtype=torch.float32),
        edge_count=torch.tensor(edge_count, dtype=torch.float32),
        cell=torch.tensor(structure.lattice.matrix, dtype=torch.float32)[None],
        volume_per_atom=torch.tensor([structure.volume / (total @ count)], dtype=torch.float32),
        composition=composition_vector(structure.composition)[None],
    )


def site_classes(structure: Structure, cutoff: float = CUTOFF) -> np.ndarray:
    """Which node of `crystal_graph` each site became, [sites] int."""
    centre, neighbour, _, distance = structure.get_neighbor_list(cutoff)
    bins = np.round(distance / RESOLUTION).astype(np.int64)
    return np.unique(_site_colours(structure, centre, neighbour, bins), return_inverse=True)[1]


def _site_colours(structure: Structure, centre: np.ndarray, neighbour: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Colour refinement (Weisfeiler and Leman), uint64 [sites]: equal colours, equal messages at every depth."""
    colours = np.array(
        [hash(tuple(sorted((el.Z, round(occ, 4)) for el, occ in site.species.items()))) for site in structure],
        dtype=np.int64,
    ).astype(np.uint64)
    known = len(np.unique(colours))
    for _ in range(_ROUNDS):
        message = _mix(colours[neighbour] ^ _mix(bins.astype(np.uint64)))
        incoming = np.zeros(len(structure), dtype=np.uint64)
        np.add.at(incoming, centre, message)  # a sum does not depend on the order of neighbours
        colours = _mix(colours + np.uint64(0x9E3779B97F4A7C15) ^ incoming)
        found = len(np.unique(colours))
        if found == known:
            return colours
        known = found
    return colours


def _mix(x: np.ndarray) -> np.ndarray:
    """splitmix64 finaliser: spreads every input bit over the whole word, so that sums of hashes do not collide."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))

"""Crystal graph of a disordered structure: sites as species mixtures, edges from the average structure."""

import numpy as np
import torch
from pymatgen.core import Structure
from torch_geometric.data import Data

from ionscout.datasets.composition import HEAVIEST

CUTOFF = 5.0  # Å: holds the first lithium–lithium shell (2–4 Å) and the second cation shell of every family


class CrystalData(Data):
    """PyG `Data` whose sparse species triples batch correctly.

    n sites, m (site, element) entries, e directed edges:

    - `species_site` [m] int, `species_z` [m] int (atomic number), `species_occupancy` [m] float
    - `vacancy` [n] float, 1 − total occupancy
    - `edge_index` [2, e] int (source, target), `edge_distance` [e] float, Å; both directions present
    - `cell` [1, 3, 3] float, Å; `volume_per_atom` [1] float, Å³ per occupied atom
    - `composition` [1, 95] float, atomic fractions by atomic number
    """

    def __inc__(self, key, value, *args, **kwargs):
        return self.num_nodes if key == "species_site" else super().__inc__(key, value, *args, **kwargs)


def composition_vector(amounts: dict) -> torch.Tensor:
    """Atomic fractions by atomic number, [95]; `amounts` maps pymatgen elements to amounts."""
    vector = torch.zeros(HEAVIEST + 1)
    for element, amount in amounts.items():
        vector[element.Z] += float(amount)
    return vector / vector.sum()


def crystal_graph(structure: Structure, cutoff: float = CUTOFF) -> CrystalData:
    """Build the graph of one structure.

    Edges join every pair of sites (periodic images included) closer than `cutoff` Å, occupied or not, with no
    limit on their number: so the graph does not depend on site order, orientation or choice of cell, and a
    supercell is the same graph repeated.
    """
    entries = [(i, el.Z, occ) for i, site in enumerate(structure) for el, occ in site.species.items() if occ > 0]
    site, z, occupancy = (list(column) for column in zip(*entries, strict=True))
    source, target, _, distance = structure.get_neighbor_list(cutoff)
    total = np.bincount(site, weights=occupancy, minlength=len(structure))
    return CrystalData(
        num_nodes=len(structure),
        species_site=torch.tensor(site),
        species_z=torch.tensor(z),
        species_occupancy=torch.tensor(occupancy, dtype=torch.float32),
        vacancy=torch.tensor(np.clip(1.0 - total, 0.0, 1.0), dtype=torch.float32),
        edge_index=torch.tensor(np.stack([source, target]), dtype=torch.long),
        edge_distance=torch.tensor(distance, dtype=torch.float32),
        cell=torch.tensor(structure.lattice.matrix, dtype=torch.float32)[None],
        volume_per_atom=torch.tensor([structure.volume / total.sum()], dtype=torch.float32),
        composition=composition_vector(structure.composition)[None],
    )

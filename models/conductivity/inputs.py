"""From a checked material to what the models read: a graph for the network, a vector for the forest."""

from collections.abc import Iterable

import numpy as np
import torch
from pymatgen.core import Composition, Lattice, Structure
from torch_geometric.data import Batch

from ionscout.datasets.graph import CrystalData, composition_vector, crystal_graph
from ionscout.datasets.structure import ConventionalCell


def graph_of(composition: Composition, structure: Structure | None, cutoff: float) -> CrystalData:
    """Graph of a crystal, or of a bare formula (one placeholder site, `has_structure` 0).

    The composition vector is the formula's: a refinement sometimes leaves out what it could not see.
    """
    data = crystal_graph(structure, cutoff) if structure is not None else _no_sites()
    data.composition = composition_vector(composition)[None]
    data.has_structure = torch.tensor([float(structure is not None)])
    return data


def batch_of(graphs: Iterable[CrystalData]) -> Batch:
    """Join graphs into one PyG batch."""
    return Batch.from_data_list(list(graphs))


def composition_features(composition: Composition) -> np.ndarray:
    """Atomic fractions by atomic number, [95]."""
    return composition_vector(composition).numpy().astype(np.float64)


def crystal_features(composition: Composition, cell: ConventionalCell) -> np.ndarray:
    """Fractions, volume per atom, lithium density, space group number and lattice parameters, [104].

    Lattice parameters look crude, but they tell phases of one composition apart that fractions cannot.
    """
    fractions = composition_features(composition)
    volume = Lattice.from_parameters(*cell.lattice).volume / cell.atoms
    return np.concatenate([fractions, [volume, fractions[3] / volume, cell.space_group, *cell.lattice]])


def _no_sites() -> CrystalData:
    return CrystalData(
        num_nodes=1,
        species_site=torch.zeros(1, dtype=torch.long),
        species_z=torch.full((1,), 3),
        species_occupancy=torch.ones(1),
        vacancy=torch.zeros(1),
        multiplicity=torch.ones(1),
        edge_index=torch.zeros(2, 0, dtype=torch.long),
        edge_distance=torch.zeros(0),
        edge_count=torch.zeros(0),
        cell=torch.eye(3)[None],
        volume_per_atom=torch.ones(1),
    )

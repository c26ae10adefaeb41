"""From a checked material to what the network reads: the graph of a crystal, or of a bare formula."""

from collections.abc import Iterable, Sequence

import torch
from pymatgen.core import Composition, Structure
from torch_geometric.data import Batch

from ionscout.datasets.graph import CrystalData, composition_vector, crystal_graph
from ionscout.datasets.structure import Material
from ionscout.models.energy import load_predictor


def graphs_of(materials: Sequence[Material], cutoff: float) -> list[CrystalData]:
    """Graphs of materials, each with the embedding of its composition: `formula_embedding` [1, 768]."""
    embeddings = torch.tensor(load_predictor().embed([m.composition for m in materials]), dtype=torch.float32)
    graphs = [graph_of(m.composition, m.structure, cutoff) for m in materials]
    for graph, embedding in zip(graphs, embeddings, strict=True):
        graph.formula_embedding = embedding[None].clone()  # a view would carry all rows along when it is pickled
    return graphs


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

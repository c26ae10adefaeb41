"""The graph says the same of a crystal however its file happened to be written."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from pymatgen.core.operations import SymmOp
from torch_geometric.data import Batch

from ionscout.datasets.graph import crystal_graph


def argyrodite_like(seed: int = 0) -> Structure:
    """Low symmetry, split sites, a mixed anion site: everything that a real refinement has."""
    rng = np.random.default_rng(seed)
    species = [{"Li": 0.6}, {"Li": 0.4}, {"Cl": 0.5, "S": 0.5}, "P", "S", "S"]
    return Structure(Lattice.from_parameters(5.1, 6.3, 7.7, 85, 95, 101), species, rng.random((6, 3)))


def canonical(graph) -> dict[str, np.ndarray]:
    """A graph without its node order: sorted bundles of numbers."""
    occupancy = np.zeros((graph.num_nodes, 95))
    np.add.at(occupancy, (graph.species_site.numpy(), graph.species_z.numpy()), graph.species_occupancy.numpy())
    site = np.column_stack([graph.multiplicity.numpy(), graph.vacancy.numpy(), occupancy])
    j, i = graph.edge_index.numpy()
    edge = np.column_stack([site[i], site[j], graph.edge_distance.numpy(), graph.edge_count.numpy()])
    return {
        "site": site[np.lexsort(site.round(4).T)],
        "edge": edge[np.lexsort(edge.round(2).T)],
        "volume": graph.volume_per_atom.numpy(),
        "composition": graph.composition.numpy(),
    }


def assert_same(a, b):
    first, second = canonical(a), canonical(b)
    assert first["site"].shape == second["site"].shape
    np.testing.assert_allclose(first["site"], second["site"], atol=1e-4)
    np.testing.assert_allclose(first["volume"], second["volume"], rtol=1e-4)
    np.testing.assert_allclose(first["composition"], second["composition"], atol=1e-6)
    # Weighted by counts, all distances agree; single edges may fall on either side of a rounding boundary.
    for power in (1, 2, 6):
        one, two = ((g["edge"][:, -2] ** power * g["edge"][:, -1]).sum() for g in (first, second))
        assert one == pytest.approx(two, rel=1e-4)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), order=st.permutations(range(6)))
def test_site_order_does_not_matter(seed, order):
    structure = argyrodite_like(seed)
    assert_same(crystal_graph(structure), crystal_graph(Structure.from_sites([structure[i] for i in order])))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), angle=st.floats(-180, 180), shift=st.floats(0, 1))
def test_rotation_and_origin_do_not_matter(seed, angle, shift):
    structure = argyrodite_like(seed)
    moved = structure.copy()
    moved.translate_sites(range(len(moved)), [shift, 2 * shift, -shift])
    moved.apply_operation(SymmOp.from_axis_angle_and_translation([1, 2, 3], angle))
    assert_same(crystal_graph(structure), crystal_graph(moved))


@pytest.mark.parametrize(
    "scaling", [(2, 1, 1), (1, 3, 1), [[1, 1, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [1, 2, 0], [0, 1, 1]]]
)
def test_a_supercell_or_another_cell_is_the_same_graph(scaling):
    structure = argyrodite_like(3)
    graph, larger = crystal_graph(structure), crystal_graph(structure * scaling)
    assert larger.num_nodes == graph.num_nodes == 6
    assert_same(graph, larger)


def test_equivalent_sites_are_one_node():
    garnet_like = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.13), ["Li", "Cl"], [[0, 0, 0], [0.5] * 3])
    graph = crystal_graph(garnet_like)
    assert graph.num_nodes == 2
    assert graph.multiplicity.tolist() == [0.5, 0.5]
    nearest = graph.edge_distance.min()
    assert nearest == pytest.approx(5.13 / 2, abs=1e-3)
    assert graph.edge_count[graph.edge_distance < nearest + 0.01].tolist() == [6.0, 6.0]


def test_mixtures_and_vacancies_are_kept():
    graph = crystal_graph(argyrodite_like())
    assert graph.vacancy.sum() == pytest.approx(0.4 + 0.6)
    totals = torch.zeros(graph.num_nodes).scatter_add_(0, graph.species_site, graph.species_occupancy)
    torch.testing.assert_close(totals + graph.vacancy, torch.ones(graph.num_nodes))
    assert graph.composition[0, 3] == pytest.approx(1 / 5)


def test_graphs_batch_like_any_pyg_data():
    graphs = [crystal_graph(argyrodite_like(seed)) for seed in range(3)]
    batch = Batch.from_data_list(graphs)
    assert batch.num_graphs == 3
    assert int(batch.species_site.max()) == batch.num_nodes - 1
    assert batch.composition.shape == (3, 95)

"""Pre-training of the crystal encoder: it learns, a conductivity network takes its weights over, and nothing else."""

import math

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.graph import crystal_graph, site_classes
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.structure import material_from_structure, parse_material
from ionscout.models.conductivity.inputs import graph_of, graphs_of
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.crystals import PROPERTIES, Crystal, shared_crystals
from ionscout.training.examples import make_examples
from ionscout.training.fit import fit_network
from ionscout.training.pretraining import ENCODER, TEACHER, crystal_embeddings, pretrain

SHAPE = NetworkConfig(width=16, crystal_layers=2)


def rock_salt(cation: str, anion: str, edge: float) -> Crystal:
    primitive = edge / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    structure = Structure(Lattice(primitive), [cation, anion], [[0, 0, 0], [0.5] * 3])
    graph = crystal_graph(structure)
    graph.target = torch.tensor([[-edge, math.nan, edge / 2]])
    return Crystal(structure, graph)


@pytest.fixture(scope="module")
def crystals():
    edges = {
        ("Li", "F"): 4.0,
        ("Li", "Cl"): 5.1,
        ("Na", "F"): 4.6,
        ("Na", "Cl"): 5.6,
        ("K", "F"): 5.3,
        ("K", "Cl"): 6.3,
    }
    rng = np.random.default_rng(0)
    return [rock_salt(*pair, edge * rng.uniform(0.97, 1.03)) for _ in range(30) for pair, edge in edges.items()]


@pytest.fixture(scope="module")
def teacher(crystals):
    return [np.full((2, TEACHER), crystal.structure.volume ** (1 / 3), dtype=np.float32) for crystal in crystals]


@pytest.fixture(scope="module")
def pretrained(crystals, teacher):
    return pretrain(crystals, SHAPE, ("species", "properties", "teacher"), 25, teacher)


def test_what_belongs_on_an_emptied_site_energies_and_a_teacher_are_learned(pretrained):
    told = pretrained.errors
    assert told["emptied sites told right"] > 0.4  # one of five would be luck
    assert told[PROPERTIES[0]] < 0.4  # they lie 0.6 eV/atom around their mean
    assert told["features of the teacher (standard deviations)"] < 0.7  # 0.9 without having learned anything
    assert pretrained.crystals == 162


def test_equal_seeds_give_equal_weights_and_only_those_of_the_encoder(crystals):
    one, two, other = (pretrain(crystals[:40], SHAPE, ("properties",), 1, seed=seed).state for seed in (3, 3, 4))
    assert all(name.startswith(ENCODER) for name in one)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_a_fit_starts_from_given_weights(pretrained):
    shipped = read_config(ConductivityConfig, None, "conductivity")
    config = shipped.model_copy(update={"epochs": 1, "learning_rate": 1e-6, "network": SHAPE})
    rows = make_examples(Embedded().load()[:20], SHAPE.cutoff)
    fitted = fit_network(rows, config, 0, initial=pretrained.state).state
    for name, value in pretrained.state.items():
        torch.testing.assert_close(fitted[name], value, atol=1e-4, rtol=0)
    assert not torch.allclose(fit_network(rows, config, 0).state["vacancy"], pretrained.state["vacancy"], atol=1e-2)


def test_embeddings_know_the_crystal_but_not_the_choice_of_its_cell(pretrained, crystals):
    structure = crystals[0].structure
    materials = [material_from_structure(s) for s in (structure, structure * (1, 1, 2), crystals[1].structure)]
    borrowed = graph_of(materials[0].composition, materials[0].structure, SHAPE.cutoff)  # without formula_embedding
    graphs = [*graphs_of([*materials, parse_material("Li2O")], SHAPE.cutoff), borrowed]
    found = crystal_embeddings(pretrained.state, SHAPE, graphs)
    assert found.shape == (5, 2 * SHAPE.width)
    np.testing.assert_allclose(found[0], found[4], atol=1e-6)
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert np.abs(found[0] - found[2]).max() > 1e-3
    assert np.isnan(found[3]).all()


def test_site_classes_are_the_nodes_of_the_graph():
    structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.6), ["Li", "O"], [[0.25] * 3, [0, 0, 0]])
    label, graph = site_classes(structure), crystal_graph(structure)
    share = np.bincount(label) / len(structure)
    np.testing.assert_allclose(share, graph.multiplicity.numpy())
    first = [int(np.flatnonzero(label == k)[0]) for k in range(graph.num_nodes)]
    assert [structure[i].specie.Z for i in first] == graph.species_z.tolist()


@pytest.mark.skipif(settings().data_dir is None, reason="needs IONSCOUT_DATA_DIR")
def test_every_file_of_shared_crystals_gives_some_with_what_is_known_of_them():
    crystals = shared_crystals(limit=3)
    assert len(crystals) >= 15
    known = torch.cat([crystal.graph.target for crystal in crystals]).isfinite().sum(0)
    assert (known >= 3).all()
    assert all(len(crystal.structure) == len(site_classes(crystal.structure)) for crystal in crystals)


def test_without_a_data_folder_it_is_said_what_is_needed(monkeypatch):
    monkeypatch.delenv("IONSCOUT_DATA_DIR", raising=False)
    settings.cache_clear()
    try:
        with pytest.raises(DataUnavailable, match="IONSCOUT_DATA_DIR"):
            shared_crystals()
    finally:
        monkeypatch.undo()
        settings.cache_clear()

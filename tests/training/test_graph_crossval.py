"""The graph-only model on the embedded set: folds without leaks, templates from training rows, and its baseline."""

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from ionscout.datasets.sources.embedded import Embedded
from ionscout.training.baselines_cgcnn import NEIGHBOURS, fit_predict_cgcnn, neighbour_graph
from ionscout.training.graph_crossval import VARIANTS, cross_validate_graph, rounded_structure
from ionscout.training.graph_rows import make_rows, near_room, with_templates


@pytest.fixture(scope="module")
def measurements():
    return near_room(Embedded().load())


@pytest.fixture(scope="module")
def crystals(measurements):
    return [m for m in measurements if m.structure is not None]


def test_every_row_is_predicted_and_better_than_by_the_median(measurements):
    output = cross_validate_graph(measurements, folds=3)
    label = np.array([m.log10_conductivity for m in measurements])
    assert np.abs(output.location - label).mean() < np.abs(np.median(label) - label).mean()
    assert (output.deviation > 0).all()
    assert (output.familiarity >= 0).all()


def test_copies_of_held_out_rows_among_the_extra_ones_teach_nothing(measurements):
    alone = cross_validate_graph(measurements[:30], folds=3, variant=VARIANTS[5])
    with_copies = cross_validate_graph(measurements[:30], extra=measurements[:30], folds=3, variant=VARIANTS[5])
    # Each fold may see copies of its own training rows, never of what it holds out.
    label = np.array([m.log10_conductivity for m in measurements[:30]])
    assert np.abs(with_copies.location - label).mean() > 0.7 * np.abs(alone.location - label).mean()


def test_a_template_completes_cells_and_leaves_crystals_and_formulas(crystals):
    lender = next(m for m in crystals if m.cell is not None)
    bare = replace(lender, structure=None)
    formula = replace(bare, cell=None)
    rows = with_templates(make_rows([lender, bare, formula]), [lender])
    assert [float(g.has_structure[0]) for g in rows.graphs] == [1, 1, 0]
    assert rows.graphs[0] is not rows.graphs[1]


def test_rounding_keeps_majorities_and_drops_sites_less_than_half_full():
    species = [{"Li": 0.4}, {"Zr": 0.6, "Ta": 0.4}, {"O": 1.0}]
    crystal = Structure(Lattice.cubic(4), species, [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]])
    rounded = rounded_structure(crystal)
    assert rounded is not None
    assert rounded.composition.formula == "Zr1 O1"
    assert rounded_structure(Structure(Lattice.cubic(4), [{"Li": 0.3}], [[0, 0, 0]])) is None


def test_every_atom_of_the_cgcnn_graph_has_its_nearest_neighbours(crystals):
    graph = neighbour_graph(crystals[0])
    assert (np.bincount(graph.edge_index[1]) == NEIGHBOURS).all()


def test_cgcnn_fits_its_training_rows_and_answers_the_mean_without_structure(crystals, measurements, monkeypatch):
    monkeypatch.setattr("ionscout.training.baselines_cgcnn.EPOCHS", 40)
    formula = next(m for m in measurements if m.structure is None)
    rows = crystals[:20]
    prediction = fit_predict_cgcnn(rows, [*rows, formula])
    label = np.array([m.log10_conductivity for m in rows])
    assert np.abs(prediction[:-1] - label).mean() < 0.7 * np.abs(label - label.mean()).mean()
    assert prediction[-1] == pytest.approx(np.where([m.censored for m in rows], -15, label).mean())

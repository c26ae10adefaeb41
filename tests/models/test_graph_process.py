"""Site environments and the Gaussian process over graph embeddings: invariances, limits, storage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Lattice, Structure

from ionscout.datasets.errors import BadData
from ionscout.datasets.graph import CUTOFF
from ionscout.models.conductivity.graph_process import (
    ARRAYS,
    GraphProcess,
    KernelConfig,
    process_inputs,
)
from ionscout.models.conductivity.inputs import graph_of
from ionscout.models.conductivity.site_environments import SIZE, site_environments
from ionscout.models.conductivity.symmetry import symmetry_features
from ionscout.training.fit_graph_process import fit_process

FORMULAS = ("Li3PS4", "Li6PS5Cl", "Li7La3Zr2O12", "Li3YCl6", "Li2S", "LiCl", "Li3N", "LiI")


def halide(chlorine: float = 0.5, lithium: float = 0.8) -> Structure:
    species = [{"Li": lithium}] * 4 + [{"Cl": chlorine, "Br": 1 - chlorine}] * 4
    centred = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    between = [[x + 0.5, y, z] for x, y, z in centred]
    return Structure(Lattice.cubic(5.3), species, centred + between)


def environments(*structures: Structure) -> np.ndarray:
    return site_environments([graph_of(s.composition, s, CUTOFF) for s in structures])


def inputs(formulas=FORMULAS, structure: Structure | None = None, group: int | None = None):
    compositions = [Composition(formula) for formula in formulas]
    graphs = [graph_of(c, structure, CUTOFF) for c in compositions]
    return process_inputs(compositions, graphs, [group] * len(compositions))


@pytest.fixture(scope="module")
def process() -> GraphProcess:
    return fit_process(inputs(), np.linspace(-9, -2, len(FORMULAS)))


def test_an_environment_does_not_depend_on_cell_orientation_or_site_order():
    crystal = halide()
    supercell = crystal * (2, 1, 1)
    turned = Structure(
        Lattice.from_parameters(*crystal.lattice.parameters), crystal.species_and_occu, crystal.frac_coords
    )
    shuffled = Structure.from_sites(list(crystal)[::-1])
    first = environments(crystal)[0]
    for same in (supercell, crystal.get_primitive_structure(), turned, shuffled):
        assert environments(same)[0] == pytest.approx(first, abs=2e-3)


def test_a_batch_embeds_every_crystal_as_alone():
    crystals = [halide(), halide(0.1), halide(lithium=0.3)]
    alone = np.vstack([environments(c) for c in crystals])
    assert environments(*crystals) == pytest.approx(alone, abs=1e-5)
    assert alone.shape == (3, SIZE)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.1, 0.8), st.floats(0.1, 0.2))
def test_an_environment_follows_occupancies_without_jumps(occupancy, step):
    near, small, far = environments(halide(occupancy), halide(occupancy + 1e-3), halide(occupancy + step))
    assert 0 < np.abs(small - near).max() < np.abs(far - near).max()


def test_rounding_would_hide_what_partial_occupancy_shows():
    full, most = environments(halide(lithium=1.0), halide(lithium=0.8))
    assert np.abs(full - most).max() > 0.1


def test_no_crystals_give_an_empty_table():
    assert site_environments([]).shape == (0, SIZE)


def test_crystal_system_and_centring_are_those_of_the_space_group():
    assert list(np.flatnonzero(symmetry_features(225))) == [6, 9, 14]  # Fm-3m: cubic, F
    assert list(np.flatnonzero(symmetry_features(2))) == [0, 7, 14]  # P-1: triclinic, P
    assert not symmetry_features(None).any()


def test_a_training_row_is_recalled_and_a_stranger_is_less_certain(process):
    known, stranger = process.predict(inputs()), process.predict(inputs(["Li2TeMoO6"]))
    assert np.corrcoef(known.location, np.linspace(-9, -2, len(FORMULAS)))[0, 1] > 0.99
    assert stranger.deviation[0] > known.deviation.max()
    assert stranger.familiarity[0] < known.familiarity.min()


def test_without_anything_alike_the_answer_is_the_median_label():
    config = KernelConfig(lengths=(1e-3, 1e-3, 1e-3, 1e-3, 1e-3))
    output = fit_process(inputs(), np.linspace(-9, -2, len(FORMULAS)), config).predict(inputs(["Li3BiO4"]))
    assert output.location[0] == pytest.approx(-5.5)
    assert output.familiarity[0] == pytest.approx(0, abs=1e-9)


def test_the_covariance_is_positive_when_some_rows_lack_a_crystal():
    a, b = inputs(structure=halide(), group=225), inputs()
    mixed = type(a)(*(np.concatenate([x, y]) for x, y in zip(vars(a).values(), vars(b).values(), strict=True)))
    process = fit_process(mixed, np.arange(2.0 * len(FORMULAS)))
    eigenvalues = np.linalg.eigvalsh(process.inverse.numpy())
    assert eigenvalues.min() > 0
    assert eigenvalues.max() <= 1 / process.config.noise + 1e-9


def test_rows_without_a_label_change_nothing():
    # One batch for both: its size moves the last bits of a float32 embedding.
    rows, labelled = inputs([*FORMULAS, "Li3BiO4"]), np.arange(len(FORMULAS) + 1) < len(FORMULAS)
    label = np.where(labelled, np.linspace(-9, -1, len(labelled)), np.nan)
    process = fit_process(rows.rows(labelled), label[labelled])
    query = inputs(["Li4SiO4"])
    assert fit_process(rows, label).predict(query).location == pytest.approx(process.predict(query).location, abs=1e-9)


def test_saved_arrays_answer_as_the_fitted_process(process):
    query = inputs(["Li4SiO4", "Li3InCl6"])
    loaded = GraphProcess(process.config, process.arrays()).predict(query)
    assert loaded.location == pytest.approx(process.predict(query).location, abs=1e-3)
    assert loaded.deviation == pytest.approx(process.predict(query).deviation, abs=1e-3)


def test_missing_arrays_and_too_few_labels_are_refused(process):
    with pytest.raises(BadData, match="train it again"):
        GraphProcess(process.config, {name: np.zeros(1) for name in ARRAYS[:-1]})
    with pytest.raises(BadData, match="too few"):
        fit_process(inputs(), np.full(len(FORMULAS), np.nan))

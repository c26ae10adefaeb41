"""The learned hull: always there, predicted by the shipped network, and consistent with what is known to be stable."""

import gzip

import numpy as np
import pytest
from pymatgen.core import Composition

from ionscout.datasets.errors import BadData
from ionscout.datasets.hulls.base import TableHull
from ionscout.datasets.hulls.learned import LearnedTable, load_learned, read_learned, write_learned
from ionscout.models.energy import load_predictor
from ionscout.models.thermo.equilibrium import energy_above_hull
from ionscout.models.thermo.window import window


@pytest.fixture(scope="module")
def table() -> LearnedTable:
    return read_learned()


@pytest.fixture(scope="module")
def hull() -> TableHull:
    return load_learned()


def test_the_table_is_what_the_shipped_network_predicts(table):
    """So it holds predictions and not the energies of the snapshot."""
    rows = np.random.default_rng(0).choice(len(table.formulas), 600, replace=False)
    predicted = load_predictor().predict([table.formulas[i] for i in rows])
    np.testing.assert_allclose(predicted.formation_energy, table.energies[rows], atol=3e-4)
    np.testing.assert_allclose(predicted.band_gap, table.band_gaps[rows], atol=0.02)
    assert predicted.version == table.version


def test_every_phase_says_that_it_is_predicted_or_anchored(hull):
    assert {phase.provenance for phase in hull.phases(["Li", "Y", "Cl"])} == {"predicted", "anchored", "element"}
    assert load_predictor().version in hull.version


def test_common_phases_of_every_electrolyte_family_are_there(hull):
    for formula in ("Li3PS4", "Li2S", "La2Zr2O7", "Li3PO4", "LiTi2(PO4)3", "Li3YCl6", "LiCoO2", "LiFePO4", "LiNbO3"):
        assert hull.energy_of(Composition(formula)) is not None, formula


def test_shifts_only_restore_what_is_known_about_stability(table):
    assert (table.shifts[table.on_hull] <= 0).all()
    assert (table.shifts[~table.on_hull] >= 0).all()
    assert table.on_hull.sum() > 30_000


def test_most_energies_are_the_bare_predictions(table):
    stable = table.shifts[table.on_hull]
    assert np.mean(stable == 0) > 0.8
    assert np.abs(stable).mean() < 0.005


def test_compounds_known_to_be_unstable_do_not_undercut_the_stable_ones(table):
    stable = load_learned(anchored=None)
    rng = np.random.default_rng(1)
    unstable = np.flatnonzero(~table.on_hull)
    for row in rng.choice(unstable, 40, replace=False):
        composition = Composition(table.formulas[row])
        if len(composition) < 6:
            assert energy_above_hull(composition, stable) > -2e-4, table.formulas[row]


def test_known_phases_of_the_garnet_and_the_sulfide_are_on_the_hull():
    stable = load_learned(anchored=None)
    for formula in ("Li3PS4", "Li6Zr2O7", "La2Zr2O7", "Li4GeS4", "Li3NbO4", "Li4P2O7"):
        assert energy_above_hull(Composition(formula), stable) == pytest.approx(0, abs=1e-6), formula


def test_an_anchored_chloride_is_oxidised_as_chlorides_are(hull):
    """LiCl is at 4.21 V (Zhu et al. 2015) and its chlorozirconate near it; a composition off by 1e-6 gives 1.8 V."""
    assert window(Composition("Li2ZrCl6"), hull).oxidation_limit == pytest.approx(4.25, abs=0.25)


def test_elements_are_at_zero(hull):
    for symbol in ("Li", "S", "O", "La"):
        assert hull.energy_of(Composition(symbol)) == 0.0


def test_equal_tables_are_equal_files(tmp_path):
    small = LearnedTable(
        "energy-x", ["Li2S", "LiS4"], np.array([-1.56, -0.7]), np.array([0, 0.01]), np.ones(2), np.ones(2)
    )
    write_learned(small, tmp_path / "a.csv.gz")
    write_learned(small, tmp_path / "b.csv.gz")
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    again = read_learned(tmp_path / "a.csv.gz")
    assert again.formulas == small.formulas
    np.testing.assert_allclose(again.shifts, small.shifts)


@pytest.mark.parametrize(
    "content",
    [b"", b"not gzip", gzip.compress(b"#v\nformula,energy\nLi2S,-1\n", mtime=0)],
    ids=["empty", "not gzip", "wrong columns"],
)
def test_a_damaged_table_is_refused(tmp_path, content):
    (tmp_path / "learned.csv.gz").write_bytes(content)
    with pytest.raises(BadData, match="install ionscout again"):
        read_learned(tmp_path / "learned.csv.gz")


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(BadData, match="install ionscout again"):
        read_learned(tmp_path / "nothing.csv.gz")

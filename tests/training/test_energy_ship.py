"""What the energy GNN is judged by and shipped as: statistics of the baseline, held-out split, the learned table."""

import json

import numpy as np
import pytest
import torch
from pymatgen.core import Composition, Element
from safetensors.torch import save_file

from ionscout.datasets.hulls.base import TableHull
from ionscout.datasets.hulls.learned import TABLE, read_learned
from ionscout.models.energy import EnergyNet, EnergyNetConfig, EnergyPredictor, load_predictor
from ionscout.models.energy.predictor import WEIGHTS
from ionscout.models.thermo.equilibrium import energy_above_hull
from ionscout.training.energy.baseline import composition_statistics, fit_forest
from ionscout.training.energy.data import BATTERY_ELEMENTS, CompositionTable, split_holdout
from ionscout.training.energy.ship import predict_known, ship

FORMULAS = ["Li2S", "LiS4", "P2S5", "Li3P", "LiP", "Li3PS4", "Li4P2S6", "LiPS3", "Li7P3S11", "PS", "LiS", "Li5P"]


@pytest.fixture(scope="module")
def table() -> CompositionTable:
    """A dozen compounds of which every second one is said to be on the hull, whatever their energies."""
    z, fraction = np.zeros((len(FORMULAS), 9), int), np.zeros((len(FORMULAS), 9), np.float32)
    targets = np.full((len(FORMULAS), 6), np.nan, np.float32)
    for i, formula in enumerate(FORMULAS):
        for k, (element, amount) in enumerate(Composition(formula).fractional_composition.items()):
            z[i, k], fraction[i, k] = element.Z, amount
        targets[i, :2] = -1.0, (-0.1 if i % 2 else 0.1)
    return CompositionTable(np.array(FORMULAS), z, fraction, targets, "toy")


def test_shifts_make_any_predictions_agree_with_what_is_known_about_stability(table):
    torch.manual_seed(3)
    network = EnergyNet(EnergyNetConfig(width=32, layers=1, heads=4, pair_features=8))
    with torch.no_grad():
        network.out.mul_(20)  # energies of an untrained network, made as wrong as they can be
    learned = predict_known(EnergyPredictor([network], ["Li", "P", "S"], "toy"), table)
    energies = learned.energies + learned.shifts
    hull = TableHull("learned", "toy", "", np.array(learned.formulas)[learned.on_hull], energies[learned.on_hull], "")
    for formula, energy, on_hull in zip(learned.formulas, energies, learned.on_hull, strict=True):
        above = energy_above_hull(Composition(formula), hull, float(energy))
        assert above is not None
        if not on_hull:
            assert above > -1e-6
    assert (learned.shifts[~learned.on_hull] >= 0).all()
    assert (learned.shifts[learned.on_hull] <= 0).all()
    assert learned.shifts.any()


def test_a_folder_of_ones_own_takes_everything_and_the_package_stays(table, tmp_path):
    shape = {"width": 32, "layers": 1, "heads": 4, "pair_features": 8}
    member = tmp_path / "member.safetensors"
    save_file(EnergyNet(EnergyNetConfig(**shape)).state_dict(), member, metadata={"config": json.dumps(shape)})
    installed = {path: path.read_bytes() for path in (TABLE, WEIGHTS / "energy.json")}
    version = ship([member], "a test", table, tmp_path / "mine")
    assert load_predictor(tmp_path / "mine").version == version
    assert read_learned(tmp_path / "mine" / TABLE.name).version == version
    assert {path: path.read_bytes() for path in installed} == installed
    load_predictor.cache_clear()


def test_statistics_do_not_depend_on_the_order_of_elements():
    z, fraction = np.array([[3, 16, 15], [15, 3, 16]]), np.array([[0.375, 0.5, 0.125], [0.125, 0.375, 0.5]])
    a, b = composition_statistics(z, fraction)
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_an_element_alone_deviates_from_nothing():
    (row,) = composition_statistics(np.array([[3, 0]]), np.array([[1.0, 0.0]]))
    n = (len(row) - 3) // 5
    assert row[0] == Element("Li").Z
    np.testing.assert_allclose(row[n : 2 * n], 0)  # deviations
    np.testing.assert_allclose(row[4 * n : 5 * n], 0)  # ranges


def test_the_forest_learns_a_smooth_property_and_repeats_itself():
    rng = np.random.default_rng(0)
    features = rng.uniform(size=(300, 4)).astype(np.float32)
    target = features[:, 0] * 2
    first, again = (fit_forest(features, target, seed=1).predict(features[:20]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - target[:20]).mean() < 0.1


def test_the_split_repeats_itself_and_has_the_asked_share(table):
    many = CompositionTable(np.zeros(20_000, str), np.zeros((20_000, 9)), np.zeros((20_000, 9)), table.targets, "x")
    first, again = split_holdout(many, 0.05, 7), split_holdout(many, 0.05, 7)
    assert (first == again).all()
    assert first.mean() == pytest.approx(0.05, abs=0.01)
    assert (first != split_holdout(many, 0.05, 8)).any()


def test_battery_rows_hold_battery_elements_alone(table):
    assert table.battery.all()
    assert "Cs" not in BATTERY_ELEMENTS
    assert len(set(BATTERY_ELEMENTS)) == len(BATTERY_ELEMENTS) == 35

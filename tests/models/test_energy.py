"""The energy GNN: invariances, exact limits, input checks, weights on disk, and a small fit that must converge."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Element
from torch_geometric.data import Batch

from ionscout.datasets.errors import BadData, BadFormula, UnsupportedElement
from ionscout.datasets.settings import settings as ionscout_settings
from ionscout.models.energy import EnergyNet, EnergyNetConfig, EnergyPredictor, composition_graph, load_predictor
from ionscout.models.energy.predictor import encode_compositions, save_predictor
from ionscout.training.energy import fit
from ionscout.training.energy.config import load_config
from ionscout.training.energy.data import CompositionTable, composition_key

SMALL = EnergyNetConfig(width=32, layers=2, heads=4, pair_features=8)
SYMBOLS = ["Li", "O", "S", "P", "Cl", "Zr", "La", "Fe"]


@pytest.fixture(scope="module")
def network() -> EnergyNet:
    torch.manual_seed(0)
    return EnergyNet(SMALL).eval()


@pytest.fixture(scope="module")
def predictor(network) -> EnergyPredictor:
    torch.manual_seed(1)
    return EnergyPredictor([network, EnergyNet(SMALL)], SYMBOLS, "test")


compositions = st.dictionaries(st.sampled_from(SYMBOLS), st.floats(0.05, 12), min_size=2, max_size=len(SYMBOLS)).map(
    Composition
)


def energies(predictor: EnergyPredictor, *compositions: Composition) -> np.ndarray:
    return predictor.predict(list(compositions)).formation_energy


@settings(max_examples=30, deadline=None)
@given(composition=compositions, data=st.data())
def test_order_of_elements_does_not_matter(predictor, composition, data):
    shuffled = Composition(dict(data.draw(st.permutations(list(composition.items())))))
    np.testing.assert_allclose(energies(predictor, shuffled), energies(predictor, composition), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(composition=compositions, factor=st.floats(0.1, 50))
def test_only_ratios_of_amounts_matter(predictor, composition, factor):
    np.testing.assert_allclose(energies(predictor, composition * factor), energies(predictor, composition), atol=2e-4)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_pure_elements_are_at_exactly_zero(predictor, symbol):
    assert energies(predictor, Composition(symbol))[0] == 0.0


def test_padding_and_company_in_a_batch_change_nothing(predictor):
    alone = energies(predictor, Composition("Li2S"))
    together = energies(predictor, Composition("Li6PS5Cl"), Composition("Li2S"), Composition("Li7La3Zr2O12"))
    np.testing.assert_allclose(together[1], alone[0], atol=1e-5)


def test_pyg_batches_give_the_same_numbers_as_the_dense_form(network):
    some = [Composition(f) for f in ("Li2S", "Li6PS5Cl", "Li6.5La3Zr1.5Fe0.5O12")]
    with torch.inference_mode():
        graphs = network.forward_graphs(Batch.from_data_list([composition_graph(c) for c in some]))
        dense = network(*encode_compositions(some))
    np.testing.assert_allclose(graphs, dense, atol=1e-5)


def test_a_composition_graph_is_complete():
    graph = composition_graph(Composition("Li6PS5Cl"))
    assert graph.edge_index.shape == (2, 16)
    assert float(graph.fraction.sum()) == pytest.approx(1)


def test_a_small_change_of_composition_makes_a_small_change_of_energy(predictor):
    before, after = energies(predictor, Composition("Li7La3Zr2O12"), Composition("Li6.999La3Zr2O12"))
    assert 0 < abs(after - before) < 1e-2


def test_gaps_are_never_negative(predictor):
    predicted = predictor.predict(["LiFe", "LiZr", "Li2S", "FeZr2", "La3P"])
    assert (predicted.band_gap >= 0).all()
    assert (predicted.experimental_gap >= 0).all()


def test_spread_is_zero_for_a_single_member_only(network, predictor):
    assert EnergyPredictor([network], SYMBOLS, "one").predict(["Li2S"]).spread.max() == 0
    assert predictor.predict(["Li2S"]).spread.min() > 0


def test_embeddings_of_the_members_stand_side_by_side(predictor):
    assert predictor.embed(["Li2S", "Li6PS5Cl", "LiCl"]).shape == (3, 2 * SMALL.width)


def test_unseen_elements_are_refused_by_name(predictor):
    with pytest.raises(UnsupportedElement, match="Xe"):
        predictor.predict(["Li2S", "XeF2"])


def test_text_that_is_no_formula_is_refused(predictor):
    with pytest.raises(BadFormula):
        predictor.predict(["Li2Qq"])


def test_weights_survive_the_way_to_disk_in_half_precision(predictor, tmp_path):
    version = save_predictor(predictor.networks, {"elements": SYMBOLS}, tmp_path)
    again = load_predictor(tmp_path)
    assert again.version == version
    some = [Composition(f) for f in ("Li2S", "Li6PS5Cl", "LiCl")]
    np.testing.assert_allclose(energies(again, *some), energies(predictor, *some), atol=5e-3)


def test_changed_weights_are_noticed(predictor, tmp_path):
    save_predictor(predictor.networks, {"elements": SYMBOLS}, tmp_path)
    file = tmp_path / "energy-1.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(BadData, match="energy-1"):
        load_predictor(tmp_path)


def test_a_missing_card_is_one_sentence(tmp_path):
    with pytest.raises(BadData, match="install ionscout again"):
        load_predictor(tmp_path)


def test_shipped_weights_know_the_order_of_lithium_salts():
    """Experimental formation enthalpies (CRC Handbook): LiF −6.4, Li2O −6.2, LiCl −4.2, Li2S −4.6 eV per formula."""
    predicted = energies(load_predictor(), *map(Composition, ("LiF", "Li2O", "LiCl", "Li2S")))
    np.testing.assert_allclose(predicted, [-6.39 / 2, -6.20 / 3, -4.23 / 2, -4.63 / 3], atol=0.2)


def test_shipped_weights_stay_small_and_match_their_card():
    from ionscout.models.energy.predictor import CARD, WEIGHTS

    card = json.loads((WEIGHTS / CARD).read_text())
    size = sum((WEIGHTS / file["name"]).stat().st_size for file in card["files"])
    assert size < 25e6
    assert load_predictor().version == card["version"]


@pytest.fixture
def toy(tmp_path, monkeypatch) -> CompositionTable:
    """300 binaries whose energy is that of a regular solution, in a home folder of their own."""
    monkeypatch.setenv("IONSCOUT_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    ionscout_settings.cache_clear()
    rng = np.random.default_rng(0)
    numbers = np.array([Element(symbol).Z for symbol in SYMBOLS])
    z, fraction, targets = (
        np.zeros((300, 9), int),
        np.zeros((300, 9), np.float32),
        np.full((300, 6), np.nan, np.float32),
    )
    for i in range(300):
        a, b = rng.choice(len(SYMBOLS), 2, replace=False)
        x = rng.uniform(0.1, 0.9)
        z[i, :2], fraction[i, :2] = numbers[[a, b]], [x, 1 - x]
        targets[i, :2] = -abs(a - b) * x * (1 - x), 0.1
    yield CompositionTable(np.arange(300).astype(str), z, fraction, targets, "toy")
    ionscout_settings.cache_clear()


def test_a_small_fit_converges_and_goes_on_from_its_weights(toy):
    small = {"width": 32, "layers": 1, "batch": 64, "members": 1, "epochs_holdout": 40, "epochs_full": 10}
    quick = {"bfloat16": False, "muon_rate": 0.02, "adam_rate": 0.005}
    config = load_config().model_copy(update=small | quick)
    (held_out,) = fit.run(config, holdout=True, quiet=True, table=toy)
    (full,) = fit.run(config, holdout=False, quiet=True, table=toy)
    spread = float(np.abs(toy.targets[:, 0] - toy.targets[:, 0].mean()).mean())
    assert held_out.last_error < 0.3 * spread
    assert full.last_error < 0.1 * spread


def test_equal_compositions_have_equal_keys():
    assert composition_key("Li4P2S6") == composition_key("Li2PS3") == composition_key("P(Li2S3)")

"""The conductivity models: invariances, physics of the Arrhenius law, storage without pickles."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from ionscout.datasets.errors import BadData
from ionscout.datasets.sources.embedded import demo_crystals
from ionscout.datasets.structure import Material, material_from_structure, parse_material
from ionscout.models import arrhenius
from ionscout.models.conductivity.ensemble import ConductivityEnsemble
from ionscout.models.conductivity.inputs import batch_of, graphs_of
from ionscout.models.conductivity.kinds import BulkShift
from ionscout.models.conductivity.network import ConductivityNetwork, NetworkConfig
from ionscout.models.conductivity.predictor import ConductivityPredictor


def halide(chlorine: float = 0.5, lithium: float = 0.8) -> Structure:
    return Structure.from_spacegroup(
        "Fm-3m",
        Lattice.cubic(5.3),
        [{"Li": lithium}, {"Cl": chlorine, "Br": 1 - chlorine}],
        [[0, 0, 0], [0.5] * 3],
    )


def embedding(network: ConductivityNetwork, structure: Structure) -> torch.Tensor:
    with torch.no_grad():
        return network.embed(batch_of(graphs_of([material_of(structure)], network.config.cutoff)))[0]


def material_of(structure: Structure) -> Material:
    return Material(structure.composition.element_composition, structure, structure.composition.formula, "json")


@pytest.fixture(scope="module")
def network() -> ConductivityNetwork:
    torch.manual_seed(1)
    return ConductivityNetwork().eval()


@pytest.fixture(scope="module")
def shipped() -> ConductivityPredictor:
    return ConductivityPredictor.load()


@pytest.mark.parametrize("scaling", [(2, 1, 1), (1, 2, 3)])
def test_a_supercell_gives_the_same_embedding(network, scaling):
    torch.testing.assert_close(embedding(network, halide()), embedding(network, halide() * scaling))


def test_site_order_does_not_matter(network):
    structure = halide() * (2, 1, 1)
    turned = Structure.from_sites(list(structure)[::-1])
    torch.testing.assert_close(embedding(network, structure), embedding(network, turned), atol=1e-5, rtol=1e-4)


def test_occupancy_enters_as_it_is(network):
    half, most, full = (embedding(network, halide(lithium=x)) for x in (0.5, 0.8, 1.0))
    assert not torch.allclose(half, most, atol=1e-4)
    assert not torch.allclose(most, full, atol=1e-4)
    # A mixture lies between its ends instead of jumping, as rounding would make it.
    step = (embedding(network, halide(0.50)) - embedding(network, halide(0.51))).norm()
    assert 0 < step < 0.1 * (embedding(network, halide(0.0)) - embedding(network, halide(1.0))).norm()


def test_structure_and_formula_take_different_paths_through_one_network(network):
    structure = halide()
    bare = batch_of(graphs_of([replace(material_of(structure), structure=None)], network.config.cutoff))
    with torch.no_grad():
        assert not torch.allclose(network.embed(bare)[0], embedding(network, structure), atol=1e-4)


def test_batching_does_not_change_a_prediction():
    torch.manual_seed(0)
    ensemble = ConductivityEnsemble(NetworkConfig(), 2)
    materials = [parse_material("LiCl"), parse_material("Li3PS4"), material_of(halide()), material_of(halide(0.1))]
    graphs = graphs_of(materials, 5.0)
    together = ensemble.predict(graphs).location
    apart = [ensemble.predict([graph]).location[0] for graph in graphs]
    np.testing.assert_allclose(together, apart, atol=1e-5)


@given(st.floats(-12, -1), st.floats(0.05, 1.2), st.floats(200, 600))
def test_the_arrhenius_law_is_the_textbook_one(log_conductivity, energy, temperature):
    k = 8.617333262e-5
    prefactor = 10**log_conductivity * 298.15 * np.exp(energy / (k * 298.15))
    expected = np.log10(prefactor / temperature) - energy / (k * temperature) / np.log(10)
    assert arrhenius.at_temperature(log_conductivity, energy, temperature) == pytest.approx(expected, abs=1e-6)
    assert arrhenius.activation_energy(log_conductivity, np.log10(prefactor)) == pytest.approx(energy, abs=1e-6)


def test_shipped_weights_answer_for_disordered_crystals_with_ordered_intervals(shipped):
    for crystal in demo_crystals():
        (answer,) = shipped.predict([parse_material(crystal.cif)])
        assert 0 < answer.lower < answer.conductivity < answer.upper < 1e4
        assert answer.path == "structure"
        assert answer.coverage == 0.9
        assert answer.version == shipped.version


def test_hot_conducts_better_and_far_from_room_temperature_is_less_sure(shipped):
    material = parse_material(demo_crystals()[0].cif)
    cold, room, hot = (shipped.predict([material], t)[0] for t in (250.0, 298.15, 450.0))
    assert cold.conductivity < room.conductivity < hot.conductivity
    assert np.log10(hot.upper / hot.lower) > np.log10(room.upper / room.lower)


def test_a_formula_is_answered_and_says_that_it_is_one(shipped):
    (answer,) = shipped.predict([parse_material("Li6.5La3Zr1.5Ta0.5O12")])
    assert answer.path == "template"
    assert any("cells of its nearest relatives" in note and "llzo" in note for note in answer.warnings)
    (alone,) = shipped.predict([parse_material("LiPt3Rh4Au2")])
    assert alone.path == "composition"
    assert any("composition alone" in note for note in alone.warnings)


def test_bulk_conductivity_is_the_total_one_shifted_with_a_wider_interval_and_says_on_what_it_rests(shipped):
    material = parse_material(demo_crystals()[0].cif)
    total, bulk = (shipped.predict([material], 330.0, kind)[0] for kind in ("total", "bulk"))
    shift = BulkShift.of(shipped.card)
    assert (total.kind, bulk.kind) == ("total", "bulk")
    assert shift.decades > 0  # grain boundaries only ever resist
    assert np.log10(bulk.conductivity / total.conductivity) == pytest.approx(shift.decades)
    half = [np.log10(answer.upper / answer.lower) / 2 for answer in (total, bulk)]
    assert half[1] == pytest.approx(np.hypot(half[0], shift.half_width(0.9)))
    assert bulk.activation_energy == total.activation_energy
    (note,) = set(bulk.warnings) - set(total.warnings)
    assert f"{shift.samples} training samples of {shift.publications} publications" in note


def test_a_model_that_saw_no_sample_measured_both_ways_does_not_guess(shipped):
    ignorant = ConductivityPredictor(
        shipped.ensemble, shipped.processes, shipped.calibration, shipped.card | {"bulk_shift": None}
    )
    assert ignorant.predict([parse_material("Li2O")])[0].kind == "total"
    with pytest.raises(BadData, match="ask for the total one"):
        ignorant.predict([parse_material("Li2O")], kind="bulk")


def test_an_alien_is_flagged(shipped):
    """Nothing like a lithium–noble-metal alloy is in the training data; LLZO is."""
    alien = shipped.predict([parse_material("LiPt3Rh4Au2")])[0]
    known = shipped.predict([parse_material(demo_crystals()[0].cif)])[0]
    assert not alien.in_domain
    assert any("training data" in note for note in alien.warnings)
    assert known.in_domain


@pytest.mark.parametrize("formula", ["Li6PS5Cl", "Li10GeP2S12", "Li7La3Zr2O12", "Li2O"])
def test_well_known_electrolytes_are_inside_also_as_bare_formulas(shipped, formula):
    assert shipped.predict([parse_material(formula)])[0].in_domain


def test_extrapolation_in_temperature_is_said(shipped):
    material = parse_material("Li6PS5Cl")
    assert not any("temperature" in note for note in shipped.predict([material], 310.0)[0].warnings)
    said = {kelvin: " ".join(shipped.predict([material], kelvin)[0].warnings) for kelvin in (450.0, 600.0)}
    assert "too high" not in said[450.0]
    assert "too high in the mean and intervals hold less" in said[600.0]
    assert any("extrapolated" in note for note in shipped.predict([material], 600.0)[0].warnings)


def test_the_error_of_the_activation_energy_is_measured_out_of_fold(shipped):
    measured = shipped.card["activation_energy_out_of_fold"]
    assert measured["n"] >= 200
    assert measured["mae_eV"] < 0.8 * measured["mae_of_family_mean_eV"]
    assert all(0.5 < c.energy_factor < 2 for c in shipped.calibration.values())


@settings(max_examples=10, deadline=None)
@given(scaling=st.sampled_from([(2, 1, 1), (1, 1, 2), (2, 2, 1)]))
def test_the_answer_does_not_depend_on_the_cell(shipped, scaling):
    material = parse_material(demo_crystals()[2].cif)
    larger = material_from_structure(material.structure * scaling)
    one, two = shipped.predict([material, larger])
    assert np.log10(one.conductivity) == pytest.approx(np.log10(two.conductivity), abs=1e-3)


def test_a_saved_predictor_is_the_same_predictor(shipped, tmp_path):
    shipped.save(tmp_path)
    again = ConductivityPredictor.load(tmp_path)
    material = parse_material("Li3YCl6")
    assert again.version == shipped.version
    assert again.predict([material]) == shipped.predict([material])
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors", ".json"}


def test_damaged_or_foreign_weights_are_refused(shipped, tmp_path):
    shipped.save(tmp_path)
    weights = tmp_path / "conductivity.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(BadData, match="card"):
        ConductivityPredictor.load(tmp_path)
    weights.unlink()
    with pytest.raises(BadData, match="train"):
        ConductivityPredictor.load(tmp_path)


def test_weights_for_another_embedding_are_refused(shipped, tmp_path):
    shipped.save(tmp_path)
    card = tmp_path / "conductivity.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"embedding": "energy-of-yesterday"}))
    with pytest.raises(BadData, match="energy-of-yesterday"):
        ConductivityPredictor.load(tmp_path)


def test_the_card_says_what_the_model_is_made_of(shipped):
    card = shipped.card
    assert card["weights_sha256"].startswith(card["version"])
    assert set(card["data_sha256"]) == {"main", "extra"}
    assert card["metrics_out_of_fold"]["as given"]["champion"]["all"]["n"] == 478
    assert card["known_weaknesses"]
    json.dumps(card, allow_nan=False)

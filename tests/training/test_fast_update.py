"""The fast update: predictions move towards observations nearby, and nothing gets less sure."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ionscout.datasets.composition import atomic_fractions, parse_formula
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.structure import parse_material
from ionscout.models.conductivity.predictor import ConductivityPrediction
from ionscout.training.active.update import (
    LEAST_SHARE,
    NOISE,
    FastUpdate,
    UpdatedPredictor,
    normal_of,
    own_error,
    similarity,
)

GARNETS = ["Li7La3Zr2O12", "Li6.4Ga0.2La3Zr2O12", "Li6.5La3Zr1.5Ta0.5O12"]
FORMULAS = [*GARNETS, "Li6PS5Cl", "Li10GeP2S12", "Li3YCl6", "Li1.3Al0.3Ti1.7P3O12", "LiI"]
FRACTIONS = np.stack([atomic_fractions(parse_formula(formula)) for formula in FORMULAS])
RESIDUALS = st.floats(-6, 6)
SCALES = st.floats(0.05, 4)
ROWS = st.lists(st.tuples(st.integers(0, len(FORMULAS) - 1), RESIDUALS, SCALES, st.booleans()), max_size=8)


def updated(rows) -> FastUpdate:
    numbers = [number for number, _, _, _ in rows]
    residual, scale, censored = (np.array([row[k] for row in rows]) for k in (1, 2, 3))
    return FastUpdate(FRACTIONS[numbers], residual, scale, censored)


@given(st.lists(SCALES, min_size=len(FORMULAS), max_size=len(FORMULAS)))
def test_without_observations_nothing_changes(scales):
    location = np.linspace(-9, -2, len(FORMULAS))
    found = updated([]).correct(FRACTIONS, location, np.array(scales))
    np.testing.assert_array_equal(found.location, location)
    np.testing.assert_allclose(found.scale, scales)


@given(RESIDUALS, SCALES, st.integers(0, len(FORMULAS) - 1))
def test_at_an_observation_the_prediction_moves_towards_it_and_not_past_it(residual, scale, place):
    assume(abs(residual) > 1e-3)
    found = updated([(place, residual, scale, False)]).correct(FRACTIONS[[place]], np.zeros(1), np.array([scale]))
    share = found.location[0] / residual
    assert 0 < share < 1
    assert 0 < found.scale[0] < scale
    # the textbook weight of one noisy value, of noise as far as the interval has room for it
    error, noise = own_error(np.array([scale]))[0] ** 2, min(NOISE**2, (1 - LEAST_SHARE) * scale**2)
    assert share == pytest.approx(error / (error + noise))


@given(ROWS, st.lists(SCALES, min_size=len(FORMULAS), max_size=len(FORMULAS)))
def test_no_interval_gets_wider(rows, scales):
    found = updated(rows).correct(FRACTIONS, np.zeros(len(FORMULAS)), np.array(scales))
    assert np.isfinite(found.location).all()
    assert (found.scale <= np.array(scales) + 1e-12).all()
    assert (found.scale > 0).all()


@given(RESIDUALS, SCALES)
def test_a_composition_without_common_elements_is_left_alone(residual, scale):
    chloride, sulfide = atomic_fractions(parse_formula("NaCl")), atomic_fractions(parse_formula("K2S"))
    update = FastUpdate(chloride[None], np.array([residual]), np.array([scale]))
    found = update.correct(sulfide[None], np.array([-5.0]), np.array([scale]))
    assert found.location[0] == pytest.approx(-5.0, abs=1e-3)
    assert found.scale[0] == pytest.approx(scale, rel=1e-3)


def test_the_nearer_the_more():
    found = updated([(0, 2.0, 1.2, False)]).correct(FRACTIONS, np.zeros(len(FORMULAS)), np.full(len(FORMULAS), 1.2))
    order = np.argsort(-similarity(FRACTIONS, FRACTIONS[[0]])[:, 0])
    assert list(order[:3]) == [0, 1, 2]  # the garnets
    assert np.all(np.diff(found.location[order]) <= 0)
    assert np.all(np.diff(found.scale[order]) >= 0)


def test_repeats_bring_the_prediction_closer_and_closer():
    moved = []
    for count in (1, 2, 5, 50):
        update = updated([(0, 1.5, 1.2, False)] * count)
        found = update.correct(FRACTIONS[[0]], np.zeros(1), np.array([1.2]))
        moved.append((found.location[0], found.scale[0]))
    assert all(a[0] < b[0] < 1.5 and a[1] > b[1] for a, b in pairwise(moved))
    assert moved[-1][0] == pytest.approx(1.5, abs=0.02)
    assert moved[-1][1] == pytest.approx(NOISE, rel=0.02)  # the next measurement still scatters


@given(st.permutations(range(5)))
def test_the_order_of_observations_does_not_matter(order):
    rows = [(0, 1.0, 1.0, False), (1, -0.5, 1.3, False), (3, 2.0, 0.9, True), (3, 3.0, 0.9, False), (4, 1, 1, True)]
    location, scale = np.zeros(len(FORMULAS)), np.ones(len(FORMULAS))
    first = updated(rows).correct(FRACTIONS, location, scale)
    other = updated([rows[i] for i in order]).correct(FRACTIONS, location, scale)
    np.testing.assert_allclose(first.location, other.location, atol=1e-9)
    np.testing.assert_allclose(first.scale, other.scale, atol=1e-9)


def test_a_bound_above_the_prediction_says_nothing_and_one_below_pulls_down():
    location, scale = np.zeros(1), np.array([1.2])
    above = updated([(0, 1.0, 1.2, True)]).correct(FRACTIONS[[0]], location, scale)
    below = updated([(0, -3.0, 1.2, True)]).correct(FRACTIONS[[0]], location, scale)
    assert above.location[0] == 0
    assert -3 < below.location[0] < -1
    assert above.scale[0] == below.scale[0] == pytest.approx(1.2)  # how far below is not known
    lifted = updated([(0, 3.0, 1.2, False)] * 5)
    held = updated([(0, 3.0, 1.2, False)] * 5 + [(0, 1.0, 1.2, True)] * 5)
    high, low = (update.correct(FRACTIONS[[0]], location, scale).location[0] for update in (lifted, held))
    assert low < high


class Flat:
    """Predicts 1e-6 S/cm for everything, within 2 decades."""

    version = "flat"

    def predict(self, materials, temperature_K=298.15):
        return [
            ConductivityPrediction(
                1e-6, 1e-8, 1e-4, 0.9, temperature_K, 0.3, 0.1, True, "composition", "flat", self.version
            )
            for _ in materials
        ]


def measured(formula: str, conductivity: float, **changes) -> Measurement:
    row = Measurement("1", formula, parse_formula(formula), None, math.log10(conductivity), source="campaign")
    return replace(row, **changes)


def test_a_predictor_with_observations_answers_like_one_without():
    garnets = [parse_material(formula) for formula in GARNETS]
    plain = Flat().predict(garnets)
    assert UpdatedPredictor(Flat(), []).predict(garnets) == plain
    assert UpdatedPredictor(Flat(), []).version == "flat"
    better = UpdatedPredictor(Flat(), [measured("Li6.4Ga0.2La3Zr2O12", 1e-3)])
    found = better.predict(garnets)
    assert better.predict([]) == []
    for old, new in zip(plain, found, strict=True):
        assert old.conductivity < new.conductivity < 1e-3
        assert new.upper / new.lower < old.upper / old.lower
        assert new.lower < new.conductivity < new.upper
        assert (new.coverage, new.in_domain, new.path) == (old.coverage, old.in_domain, old.path)
        assert new.version == better.version != "flat"
    assert found[1].conductivity == max(p.conductivity for p in found)
    assert any("decades" in note for note in found[1].warnings)


def test_a_value_from_another_temperature_counts_less():
    material = [parse_material(GARNETS[0])]
    near = UpdatedPredictor(Flat(), [measured(GARNETS[0], 1e-3)]).predict(material)[0]
    far = UpdatedPredictor(Flat(), [measured(GARNETS[0], 1e-3, temperature_K=600.0)]).predict(material)[0]
    assert 1e-6 < far.conductivity < near.conductivity
    assert far.upper / far.lower > near.upper / near.lower


def test_rows_with_only_an_activation_energy_are_left_out():
    row = replace(measured(GARNETS[0], 1.0), log10_conductivity=math.nan, activation_energy_eV=0.3)
    assert UpdatedPredictor(Flat(), [row]).observed == []


def test_an_interval_and_its_normal_deviation_are_one():
    centre, scale = normal_of(Flat().predict([parse_material("LiI")]))
    assert centre[0] == pytest.approx(-6)
    assert scale[0] == pytest.approx(2 / 1.6448536)


@given(ROWS, st.lists(SCALES, min_size=len(FORMULAS), max_size=len(FORMULAS)))
def test_the_joint_belief_agrees_with_the_single_ones(rows, scales):
    scale = np.array(scales)
    joint = updated(rows).covariance(FRACTIONS, scale)
    np.testing.assert_allclose(joint, joint.T, atol=1e-9)
    assert np.linalg.eigvalsh(joint).min() > -1e-8
    alone = updated(rows).correct(FRACTIONS, np.zeros(len(FORMULAS)), scale).scale
    np.testing.assert_allclose(np.diag(joint), alone**2 - (scale**2 - own_error(scale) ** 2), atol=1e-8)


def test_a_belief_about_materials_is_that_of_their_predictions():
    garnets = [parse_material(formula) for formula in GARNETS]
    better = UpdatedPredictor(Flat(), [measured("Li6.4Ga0.2La3Zr2O12", 1e-3)])
    mean, covariance = better.belief(garnets, Flat().predict(garnets))
    np.testing.assert_allclose(mean, [math.log10(p.conductivity) for p in better.predict(garnets)])
    assert covariance.shape == (3, 3)
    assert covariance[0, 1] > 0  # neighbours are wrong together

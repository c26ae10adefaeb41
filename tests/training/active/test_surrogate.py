"""The Gaussian process of the loop, its treatment of bounds, and the prior without labels."""

import numpy as np
import pytest
from pymatgen.core import Composition

from ionscout.datasets.errors import OutOfRange
from ionscout.datasets.structure import ConventionalCell
from ionscout.training.active.prior import descriptors, prior_score
from ionscout.training.active.surrogate import CENTRE, surrogate

SERIES = [Composition(f"Li{1 + x:.2f}Al{x:.2f}Ti{2 - x:.2f}P3O12") for x in np.linspace(0.02, 0.6, 30)]
OTHERS = [Composition(f) for f in ("Li6PS5Cl", "Li3PS4", "Li7La3Zr2O12", "LiNbO3", "Li3YCl6", "Li2O")]
TABLE = SERIES + OTHERS
ALL, NONE = np.arange(len(TABLE)), np.zeros(0, dtype=int)
NOTHING = (NONE, np.zeros(0), np.zeros(0, dtype=bool))


def test_without_labels_the_prior_is_the_answer():
    posterior = surrogate(TABLE).posterior(ALL, *NOTHING)
    np.testing.assert_allclose(posterior.mean, CENTRE + prior_score(TABLE))
    assert np.ptp(posterior.deviation) < 1e-6


def test_predictions_move_to_labels_nearby_and_intervals_shrink_there():
    model = surrogate(TABLE, prior_weight=0.0)
    before = model.posterior(ALL, *NOTHING)
    after = model.posterior(ALL, np.array([10]), np.array([-3.0]), np.array([False]))
    assert (after.deviation <= before.deviation + 1e-9).all()
    near, far = 11, len(SERIES) + 4
    assert after.mean[near] > CENTRE + 1.5
    assert abs(after.mean[far] - CENTRE) < abs(after.mean[near] - CENTRE) / 2
    assert before.deviation[near] - after.deviation[near] > before.deviation[far] - after.deviation[far]


def test_repeats_of_a_measurement_count_more_than_one():
    model, rows = surrogate(TABLE, prior_weight=0.0), np.array([10, 10, 10])
    once = model.posterior(ALL, rows[:1], np.full(1, -3.0), np.zeros(1, dtype=bool))
    thrice = model.posterior(ALL, rows, np.full(3, -3.0), np.zeros(3, dtype=bool))
    assert thrice.deviation[10] < once.deviation[10]
    assert abs(thrice.mean[10] + 3) < abs(once.mean[10] + 3)


def test_a_bound_above_the_prediction_says_next_to_nothing_and_one_below_pulls_down():
    model = surrogate(TABLE, prior_weight=0.0)
    loose = model.posterior(ALL, np.array([10]), np.array([3.0]), np.array([True]))
    tight = model.posterior(ALL, np.array([10]), np.array([-10.0]), np.array([True]))
    exact = model.posterior(ALL, np.array([10]), np.array([-10.0]), np.array([False]))
    assert loose.mean[10] == pytest.approx(CENTRE, abs=0.05)
    assert tight.mean[10] < exact.mean[10] < CENTRE


def test_order_of_labels_and_of_targets_does_not_matter():
    model = surrogate(TABLE)
    rows, values, marks = np.array([1, 7, 33]), np.array([-3.0, -4.0, -10.0]), np.array([False, False, True])
    straight = model.posterior(ALL, rows, values, marks)
    turned = model.posterior(ALL[::-1], rows[::-1], values[::-1], marks[::-1])
    np.testing.assert_allclose(straight.mean, turned.mean[::-1])
    np.testing.assert_allclose(straight.deviation, turned.deviation[::-1], atol=1e-6)


def test_tuning_raises_the_noise_of_noisy_labels_and_needs_fifty_of_them():
    rng = np.random.default_rng(0)
    model = surrogate(TABLE, prior_weight=0.0)
    rows = np.repeat(ALL, 3)
    truth = CENTRE + rng.normal(size=len(TABLE))[rows]
    quiet = model.tuned(rows, truth + rng.normal(0, 0.1, len(rows)), np.zeros(len(rows), dtype=bool))
    loud = model.tuned(rows, truth + rng.normal(0, 2.0, len(rows)), np.zeros(len(rows), dtype=bool))
    assert quiet.noise < model.noise < loud.noise
    assert model.tuned(rows[:49], truth[:49], np.zeros(49, dtype=bool)) is model


def test_one_composition_in_two_cells_can_have_two_conductivities():
    garnet = Composition("Li7La3Zr2O12")
    cubic = ConventionalCell(230, (12.97, 12.97, 12.97, 90.0, 90.0, 90.0), 192.0)
    tetragonal = ConventionalCell(142, (13.13, 13.13, 12.66, 90.0, 90.0, 90.0), 192.0)
    table = [garnet, garnet, *OTHERS]
    model = surrogate(table, [cubic, tetragonal, *[None] * len(OTHERS)], prior_weight=0.0)
    rows = np.array([0, 1])
    found = model.posterior(rows, rows, np.array([-3.0, -6.5]), np.zeros(2, dtype=bool))
    assert found.mean[0] - found.mean[1] > 1.0
    blind = surrogate(table).posterior(rows, rows, np.array([-3.0, -6.5]), np.zeros(2, dtype=bool))
    assert blind.mean[0] == pytest.approx(blind.mean[1], abs=1e-6)


@pytest.mark.parametrize(
    ("better", "worse", "which"),
    [
        ("Li3PS4", "Li3PO4", 0),
        ("Li6PS5Br", "Li6PS5Cl", 0),
        ("LiNbO3", "LiAlO2", 1),
        ("Li1.3Al0.3Ti1.7P3O12", "LiTi2P3O12", 2),
        ("Li6PS5Cl", "Li3PS4", 2),
    ],
)
def test_the_prior_knows_soft_anions_charged_cations_and_disorder(better, worse, which):
    values = descriptors([Composition(better), Composition(worse)])
    assert values[0, which] > values[1, which]


def test_the_prior_does_not_depend_on_the_formula_unit_or_on_the_order():
    scores = prior_score(TABLE)
    np.testing.assert_allclose(prior_score([c * 3 for c in TABLE[::-1]])[::-1], scores)
    np.testing.assert_allclose([scores.mean(), prior_score([TABLE[0]])[0]], 0.0, atol=1e-9)


def test_bad_tables_and_labels_are_refused():
    with pytest.raises(OutOfRange):
        surrogate([])
    with pytest.raises(OutOfRange, match="cells"):
        surrogate(TABLE, [None])
    with pytest.raises(OutOfRange, match="finite"):
        surrogate(TABLE).posterior(ALL, np.array([0]), np.array([np.nan]), np.array([False]))

"""Conformal intervals keep their promise on data they have not seen."""

import numpy as np
import pytest

from ionscout.datasets.errors import BadData
from ionscout.models.uncertainty import conformal_factor, nearest_distance, nonconformity


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_coverage_holds_whatever_the_noise(coverage):
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(200):
        scale = rng.uniform(0.2, 2, 120)
        label = scale * rng.standard_t(2, 120)  # heavy tails: no Gaussian assumption may be hidden anywhere
        scores = nonconformity(np.zeros(120), scale, label, np.zeros(120, bool))
        factor = conformal_factor(scores[:60], coverage)
        inside.append((scores[60:] <= factor).mean())
    assert np.mean(inside) == pytest.approx(coverage, abs=0.03)
    assert np.mean(inside) > coverage - 0.01


def test_a_bound_is_violated_only_from_above():
    label, censored = np.array([-10.0, -10.0]), np.array([True, True])
    assert nonconformity(np.array([-12.0, -8.0]), np.ones(2), label, censored).tolist() == [0.0, 2.0]


def test_too_few_residuals_are_refused():
    with pytest.raises(BadData, match="too few"):
        conformal_factor(np.arange(5.0), 0.9)


def test_distance_is_the_mean_of_the_nearest():
    reference = np.array([[0.0], [1.0], [10.0]])
    assert nearest_distance(np.array([[0.0]]), reference, neighbours=2)[0] == pytest.approx(0.5)
    assert nearest_distance(np.array([[0.0]]), reference[:1], neighbours=5)[0] == pytest.approx(0.0)

"""Expected improvement, confidence bounds, Thompson sampling, the dial and the posterior they work on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionscout.datasets.errors import OutOfRange, UnknownName
from ionscout.training.active.acquisition import expected_improvement, score, thompson, upper_confidence_bound, widening
from ionscout.training.active.posterior import Posterior

number = st.floats(-8, 0)


def covariance_of(n: int, seed: int = 0) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(n, n))
    return root @ root.T / n


@given(mean=number, best=number, deviation=st.floats(0.05, 3))
def test_expected_improvement_is_the_monte_carlo_mean_of_the_improvement(mean, best, deviation):
    draws = mean + deviation * np.random.default_rng(1).standard_normal(40_000)
    exact = expected_improvement(np.array([mean]), np.array([deviation]), best)[0]
    sampled = np.maximum(draws - best, 0.0)
    assert exact == pytest.approx(sampled.mean(), abs=4 * sampled.std() / 200 + 1e-4)


def test_expected_improvement_without_uncertainty_is_the_improvement():
    gain = expected_improvement(np.array([-3.0, -5.0]), np.zeros(2), -4.0)
    np.testing.assert_allclose(gain, [1.0, 0.0])


def test_expected_improvement_grows_with_mean_and_with_deviation():
    means = expected_improvement(np.linspace(-8, -2, 20), np.ones(20), -4.0)
    widths = expected_improvement(np.full(20, -5.0), np.linspace(0.1, 3, 20), -4.0)
    assert (np.diff(means) > 0).all()
    assert (np.diff(widths) > 0).all()


def test_confidence_bound_ranks_by_mean_at_zero_and_by_deviation_at_infinity():
    mean, deviation = np.array([-3.0, -4.0]), np.array([0.1, 2.0])
    assert upper_confidence_bound(mean, deviation, 0.0).argmax() == 0
    assert upper_confidence_bound(mean, deviation, np.inf).argmax() == 1


def test_dial_runs_from_greedy_over_textbook_to_pure_exploration():
    assert widening(0.0) == 0.0
    assert widening(0.5) == 1.0
    assert np.isinf(widening(1.0))
    with pytest.raises(OutOfRange, match=r"0 \(exploit\)"):
        widening(1.1)


@pytest.mark.parametrize("method", ["ucb", "ei", "thompson"])
def test_every_method_is_greedy_at_dial_zero_and_its_parts_add_up(method):
    posterior = Posterior.gaussian(np.array([-6.0, -3.0, -4.0, -3.5]), covariance_of(4))
    exploitation, exploration = score(posterior, method, 0.0, -3.2, np.random.default_rng(0))
    assert (exploitation + exploration).argmax() == 1
    np.testing.assert_allclose(exploration, 0.0, atol=1e-12)


@pytest.mark.parametrize("method", ["ucb", "ei"])
def test_pure_exploration_picks_the_least_certain(method):
    posterior = Posterior.independent(np.array([-3.0, -9.0, -5.0]), np.array([0.2, 2.0, 0.5]))
    exploitation, exploration = score(posterior, method, 1.0, -3.0, np.random.default_rng(0))
    assert exploration.argmax() == 1
    np.testing.assert_array_equal(exploitation, 0.0)


def test_thompson_picks_each_candidate_as_often_as_it_is_the_best():
    posterior = Posterior.gaussian(np.array([0.0, 0.3, -0.2]), covariance_of(3, 2))
    rng = np.random.default_rng(3)
    picks = np.array([thompson(posterior, 1.0, rng).argmax() for _ in range(6000)])
    draws = np.random.default_rng(4).multivariate_normal(posterior.mean, posterior.covariance(), 60_000)
    expected = np.bincount(draws.argmax(1), minlength=3) / 60_000
    np.testing.assert_allclose(np.bincount(picks, minlength=3) / 6000, expected, atol=0.025)


def test_thompson_without_uncertainty_is_greedy():
    posterior = Posterior.independent(np.array([-5.0, -2.0, -4.0]), np.zeros(3))
    assert thompson(posterior, 1.0, np.random.default_rng(0)).argmax() == 1


def test_moments_of_samples_are_kept():
    samples = np.random.default_rng(5).normal(size=(12, 7))
    posterior = Posterior.from_samples(samples)
    np.testing.assert_allclose(posterior.mean, samples.mean(0))
    np.testing.assert_allclose(posterior.covariance(), np.cov(samples.T), atol=1e-12)
    calibrated = Posterior.from_samples(samples, np.full(7, 5.0))
    np.testing.assert_allclose(calibrated.deviation, 5.0)


def test_draws_have_the_mean_and_the_covariance_of_the_posterior():
    samples = np.random.default_rng(6).normal(size=(5, 4))
    posterior = Posterior.from_samples(samples, np.full(4, 2.0))
    draws = posterior.draw(100_000, np.random.default_rng(7))
    np.testing.assert_allclose(draws.mean(0), posterior.mean, atol=0.03)
    np.testing.assert_allclose(np.cov(draws.T), posterior.covariance(), atol=0.1)


@given(seed=st.integers(0, 50), noise=st.floats(0.01, 4))
def test_a_pending_measurement_takes_off_what_a_gaussian_process_would(seed, noise):
    covariance = covariance_of(5, seed)
    after = Posterior.gaussian(np.zeros(5), covariance).pending(2, noise)
    column = covariance[:, 2]
    np.testing.assert_allclose(
        after.covariance(), covariance - np.outer(column, column) / (column[2] + noise), atol=1e-9
    )


@pytest.mark.parametrize(
    ("mean", "covariance"),
    [
        (np.zeros(0), np.zeros((0, 0))),
        (np.array([0.0, np.nan]), np.eye(2)),
        (np.zeros(2), np.array([[1.0, np.inf], [np.inf, 1.0]])),
        (np.zeros(2), np.eye(3)),
        (np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]])),
    ],
)
def test_degenerate_posteriors_are_refused(mean, covariance):
    with pytest.raises(OutOfRange):
        Posterior.gaussian(mean, covariance)


def test_degenerate_samples_and_unknown_methods_are_refused():
    with pytest.raises(OutOfRange, match="two members"):
        Posterior.from_samples(np.zeros((1, 3)))
    with pytest.raises(OutOfRange, match="number 1"):
        Posterior.from_samples(np.array([[0.0, np.nan], [1.0, 2.0]]))
    with pytest.raises(UnknownName, match="nehvi"):
        score(Posterior.independent(np.zeros(2), np.ones(2)), "best", 0.5, None, np.random.default_rng(0))

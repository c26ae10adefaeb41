"""The Gaussian process of conduction against dense textbook formulas, its limits, its storage."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.gaussian_process.kernels import Matern

from ionscout.datasets.sources.embedded import Embedded
from ionscout.models import arrhenius
from ionscout.models.conductivity.features import Features
from ionscout.models.conductivity.gaussian_process import ConductionProcess
from ionscout.training.config import BlockConfig, ConductivityConfig, ProcessConfig, read_config
from ionscout.training.examples import make_examples
from ionscout.training.gaussian_process import BLOCKS, fit_process, fit_processes

ONE_BLOCK = ProcessConfig(
    location={"cell": BlockConfig(amplitude=4.0, length=(1.5,), centres=1000)},
    barrier={"cell": BlockConfig(amplitude=0.01, length=(2.0,), centres=1000)},
)


@pytest.fixture(scope="module")
def examples():
    """Embedded rows whose cells are replaced by two random coordinates, so that no two rows coincide."""
    rows = make_examples([m for m in Embedded().load() if np.isfinite(m.log10_conductivity)][:40], 5.0)
    coordinates = np.random.default_rng(0).normal(size=(len(rows), 2))
    return replace(rows, features=Features({"cell": coordinates}))


@pytest.fixture(scope="module")
def process(examples):
    return fit_process(examples, ONE_BLOCK, ("cell",), seed=0)


def test_with_a_centre_a_row_it_is_the_dense_gaussian_process(examples, process):
    """Rasmussen & Williams (2006), eq. 2.23–2.24, with σ(T) and Ea as linear functionals of g and r."""
    c, x = ONE_BLOCK, examples.features["cell"]
    with_energy = np.flatnonzero(np.isfinite(examples.energy))
    row = np.concatenate([np.arange(len(x)), with_energy])
    is_energy = np.arange(len(row)) >= len(x)
    beta = arrhenius.inverse_temperature_shift(examples.temperature[row])
    u, v = np.where(is_energy, -c.slope, 1 + beta * c.slope), np.where(is_energy, 1.0, -beta)
    bulk = 0.5 * (examples.bulk[row] & ~is_energy)
    kernel_g, kernel_r = 4.0 * Matern(1.5, nu=0.5)(x), 0.01 * Matern(2.0, nu=0.5)(x)
    covariance = (
        np.outer(u, u) * kernel_g[np.ix_(row, row)] + np.outer(v, v) * kernel_r[np.ix_(row, row)] + np.outer(bulk, bulk)
    )
    noise = np.where(is_energy, c.energy_noise, np.hypot(c.noise, c.energy_noise * beta))
    value = np.where(is_energy, examples.energy[row], (examples.log_conductivity - examples.censored)[row])
    shift = arrhenius.at_temperature(0.0, c.energy_mean, examples.temperature[row])
    mean = np.where(is_energy, c.energy_mean, c.location_mean + shift)
    cross = kernel_g[:, row] * u
    weights = np.linalg.solve(covariance + np.diag(noise**2), value - mean)
    explained = np.linalg.solve(covariance + np.diag(noise**2), cross.T)
    answer = process.predict(examples.features)
    np.testing.assert_allclose(answer.location, c.location_mean + cross @ weights, atol=1e-3)
    np.testing.assert_allclose(answer.variance, 4.0 - (cross.T * explained).sum(0), atol=1e-3)


def test_far_from_everything_it_returns_to_the_prior(process):
    answer = process.predict(Features({"cell": np.full((1, 2), 1e4)}))
    assert answer.location[0] == pytest.approx(ONE_BLOCK.location_mean, abs=1e-3)
    assert answer.variance[0] == pytest.approx(4.0, abs=1e-3)
    assert answer.energy[0] == pytest.approx(ONE_BLOCK.energy_mean, abs=1e-3)


def test_an_unknown_block_is_the_prior_without_that_block(process):
    unknown = Features({"cell": np.full((1, 2), np.nan)})
    answer = process.predict(unknown)
    assert answer.location[0] == ONE_BLOCK.location_mean
    assert answer.variance[0] == pytest.approx(0.0, abs=1e-12)
    assert process.prior_variance(unknown)[0] == 0.0


def test_a_measurement_moves_the_answer_towards_it(examples):
    row = int(np.argmax(~examples.censored & (examples.temperature == 298.15)))
    without = examples.rows([i for i in range(len(examples)) if i != row])
    here = examples.features.rows([row])
    before = fit_process(without, ONE_BLOCK, ("cell",), 0).predict(here)
    after = fit_process(examples, ONE_BLOCK, ("cell",), 0).predict(here)
    measured = examples.log_conductivity[row]
    assert abs(after.location[0] - measured) < abs(before.location[0] - measured)
    assert after.variance[0] < before.variance[0]


@hypothesis_settings(max_examples=20, deadline=None)
@given(st.floats(250, 700), st.integers(0, 39))
def test_the_temperature_dependence_is_its_own_activation_energy(process, examples, temperature, row):
    here = examples.features.rows([row % len(examples)])
    room, there = process.predict(here), process.predict(here, temperature)
    expected = arrhenius.at_temperature(room.location[0], room.energy[0], temperature)
    assert there.location[0] == pytest.approx(expected, abs=1e-9)


def test_stored_and_read_again_it_says_the_same(process, examples):
    arrays = process.arrays("p")
    again = ConductionProcess.from_arrays(arrays, process.settings(), "p")
    assert all(value.dtype == np.float32 for value in arrays.values())
    np.testing.assert_allclose(
        again.predict(examples.features).location, process.predict(examples.features).location, atol=1e-4
    )
    np.testing.assert_allclose(
        again.expected_error(examples.features), process.expected_error(examples.features), rtol=1e-4
    )


def test_a_card_with_sorted_keys_keeps_the_order_of_the_blocks():
    config = read_config(ConductivityConfig, None, "conductivity").process
    rows = make_examples(Embedded().load()[:30], 5.0)
    process = fit_process(rows, config, ("fractions", "embedding", "cell"), seed=0)
    settings = json.loads(json.dumps(process.settings(), sort_keys=True))
    again = ConductionProcess.from_arrays(process.arrays("p"), settings, "p")
    np.testing.assert_array_equal(again.predict(rows.features).location, process.predict(rows.features).location)


def test_every_view_of_the_embedded_rows_gets_a_process_that_reads_only_its_blocks():
    config = read_config(ConductivityConfig, None, "conductivity").process
    rows = make_examples(Embedded().load()[:50], 5.0)
    for view, process in fit_processes(rows, config, seed=0).items():
        assert {block.name for block in process.location_blocks} == set(BLOCKS[view])
        assert np.isfinite(process.predict(rows.features).location).all()
        assert (process.expected_error(rows.features) > 0).all()

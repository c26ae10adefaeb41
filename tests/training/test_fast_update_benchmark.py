"""The benchmark of the fast update, on errors whose answer is known."""

import numpy as np
import pytest

from ionscout.datasets.composition import atomic_fractions, parse_formula
from ionscout.training.benchmarks.fast_update import VARIED, Residuals, as_dict, gain, markdown

GARNETS = np.stack(
    [atomic_fractions(parse_formula(f"Li{7 - x / 50:g}La3Zr{2 - x / 50:g}Ta{x / 50:g}O12")) for x in range(1, 31)]
)


def errors(residual: np.ndarray) -> Residuals:
    return Residuals(GARNETS, residual, np.full(len(GARNETS), "garnet"))


def test_a_shared_error_is_taken_away_and_noise_is_not():
    shared = gain(errors(np.full(len(GARNETS), 2.0)), "family", 3, VARIED[0], 0)
    assert shared.near_after < 0.5 * shared.near_before == pytest.approx(1.0)
    noise = np.random.default_rng(0).normal(0, 0.5, len(GARNETS))
    scattered = gain(errors(noise), "family", 3, VARIED[0], 0)
    assert scattered.near_after > 0.85 * scattered.near_before


def test_intervals_of_pure_noise_stay_honest():
    noise = np.random.default_rng(1).normal(0, 0.65, len(GARNETS))
    found = gain(errors(noise), "publication", 10, VARIED[0], 0)
    assert 0.8 < found.near_coverage <= 1.0
    assert found.width_ratio < 1


def test_the_report_says_what_was_varied():
    found = [
        gain(errors(np.full(len(GARNETS), 1.0)), unseen, observed, kernel, 0)
        for unseen in ("family", "publication")
        for observed in (3, 10)
        for kernel in VARIED
    ]
    page = markdown(found)
    assert page.count("| 0.1 | 0.65 | 0.25 |") == 4
    assert len(as_dict(found)["gains"]) == len(found)

"""The learning curve: nested parts, the same test rows at every size, and a known law found again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition

from ionscout.datasets.sources.base import Measurement
from ionscout.training.benchmarks.learning_curve import learning_curve, nested_part


def rows(count: int = 60, papers: int = 20) -> list[Measurement]:
    rng = np.random.default_rng(0)
    return [
        Measurement(str(i), "LiCl", Composition("LiCl"), None, float(rng.normal(-5, 1)), doi=f"paper {i % papers}")
        for i in range(count)
    ]


@given(st.integers(1, 30), st.integers(0, 5), st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_a_larger_part_holds_the_smaller(papers, seed, a, b):
    groups = np.repeat(np.arange(papers), 2)
    small, large = (nested_part(groups, share, seed) for share in sorted((a, b)))
    assert not (small & ~large).any()
    assert small.any()
    assert nested_part(groups, 1.0, seed).all()
    assert all(len(set(small[groups == g])) == 1 for g in range(papers))  # publications stay whole


def test_every_size_is_scored_on_every_row_without_seeing_it():
    measurements = rows()
    seen: dict[int, list[set[int]]] = {}

    def fit_predict(training, test):
        papers = {measurements[i].doi for i in training}
        assert not papers & {measurements[i].doi for i in test}
        seen.setdefault(len(training), []).append(set(test.tolist()))
        return np.full(len(test), -5.0)

    fits = []
    curve = learning_curve(fit_predict, measurements, 5, 0, on_fit=lambda: fits.append(1))
    assert len(fits) == 25
    assert [point.share for point in curve.points] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert [point.publications for point in curve.points] == pytest.approx([3, 6, 10, 13, 16], abs=1)
    assert len({point.scores.mae_B for point in curve.points}) == 1  # a constant learns nothing
    assert all(point.scores.n == len(measurements) for point in curve.points)
    assert curve.doubling == pytest.approx(0)


def test_a_law_that_falls_with_the_logarithm_is_measured():
    measurements = rows(400, 100)
    label = np.array([m.log10_conductivity for m in measurements])

    def fit_predict(training, test):
        return label[test] + 2 - 0.1 * np.log2(len(training))

    curve = learning_curve(fit_predict, measurements, 5, 1, shares=(0.25, 0.5, 1.0))
    assert curve.doubling == pytest.approx(0.1, abs=1e-2)
    assert curve.as_dict()["points"][0]["share"] == 0.25


def test_rows_can_be_chosen():
    measurements = rows()
    chosen = np.arange(60) < 10
    curve = learning_curve(lambda training, test: np.zeros(len(test)), measurements, 5, 0, shares=(1.0,), rows=chosen)
    assert curve.points[0].scores.n == 10

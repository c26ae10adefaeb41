"""Rows with a cell but no atoms borrow an environment from the rows they are given, and from nowhere else."""

from dataclasses import replace

import numpy as np

from ionscout.datasets.sources.embedded import Embedded
from ionscout.training.borrowing import with_borrowed_environments
from ionscout.training.examples import make_examples, seen_as


def garnets():
    rows = [m for m in Embedded().load() if m.family == "garnet" and m.structure is not None]
    return make_examples(rows, 5.0)


def test_a_row_with_a_cell_borrows_what_is_nearly_its_own_environment():
    rows = garnets()
    without = [replace(m, structure=None) if i == 0 else m for i, m in enumerate(rows.materials)]
    hidden = seen_as(rows, without, 5.0)
    assert np.isnan(hidden.features["environment"][0]).all()
    borrowed = with_borrowed_environments(hidden).features["environment"]
    assert np.isfinite(borrowed[0]).all()
    np.testing.assert_array_equal(borrowed[1:], rows.features["environment"][1:])
    own, spread = rows.features["environment"][0], rows.features["environment"].std(0) + 1e-3
    assert np.median(np.abs(borrowed[0] - own) / spread) < 1.5


def test_nothing_is_borrowed_without_a_lender_or_without_a_cell():
    rows = garnets()
    bare = [replace(m, structure=None) for m in rows.materials]
    alone = seen_as(rows.rows([0]), bare[:1], 5.0)
    alone = replace(alone, measurements=[replace(m, structure=None) for m in alone.measurements])
    assert np.isnan(with_borrowed_environments(alone).features["environment"]).all()
    formula = seen_as(rows, [replace(bare[0], cell=None), *rows.materials[1:]], 5.0)
    assert np.isnan(with_borrowed_environments(formula).features["environment"][0]).all()

"""Splits keep publications together, and overlap is found."""

import numpy as np
import pytest

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import BadData
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.repeats import fraction_matrix
from ionscout.training.folds import grouped_folds, publications, seen, without_overlap


def row(name: str, formula: str, doi: str = "") -> Measurement:
    return Measurement(name, formula, parse_formula(formula), None, -5.0, doi=doi, source="test")


ROWS = [row(str(i), f"Li{3 + i}PS{4 + i % 3}Cl", f"10.1/{i // 4}" if i < 36 else "") for i in range(40)]


@pytest.mark.parametrize("seed", range(3))
def test_no_publication_is_on_both_sides_and_every_row_is_tested_once(seed):
    groups = publications(ROWS)
    tested = np.zeros(40, int)
    for train, test in grouped_folds(groups, 5, seed):
        assert not set(groups[train]) & set(groups[test])
        tested[test] += 1
    assert (tested == 1).all()


def test_rows_without_doi_are_grouped_by_formula():
    assert len(set(publications(ROWS)[36:])) == 4
    first, second = publications([row("a", "Li3PS4"), row("b", "Li3PS4")])
    assert first == second


def test_more_folds_than_publications_are_refused():
    with pytest.raises(BadData, match="too few"):
        grouped_folds(publications(ROWS), 1000, 0)


def test_folds_are_reproducible():
    first, second = (grouped_folds(publications(ROWS), 5, 7) for _ in range(2))
    assert all((a[1] == b[1]).all() for a, b in zip(first, second, strict=True))


def test_a_composition_is_recognised_in_other_clothes():
    known = fraction_matrix([row("a", "Li7La3Zr2O12")])
    assert seen(fraction_matrix([row("b", "Li14La6Zr4O24"), row("c", "Li7.05La3Zr2O12")]), known).all()
    assert not seen(fraction_matrix([row("d", "Li6La3ZrTaO12")]), known).any()


def test_overlapping_rows_do_not_train():
    held_out = [row("a", "Li7La3Zr2O12", "10.1/x")]
    extra = [row("1", "Li14La6Zr4O24", "10.1/y"), row("2", "Li3PS4", "10.1/x"), row("3", "LiCl", "10.1/z")]
    assert [m.id for m in without_overlap(extra, held_out)] == ["3"]
    assert without_overlap([], held_out) == []

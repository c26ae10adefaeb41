"""Which rows a finished model may be asked about beside those that its folds held out."""

from types import SimpleNamespace

import numpy as np

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.sources.base import Measurement
from ionscout.training.promotion.predictions import DIRECT, completed, row_hash, table


def row(name: str, formula: str, paper: str, value: float = -4.0) -> Measurement:
    return Measurement(name, formula, parse_formula(formula), None, value, source="table", reference=paper)


class Constant:
    """Answers every material with 1e-5 S/cm."""

    def predict(self, materials):
        return [SimpleNamespace(conductivity=1e-5, upper=1e-4) for _ in materials]


HELD_OUT, TRAINED = row("held out", "Li3PS4", "paper 1"), row("trained", "Li6PS5Cl", "paper 2")
OWN = table([HELD_OUT], np.array([0]), np.array([-4.0]), np.array([1.0]), [TRAINED])


def direct(*unseen: Measurement) -> set[str]:
    """Names of the rows that the finished model is asked about."""
    found = completed(OWN, [HELD_OUT, TRAINED, *unseen], Constant())
    names = {row_hash(m): m.id for m in unseen}
    return {names[name] for name, fold in zip(found.row, found.fold, strict=True) if fold == DIRECT}


def test_new_compositions_of_new_papers_are_asked_about():
    found = completed(OWN, [HELD_OUT, TRAINED, new := row("new", "Li3YCl6", "paper 3")], Constant())
    assert found.judged.keys() == {row_hash(HELD_OUT), row_hash(new)}
    assert found.location[-1] == -5.0
    assert found.half_width[-1] == 1.0


def test_what_the_folds_would_have_kept_from_training_is_not_asked_about():
    assert direct(row("paper", "Li3YCl6", "paper 2")) == set()
    assert direct(row("composition", "Li6PS5Cl", "paper 3", -2.5)) == set()
    assert direct(row("copied", "Li6.02PS5Cl", "paper 3")) == set()


def test_what_the_folds_would_have_allowed_is_asked_about():
    # As in the folds: rows of the main table are held out by publication, whatever their composition.
    assert direct(row("composition", "Li3PS4", "paper 3", -2.5)) == {"composition"}


def test_rows_that_are_no_longer_here_are_known_by_their_publication():
    new = row("composition", "Li6PS5Cl", "paper 2", -2.5)
    assert completed(OWN, [HELD_OUT, new], Constant()) is OWN

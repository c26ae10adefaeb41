"""Variants of the process differ in what they say they differ in, and in nothing else."""

import numpy as np
import pytest

from ionscout.datasets.sources.embedded import Embedded
from ionscout.training.ablations import VARIANTS, Variant, out_of_fold
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.examples import formula_only, make_examples, seen_as


@pytest.fixture(scope="module")
def config():
    return read_config(ConductivityConfig, None, "conductivity").model_copy(update={"folds": 3})


@pytest.fixture(scope="module")
def rows():
    return make_examples([m for m in Embedded().load() if m.family in ("garnet", "argyrodite", "halide")], 5.0)


@pytest.fixture(scope="module")
def found(rows, config):
    chosen = [v for v in VARIANTS if v.name in ("process as shipped", "composition alone", "rounded occupancies")]
    return out_of_fold(rows, lambda held_out: None, config, [*chosen, Variant("shipped again")])


def test_names_are_unique_and_the_first_is_what_is_shipped():
    assert len({v.name for v in VARIANTS}) == len(VARIANTS)
    assert VARIANTS[0] == Variant("process as shipped")


def test_every_row_gets_an_answer_and_equal_variants_agree(found):
    assert all(np.isfinite(prediction).all() for prediction in found.values())
    np.testing.assert_array_equal(found["process as shipped"], found["shipped again"])


def test_levers_matter(found, rows):
    disordered = np.array([m.structure is not None and not m.structure.is_ordered for m in rows.materials])
    shipped = found["process as shipped"]
    assert np.abs(found["rounded occupancies"] - shipped)[disordered].max() > 0.01
    assert np.abs(found["composition alone"] - shipped).max() > 0.1


def test_composition_alone_does_not_see_the_crystal(found, rows, config):
    alone = [v for v in VARIANTS if v.name == "composition alone"]
    bare = out_of_fold(seen_as(rows, formula_only(rows.materials), 5.0), lambda held_out: None, config, alone)
    np.testing.assert_allclose(bare["composition alone"], found["composition alone"], atol=1e-6)

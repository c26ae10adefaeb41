"""Levers of the trained networks and stacks: different where they say so, and the same where nothing changes."""

import numpy as np
import pytest

from ionscout.datasets.sources.embedded import Embedded
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.training import graph_levers, stacks
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.crossval import cross_validate, nested
from ionscout.training.examples import make_examples
from ionscout.training.graph_levers import FEW, GraphLever

SHAPE = NetworkConfig(width=8, crystal_layers=1, composition_layers=1, head=8)


def nothing(held_out):
    return None


@pytest.fixture(scope="module")
def config():
    shipped = read_config(ConductivityConfig, None, "conductivity")
    small = {"folds": 2, "members": FEW, "epochs": 2, "workers": 1, "network": SHAPE}
    return shipped.model_copy(update=small)


@pytest.fixture(scope="module")
def rows():
    return make_examples([m for m in Embedded().load() if m.family in ("garnet", "argyrodite", "halide")], 5.0)


@pytest.fixture(scope="module")
def oof(rows, config):
    return cross_validate(rows, config)[0]


@pytest.fixture(scope="module")
def found(rows, config, oof):
    return graph_levers.out_of_fold(rows, nothing, config, oof, [GraphLever("as shipped"), *graph_levers.LEVERS])


def test_kept_networks_answer_as_they_did(found, oof):
    np.testing.assert_allclose(found[f"{FEW} networks"][0], nested(oof, 1.0).location, atol=1e-4)
    alone = found["1 network, mean over them"]
    assert len(alone) == FEW
    np.testing.assert_allclose(np.mean(alone, 0), found[f"{FEW} networks"][0], atol=1e-6)


def test_an_unchanged_lever_trains_the_same_networks(found):
    np.testing.assert_allclose(found[f"{FEW} networks, as shipped"][0], found[f"{FEW} networks"][0], atol=1e-4)


def test_every_lever_changes_what_it_should(found, rows):
    base = found[f"{FEW} networks"][0]
    for lever in graph_levers.LEVERS:
        assert np.abs(found[f"{FEW} networks, {lever.name}"][0] - base).max() > 1e-3
    crystal = np.array([m.structure is not None for m in rows.materials])
    ordered = np.array([m.structure is not None and m.structure.is_ordered for m in rows.materials])
    hidden, rounded = (found[name][0] for name in ("not shown the crystal", "shown rounded occupancies"))
    assert np.abs(hidden - base)[crystal].min() > 0
    assert np.abs(rounded - base)[crystal & ~ordered].max() > 1e-3
    np.testing.assert_allclose(rounded[ordered], base[ordered], atol=1e-6)


def test_stacks_are_answered_alone_and_in_the_mean_with_the_process(rows, config, oof, monkeypatch):
    monkeypatch.setattr(stacks, "TREES", 10)
    process = nested(oof, 0.0).location
    counted = []
    predicted = stacks.out_of_fold(rows, nothing, config, oof, process, lambda: counted.append(1))
    assert len(counted) == stacks.FITS * config.folds
    alone = {name: p[0] for name, p in predicted.items() if "mean with" not in name}
    assert len(alone) == 3
    assert len(predicted) == 6
    for name, prediction in alone.items():
        assert np.isfinite(prediction).all()
        assert prediction.std() > 0.1
        np.testing.assert_allclose(predicted[f"{name}, mean with the process"][0], (prediction + process) / 2)

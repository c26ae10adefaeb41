"""Fits give the same bits wherever they run: in this process, in processes beside it, and as tasks of a Ray cluster."""

import hashlib
import os
import sys
import time

import numpy as np
import psutil
import pytest
import torch

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.sources.embedded import Embedded
from ionscout.models.conductivity.network import NetworkConfig
from ionscout.training import ray_engine
from ionscout.training.config import ConductivityConfig, read_config
from ionscout.training.crossval import cross_validate
from ionscout.training.engines import FitStopped, Here, Processes, open_engine
from ionscout.training.ensembles import start_ensemble
from ionscout.training.examples import make_examples
from ionscout.training.overrides import parsed

SMALL = read_config(ConductivityConfig, None, "conductivity").model_copy(
    update={
        "members": 2,
        "folds": 2,
        "epochs": 2,
        "workers": 1,
        "network": NetworkConfig(width=8, head=16, crystal_layers=1),
    }
)


@pytest.fixture(scope="module")
def rows():
    return make_examples(Embedded().load()[:60], SMALL.network.cutoff)


@pytest.fixture(scope="module")
def processes():
    with Processes(2) as running:
        yield running


def weight_hash(rows, engine, on_fit=lambda: None):
    ensemble, _ = start_ensemble(rows, SMALL, 3, engine, on_fit).result()
    return hashlib.sha256(b"".join(v.numpy().tobytes() for v in ensemble.state_dict().values())).hexdigest()


def test_processes_and_ray_fit_the_same_weights_as_this_process(rows, processes, cluster):
    counted = []
    here = weight_hash(rows, Here(), lambda: counted.append(1))
    assert weight_hash(rows, processes) == here
    assert weight_hash(rows, cluster) == here
    assert len(counted) == SMALL.members


def test_a_cross_validation_on_ray_predicts_the_same_bits(rows, cluster):
    here, _ = cross_validate(rows, SMALL)
    there, _ = cross_validate(rows, SMALL, engine=cluster)
    np.testing.assert_array_equal(here.raw.graph, there.raw.graph)
    np.testing.assert_array_equal(here.raw.process, there.raw.process)


@pytest.mark.parametrize("name", ["here", "processes", "cluster"])
def test_an_engine_hands_over_values_and_errors_as_they_are(name, request):
    engine = Here() if name == "here" else request.getfixturevalue(name)
    np.testing.assert_array_equal(engine.submit(np.roll, engine.share(np.arange(3)), 1).result(), [2, 0, 1])
    with pytest.raises(BadData, match="names no value"):
        engine.submit(parsed, engine.share("epochs")).result()


def test_a_fit_in_this_process_leaves_its_threads_as_they_were():
    before = torch.get_num_threads()
    assert Here().submit(lambda value: torch.get_num_threads(), None).result() == 1
    assert torch.get_num_threads() == before


def test_a_node_with_another_version_is_refused(cluster, monkeypatch):
    monkeypatch.setattr(cluster, "_versions", ray_engine.versions() | {"torch": "1.0"})
    with pytest.raises(BadData, match=r"torch .* instead of 1\.0; install the same"):
        cluster.submit(np.roll, cluster.share(np.arange(3)), 1).result()


def test_a_cluster_that_is_there_is_used_with_all_its_cores_and_left_running(cluster):
    with ray_engine.RayEngine(None) as second:
        assert second.workers == 2
    assert cluster.submit(np.roll, cluster.share(np.arange(2)), 1).result()[0] == 1


def test_a_lost_worker_is_one_sentence():
    with pytest.raises(FitStopped, match="run the same command again"), Processes(1) as engine:
        engine.submit(os.kill, engine.share(engine.submit(process_of, engine.share(None)).result()), 9).result()


def test_an_error_ends_the_workers_at_once():
    engine = Processes(1)
    worker = psutil.Process(engine.submit(process_of, engine.share(None)).result())
    engine.submit(time.sleep, engine.share(600))
    begun = time.monotonic()
    engine.__exit__(KeyboardInterrupt)
    assert time.monotonic() - begun < 10
    assert not worker.is_running()


def process_of(value):
    return os.getpid()


def test_without_ray_or_a_cluster_one_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DataUnavailable, match=r"pip install 'ionscout\[ray\]'"), open_engine("ray", 1):
        pass

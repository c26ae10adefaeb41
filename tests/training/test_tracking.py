"""The record after processes that ended without a word."""

import os
import subprocess
import sys

import mlflow

from ionscout.training import tracking

KILLED = """
import os, signal, mlflow
from ionscout.training import tracking
with tracking.run("toy", "parent", {}), mlflow.start_run(nested=True):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_runs_of_a_killed_process_are_closed_by_the_next_one(home):
    subprocess.run([sys.executable, "-c", KILLED], env={**os.environ, "IONSCOUT_HOME": str(home)})
    tracking.use_record()
    client = mlflow.MlflowClient()
    experiment = mlflow.get_experiment_by_name("toy").experiment_id
    assert [run.info.status for run in client.search_runs([experiment])] == ["RUNNING"] * 2
    elsewhere = client.create_run(experiment, tags={tracking.PROCESS: "another-machine-1 1 1700000000"}).info.run_id
    foreign = client.create_run(experiment).info.run_id  # made by other means than ours: nothing is known of it
    with tracking.run("toy", "next", {}) as active:
        status = {run.info.run_id: run.info.status for run in client.search_runs([experiment])}
        assert [status.pop(run) for run in (active.info.run_id, elsewhere, foreign)] == ["RUNNING"] * 3
        assert list(status.values()) == ["KILLED"] * 2
        with tracking.run("toy", "beside", {}, nested=True):
            assert client.get_run(active.info.run_id).info.status == "RUNNING"
    with tracking.run("toy", "again", {}, resume=next(iter(status))) as resumed:
        assert client.get_run(resumed.info.run_id).info.status == "RUNNING"

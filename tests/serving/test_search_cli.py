"""`ionscout search` as a command: a kill -9 loses one trial at most, wrong input is one line."""

import json
import os
import signal
import subprocess
import sys
import time

import optuna
import pytest
from typer.testing import CliRunner

from ionscout.datasets.errors import BadData, UnknownName
from ionscout.serving.cli import app

COMMAND = [sys.executable, "-W", "ignore", "-c", "from ionscout.serving.cli import main; main()"]
SPACE = "parameters: {process.noise: {kind: float, low: 0.4, high: 1.2}}\n"


@pytest.fixture
def asked(tmp_path):
    """The command on the embedded rows alone, in a home of its own; the environment it runs in."""
    (tmp_path / "noise.yaml").write_text(SPACE)
    environment = os.environ | {"IONSCOUT_HOME": str(tmp_path), "IONSCOUT_DATA_DIR": "", "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [*COMMAND, "search", "conductivity", "--space", str(tmp_path / "noise.yaml"), "--set", "folds=2"]
    return command, environment


def finished(folder):
    file = folder / "mlruns" / "search" / "noise.db"
    if not file.is_file():
        return []
    try:
        study = optuna.load_study(study_name="noise", storage=f"sqlite:///{file}")
    except Exception:  # the tables are just being made
        return []
    return [trial for trial in study.get_trials() if trial.state.is_finished()]


def test_kill_9_and_the_same_command_goes_on_to_the_same_number(asked, tmp_path):
    command, environment = asked
    first = subprocess.Popen([*command, "--trials", "40", "--workers", "1"], env=environment, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while len(finished(tmp_path)) < 2:
        assert first.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = len(finished(tmp_path))
    assert kept < 40
    options = ["--trials", str(kept + 2), "--plot", str(tmp_path / "search.png"), "--workers", "1", "--json"]
    again = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)
    assert found["trials"] == kept + 2
    assert "flatters" in found["caution"]
    assert (tmp_path / "search.png").stat().st_size > 10_000
    assert set(found["values"]) == {"process.noise"}


def test_wrong_input_ends_before_any_work(tmp_path):
    def error(*options):
        return CliRunner().invoke(app, ["search", *options])

    assert isinstance(error("energies", "--trials", "1").exception, UnknownName)
    assert error("conductivity", "--trials", "0").exit_code == 2
    assert error("conductivity", "--trials", "1", "--ray-address", "auto").exit_code == 2
    assert error("conductivity", "--trials", "1", "--engine", "spark").exit_code == 2
    found = error("conductivity", "--trials", "1", "--set", "process.nose=1").exception
    assert isinstance(found, BadData)
    assert "process.noise" in str(found)
    (tmp_path / "bad.yaml").write_text("parameters: {process.noise: {kind: float, low: 2, high: 1}}")
    found = error("conductivity", "--trials", "1", "--space", str(tmp_path / "bad.yaml")).exception
    assert "low must be below high" in str(found)

"""`--set` on the commands that train: it reaches the training; a wrong one is exit code 1 before any work."""

import sys

import pytest
from typer.testing import CliRunner

from ionscout.serving import cli

TRAINERS = [
    ["train", "conductivity"],
    ["train", "energy"],
    ["retrain", "conductivity"],
    ["benchmark", "conductivity"],
    ["benchmark", "obelix"],
]


@pytest.mark.parametrize("command", TRAINERS)
def test_an_unknown_field_is_one_line_and_exit_code_1(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ionscout", *command, "--set", "seeed=1"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 1
    error = capsys.readouterr().err.strip()
    assert error == "error: The configuration has no field 'seeed'; the nearest is 'seed'."


def test_the_changes_reach_the_training(monkeypatch):
    seen = []

    def train(data, config, *rest, **named):
        seen.append(config)
        raise KeyboardInterrupt  # before anything is fitted

    monkeypatch.setattr("ionscout.training.conductivity.train", train)
    monkeypatch.setattr("ionscout.training.conductivity.training_data", lambda data: None)
    arguments = ["train", "conductivity", "--set", "network.width=64", "--set", "process.noise=0.6"]
    CliRunner().invoke(cli.app, arguments)
    (config,) = seen
    assert (config.network.width, config.process.noise) == (64, 0.6)


def test_engine_options_reach_the_energy_fit_or_are_wrong_usage(monkeypatch, tmp_path):
    from contextlib import nullcontext

    asked = []

    def engine(workers, address):
        asked.append((workers, address))
        return nullcontext("a cluster")

    monkeypatch.setattr("ionscout.training.ray_engine.RayEngine", engine)
    monkeypatch.setattr("ionscout.training.energy.ship.train", lambda *a, fit, **k: type(fit.__self__).__name__)
    energy = ["train", "energy", "--set", "width=32", "--out", str(tmp_path)]
    found = CliRunner().invoke(cli.app, [*energy, "--engine", "ray", "--ray-address", "auto", "--workers", "3"])
    assert found.stdout.strip() == "energy RayRanks"
    CliRunner().invoke(cli.app, [*energy, "--engine", "ray", "--ray-address", "auto"])
    assert asked == [(3, "auto"), (None, "auto")]
    for wrong in (
        ["--workers", "2"],
        ["--engine", "spark"],
        ["--ray-address", "auto"],
        ["--engine", "ray", "--workers", "0"],
    ):
        assert CliRunner().invoke(cli.app, [*energy, *wrong]).exit_code == 2


def test_a_changed_energy_fit_replaces_no_installed_weights(monkeypatch, tmp_path):
    from ionscout.models.energy.predictor import WEIGHTS

    folders = []
    monkeypatch.setattr("ionscout.training.energy.ship.train", lambda *a, folder, **k: folders.append(folder) or "v")
    changed = ["train", "energy", "--set", "width=32"]
    refused = CliRunner().invoke(cli.app, changed)
    assert refused.exit_code == 2
    assert "--out" in refused.output
    assert not folders
    for arguments in ([*changed, "--out", str(tmp_path / "mine")], ["train", "energy"]):
        assert CliRunner().invoke(cli.app, arguments).exit_code == 0
    assert folders == [tmp_path / "mine", WEIGHTS]


def test_a_report_names_the_changes_it_was_made_with():
    from pathlib import Path

    from ionscout.serving.cli.training import _chosen

    words = _chosen(Path("my own.yaml"), ["process.noise=0.6", "process.energy_range=[0.1, 1]"])
    assert words == " --config 'my own.yaml' --set process.noise=0.6 --set 'process.energy_range=[0.1, 1]'"

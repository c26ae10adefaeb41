"""Conductivity at other temperatures: each row at its own, by fits that know nothing of it, and what is off is said."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.embedded import Embedded
from ionscout.models import arrhenius
from ionscout.serving.cli import app
from ionscout.training.benchmarks import temperatures
from ionscout.training.benchmarks.temperatures import markdown, run
from ionscout.training.conductivity import TrainingData
from ionscout.training.config import ConductivityConfig, read_config

CONFIG = read_config(ConductivityConfig, None, "conductivity").model_copy(update={"folds": 3})
ENERGY = 0.3  # eV, of every material of this world


def data() -> TrainingData:
    """Embedded formulas near 298 K, and the same conduction seen at 450 K in other papers."""
    known = [m for m in Embedded().load() if m.structure is None or len(m.structure) < 60][:60]
    room = [replace(m, doi="", reference=f"paper {m.id}", activation_energy_eV=ENERGY, censored=False) for m in known]
    room = [m for m in room if abs(m.temperature_K - 298) < 8]
    hot = []
    for i in range(24):
        x = 0.02 * (i + 1)
        formula = f"Li{6 - x:.2f}PS{5 - x:.2f}Cl{1 + x:.2f}"
        value = float(arrhenius.at_temperature(-3.0, ENERGY, 450.0))
        row = Measurement(f"hot {i}", formula, parse_formula(formula), None, value, temperature_K=450.0, source="hot")
        hot.append(replace(row, reference=f"hot paper {i % 8}", activation_energy_eV=ENERGY))
    return TrainingData(room, hot, "a world of one activation energy")


@pytest.fixture(scope="module")
def report() -> dict:
    return run(CONFIG, data=data())


def test_every_row_is_scored_at_its_own_temperature(report):
    counts = {part["from_K"]: part["n"] for part in report["bins"]}
    assert counts[285.0] == len(data().main)
    assert counts[400.0] == 24
    assert sum(counts.values()) == len(data().main) + 24


def test_hot_rows_whose_energy_is_known_from_others_are_found_again(report):
    (hot,) = (part for part in report["bins"] if part["from_K"] == 400.0)
    assert abs(hot["bias"]) < 0.5  # 1.7 decades lie between 298 and 450 K
    assert hot["coverage_90"] > 0.85


def test_what_is_off_is_said_and_what_is_not_is_not():
    good = {"from_K": 285.0, "to_K": 315.0, "n": 50, "bias": 0.1, "coverage_90": 0.9}
    bad = {"from_K": 500.0, "to_K": 700.0, "n": 50, "bias": 1.2, "coverage_90": 0.7}
    few = {"from_K": 0.0, "to_K": 250.0, "n": 3, "bias": -2.0, "coverage_90": 0.3}
    words = temperatures._weaknesses([few, good, bad])
    assert "500 to 700 K (+1.2)" in words
    assert "500 to 700 K (70%)" in words
    assert "285" not in words
    assert "250" not in words
    assert temperatures._weaknesses([good]) == ""


def test_the_command_writes_page_and_json_and_prints_json(report, tmp_path, monkeypatch):
    monkeypatch.setattr(temperatures, "run", lambda config, on_step: report)
    done = CliRunner().invoke(app, ["benchmark", "temperatures", "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads((tmp_path / "temperatures.json").read_text())
    assert (tmp_path / "temperatures.md").read_text() == markdown(
        json.loads((tmp_path / "temperatures.json").read_text()), "ionscout benchmark temperatures --out benchmarks"
    )
    assert np.isfinite([part["mae_C"] for part in report["bins"] if part["n"]]).all()

"""Explanations and Arrhenius figures as people ask for them: over HTTP, in the shell, as pictures."""

import json
import math

import numpy as np
import pytest
from test_bad_input import run_cli
from test_service import LITHIUM_OXIDE

from ionscout.datasets.sources.embedded import cif_text
from ionscout.datasets.structure import parse_material
from ionscout.serving.answers import load_predictor
from ionscout.serving.arrhenius_figure import MeasuredPoint, arrhenius_figure, measured_points, predicted_line
from ionscout.serving.explanation_answers import explain_prediction
from ionscout.serving.explanation_figure import explanation_figure
from ionscout.serving.explanation_schemas import ExplanationSummary

SIGNATURE = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def predictor():
    return load_predictor()


@pytest.fixture
def lgps(tmp_path):
    path = tmp_path / "lgps.cif"
    path.write_text(cif_text("lgps"))
    return path


def test_the_service_explains_when_it_is_asked(client):
    prediction = client.predict(text=LITHIUM_OXIDE, explain=True, thermodynamics=False)
    why = prediction.explanation
    assert why.prediction == pytest.approx(math.log10(prediction.conductivity.value), abs=1e-6)
    assert why.baseline + sum(part.decades for part in why.species) == pytest.approx(why.prediction, abs=1e-4)
    assert why.lithium_paths.dimension == 3
    assert why.neighbours
    assert why.searched[0] == "embedded"
    assert len(why.text) == 4


def test_the_explanation_is_of_the_conductivity_that_was_asked_for(client):
    bulk = client.predict(formula="Li6PS5Cl", kind="bulk", explain=True, thermodynamics=False)
    assert bulk.explanation.prediction == pytest.approx(math.log10(bulk.conductivity.value), abs=1e-6)


def test_the_service_does_not_explain_unasked(client):
    assert client.predict(formula="Li6PS5Cl").explanation is None
    asked, unasked = client.predict_many(
        [{"formula": "Li2S", "explain": True, "thermodynamics": False}, {"formula": "Li2S", "thermodynamics": False}]
    )
    assert asked.explanation is not None
    assert unasked.explanation is None
    assert asked.conductivity == unasked.conductivity


def test_the_shell_prints_sentences_and_neighbours(lgps, monkeypatch, capsys):
    code, out, err = run_cli(monkeypatch, capsys, "predict", str(lgps), "--explain", "--no-thermodynamics")
    assert code == 0, err
    assert "Why lgps.cif" in out
    assert "3 dimensions" in out
    assert "Nearest measured materials" in out
    assert "10.1038/nmat3066" in out or "Li10GeP2S12" in out


def test_json_holds_the_explanation_and_figures_are_written(lgps, tmp_path, monkeypatch, capsys):
    plot, arrhenius = tmp_path / "new" / "why.png", tmp_path / "new" / "arrhenius.png"
    code, out, err = run_cli(
        monkeypatch, capsys, "predict", str(lgps), "--explain", "--plot", plot, "--arrhenius", arrhenius,
        "-T", "333.15", "--no-thermodynamics", "--json",
    )  # fmt: skip
    assert code == 0, err
    why = ExplanationSummary.model_validate(json.loads(out)["explanation"])
    assert why.temperature_K == 333.15
    assert {part.element for part in why.species} == {"Ge", "P", "S"}
    for path in (plot, arrhenius):
        assert path.read_bytes().startswith(SIGNATURE)


@pytest.mark.parametrize("option", ["--plot", "--arrhenius"])
def test_a_figure_of_two_inputs_is_refused(option, tmp_path, monkeypatch, capsys):
    code, _, err = run_cli(
        monkeypatch, capsys, "predict", "Li2S", "Li2O", "--explain", option, tmp_path / "x.png", "--no-thermodynamics"
    )
    assert code == 2
    assert any("one input" in line for line in err)
    assert not (tmp_path / "x.png").exists()


def test_plot_without_explain_is_refused(tmp_path, monkeypatch, capsys):
    code, _, err = run_cli(monkeypatch, capsys, "predict", "Li2S", "--plot", tmp_path / "x.png")
    assert code == 2
    assert any("--explain" in line for line in err)


def test_an_unknown_kind_of_figure_is_one_line(tmp_path, monkeypatch, capsys):
    code, _, err = run_cli(
        monkeypatch, capsys, "predict", "Li2S", "--no-thermodynamics", "--arrhenius", tmp_path / "x.docx"
    )
    assert code == 1
    assert len(err) == 1
    assert ".png" in err[0]


def test_a_figure_can_be_drawn_along_every_axis_and_of_a_formula(predictor, tmp_path):
    material = parse_material(cif_text("lgps"), "cif")
    why = explain_prediction(predictor, material, 298.15)
    pictures = set()
    for axis in range(3):
        path = explanation_figure(
            why, tmp_path / f"{axis}.png", formula=material.formula, structure=material.structure, axis=axis
        )
        pictures.add(path.read_bytes())
    pictures.add(explanation_figure(why, tmp_path / "f.png", formula=material.formula).read_bytes())
    assert len(pictures) == 4


def test_sentences_state_the_numbers(predictor):
    why = explain_prediction(predictor, parse_material("Li6PS5Cl"), 298.15)
    assert len(why.text) == 3  # a formula has no sites
    assert f"10^−{abs(why.prediction):.2f}" in why.text[0]
    largest = max(why.species, key=lambda part: abs(part.decades))
    assert f"{largest.element} {largest.decades:+.2f}".replace("-", "−") in why.text[0]
    assert why.neighbours[0].formula in why.text[2]


def test_lithium_paths_of_a_formula_are_borrowed_or_unknown_and_said_to_be(predictor):
    garnet = explain_prediction(predictor, parse_material("Li6.5La3Zr1.5Ta0.5O12"), 298.15)
    lender = garnet.lithium_paths.borrowed_from
    assert lender.startswith("llzo")
    (sentence,) = (text for text in garnet.text if "lithium paths" in text)
    assert "No crystal was given" in sentence
    assert lender in sentence
    assert "3 dimensions" in sentence
    assert json.loads(garnet.model_dump_json())["lithium_paths"]["borrowed_from"] == lender
    alone = explain_prediction(predictor, parse_material("LiPt3Rh4Au2"), 298.15)
    assert alone.lithium_paths is None
    assert alone.lithium_paths_unknown in alone.text
    own = explain_prediction(predictor, parse_material(cif_text("lgps"), "cif"), 298.15)
    assert own.lithium_paths.borrowed_from is None
    assert own.lithium_paths_unknown is None


def test_a_sub_lattice_that_leads_nowhere_is_said(predictor):
    islands = """isolated lithium
1.0
9 0 0
0 9 0
0 0 9
Li Cl
1 1
direct
0 0 0
0.5 0.5 0.5
"""
    why = explain_prediction(predictor, parse_material(islands, "poscar"), 298.15)
    assert why.lithium_paths.dimension == 0
    assert why.lithium_paths.percolation == (None, None, None)
    assert any("lead nowhere" in sentence for sentence in why.text)


def test_the_predicted_line_is_what_predict_answers_and_falls_on_cooling(predictor):
    material = parse_material("Li3YCl6")
    line = predicted_line(predictor, material, [600.0])
    assert line.temperature_K.max() == pytest.approx(600)
    assert (np.diff(line.value[np.argsort(line.temperature_K)]) > 0).all()
    for kelvin, value, lower, upper in zip(line.temperature_K, line.value, line.lower, line.upper, strict=True):
        answer = predictor.predict([material], float(kelvin))[0]
        assert (value, lower, upper) == (answer.conductivity, answer.lower, answer.upper)
    # σT is a straight line over 1/T with the slope of the activation energy.
    slope = np.polyfit(1 / line.temperature_K, np.log(line.value * line.temperature_K), 1)[0]
    assert -slope * 8.617333e-5 == pytest.approx(line.activation_energy, abs=1e-3)


def test_measured_points_are_of_the_material_where_it_was_measured():
    assert {point.formula for point in measured_points(parse_material("Li10GeP2S12"))} == {"Li10GeP2S12"}
    nearby = measured_points(parse_material("Li10Ge0.37Sn0.63P2S11.9Cl0.1"))
    assert nearby
    assert all(point.conductivity > 0 for point in nearby)


@pytest.mark.parametrize("quantity", ["sigma", "sigma_T"])
def test_bounds_and_rows_without_activation_energy_can_be_drawn(predictor, tmp_path, quantity):
    line = predicted_line(predictor, parse_material("Li2S"))
    points = [
        MeasuredPoint("Li2S", "embedded", 298.15, 1e-12, False, 0.7),
        MeasuredPoint("Li2S", "embedded", 320.0, 1e-11, True, None),
        MeasuredPoint("Li2S", "elsewhere", 1200.0, 1e-3, False, None),
    ]
    path = arrhenius_figure(line, points, tmp_path / "a.png", marked_K=350.0, quantity=quantity)
    assert path.read_bytes().startswith(SIGNATURE)

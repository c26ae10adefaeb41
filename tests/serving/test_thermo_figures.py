"""Figures of the thermodynamics: every command that draws writes a real picture."""

import json
import struct

import pytest
from test_bad_input import run_cli

from ionscout.serving.thermo_figures import chemical

SIGNATURE = b"\x89PNG\r\n\x1a\n"
FIGURES = {
    "staircase": ["window", "Li6PS5Cl"],
    "staircase without an oxidation limit": ["window", "Al2O3"],
    "bars": ["window", "Li6PS5Cl", "LLZO", "LiNbO3", "Al2O3"],
    "heat map": ["interface-matrix", "--rows", "Li3PS4,LiXeO2", "--columns", "LCO,LiNbO3", "--half-lithiated"],
    "heat map of one cell": ["interface-matrix", "--rows", "Li2O", "--columns", "LiF"],
    "triangle": ["stability-map", "Li-Al-O", "--partner", "Li3PS4", "--steps", "5"],
    "triangle without a contour": ["stability-map", "Li-Al-O", "--partner", "Li2O", "--steps", "3", "--threshold", "3"],
}


@pytest.mark.parametrize("arguments", FIGURES.values(), ids=FIGURES.keys())
def test_the_figure_is_a_png_of_readable_size(arguments, tmp_path, monkeypatch, capsys):
    arguments = ["Li7La3Zr2O12" if text == "LLZO" else text for text in arguments]
    path = tmp_path / "new folder" / "figure.png"
    code, out, err = run_cli(monkeypatch, capsys, *arguments, "--hull", "learned", "--plot", path, "--json")
    assert code == 0, err
    assert json.loads(out)
    content = path.read_bytes()
    assert content.startswith(SIGNATURE)
    width, height = struct.unpack(">II", content[16:24])
    assert width > 400
    assert height > 300


def test_an_unknown_kind_of_figure_is_one_line(tmp_path, monkeypatch, capsys):
    code, out, err = run_cli(monkeypatch, capsys, "window", "Li2O", "--plot", tmp_path / "figure.docx", "--json")
    assert code == 1
    assert out == ""
    assert len(err) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("formula", "shown"),
    [("Li2O", "Li$_{2}$O"), ("Li1.3Al0.3Ti1.7(PO4)3", "Li$_{1.3}$Al$_{0.3}$Ti$_{1.7}$(PO$_{4}$)$_{3}$"), ("Si", "Si")],
)
def test_formulas_have_subscripts(formula, shown):
    assert chemical(formula) == shown

"""`ionscout dopants` from request to answer, table and figure, with a stand-in model; refusals in one sentence."""

import json

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.hulls import load_hull
from ionscout.datasets.sources.embedded import cif_text
from ionscout.datasets.structure import parse_material
from ionscout.models.conductivity.predictor import ConductivityPrediction
from ionscout.serving import answers
from ionscout.serving.cli import app
from ionscout.serving.dopant_answers import dopants_answer
from ionscout.serving.dopant_figures import dopants_figure, scan_figure, table_place
from ionscout.serving.dopant_schemas import DopantsRequest

ARGYRODITE = parse_material(cif_text("li6ps5cl"), "cif")
FEW = {"formula": "Li6PS5Cl", "elements": ["Cl", "Br", "Si", "Zn"], "top": 8}


class Peak:
    """A model with its best conductivity where half of the halide is bromide."""

    version = "peak"

    def predict(self, materials, temperature_K=298.15):
        found = []
        for material in materials:
            c = material.composition
            share = c["Br"] / max(c["Br"] + c["Cl"], 1e-9)
            value = 10 ** (-4 - (share - 0.5) ** 2)
            found.append(
                ConductivityPrediction(
                    value, value / 10, value * 10, 0.9, temperature_K, 0.3, 0.1, True, "structure", "peak", "peak"
                )
            )
        return found


@pytest.fixture(scope="module")
def answer():
    request = DopantsRequest(**FEW, scan="Cl:Br")
    return dopants_answer(ARGYRODITE, load_hull("learned"), Peak(), request, preselected=30)


def test_the_answer_names_mechanisms_and_carries_every_score(answer):
    assert answer.host == "Li6PS5Cl"
    assert [item.rank for item in answer.ranked] == list(range(1, len(answer.ranked) + 1))
    text = {item.mechanism for item in answer.ranked}
    assert "Br⁻ on Cl⁻, same charge" in text
    assert "Cl⁻ on S²⁻, 1 lithium vacancy" in text
    for item in answer.ranked:
        assert sum(item.parts.values()) == pytest.approx(item.score)
        assert item.conductivity.lower < item.conductivity.model < item.conductivity.upper
        assert item.stability is not None
    assert set(answer.elements) <= {"Cl", "Br", "Si", "Zn"}
    json.dumps(answer.model_dump(mode="json"), allow_nan=False)


def test_a_scan_finds_its_maximum_and_says_so(answer):
    assert answer.scan is not None
    assert answer.scan.inside
    assert answer.scan.maximum == pytest.approx(0.5, abs=0.06)
    assert answer.scan.points[0].amount == 0
    assert answer.scan.points[-1].amount == pytest.approx(1.0)


def test_figures_are_written(answer, tmp_path):
    for path in (dopants_figure(answer, tmp_path / "all.png"), scan_figure(answer.scan, tmp_path / "scan.svg")):
        assert path.stat().st_size > 5_000


def test_the_drawn_table_has_one_place_for_every_element():
    from ionscout.training.active.ions import usable_elements

    places = [table_place(symbol) for symbol in usable_elements()]
    assert len(set(places)) == len(places)
    assert table_place("La") == (6, 3)
    assert table_place("Ce")[0] == 8


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"constraints": ["conductivity>=-2", "conductivity<=-6"]}, "contradict"),
        ({"constraints": ["conductivity>=5"]}, "No candidate meets"),
        ({"objectives": ["beauty"]}, "choose from"),
        ({"objectives": ["cathode"]}, "needs a cathode"),
        ({"elements": []}, "allow more elements"),
        ({"elements": ["U"]}, "radioactive"),
        ({"scan": "Br"}, "such as Cl:Br"),
        ({"scan": "O:S"}, "holds no O"),
        ({"scan": "Cl:Zr"}, "forms no anion"),
    ],
)
def test_wishes_that_cannot_be_met_get_one_sentence(wishes, says):
    request = DopantsRequest(**(FEW | wishes))
    with pytest.raises(InvalidInput, match=says) as caught:
        dopants_answer(ARGYRODITE, load_hull("learned"), Peak(), request, preselected=5)
    assert "\n" not in str(caught.value)


def test_a_request_is_checked_before_any_work():
    with pytest.raises(ValidationError, match="text"):
        DopantsRequest()
    with pytest.raises(ValidationError, match="kelvin"):
        DopantsRequest(formula="Li3OCl", temperature_K=25.0)


def test_the_command_prints_json_and_a_table(monkeypatch, tmp_path):
    monkeypatch.setattr(answers, "load_predictor", Peak)
    common = ["dopants", "Li3OCl", "--elements", "Br,F", "--single", "--hull", "learned", "--scan", "Cl:Br"]
    found = CliRunner().invoke(app, [*common, "--json", "--plot", str(tmp_path / "d.png")])
    assert found.exit_code == 0, found.output
    content = json.loads(found.stdout)
    assert content["scan"]["inside"] is True
    assert (tmp_path / "d.png").exists()
    table = CliRunner().invoke(app, common)
    assert "Br⁻ on Cl⁻" in table.stdout


def test_the_command_refuses_a_host_without_lithium(monkeypatch):
    monkeypatch.setattr(answers, "load_predictor", Peak)
    found = CliRunner().invoke(app, ["dopants", "Al2O3"])
    assert found.exit_code != 0
    assert "lithium" in str(found.exception)

"""Thermodynamic commands and routes: one path for both, every answer names its hull, bad input is one sentence."""

import json

import httpx
import pytest
from test_bad_input import assert_problem, run_cli

from ionscout.datasets.hulls import default_hull_name, load_hull
from ionscout.models.thermo.coating_gates import CoatingOptions
from ionscout.serving.client import ServiceError
from ionscout.serving.coating_search import CoatingSearch
from ionscout.serving.problems import Overloaded
from ionscout.serving.thermo_answers import answer_each, answer_window, deadline
from ionscout.serving.thermo_inputs import matrix_columns, named_material
from ionscout.serving.thermo_schemas import WindowQuestion

POSCAR = """Li2O
1.0
4.62 0 0
0 4.62 0
0 0 4.62
Li O
8 4
direct
0.25 0.25 0.25
0.75 0.25 0.25
0.25 0.75 0.25
0.25 0.25 0.75
0.75 0.75 0.25
0.75 0.25 0.75
0.25 0.75 0.75
0.75 0.75 0.75
0 0 0
0.5 0.5 0
0.5 0 0.5
0 0.5 0.5
"""
HULLS = sorted({"learned", default_hull_name()})

BAD_COMMANDS = {
    "no such file": ["window", "nowhere.cif"],
    "not a formula": ["window", "Li6Qq5"],
    "neither formula nor electrode": ["interface", "Li2O", "NMC999"],
    "unknown electrode of a coating": ["coatings", "--electrolyte", "Li3PS4", "--cathode", "NMC999"],
    "element without data": ["window", "LiXeO2", "--hull", "learned"],
    "radioactive": ["window", "LiPuO2"],
    "the reference electrode": ["window", "Li"],
    "voltage too high": ["interface", "Li2O", "LCO", "--voltage", "8.1"],
    "voltage too low": ["interface-matrix", "--rows", "Li2O", "--columns", "LCO", "--voltage", "-1.1"],
    "unknown hull": ["window", "Li2O", "--hull", "mp-1999"],
    "hull without its file": ["window", "Li2O", "--hull", "file"],
    "no lithium to take out": ["interface", "Li3PS4", "Al2O3", "--half-lithiated"],
    "cathode without lithium": ["coatings", "--electrolyte", "Li3PS4", "--cathode", "Al2O3"],
    "interphase with no electrode": ["interphase", "Li2O", "--against", "Cu"],
    "two corners": ["stability-map", "Li-O", "--partner", "Li2O"],
    "lithium converts to nothing": ["conversion", "Li"],
    "unknown data": ["data", "pull", "everything"],
    "predict on an unknown hull": ["predict", "Li2O", "--hull", "mp-1999"],
}


@pytest.mark.parametrize("arguments", BAD_COMMANDS.values(), ids=BAD_COMMANDS.keys())
def test_a_bad_question_is_one_line_on_stderr(arguments, monkeypatch, capsys):
    code, out, err = run_cli(monkeypatch, capsys, *arguments, "--json")
    assert code == 1
    assert out == ""
    assert len(err) == 1, err
    assert err[0].startswith("error: ")


BAD_REQUESTS = {
    "element without data": ("/window", {"formula": "LiXeO2", "hull": "learned"}, "Unsupported element"),
    "not a formula": ("/window", {"formula": "Li6Qq5"}, "Bad formula"),
    "the reference electrode": ("/window", {"formula": "Li"}, "Invalid input"),
    "unknown hull": ("/window", {"formula": "Li2O", "hull": "mp-1999"}, "Invalid request"),
    "a hull from a path": ("/window", {"formula": "Li2O", "hull": "file"}, "Invalid request"),
    "neither text nor formula": ("/window", {}, "Invalid request"),
    "a structure that is none": ("/window", {"text": "data_x"}, "Unreadable structure"),
    "unknown electrode": ("/interface", {"a": "Li2O", "b": "NMC999"}, "Bad formula"),
    "voltage": ("/interface", {"a": "Li2O", "b": "LCO", "voltage": 8.1}, "Value out of range"),
    "no lithium": ("/interface", {"a": "Li2O", "b": "Al2O3", "half_lithiated": True}, "No lithium"),
    "missing partner": ("/interface", {"a": "Li2O"}, "Invalid request"),
    "unknown field": ("/interface", {"a": "Li2O", "b": "LCO", "volts": 3.0}, "Invalid request"),
    "empty matrix": ("/interface-matrix", {"rows": [], "columns": ["LCO"]}, "Invalid request"),
    "huge matrix": ("/interface-matrix", {"rows": ["Li2O"] * 65, "columns": ["LCO"]}, "Invalid request"),
    "matrix voltage": (
        "/interface-matrix",
        {"rows": ["Li2O"], "columns": ["LCO"], "voltage": -1.1},
        "Value out of range",
    ),
    "cathode without lithium": ("/coatings", {"electrolyte": "Li3PS4", "cathode": "Al2O3"}, "No lithium"),
    "too long a search": ("/coatings", {"electrolyte": "Li3PS4", "cathode": "LCO", "seconds": 600}, "Invalid request"),
    "lithium voltage": ("/interphase", {"electrolyte": "Li2O", "voltage": 1.0}, "Invalid input"),
    "two corners": ("/stability-map", {"corners": ["Li", "O"], "partner": "Li2O"}, "Invalid request"),
    "lithium converted": ("/conversion", {"additive": "Li"}, "Invalid input"),
}


@pytest.mark.parametrize(("path", "body", "title"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_a_bad_request_is_a_problem(path, body, title, server):
    problem = assert_problem(httpx.post(server.url + path, json=body, timeout=30))
    assert problem.title == title
    assert "pydantic" not in problem.detail


def test_a_bad_item_of_a_list_is_named(server):
    bodies = [{"formula": "Li2O"}, {"formula": "LiXeO2", "hull": "learned"}]
    assert assert_problem(httpx.post(server.url + "/window", json=bodies, timeout=30)).index == 1


@pytest.mark.parametrize("hull", HULLS)
def test_the_window_of_lithium_oxide_and_its_hull(hull, client):
    answer = client.window("Li2O", hull=hull)
    assert (answer.hull, answer.hull_version) == (hull, load_hull(hull).version)
    assert answer.reduction_limit == pytest.approx(0.0, abs=0.05)
    assert answer.oxidation_limit == pytest.approx(2.91, abs=0.15)  # Zhu, He and Mo 2015, Table 1
    inside = [plateau for plateau in answer.plateaus if plateau.lithium_uptake == 0]
    assert [product.formula for product in inside[0].products] == ["Li2O"]
    bounds = [plateau.voltage_low for plateau in answer.plateaus]
    assert bounds == sorted(bounds)


def test_a_structure_and_its_formula_have_one_window(client):
    from_structure = client.window(text=POSCAR, format="poscar", hull="learned")
    assert from_structure == client.window("Li2O", hull="learned")


def test_a_list_of_windows_keeps_its_order(server):
    bodies = [{"formula": formula, "hull": "learned"} for formula in ("Li3PO4", "Al2O3", "Li2S")]
    found = httpx.post(server.url + "/window", json=bodies, timeout=30).json()
    assert [answer["formula"] for answer in found] == ["Li3PO4", "Al2O3", "Li2S"]
    assert found[1]["oxidation_limit"] is None  # no lithium to lose


@pytest.mark.parametrize(
    ("arguments", "path", "body"),
    [
        (["window", "Li6PS5Cl"], "/window", {"formula": "Li6PS5Cl"}),
        (
            ["interface", "Li3PS4", "LCO", "--half-lithiated", "--voltage", "4.2"],
            "/interface",
            {"a": "Li3PS4", "b": "LCO", "half_lithiated": True, "voltage": 4.2},
        ),
        (
            ["interface-matrix", "--rows", "Li3PS4,Li3PO4", "--columns", "LCO,LiNbO3", "--half-lithiated"],
            "/interface-matrix",
            {"rows": ["Li3PS4", "Li3PO4"], "columns": ["LCO", "LiNbO3"], "half_lithiated": True},
        ),
        (["interphase", "Li10GeP2S12"], "/interphase", {"electrolyte": "Li10GeP2S12"}),
        (["conversion", "Si3N4"], "/conversion", {"additive": "Si3N4"}),
        (
            ["stability-map", "Li-Al-O", "--partner", "Li2O", "--steps", "4"],
            "/stability-map",
            {"corners": ["Li", "Al", "O"], "partner": "Li2O", "steps": 4},
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_command_prints_what_the_service_answers(arguments, path, body, server, monkeypatch, capsys):
    code, out, err = run_cli(monkeypatch, capsys, *arguments, "--hull", "learned", "--json")
    assert code == 0, err
    over_http = httpx.post(server.url + path, json={**body, "hull": "learned"}, timeout=60)
    assert over_http.status_code == 200, over_http.text
    assert json.loads(out) == over_http.json()


def test_every_human_answer_names_its_hull(monkeypatch, capsys):
    version = load_hull("learned").version
    for arguments in (["window", "Li2O"], ["interface", "Li2O", "S"], ["interphase", "Li2O"], ["conversion", "AlF3"]):
        code, out, err = run_cli(monkeypatch, capsys, *arguments, "--hull", "learned")
        assert code == 0, err
        assert f"learned {version}" in out


def test_an_interface_is_worst_where_its_kinks_are(client):
    found = client.interface("Li3PS4", "NMC811", half_lithiated=True, hull="learned")
    assert found.b.startswith("Li0.5")
    assert found.reaction_energy == min(kink.energy for kink in found.kinks) < -0.2
    assert found.kinks[0].energy == found.kinks[-1].energy == 0


def test_interphases_have_the_classes_of_experiment(client):
    assert client.interphase("Li6PS5Cl", hull="learned").interphase_class == "SEI"
    mixed = client.interphase("Li10GeP2S12", hull="learned")
    assert mixed.interphase_class == "MCI"
    assert any("Ge" in formula for formula in mixed.deciding_products)


def test_a_cell_without_an_answer_says_why_and_leaves_the_others(client):
    found = client.interface_matrix(["Li3PS4", "LiXeO2"], ["LCO"], hull="learned")
    assert found.cells[0][0].reaction_energy < -0.1
    assert found.cells[1][0].reaction_energy is None
    assert "Xe" in found.cells[1][0].error


def test_only_cathodes_are_charged_in_a_matrix():
    columns = [(name, named_material(name)) for name in ("LCO", "LiNbO3", "Li4Ti5O12", "Li", "S")]
    formulas = [composition.reduced_formula for composition in matrix_columns(columns, half=True)]
    assert len(formulas) == 6
    assert matrix_columns(columns, half=False) == [composition for _, composition in columns]


def test_predict_carries_the_thermodynamics_of_the_other_routes(client):
    prediction = client.predict(formula="Li6PS5Cl", hull="learned")
    window = client.window("Li6PS5Cl", hull="learned")
    assert prediction.window.reduction_limit == window.reduction_limit
    assert prediction.window.practical_oxidation_limit == window.practical_oxidation_limit
    assert (prediction.window.hull, prediction.window.hull_version) == ("learned", window.hull_version)
    assert prediction.energy_above_hull == window.energy_above_hull > 0
    assert prediction.lithium_interphase.interphase_class == "SEI"
    assert prediction.lithium_interphase.reason


def test_predict_can_leave_thermodynamics_out(client):
    prediction = client.predict(formula="Li6PS5Cl", thermodynamics=False)
    assert prediction.window is prediction.energy_above_hull is prediction.lithium_interphase is None
    assert not any("hull" in warning for warning in prediction.warnings)
    assert prediction.conductivity == client.predict(formula="Li6PS5Cl").conductivity


def test_an_element_that_no_model_knows_is_refused(client):
    with pytest.raises(ServiceError, match="no compound of Xe") as refused:
        client.predict(formula="Li3XeCl6", hull="learned")
    assert refused.value.problem.status == 400


def test_a_doped_composition_says_that_its_hull_lacks_it(client):
    prediction = client.predict(formula="Li6.4La3Zr1.4Ta0.6O12", hull="learned")
    assert prediction.window is not None
    assert prediction.energy_above_hull is None
    assert any("energy_above_hull" in warning for warning in prediction.warnings)


CANDIDATES = ["LiNbO3", "LiPO3", "Li3PO4", "LiBa(B3O5)3", "Li2O"]


def test_coatings_pass_and_fall_as_published(client):
    """Xiao et al. 2019: LiNbO3 fails the 100 meV/atom against the sulfide, LiPO3 and LiBa(B3O5)3 pass."""
    options = {"candidates": CANDIDATES, "why": ["LiNbO3"], "hull": "learned"}
    found = client.coatings("Li3PS4", "NMC111", **options)
    assert found.complete
    assert found.screened == found.total == len(CANDIDATES)
    assert {"LiPO3"} <= {coating.formula for coating in found.ranked}
    (niobate,) = found.why
    assert "electrolyte" in niobate.failed
    assert niobate.with_electrolyte < -0.1
    assert niobate.reason
    assert found.stages[0].entered == len(CANDIDATES)
    assert found.stages[-1].passed == found.passed == len(found.ranked)


def test_a_search_without_time_goes_on_when_it_is_asked_again(client):
    options = {
        "candidates": [*CANDIDATES, "LiAlO2"] + [f"Li{n}P{n + 1}O{4 * n}" for n in range(2, 80)],
        "hull": "learned",
    }
    first = client.coatings("Li3PS4", "LCO", seconds=1e-6, **options)
    assert not first.complete
    assert 0 < first.screened < first.total
    second = client.coatings("Li3PS4", "LCO", **options)
    assert second.complete
    assert second.stages[0].entered == second.total


def test_a_search_in_portions_finds_what_one_in_one_piece_finds():
    def search():
        names = named_material("Li3PS4"), named_material("LCO"), load_hull("learned")
        return CoatingSearch(*names, CoatingOptions(), CANDIDATES)

    whole = search()
    whole.advance(60)
    parts = search()
    parts.screen = parts._judge([])
    for name in parts.candidates:
        parts.candidates = [name]
        parts.screened = 0
        parts.advance(60)
    assert parts.screen.ranked == whole.screen.ranked
    assert parts.screen.stages == whole.screen.stages


def test_other_requests_are_answered_during_a_search(server, client):
    from concurrent.futures import ThreadPoolExecutor

    body = {"electrolyte": "Li3PS4", "cathode": "LiCoPO4", "seconds": 2.0, "hull": "learned"}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(httpx.post, f"{server.url}/coatings", json=body, timeout=60)
        answered = 0
        while not running.done():
            client.predict(formula="Li6PS5Cl")
            answered += 1
    assert running.result().status_code == 200, running.result().text
    assert answered > 3


def test_docs_describe_the_thermodynamic_routes(server):
    page = httpx.get(server.url + "/docs.json").json()
    for path in (
        "/window",
        "/interface",
        "/interface-matrix",
        "/coatings",
        "/interphase",
        "/stability-map",
        "/conversion",
    ):
        route = page["paths"][path]["post"]
        assert route["requestBody"]["content"]["application/json"]["examples"]
        assert "400" in route["responses"]
    schemas = page["components"]["schemas"]
    assert "V vs Li/Li+" in schemas["WindowAnswer"]["properties"]["reduction_limit"]["description"]
    assert "eV per atom" in schemas["InterfaceAnswer"]["properties"]["reaction_energy"]["description"]


def test_data_lists_every_hull_and_source(monkeypatch, capsys):
    code, out, _ = run_cli(monkeypatch, capsys, "data", "list", "--json")
    assert code == 0
    items = {item["name"]: item for item in json.loads(out)}
    assert {"embedded", "obelix", "liverpool", "laskowski", "learned", "mp-2019", "mp-api"} <= set(items)
    assert items["learned"]["present"]
    assert items["embedded"]["present"]
    assert [name for name, item in items.items() if item["default"]] == [default_hull_name()]
    assert all(item["summary"] for item in items.values())


def test_the_service_error_of_the_client_carries_the_sentence(client):
    with pytest.raises(ServiceError, match="Xe"):
        client.window("LiXeO2", hull="learned")


def test_a_request_stops_computing_when_its_time_is_over():
    check = deadline(seconds=-1)
    with pytest.raises(Overloaded, match="ask for less"):
        check()
    with pytest.raises(Overloaded):
        answer_each([WindowQuestion(formula="Li2O")], answer_window, seconds=-1)

"""Every kind of bad input, through the shell and over HTTP: one sentence, no traceback, and the service lives on."""

import sys

import httpx
import pytest
from bad_inputs import BAD_INPUTS, OXYGEN, cif

from ionscout.serving.cli import main
from ionscout.serving.problems import Problem

NAMES = [bad.name for bad in BAD_INPUTS]


def run_cli(monkeypatch, capsys, *arguments):
    """Run the command in this process; return exit code, stdout and the lines of stderr."""
    monkeypatch.setattr(sys, "argv", ["ionscout", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err.splitlines()


def assert_problem(response: httpx.Response, status: range = range(400, 500)) -> Problem:
    assert response.status_code in status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert not set(response.json()) - {"type", "title", "status", "detail", "index"}
    problem = Problem.model_validate(response.json())
    assert problem.status == response.status_code
    assert problem.detail
    assert "\n" not in problem.detail
    assert "Traceback" not in response.text
    return problem


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=server.url, timeout=30) as connected:
        yield connected
        # whatever was sent: the same process still answers
        assert connected.post("/predict", json={"formula": "Li6PS5Cl"}).status_code == 200
        assert server.process.poll() is None


@pytest.mark.parametrize("bad", BAD_INPUTS, ids=NAMES)
def test_command_line_exits_1_with_one_line(bad, tmp_path, monkeypatch, capsys):
    argument = bad.formula
    if argument is None:
        argument = tmp_path / "bad.cif"
        argument.write_bytes(bad.content)
    code, out, err = run_cli(monkeypatch, capsys, "predict", argument, "--json")
    assert code == 1
    assert out == ""
    assert len(err) == 1, err
    assert err[0].startswith("error: ")


@pytest.mark.parametrize("bad", BAD_INPUTS, ids=NAMES)
def test_service_answers_with_the_named_problem(bad, http):
    body = {"format": "cif", "text": bad.content.decode("latin-1")} if bad.formula is None else {"formula": bad.formula}
    problem = assert_problem(http.post("/predict", json=body))
    assert problem.title == bad.title


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"formula": "Li2O", "text": "x"},
        {"formula": None},
        {"formula": 5},
        {"formula": "Li2O", "path": "/etc/passwd"},
        {"text": "x", "format": "xyz"},
        {"formula": "Li2O", "format": "cif"},
        {"formula": "Li2O", "temperature_K": "300"},
        {"formula": "Li2O", "temperature_K": True},
        {"formula": "Li2O", "temperature_K": 25},
        {"formula": "Li2O", "temperature_K": -5},
        {"formula": "Li2O", "temperature_K": 1e9},
        {"formula": "Li2O", "kind": "grain boundary"},
        {"formula": "Li2O", "kind": None},
        7,
        "Li2O",
        None,
        True,
    ],
    ids=str,
)
def test_bodies_that_break_the_schema_are_refused(body, http):
    assert_problem(http.post("/predict", json=body), range(400, 401))


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff\xfe\x00",
        b'{"formula": "Li2O", "temperature_K": NaN}',
        b'{"formula": "Li2O", "temperature_K": Infinity}',
        b'{"formula": "Li2O", "temperature_K": 1e400}',
        b'{"formula": "\\ud800"}',
        b"[" * 100_000,
        b'{"formula":' * 50_000,
        b"",
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_bodies_that_are_no_json_are_refused(raw, http):
    response = http.post("/predict", content=raw, headers={"content-type": "application/json"})
    assert_problem(response, range(400, 401))


def test_a_temperature_in_celsius_is_asked_about(http, monkeypatch, capsys):
    problem = assert_problem(http.post("/predict", json={"formula": "Li2O", "temperature_K": 25}))
    assert "25 °C" in problem.detail
    assert "298.15" in problem.detail
    code, out, err = run_cli(monkeypatch, capsys, "predict", "Li2O", "--temperature", "25", "--json")
    assert (code, out, len(err)) == (1, "", 1)
    assert "25 °C" in err[0]


def test_the_bad_item_of_a_list_is_named_by_its_index(http):
    good = {"formula": "Li6PS5Cl"}
    overlap = {"format": "cif", "text": cif("Li1 Li 0.49 0.5 0.5 1", OXYGEN).decode()}
    assert assert_problem(http.post("/predict", json=[good, good, overlap])).index == 2
    assert assert_problem(http.post("/predict", json=[good, {"formula": 3}])).index == 1
    assert assert_problem(http.post("/predict", json=["Li2O", good])).index == 0
    assert assert_problem(http.post("/predict", json={"formula": "NaCl"})).index is None


def test_bodies_and_lists_above_the_limits_are_413(http):
    json_type = {"content-type": "application/json"}
    assert_problem(http.post("/predict", content=b" " * 4_000_001, headers=json_type), range(413, 414))

    def chunks():  # sent chunked: no header tells the length
        for _ in range(50):
            yield b" " * 100_000

    assert_problem(http.post("/predict", content=chunks(), headers=json_type), range(413, 414))
    assert_problem(http.post("/predict", json=[{"formula": "Li2O"}] * 257), range(413, 414))


@pytest.mark.parametrize("media_type", ["application/vnd.bentoml+pickle", "text/plain", "application/x-tar"])
def test_other_media_types_are_415(media_type, http):
    response = http.post("/predict", content=b"{}", headers={"content-type": media_type})
    assert_problem(response, range(415, 416))


def test_forms_and_compressed_bodies_are_415(http):
    assert_problem(http.post("/predict", files={"text": b"data_"}), range(415, 416))
    assert_problem(http.post("/predict", data={"formula": "Li2O"}), range(415, 416))
    response = http.post("/predict", content=b"x", headers={"content-encoding": "gzip"})
    assert_problem(response, range(415, 416))


def test_unknown_paths_and_wrong_methods_are_problems(http):
    assert_problem(http.get("/nope"), range(404, 405))
    assert_problem(http.post("/models/../x", json={}), range(404, 405))
    wrong = http.get("/predict")
    assert_problem(wrong, range(405, 406))
    assert wrong.headers["allow"] == "POST"
    assert_problem(http.post("/models", json={}), range(405, 406))

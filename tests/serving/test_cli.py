"""The command line as people type it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from bad_inputs import OXYGEN, cif
from test_bad_input import run_cli

from ionscout.serving.launch import free_port

IONSCOUT = [str(Path(sys.executable).parent / "ionscout")]
GOOD = cif("Li1 Li 0 0 0 1", OXYGEN)


@pytest.fixture
def crystal(tmp_path):
    path = tmp_path / "good.cif"
    path.write_bytes(GOOD)
    return path


def run(monkeypatch, capsys, *arguments):
    """Like `run_cli`, for a command that ends well."""
    code, out, err = run_cli(monkeypatch, capsys, *arguments)
    assert code == 0, err
    return out, err


def test_help_is_quick_and_lists_the_commands():
    started = time.monotonic()
    done = subprocess.run([*IONSCOUT, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert {"predict", "serve"} <= set(done.stdout.split())
    assert time.monotonic() - started < 5  # about 0.3 s; importing torch alone would take longer


def test_help_imports_nothing_heavy():
    code = (
        "import sys; import ionscout.serving.cli\n"
        "heavy = {'torch', 'pymatgen', 'mlflow', 'bentoml', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_file_and_json_give_one_object_on_stdout(crystal):
    done = subprocess.run([*IONSCOUT, "predict", str(crystal), "--json"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["source"] == str(crystal)
    assert answer["conductivity"]["path"] == "structure"
    assert answer["conductivity"]["lower"] < answer["conductivity"]["value"] < answer["conductivity"]["upper"]


def test_what_is_no_file_is_a_formula(monkeypatch, capsys):
    out, _ = run(monkeypatch, capsys, "predict", "Li6PS5Cl", "--json")
    assert json.loads(out)["conductivity"]["path"] == "template"
    named, _ = run(monkeypatch, capsys, "predict", "--formula", "Li6PS5Cl", "--json")
    assert json.loads(named)["conductivity"] == json.loads(out)["conductivity"]


def test_a_folder_stands_for_its_cifs(crystal, monkeypatch, capsys):
    (crystal.parent / "other.CIF").write_bytes(GOOD)
    (crystal.parent / "notes.txt").write_text("not a crystal")
    out, _ = run(monkeypatch, capsys, "predict", crystal.parent, "--json")
    assert [Path(answer["source"]).name for answer in json.loads(out)] == ["good.cif", "other.CIF"]


def test_good_inputs_are_answered_beside_bad_ones(crystal, monkeypatch, capsys):
    code, out, err = run_cli(monkeypatch, capsys, "predict", "NaCl", crystal, "missing.cif", "--json")
    assert code == 1
    assert [answer["formula"] for answer in json.loads(out)] == ["LiO"]
    assert len(err) == 2
    assert err[0].startswith("error: NaCl: ")
    assert "no such file" in err[1]


def test_the_table_has_predictions_and_intervals(crystal, monkeypatch, capsys):
    out, _ = run(monkeypatch, capsys, "predict", crystal, "Li6PS5Cl", "--temperature", "350")
    assert "350 K" in out
    assert "good.cif" in out
    assert "Li6PS5Cl" in out
    assert "template" in out


def test_json_equals_what_the_service_answers(crystal, client, monkeypatch, capsys):
    out, _ = run(monkeypatch, capsys, "predict", crystal, "--json")
    answer = json.loads(out)
    del answer["source"]
    over_http = client.predict(text=GOOD.decode(), format="cif").model_dump(mode="json")
    assert answer.keys() == over_http.keys()
    assert answer["conductivity"]["value"] == pytest.approx(over_http["conductivity"]["value"], rel=1e-5)


def test_bulk_conductivity_can_be_asked_for(monkeypatch, capsys):
    asked = ["predict", "Li6PS5Cl", "--no-thermodynamics", "--kind", "bulk"]
    out, err = run(monkeypatch, capsys, *asked)
    assert "Bulk ionic conductivity" in out
    assert "measured both ways" in " ".join(err)
    answer = json.loads(run(monkeypatch, capsys, *asked, "--json")[0])
    assert answer["conductivity"]["kind"] == "bulk"


WRONG = [["predict", "--bad"], ["nonsense"], ["predict", "Li2O", "-T", "warm"], ["predict", "Li2O", "--kind", "grain"]]


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_usage_exits_2(arguments, monkeypatch, capsys):
    code, out, _ = run_cli(monkeypatch, capsys, *arguments)
    assert code == 2
    assert out == ""


def test_an_unreadable_path_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    code, _, err = run_cli(monkeypatch, capsys, "predict", tmp_path / "empty")
    assert code == 1
    assert len(err) == 1


def test_serve_answers_until_it_is_told_to_stop(tmp_path):
    port = free_port()
    process = subprocess.Popen(
        [*IONSCOUT, "serve", "--port", str(port)], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                assert process.poll() is None
                time.sleep(0.2)
        answer = httpx.post(f"http://127.0.0.1:{port}/predict", json={"formula": "Li2O"}, timeout=30)
        assert answer.status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/livez", timeout=2)
    assert list(tmp_path.iterdir()) == []


def test_serve_on_a_taken_port_is_one_line(server, monkeypatch, capsys):
    port = server.url.rsplit(":", 1)[1]
    code, _, err = run_cli(monkeypatch, capsys, "serve", "--port", port)
    assert code == 1
    assert len(err) == 1
    assert port in err[0]

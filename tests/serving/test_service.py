"""The service as it runs: `bentoml serve` on the loopback address."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import bentoml
import httpx
import pytest
from bad_inputs import cif

from ionscout.serving.client import Client
from ionscout.serving.launch import server_environment
from ionscout.serving.schemas import Prediction

LITHIUM_OXIDE = cif(
    *(f"Li{i} Li {x} {y} {z} 1" for i, (x, y, z) in enumerate(product((0.25, 0.75), repeat=3))),
    *(f"O{i} O {x} {y} {z} 1" for i, (x, y, z) in enumerate([(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)])),
    a=4.62,
).decode()


def test_one_crystal_gives_one_answer_with_interval_and_provenance(server):
    answer = httpx.post(f"{server.url}/predict", json={"format": "cif", "text": LITHIUM_OXIDE}, timeout=30).json()
    found = answer["conductivity"]
    assert 0 < found["lower"] < found["value"] < found["upper"]
    assert found["unit"] == "S/cm"
    assert found["coverage"] == 0.9
    assert found["temperature_K"] == 298.15
    assert found["path"] == "structure"
    assert isinstance(found["in_domain"], bool)
    assert found["model"]
    assert found["version"]
    energy = answer["activation_energy"]
    assert 0 <= energy["lower"] <= energy["value"] < energy["upper"]
    assert energy["coverage"] == 0.9
    assert answer["formula"] == "Li2O"
    assert answer["source_format"] == "cif"
    assert isinstance(answer["warnings"], list)


def test_a_formula_is_answered_through_its_relatives_or_alone(client):
    assert client.predict(formula="LiPt3Rh4Au2").conductivity.path == "composition"
    prediction = client.predict(formula="Li6PS5Cl")
    assert prediction.conductivity.path == "template"
    assert prediction.source_format == "formula"


def test_a_list_is_answered_in_order_and_like_its_items(client):
    items = [
        {"formula": "Li6PS5Cl"},
        {"text": LITHIUM_OXIDE, "format": "cif"},
        {"formula": "LiF", "temperature_K": 400},
    ]
    together = client.predict_many(items)
    alone = [client.predict(**item) for item in items]
    assert [p.formula for p in together] == ["Li6PS5Cl", "Li2O", "LiF"]
    for one, other in zip(together, alone, strict=True):
        assert one.conductivity.value == pytest.approx(other.conductivity.value, rel=1e-4)
        assert one.conductivity.temperature_K == other.conductivity.temperature_K


def test_bulk_conductivity_is_answered_when_it_is_asked_for_and_said_to_be_one(client):
    items = [{"formula": "Li6PS5Cl"}, {"formula": "Li6PS5Cl", "kind": "bulk"}, {"formula": "Li2O", "kind": "total"}]
    total, bulk, other = client.predict_many(items)
    assert [p.conductivity.kind for p in (total, bulk, other)] == ["total", "bulk", "total"]
    assert bulk.conductivity.value > total.conductivity.value
    assert any("measured both ways" in warning for warning in bulk.warnings)
    assert not any("measured both ways" in warning for warning in total.warnings)
    assert client.predict(formula="Li6PS5Cl", kind="bulk", thermodynamics=False).conductivity.kind == "bulk"


def test_an_empty_list_has_an_empty_answer(client):
    assert client.predict_many([]) == []


def test_the_format_is_recognised_when_left_out(client):
    assert (
        client.predict(text=LITHIUM_OXIDE).conductivity == client.predict(text=LITHIUM_OXIDE, format="cif").conductivity
    )


def test_models_name_version_data_and_metrics(client):
    (model,) = client.models().models
    assert model.name == "conductivity"
    assert model.source == "shipped"
    assert model.version == client.predict(formula="Li2O").conductivity.version
    assert model.trained_on
    assert all(len(digest) == 64 for digest in model.data_sha256.values())
    assert model.data_sha256
    assert model.metrics


def test_bentoml_client_works(server):
    with bentoml.SyncHTTPClient(server.url) as sdk:
        one = sdk.predict({"formula": "Li6PS5Cl"})
        many = sdk.predict([{"formula": "Li6PS5Cl"}, {"formula": "Li2O"}])
    assert Prediction.model_validate(one).formula == "Li6PS5Cl"
    assert [item["formula"] for item in many] == ["Li6PS5Cl", "Li2O"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_probes_answer(server, path):
    assert httpx.get(server.url + path).status_code == 200


def test_metrics_count_requests_by_route_and_status(server, client):
    client.predict(formula="Li2O")
    text = httpx.get(server.url + "/metrics").text
    lines = [line for line in text.splitlines() if line.startswith("bentoml_service_request_total")]
    assert any('endpoint="/predict"' in line and 'http_response_code="200"' in line for line in lines)


def test_docs_describe_routes_units_and_problems(server):
    page = httpx.get(server.url + "/docs.json").json()
    assert {"/predict", "/models", "/livez", "/readyz", "/metrics"} <= set(page["paths"])
    schemas = page["components"]["schemas"]
    assert "kelvin" in schemas["CrystalRequest"]["properties"]["temperature_K"]["description"]
    assert schemas["CrystalRequest"]["properties"]["kind"]["enum"] == ["total", "bulk"]
    assert schemas["Conductivity"]["properties"]["kind"]["enum"] == ["total", "bulk"]
    assert {"type", "title", "status", "detail"} <= set(schemas["Problem"]["properties"])
    responses = page["paths"]["/predict"]["post"]["responses"]
    assert "application/problem+json" in responses["400"]["content"]
    references = [part.split('"')[0] for part in str(page).replace("'", '"').split("#/components/schemas/")[1:]]
    assert set(references) <= set(schemas)


def test_parallel_requests_give_the_same_answers(server):
    bodies = [{"text": LITHIUM_OXIDE, "format": "cif"}, {"formula": "Li6PS5Cl"}, {"formula": "LiF"}] * 8
    with Client(server.url) as one:
        expected = [one.predict(**body) for body in bodies[:3]]
    with ThreadPoolExecutor(8) as pool, Client(server.url) as shared:
        answers = list(pool.map(lambda body: shared.predict(**body), bodies))
    for answer, right in zip(answers, expected * 8, strict=True):
        assert answer.conductivity.value == pytest.approx(right.conductivity.value, rel=1e-5)
        assert answer.formula == right.formula


def test_the_probe_answers_while_a_batch_is_running(server):
    batch = [{"text": LITHIUM_OXIDE, "format": "cif"}] * 128
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(httpx.post, f"{server.url}/predict", json=batch, timeout=60)
        waits = []
        while not running.done():
            waits.append(httpx.get(f"{server.url}/livez", timeout=10).elapsed.total_seconds())
    assert running.result().status_code == 200
    assert len(running.result().json()) == 128
    assert max(waits, default=0) < 5


def test_starting_the_service_needs_no_mlflow():
    """In a fresh process, an import hook that refuses MLflow stays silent."""
    code = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name.split('.')[0] == 'mlflow': raise ImportError('mlflow must not be needed')\n"
        "sys.meta_path.insert(0, No())\n"
        "from ionscout.serving.service import IonScout\n"
        "service = IonScout.inner()\n"
        "assert service.model_list().models[0].source == 'shipped'\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "IONSCOUT_MODEL_URI"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr


def test_working_files_go_to_a_folder_of_their_own(tmp_path):
    environment = server_environment(tmp_path)
    for name in ("BENTOML_HOME", "PROMETHEUS_MULTIPROC_DIR"):
        assert Path(environment[name]).is_relative_to(tmp_path)
    assert environment["BENTOML_DO_NOT_TRACK"] == "True"

"""A running service counts its predictions under /metrics and logs them only where it is told to."""

import httpx
import pytest

from ionscout.serving.launch import ServiceFailed, running_server
from ionscout.serving.monitoring.log import read_log


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("monitoring") / "log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IONSCOUT_MONITORING_LOG_DIR", str(folder))
        patch.setenv("IONSCOUT_STORE", str(folder.parent / "campaigns.sqlite"))
        try:
            with running_server() as server:
                yield server, folder
        except ServiceFailed as error:
            pytest.fail(f"{error}\n{error.log}", pytrace=False)


def metric(url, name):
    """Value of the one sample whose line starts so."""
    lines = httpx.get(f"{url}/metrics", timeout=10).text.splitlines()
    found = [line for line in lines if line.startswith(name) and not line.startswith("#")]
    return float(found[0].rsplit(" ", 1)[1]) if found else 0.0


def test_predictions_are_counted_and_logged(watched):
    server, folder = watched
    body = [{"formula": "Li6PS5Cl", "thermodynamics": False}, {"formula": "Li2O", "thermodynamics": False}]
    before = metric(server.url, 'ionscout_prediction_elements_total{element="Li"}')
    answers = httpx.post(f"{server.url}/predict", json=body, timeout=60).raise_for_status().json()
    assert metric(server.url, 'ionscout_prediction_elements_total{element="Li"}') == before + 2
    assert metric(server.url, 'ionscout_prediction_elements_total{element="P"}') >= 1
    assert metric(server.url, "ionscout_interval_width_decades_count") == before + 2
    assert metric(server.url, "ionscout_prediction_novelty_count") == before + 2
    assert metric(server.url, 'ionscout_prediction_novelty_bucket{le="+Inf"}') == before + 2
    for found in (answer["conductivity"] for answer in answers):
        assert (found["novelty"] <= 1) == found["in_domain"]
    lines = list(read_log(folder))[-2:]
    assert [line.formula for line in lines] == [answer["formula"] for answer in answers]
    assert lines[0].text is None


def test_a_refused_request_is_not_counted(watched):
    server, folder = watched
    before = len(list(folder.glob("*"))), metric(server.url, "ionscout_interval_width_decades_count")
    assert httpx.post(f"{server.url}/predict", json={"formula": "NaCl"}, timeout=60).status_code == 400
    assert (len(list(folder.glob("*"))), metric(server.url, "ionscout_interval_width_decades_count")) == before


def test_a_measurement_that_comes_in_is_held_against_its_interval(watched):
    server, _ = watched
    post = httpx.Client(base_url=server.url, timeout=60).post
    post("/campaigns", json={"name": "watch", "hosts": ["Li6PS5Cl"]}).raise_for_status()
    sent = {"campaign": "watch", "formula": "Li6PS5Cl", "unit": "S/cm", "temperature_K": 298.15}
    for key, value in (("likely", 2e-3), ("absurd", 1e-14)):
        for _ in range(2):  # sent twice, it is still one measurement
            post("/observations", json={**sent, "key": key, "value": value}).raise_for_status()
    post("/observations", json={"campaign": "watch", "formula": "Li6PS5Cl", "failed": True, "reason": "melted"})
    assert metric(server.url, 'ionscout_observations_total{inside="true"}') == 1
    assert metric(server.url, 'ionscout_observations_total{inside="false"}') == 1
    assert metric(server.url, "ionscout_monitoring_failures_total") == 0


def test_a_wrong_setting_stops_the_start_with_one_sentence(monkeypatch):
    monkeypatch.setenv("IONSCOUT_MONITORING_SAMPLE", "often")
    with pytest.raises(ServiceFailed, match="IONSCOUT_MONITORING_SAMPLE is wrong"), running_server():
        pass

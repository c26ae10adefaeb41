"""The prediction log: opt-in, sampled, silent about crystals, whole with several processes."""

import json
import multiprocessing
import os
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.serving.monitoring.coverage import Pair
from ionscout.serving.monitoring.log import (
    MonitoringSettings,
    PredictionLog,
    monitoring_settings,
    read_log,
)
from ionscout.serving.monitoring.metrics import Metrics
from ionscout.serving.monitoring.monitor import Monitor
from ionscout.serving.schemas import Conductivity, CrystalRequest, Prediction

SECRET = "data_secret_crystal\n_cell_length_a 4\n"
REQUEST = CrystalRequest(text=SECRET, format="cif")


def prediction(formula="Li6PS5Cl", value=1e-3, in_domain=True):
    return Prediction(
        formula=formula,
        source_format="cif",
        conductivity=Conductivity(
            value=value,
            lower=value / 100,
            upper=value * 100,
            coverage=0.9,
            temperature_K=298.15,
            in_domain=in_domain,
            novelty=0.4 if in_domain else 1.3,
            path="structure",
            model="conductivity",
            version="abc",
        ),
    )


def files(folder):
    return sorted(folder.glob("*.jsonl"))


def test_nothing_is_logged_unless_a_folder_is_named(monkeypatch):
    for name in ("LOG_DIR", "SAMPLE", "KEEP_TEXT"):
        monkeypatch.delenv(f"IONSCOUT_MONITORING_{name}", raising=False)
    assert PredictionLog.from_settings(monitoring_settings()) is None


def test_settings_come_from_the_environment_and_say_what_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setenv("IONSCOUT_MONITORING_LOG_DIR", str(tmp_path))
    monkeypatch.setenv("IONSCOUT_MONITORING_SAMPLE", "0.25")
    log = PredictionLog.from_settings(monitoring_settings())
    assert (log.folder, log.sample, log.keep_text) == (tmp_path, 0.25, False)
    monkeypatch.setenv("IONSCOUT_MONITORING_SAMPLE", "7")
    with pytest.raises(BadData, match="IONSCOUT_MONITORING_SAMPLE"):
        monitoring_settings()


def test_crystal_text_is_logged_only_when_asked(tmp_path):
    for keep, folder in ((False, tmp_path / "without"), (True, tmp_path / "with")):
        PredictionLog(folder, keep_text=keep).write([REQUEST], [prediction()], 12.0)
        content = b"".join(path.read_bytes() for path in files(folder))
        assert (b"secret" in content) is keep
        (line,) = read_log(folder)
        assert line.formula == "Li6PS5Cl"
        assert (line.log10_lower, line.log10_conductivity, line.log10_upper) == (-5, -3, -1)
        assert line.text == (SECRET if keep else None)


def test_one_crystal_has_one_key(tmp_path):
    log = PredictionLog(tmp_path)
    other = CrystalRequest(formula="Li2O")
    log.write([REQUEST, REQUEST, other], [prediction()] * 3, 1.0)
    keys = [line.key for line in read_log(tmp_path)]
    assert keys[0] == keys[1] != keys[2]


def test_the_sample_is_the_share_that_was_asked_for(tmp_path):
    log = PredictionLog(tmp_path, sample=0.3, seed=1)
    taken = sum(log.write([REQUEST], [prediction()], 1.0) for _ in range(1000))
    assert 250 < taken < 350
    assert len(list(read_log(tmp_path))) == taken
    assert PredictionLog(tmp_path / "none", sample=0.0).write([REQUEST], [prediction()], 1.0) == 0
    assert not (tmp_path / "none").exists()


def test_files_rotate_and_the_oldest_go(tmp_path):
    log = PredictionLog(tmp_path, file_bytes=2_000, files=3)
    for number in range(100):
        log.write([REQUEST], [prediction(f"Li{number + 1}Cl")], 1.0)
    assert len(files(tmp_path)) == 3
    assert all(path.stat().st_size <= 2_000 for path in files(tmp_path))
    kept = [line.formula for line in read_log(tmp_path)]
    assert kept == [f"Li{number + 1}Cl" for number in range(100)][-len(kept) :]


def test_no_process_drops_the_file_that_another_writes(tmp_path):
    first = PredictionLog(tmp_path, files=2)
    first.write([REQUEST], [prediction("Li2O")], 1.0)
    second = PredictionLog(tmp_path, file_bytes=500, files=2)
    for _ in range(20):
        second.write([REQUEST], [prediction("LiCl")], 1.0)
    first.write([REQUEST], [prediction("Li2S")], 1.0)
    assert {"Li2O", "Li2S"} <= {line.formula for line in read_log(tmp_path)}
    first.close()
    second.close()


def write_many(folder, name):
    log = PredictionLog(folder, file_bytes=20_000, files=1000)
    for number in range(200):
        log.write([REQUEST], [prediction(f"Li{number + 1}{name}")], 1.0)


def test_several_processes_write_whole_lines(tmp_path):
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    names = ("F", "Cl", "Br", "I")
    processes = [context.Process(target=write_many, args=(tmp_path, name)) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    lines = [line for path in files(tmp_path) for line in path.read_text().splitlines()]
    assert all(json.loads(line) for line in lines)
    assert {line.formula for line in read_log(tmp_path)} == {f"Li{k + 1}{name}" for k in range(200) for name in names}


def test_a_line_cut_by_a_kill_costs_only_itself(tmp_path):
    log = PredictionLog(tmp_path)
    log.write([REQUEST] * 3, [prediction()] * 3, 1.0)
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    assert len(list(read_log(tmp_path))) == 2


def test_a_missing_log_says_how_to_get_one(tmp_path):
    with pytest.raises(DataUnavailable, match="IONSCOUT_MONITORING_LOG_DIR"):
        list(read_log(tmp_path / "absent"))


def test_metrics_count_and_name_no_crystal():
    registry = CollectorRegistry()
    monitor = Monitor(Metrics(registry))
    monitor.predicted([REQUEST] * 2, [prediction(), prediction("Li3YCl6", 1e-4, in_domain=False)], 0.1)
    monitor.metrics.observed(
        [Pair(-3, -5, -1, 0.9, -4), Pair(-3, -5, -1, 0.9, -6), Pair(-3, -5, -1, 0.9, -2, censored=True)]
    )
    text = generate_latest(registry).decode()
    assert 'ionscout_predictions_total{in_domain="false",path="structure"} 1.0' in text
    assert 'ionscout_prediction_elements_total{element="Li"} 2.0' in text
    assert 'ionscout_observations_total{inside="true"} 2.0' in text
    assert 'ionscout_observations_total{inside="false"} 1.0' in text
    assert "ionscout_interval_width_decades_sum 8.0" in text
    assert 'ionscout_prediction_novelty_bucket{le="0.5"} 1.0' in text
    assert 'ionscout_prediction_novelty_bucket{le="1.0"} 1.0' in text  # beyond lies what is out of domain
    assert "ionscout_prediction_novelty_count 2.0" in text
    assert "secret" not in text
    assert "Li6PS5Cl" not in text


def test_a_share_of_observations_is_a_number_before_the_first_one_is_inside():
    registry = CollectorRegistry()
    Metrics(registry).observed([Pair(-3, -5, -1, 0.9, -6)])
    assert 'ionscout_observations_total{inside="true"} 0.0' in generate_latest(registry).decode()


def test_rules_for_alerts_ask_for_metrics_that_are_there():
    page = (Path(__file__).resolve().parents[2] / "deploy" / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(groups:.*?)```", page, re.DOTALL)
    rules = yaml.safe_load(block)["groups"][0]["rules"]
    registry = CollectorRegistry()
    monitor = Monitor(Metrics(registry))
    monitor.predicted([REQUEST] * 2, [prediction(), prediction(in_domain=False)], 0.1)
    samples = {sample.name: sample.labels for family in registry.collect() for sample in family.samples}
    assert len(rules) == 3
    for rule in rules:
        asked = re.findall(r"(ionscout_\w+)(?:{(\w+)=)?", rule["expr"])
        assert asked
        for name, label in asked:
            assert name in samples
            assert not label or label in samples[name]


def test_a_log_that_cannot_be_written_costs_no_answer(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    registry = CollectorRegistry()
    monitor = Monitor(Metrics(registry), PredictionLog(tmp_path / "file" / "log"))
    for _ in range(3):
        monitor.predicted([REQUEST], [prediction()], 0.1)
    assert "ionscout_monitoring_failures_total 3.0" in generate_latest(registry).decode()
    assert len([record for record in caplog.records if "not monitored" in record.message]) == 1


def test_every_setting_is_described():
    assert all(field.description for field in MonitoringSettings.model_fields.values())

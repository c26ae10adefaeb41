"""The latency benchmark measures what it says; how fast the service is stands in the report, not in a test."""

from dataclasses import asdict

import pytest

from ionscout.training.benchmarks.latency import MOST_SITES, Request, crystal_requests, markdown, run, summarise
from ionscout.training.benchmarks.readme import latency_sentence
from ionscout.training.benchmarks.throughput import TARGET_MB, Throughput, throughput


def test_crystals_are_real_and_of_the_size_that_the_target_names():
    requests = crystal_requests()
    assert len(requests) >= 20
    assert all(0 < request.sites <= MOST_SITES for request in requests)
    assert all(request.body["text"].startswith("data_") for request in requests)


def test_the_summary_is_median_and_percentile():
    found = summarise([float(k) for k in range(1, 102)])
    assert (found.requests, found.median_ms, found.p95_ms, found.max_ms) == (101, 51.0, 96.0, 101.0)


def test_a_run_against_the_service_gives_a_complete_report(server, monkeypatch):
    from ionscout.training.benchmarks import latency

    monkeypatch.setattr(latency, "crystal_requests", lambda: [Request("x", 2, {"formula": "Li2O"})])
    counted = []
    report = run(server.url, 20, lambda: counted.append(1))
    report["batches"] = asdict(Throughput(2, 64, 1280, 33, 4.0, 320.0, 1150.0))
    assert len(counted) == 20
    total = report["crystals"]["up to 100 sites"]
    assert total["requests"] == 20
    assert 0 < total["median_ms"] <= total["p95_ms"] <= total["max_ms"]
    assert report["model"].startswith("conductivity ")
    page = markdown(report, "the command")
    assert "the command" in page
    assert "320 crystals a second" in page
    assert "320 crystals a second" in latency_sentence(report)
    assert str(total["median_ms"]) in page or f"{total['median_ms']:.4g}" in page


def test_batches_in_processes_are_counted_and_fit_into_memory():
    found = throughput(crystals=8, workers=2)
    assert found.crystals == 16
    assert found.per_second == pytest.approx(16 / found.seconds, rel=0.2)
    assert found.median_sites > 1
    assert 100 < found.peak_MB < TARGET_MB


def test_a_refused_request_is_an_error_and_no_measurement(server):
    import httpx

    from ionscout.training.benchmarks.latency import measure

    with pytest.raises(httpx.HTTPStatusError):
        measure(server.url, [Request("bad", 0, {"formula": "NaCl"})], 1)

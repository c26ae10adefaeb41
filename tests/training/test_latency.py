"""The latency benchmark measures what it says; how fast the service is stands in the report, not in a test."""

import pytest

from ionscout.training.benchmarks.latency import MOST_SITES, Request, crystal_requests, markdown, run, summarise


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
    assert len(counted) == 20
    total = report["crystals"]["up to 100 sites"]
    assert total["requests"] == 20
    assert 0 < total["median_ms"] <= total["p95_ms"] <= total["max_ms"]
    assert report["model"].startswith("conductivity ")
    page = markdown(report, "the command")
    assert "the command" in page
    assert str(total["median_ms"]) in page or f"{total['median_ms']:.4g}" in page


def test_a_refused_request_is_an_error_and_no_measurement(server):
    import httpx

    from ionscout.training.benchmarks.latency import measure

    with pytest.raises(httpx.HTTPStatusError):
        measure(server.url, [Request("bad", 0, {"formula": "NaCl"})], 1)

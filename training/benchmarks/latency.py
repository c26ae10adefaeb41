"""How long one `POST /predict` takes from end to end, warm, against a running service."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from ionscout.datasets.embedded.build import load_facts
from ionscout.datasets.sources.embedded import cif_text
from ionscout.datasets.structure import parse_material
from ionscout.training.benchmarks.thermo_report import table

TARGET_MS = 120.0  # median for one crystal of up to 100 sites on two cores
MOST_SITES = 100
SIZES = ((1, 25), (26, 50), (51, 100))


@dataclass(frozen=True)
class Request:
    """One body of `/predict`; `sites` is 0 for a bare formula."""

    name: str
    sites: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Latency:
    """Wall times of n requests in ms, from sending to the parsed answer."""

    requests: int
    median_ms: float
    p95_ms: float
    max_ms: float


def crystal_requests(most_sites: int = MOST_SITES) -> list[Request]:
    """Every bundled crystal of up to `most_sites` sites, as CIF text."""
    requests = []
    for facts in load_facts():
        text = cif_text(facts.id)
        structure = parse_material(text, "cif").structure
        if structure is not None and len(structure) <= most_sites:
            requests.append(Request(facts.id, len(structure), {"format": "cif", "text": text}))
    return requests


def measure(
    url: str, requests: Sequence[Request], count: int = 300, advance: Callable[[], None] = lambda: None
) -> list[tuple[Request, float]]:
    """Send `count` requests one after the other, in turn, after one unmeasured pass.

    Returns:
        Each request with its wall time in ms.

    Raises:
        httpx.HTTPStatusError: a request was not answered with 200.
    """
    times = []
    with httpx.Client(base_url=url, timeout=60) as http:
        for request in requests:
            http.post("/predict", json=request.body).raise_for_status()
        for k in range(count):
            request = requests[k % len(requests)]
            started = time.perf_counter()
            http.post("/predict", json=request.body).raise_for_status().json()
            times.append((request, 1000 * (time.perf_counter() - started)))
            advance()
    return times


def summarise(milliseconds: Sequence[float]) -> Latency:
    """Median, 95th percentile and maximum; at least two values."""
    return Latency(
        len(milliseconds),
        round(statistics.median(milliseconds), 1),
        round(statistics.quantiles(milliseconds, n=20, method="inclusive")[-1], 1),
        round(max(milliseconds), 1),
    )


def run(url: str, count: int = 300, advance: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Measure crystals and a formula against the service at `url`; a report without `batches` (`throughput`)."""
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None  # above the cores: times are too long
    crystals = measure(url, crystal_requests(), count, advance)
    formulas = measure(url, [Request("formula", 0, {"formula": "Li6PS5Cl"})], max(20, count // 10))
    by_size = {
        f"{low}–{high} sites": asdict(summarise(found))
        for low, high in SIZES
        if len(found := [ms for request, ms in crystals if low <= request.sites <= high]) > 1
    }
    model = httpx.get(f"{url}/models", timeout=30).raise_for_status().json()["models"][0]
    return {
        "what": "POST /predict over loopback HTTP, one crystal per request, one client, warm; wall time in ms",
        "target_median_ms": TARGET_MS,
        "crystals": {"up to 100 sites": asdict(summarise([ms for _, ms in crystals])), **by_size},
        "formula": asdict(summarise([ms for _, ms in formulas])),
        "distinct_crystals": len({request.name for request, _ in crystals}),
        "model": f"{model['name']} {model['version']}",
        "machine": {"cores": os.cpu_count(), "load_before": load, "python": platform.python_version()},
    }


def markdown(report: dict[str, Any], command: str) -> str:
    """The report with its `batches` as a page."""
    rows = [(name, *found.values()) for name, found in report["crystals"].items()]
    rows.append(("formula only", *report["formula"].values()))
    load = report["machine"]["load_before"]
    batches = report["batches"]
    return "\n\n".join(
        [
            "# Latency of the service",
            f"{report['what']}. {report['distinct_crystals']} distinct crystals, {report['model']}, "
            f"{report['machine']['cores']} cores"
            + (f", load average of the machine {load}" if load is not None else "")
            + f". The bar is a median of {report['target_median_ms']:.0f} ms for crystals of up to 100 sites.",
            table(("request", "n", "median (ms)", "p95 (ms)", "max (ms)"), rows),
            "# Batches",
            f"{batches['crystals']} distinct crystals (median {batches['median_sites']} sites) in batches of "
            f"{batches['batch']}, in {batches['workers']} processes of one thread each: "
            f"{batches['per_second']:.0f} crystals a second, graphs and features included, CIF parsing excluded; peak "
            f"memory of all processes together {batches['peak_MB']:.0f} MB. The bar is "
            f"{batches['target_per_second']:.0f} a second and {batches['target_MB']:.0f} MB.",
            f"Written by `{command}`.",
        ]
    )

"""How fast `ionscout screen` is: rows per second with one and two processes and on Ray, memory, and after a kill.

The command is measured from outside, as a user runs it: start-up, reading and writing are in every number.
"""

import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ionscout.training.benchmarks.latency import Request, measure
from ionscout.training.benchmarks.screen_rows import strained_crystals, substituted_formulas
from ionscout.training.benchmarks.screen_runs import Resumed, Run, killed_and_resumed, measured_run

CRYSTALS = "2 processes, crystals (CIF)"
HTTP_ROWS = 200
CAMPAIGN = 100_000_000  # candidates
NODE_CORES = 64
TARGET_EFFICIENCY = 0.9


def run(
    command: Sequence[str],
    url: str,
    rows: int = 20_000,
    *,
    ray: bool = True,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Measure; a report for `benchmarks/screen.json`.

    Args:
        command: the shell's `ionscout screen`, without arguments.
        url: of a running service, for single rows over HTTP.
        ray: also measure Ray, where it is installed.

    Raises:
        RuntimeError: a run failed; the message holds its last lines.
    """
    load = round(os.getloadavg()[0], 1)  # before anything runs here: above 0.5 somebody else uses the cores
    with_ray = ray and find_spec("ray") is not None
    total = 10 if with_ray else 7
    steps = iter(range(1, total + 1))

    def measured(*args: Any, **options: Any) -> Run:
        found = measured_run(command, *args, **options)
        advance(next(steps), total)
        return found

    def killed(output: str, like: Run) -> Resumed:
        found = killed_and_resumed(command, formulas, folder / output, like)
        advance(next(steps), total)
        return found

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        formulas = _write(folder / "rows.jsonl", ({"formula": text} for text in substituted_formulas(rows)))
        few = _write(folder / "few.jsonl", ({"formula": text} for text in substituted_formulas(max(1, rows // 10))))
        crystal_rows = max(1, rows // 10)
        crystals = _write(folder / "crystals.jsonl", ({"id": n, "cif": t} for n, t in strained_crystals(crystal_rows)))
        one = measured("1 process", formulas, folder / "1.jsonl", 1)
        two = measured("2 processes", formulas, folder / "2.jsonl", 2)
        tenth = measured("2 processes, a tenth of the rows", few, folder / "3.jsonl", 2)
        crystal = measured(CRYSTALS, crystals, folder / "4.jsonl", 2)
        packed = measured("2 processes, a tenth of the rows to Parquet", few, folder / "5.parquet", 2)
        runs = [one, two, tenth, crystal, packed]
        resumed = killed("6.jsonl", two)
        through_ray: dict[str, Any] = {}
        if with_ray:
            actor = measured("Ray, 1 actor", formulas, folder / "7.jsonl", 1, engine="ray")
            actors = measured("Ray, 2 actors", formulas, folder / "8.jsonl", 2, engine="ray")
            runs += [actor, actors]
            ended = killed("9.jsonl", actors)
            through_ray = growth(actor, actors, "ray_") | _as_reported(ended, one, "ray_")
        http = _http(url, list(substituted_formulas(HTTP_ROWS)))
        advance(next(steps), total)
        summary = json.loads((folder / "1.jsonl.manifest.json").read_text())["manifest"]
    full = [found for found in runs if found.rows == rows]
    return {
        "what": "wall time of the whole command, start-up included; memory of all its processes together",
        "rows": rows,
        "predictions": summary["predictions"],
        "model": summary["model"],
        "hull": summary["hull"],
        "runs": [vars(found) for found in runs],
        **growth(one, two),
        "target_efficiency": TARGET_EFFICIENCY,
        "identical_bytes": all((found.output_sha256, found.bytes) == (one.output_sha256, one.bytes) for found in full),
        **_as_reported(resumed, one),
        "memory_of_ten_times_the_rows": round(two.peak_MB / tenth.peak_MB, 3),
        **through_ray,
        "http": http,
        "campaign": campaign(one, crystal, tenth, packed),
        "machine": {"cores": os.cpu_count(), "load_before": load, "python": platform.python_version()},
    }


def growth(one: Run, two: Run, prefix: str = "") -> dict[str, Any]:
    """What a second worker brings, as fields of the report whose names begin with the prefix.

    `speed_up` and `efficiency` are of the whole command; `steady_efficiency` is without start-up and joining, None
    where a run had too few shards; `memory_growth` is the most memory in the last part of the run over that before.
    """
    steady = one.steady_rows_per_second, two.steady_rows_per_second
    found = {
        "speed_up": round(one.seconds / two.seconds, 3),
        "efficiency": round(one.seconds / two.seconds / 2, 3),
        "steady_efficiency": round(steady[1] / steady[0] / 2, 3) if steady[0] and steady[1] else None,
        "memory_growth": round(two.last_MB / two.settled_MB, 3),
    }
    return {prefix + name: value for name, value in found.items()}


def campaign(one: Run, crystal: Run, lines: Run, parquet: Run, candidates: int = CAMPAIGN) -> dict[str, Any]:
    """What screening very many candidates takes, from the measured rates; linear in the cores, which share nothing."""
    per_core = one.rows_per_second
    core_days = candidates / per_core / 86_400
    crystal_per_core = crystal.rows_per_second / crystal.workers
    return {
        "candidates": candidates,
        "rows_per_second_per_core": per_core,
        "core_days": round(core_days, 1),
        "days_on_one_node": round(core_days / NODE_CORES, 2),
        "days_on_ten_nodes": round(core_days / NODE_CORES / 10, 2),
        "node_cores": NODE_CORES,
        "memory_per_worker_MB": round(one.peak_MB),
        "memory_per_node_GB": round(one.peak_MB * NODE_CORES / 1000, 1),
        "jsonl_GB": round(lines.bytes / lines.rows * candidates / 1e9, 1),
        "parquet_GB": round(parquet.bytes / parquet.rows * candidates / 1e9, 1),
        "crystals_per_second_per_core": round(crystal_per_core, 1),
        "crystal_core_days": round(candidates / crystal_per_core / 86_400, 1),
    }


def _write(path: Path, records: Iterator[dict[str, str]]) -> Path:
    with path.open("w") as file:
        for record in records:
            file.write(json.dumps(record) + "\n")
    return path


def _as_reported(resumed: Resumed, whole: Run, prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}killed_and_resumed_identical": resumed.output_sha256 == whole.output_sha256,
        f"{prefix}killed_with_shards_done": resumed.kept,
    }


def _http(url: str, formulas: Sequence[str]) -> dict[str, float]:
    requests = [Request(formula, 0, {"formula": formula}) for formula in formulas]
    # `measure` sends every request once before; so here, too, chemical systems that repeat are known already.
    times = [ms for _, ms in measure(url, requests, len(requests))]
    seconds = sum(times) / 1000
    return {
        "requests": len(times),
        "seconds": round(seconds, 2),
        "rows_per_second": round(len(times) / seconds, 1),
        "median_ms": round(sorted(times)[len(times) // 2], 1),
    }

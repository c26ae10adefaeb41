"""How fast `ionscout screen` is: rows per second with one and two processes and on Ray, memory, and after a kill.

The command is measured from outside, as a user runs it: start-up, reading and writing are in every number.
"""

import json
import os
import platform
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from ionscout.training.benchmarks.latency import Request, measure
from ionscout.training.benchmarks.screen_rows import strained_crystals, substituted_formulas

HTTP_ROWS = 200
SAMPLE_SECONDS = 0.5
SETTLED = 0.4  # share of a run after which every process has its model, its hull and a full set of chemical systems
CAMPAIGN = 100_000_000  # candidates
NODE_CORES = 64
TARGET_EFFICIENCY = 0.9


@dataclass(frozen=True)
class Run:
    """One run of the command.

    Attributes:
        seconds: wall time from start to end of the command; rows_per_second is over all of it.
        peak_MB: most memory of all its processes together, shared pages counted once where the system tells.
        settled_MB, last_MB: the most after `SETTLED` of the time up to the middle of the rest, and in the rest.
        output_sha256: of the answers.
        bytes: size of the answers.
    """

    name: str
    engine: str
    workers: int
    rows: int
    seconds: float
    rows_per_second: float
    peak_MB: float
    settled_MB: float
    last_MB: float
    output_sha256: str
    bytes: int


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
    steps = iter(range(1, 9))
    total = 7 + with_ray

    def measured(*args: Any, **options: Any) -> Run:
        found = _run(command, *args, **options)
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
        crystal = measured("2 processes, crystals (CIF)", crystals, folder / "4.jsonl", 2)
        packed = measured("2 processes, a tenth of the rows to Parquet", few, folder / "5.parquet", 2)
        runs = [one, two, tenth, crystal, packed]
        if with_ray:
            runs.append(measured("Ray, 2 actors", formulas, folder / "6.jsonl", 2, engine="ray"))
        killed = _killed_and_resumed(command, formulas, folder / "7.jsonl", two.seconds)
        advance(next(steps), total)
        http = _http(url, list(substituted_formulas(HTTP_ROWS)))
        advance(next(steps), total)
        summary = json.loads((folder / "1.jsonl.manifest.json").read_text())["manifest"]
    same = {found.output_sha256 for found in runs if found.rows == rows and found.bytes == one.bytes} | {killed}
    return {
        "what": "wall time of the whole command, start-up included; memory of all its processes together",
        "rows": rows,
        "predictions": summary["predictions"],
        "model": summary["model"],
        "hull": summary["hull"],
        "runs": [vars(found) for found in runs],
        "speed_up": round(one.seconds / two.seconds, 3),
        "efficiency": round(one.seconds / two.seconds / 2, 3),
        "target_efficiency": TARGET_EFFICIENCY,
        "identical_bytes": len(same) == 1 and all(found.bytes == one.bytes for found in runs if found.rows == rows),
        "killed_and_resumed_identical": killed == one.output_sha256,
        "memory_growth": round(two.last_MB / two.settled_MB, 3),
        "memory_of_ten_times_the_rows": round(two.peak_MB / tenth.peak_MB, 3),
        "http": http,
        "campaign": campaign(one, crystal, tenth, packed),
        "machine": {"cores": os.cpu_count(), "load_before": load, "python": platform.python_version()},
    }


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


def _run(command: Sequence[str], name: str, source: Path, output: Path, workers: int, engine: str = "local") -> Run:
    arguments = [*command, str(source), str(output), "--workers", str(workers), "--engine", engine, "--json"]
    log = output.with_suffix(".log")
    started = time.monotonic()
    with log.open("w") as stderr:
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=stderr, text=True)
        with _memory(process.pid) as samples:
            printed, _ = process.communicate()
    seconds = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(f"{name} failed: {log.read_text()[-500:]}")
    summary = json.loads(printed)
    settled = samples[int(SETTLED * len(samples)) :] or [0.0]
    middle = max(1, len(settled) // 2)
    return Run(
        name,
        engine,
        workers,
        summary["rows"],
        round(seconds, 2),
        round(summary["rows"] / seconds, 2),
        round(max(samples, default=0.0), 1),
        round(max(settled[:middle]), 1),
        round(max(settled[middle:], default=settled[-1]), 1),
        summary["output_sha256"],
        output.stat().st_size,
    )


def _killed_and_resumed(command: Sequence[str], source: Path, output: Path, seconds: float) -> str:
    """Check sum after a kill about half-way."""
    arguments = [*command, str(source), str(output), "--workers", "2", "--json"]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds / 2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the resumed run failed: {done.stderr[-500:]}")
    return json.loads(done.stdout)["output_sha256"]


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


@contextmanager
def _memory(pid: int) -> Iterator[list[float]]:
    """Memory (MB) of a process and its descendants, sampled until the block ends."""
    samples: list[float] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            try:
                parent = psutil.Process(pid)
                samples.append(sum(map(_held, [parent, *parent.children(recursive=True)])) / 1e6)
            except psutil.Error:
                continue

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def _held(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return getattr(full, "pss", full.rss)  # Linux: a shared page counts once among those that share it
    except psutil.Error:
        return 0

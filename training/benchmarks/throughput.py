"""How many crystals a second the predictor answers in batches, graphs and features included, CIF parsing excluded."""

import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

from ionscout.training.benchmarks.screen_rows import strained_crystals

CORES = 2
BATCH = 64  # crystals a call, as in `ionscout screen`
TARGET_RATE = 60.0  # crystals a second on two cores
TARGET_MB = 1500.0
PATIENCE = 600.0  # seconds until a worker that never came counts as lost


@dataclass(frozen=True)
class Throughput:
    """Batches of crystals answered by processes side by side.

    Attributes:
        crystals: distinct ones, over all processes. median_sites: of one.
        seconds: from the common start to the end of the last process. per_second: crystals over it.
        peak_MB: largest resident memory of each process, added up, so pages that they share count more than once.
    """

    workers: int
    batch: int
    crystals: int
    median_sites: int
    seconds: float
    per_second: float
    peak_MB: float
    target_per_second: float = TARGET_RATE
    target_MB: float = TARGET_MB


@dataclass(frozen=True)
class _Share:
    """What one process did: seconds for its crystals, their numbers of sites, and its peak memory in MB."""

    seconds: float
    sites: list[int]
    peak_MB: float


def throughput(crystals: int = 640, workers: int = CORES) -> Throughput:
    """Answer strained copies of the bundled crystals, no two alike, in one process of one thread a core.

    Reading a CIF, with the search for its conventional cell, comes before the clock starts.

    Args:
        crystals: for each process.

    Raises:
        threading.BrokenBarrierError: a process died before the start.
    """
    texts = [text for _, text in strained_crystals(crystals * workers)]
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, _one_thread(), context.Pool(workers) as pool:
        start = manager.Barrier(workers)
        shares = pool.starmap(_answer, [(texts[k::workers], start) for k in range(workers)], chunksize=1)
    seconds = max(share.seconds for share in shares)
    sites = sorted(n for share in shares for n in share.sites)
    return Throughput(
        workers,
        BATCH,
        len(texts),
        sites[len(sites) // 2],
        round(seconds, 3),
        round(len(texts) / seconds, 1),
        round(sum(share.peak_MB for share in shares), 0),
    )


def _answer(texts: Sequence[str], start: Barrier) -> _Share:
    import torch

    from ionscout.datasets.structure import parse_material
    from ionscout.models.conductivity.predictor import ConductivityPredictor

    torch.set_num_threads(1)
    predictor = ConductivityPredictor.load()
    materials = [parse_material(text, "cif") for text in texts]
    predictor.predict([parse_material(text, "cif") for text in texts[:2]])  # first calls load and allocate
    start.wait(PATIENCE)
    started = time.perf_counter()
    for first in range(0, len(materials), BATCH):
        predictor.predict(materials[first : first + BATCH])
    seconds = time.perf_counter() - started
    sites = [len(m.structure) for m in materials if m.structure is not None]
    return _Share(seconds, sites, peak_memory())


def peak_memory() -> float:
    """Largest resident memory of this process so far, MB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux; there `ru_maxrss` of a started process begins with what its parent held
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024  # bytes there, else kilobytes


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes started in the block give linear algebra one thread each: they share the cores themselves."""
    before = dict(os.environ)
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before

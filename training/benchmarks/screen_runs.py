"""Runs of a command as a user starts it, seen from outside: time, memory, and what a kill leaves behind."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.5
POLL_SECONDS = 0.1  # for the moment to kill; a shard takes seconds
SETTLED = 0.4  # share of a run after which every process has its model, its hull and a full set of chemical systems
ENDED_SECONDS = 150  # in which all processes of a killed run have to end: workers take a second, Ray's agents a minute


@dataclass(frozen=True)
class Run:
    """One run of the command.

    Attributes:
        seconds: wall time from start to end of the command; rows_per_second is over all of it.
        steady_rows_per_second: without start-up and joining, as the command says it (`serving.screen.pace`); None if
            there were too few shards.
        peak_MB: most memory of all its processes together, shared pages counted once where the system tells.
        settled_MB, last_MB: the most after `SETTLED` of the time up to the middle of the rest, and in the rest.
        output_sha256: of the answers.
        bytes: size of the answers.
    """

    name: str
    engine: str
    workers: int
    rows: int
    shards: int
    seconds: float
    rows_per_second: float
    steady_rows_per_second: float | None
    peak_MB: float
    settled_MB: float
    last_MB: float
    output_sha256: str
    bytes: int


@dataclass(frozen=True)
class Resumed:
    """A run that was killed (SIGKILL) and started again.

    Attributes:
        output_sha256: of the answers in the end.
        kept: share of the shards that the second start found finished.
    """

    output_sha256: str
    kept: float


def measured_run(
    command: Sequence[str], name: str, source: Path, output: Path, workers: int, engine: str = "local"
) -> Run:
    """Run the command from start to end.

    Args:
        command: the shell's `ionscout screen`, without arguments.

    Raises:
        RuntimeError: it failed; the message holds its last lines.
    """
    arguments = _arguments(command, source, output, workers, engine)
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
        summary["shards"],
        round(seconds, 2),
        round(summary["rows"] / seconds, 2),
        summary["steady_rows_per_second"],
        round(max(samples, default=0.0), 1),
        round(max(settled[:middle]), 1),
        round(max(settled[middle:], default=settled[-1]), 1),
        summary["output_sha256"],
        output.stat().st_size,
    )


def killed_and_resumed(command: Sequence[str], source: Path, output: Path, like: Run) -> Resumed:
    """Repeat a run, kill it when half of the shards are finished, and start it again.

    Raises:
        RuntimeError: the killed run left processes behind, or the resumed one failed.
    """
    arguments = _arguments(command, source, output, like.workers, like.engine)
    parts = output.with_name(output.name + ".parts")
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(parts.glob("*/[0-9]*"))) < like.shards / 2:  # unfinished: .NAME
        time.sleep(POLL_SECONDS)
    if process.poll() is None:
        others = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        if psutil.wait_procs(others, timeout=ENDED_SECONDS)[1]:
            raise RuntimeError("processes of a killed run are still there")
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the resumed run failed: {done.stderr[-500:]}")
    summary = json.loads(done.stdout)
    return Resumed(summary["output_sha256"], round(summary["resumed"] / summary["shards"], 3))


def _arguments(command: Sequence[str], source: Path, output: Path, workers: int, engine: str) -> list[str]:
    return [*command, str(source), str(output), "--workers", str(workers), "--engine", engine, "--json"]


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

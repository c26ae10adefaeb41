"""What a model costs: processor time of one crystal, and the size of its weights."""

import time
from pathlib import Path

from ionscout.models.conductivity.predictor import NAME, ConductivityPredictor
from ionscout.training.promotion.physics import battery
from ionscout.training.promotion.policy import LatencyPolicy, SizePolicy
from ionscout.training.promotion.report import GateTest, at_most

REPEATS = 5
MEGABYTE = 1e6


def latency_tests(
    challenger: ConductivityPredictor, champion: ConductivityPredictor | None, policy: LatencyPolicy
) -> list[GateTest]:
    """Processor seconds of one crystal, absolute and against the champion. Processor time, and the least of several,
    so that other work on the machine does not decide."""
    mine = processor_seconds(challenger)
    tests = [at_most("latency", mine, policy.seconds, f"{mine:.3f} s a crystal (allowed {policy.seconds:g} s)")]
    if champion is not None:
        theirs = processor_seconds(champion)
        words = f"{mine:.3f} s a crystal against {theirs:.3f} s of the champion (allowed {policy.ratio:g} times)"
        tests.append(at_most("latency ratio", mine / theirs, policy.ratio, words))
    return tests


def processor_seconds(predictor: ConductivityPredictor) -> float:
    """Least of five, after one that warms up."""
    (crystal,) = battery(1)
    material, spent = crystal.material(), []
    for _ in range(REPEATS + 1):
        started = time.process_time()
        predictor.predict([material])
        spent.append(time.process_time() - started)
    return min(spent[1:])


def size_tests(mine: int, champion: int | None, policy: SizePolicy) -> list[GateTest]:
    """Bytes of the weights, absolute and against the champion."""
    words = f"weights of {mine / MEGABYTE:.1f} MB (allowed {policy.megabytes:g} MB)"
    tests = [at_most("size", mine / MEGABYTE, policy.megabytes, words)]
    if champion is not None:
        ratio = mine / champion
        words = f"weights {ratio:.2f} times as large as the champion's (allowed {policy.ratio:g} times)"
        tests.append(at_most("size ratio", ratio, policy.ratio, words))
    return tests


def weight_bytes(folder: Path) -> int:
    """Bytes of the weights in a model folder."""
    return (folder / f"{NAME}.safetensors").stat().st_size

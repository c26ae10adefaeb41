"""Challengers whose worth is known beforehand: better, shuffled, without a family, the same, another seed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ionscout.datasets.sources.base import Measurement
from ionscout.training import registry
from ionscout.training.conductivity import TrainingData, train
from ionscout.training.config import ConductivityConfig
from ionscout.training.promotion.decide import judge, promote
from ionscout.training.promotion.policy import PromotionPolicy
from ionscout.training.promotion.predictions import publication_hash
from ionscout.training.retraining.validation import is_own


@dataclass(frozen=True)
class Judged:
    """A challenger before the gate.

    Attributes:
        expected, outcome: promoted or refused. wanted: a test whose failure would be the right reason; "" where none.
        failed: names of the tests that failed. words: the decision.
    """

    name: str
    expected: str
    wanted: str
    outcome: str
    failed: tuple[str, ...]
    words: str

    @property
    def as_expected(self) -> bool:
        return self.outcome == self.expected and (not self.wanted or self.wanted in self.failed)


@dataclass(frozen=True)
class SeedPair:
    """Two fits that differ by their seed alone, each judged against the other.

    Attributes:
        upper: upper confidence limits of the difference of errors, decades, second against first and first against
            second. margin: what the gate allows them. failed: tests that failed in either direction.
        words: of both comparisons.
    """

    rows: int
    upper: tuple[float, float]
    margin: float
    failed: tuple[str, ...]
    words: tuple[str, str]


def judged_rows(data: TrainingData) -> list[Measurement]:
    return [m for m in (*data.main, *data.extra) if not is_own(m)]


def half(data: TrainingData, seed: int) -> TrainingData:
    """The rows of every second publication, drawn at random."""
    names = sorted({publication_hash(m) for m in judged_rows(data)})
    kept = set(np.random.default_rng(seed).permutation(names)[: len(names) // 2])
    main, extra = ([m for m in rows if publication_hash(m) in kept] for rows in (data.main, data.extra))
    return TrainingData(main, extra, f"half of the publications of {data.description}")


def shuffled(data: TrainingData, seed: int) -> TrainingData:
    """Every conductivity at another row."""
    rng = np.random.default_rng(seed)

    def exchange(rows: Sequence[Measurement]) -> list[Measurement]:
        order = rng.permutation(len(rows))
        values = [(rows[i].log10_conductivity, rows[i].censored) for i in order]
        return [replace(m, log10_conductivity=v, censored=c) for m, (v, c) in zip(rows, values, strict=True)]

    return TrainingData(exchange(data.main), exchange(data.extra), f"shuffled labels of {data.description}")


def by_size(data: TrainingData, fewest: int) -> list[tuple[str, int]]:
    """Families of so many judged rows and more with the number of rows, the largest first."""
    counts = Counter(m.family for m in data.main if m.family)
    return [(family, count) for family, count in counts.most_common() if count >= fewest]


def without(data: TrainingData, family: str) -> TrainingData:
    """No row of one family."""
    main, extra = ([m for m in rows if m.family != family] for rows in (data.main, data.extra))
    return TrainingData(main, extra, f"{data.description}, without {family}")


def before_the_gate(
    name: str,
    expected: str,
    wanted: str,
    data: TrainingData,
    rows: Sequence[Measurement],
    config: ConductivityConfig,
    policy: PromotionPolicy,
) -> tuple[Judged, dict]:
    """Train, judge against the champion, and carry out the decision; what came of it, and the model card."""
    card = train(data, config).card
    decision = promote(rows, policy)
    failed = () if decision.report is None else tuple(test.name for test in decision.report.failures)
    return Judged(name, expected, wanted, decision.outcome, failed, decision.words), card


def seed_pair(data: TrainingData, config: ConductivityConfig, policy: PromotionPolicy) -> SeedPair:
    """How much a change of seed alone moves what the gate looks at."""
    versions = []
    for seed in (config.seed, config.seed + 1):
        train(data, config.model_copy(update={"seed": seed}))
        versions.append(registry.versions()[-1])
    first, second = versions
    rows = judged_rows(data)
    reports = (judge(second, first, rows, policy), judge(first, second, rows, policy))
    tests = [next(test for test in report.tests if test.name == "accuracy") for report in reports]
    failed = tuple(sorted({test.name for report in reports for test in report.failures}))
    limits = [float("nan") if test.value is None else test.value for test in tests]
    return SeedPair(
        reports[0].rows, (limits[0], limits[1]), policy.accuracy.margin, failed, (tests[0].words, tests[1].words)
    )

"""What the fast update is worth: rows of one family are observed a few at a time, the others are predicted again.

A forest that saw nothing of the family (or nothing of the publication) stands for a model that meets something new.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.ensemble import RandomForestRegressor

from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.repeats import conductivities, fraction_matrix
from ionscout.training.active.update import KERNEL, FastUpdate, Kernel
from ionscout.training.folds import grouped_folds, publications
from ionscout.training.measurements import NEAR_ROOM, joined_table

OBSERVED = (3, 10)
DRAWS = 12  # of observed rows in every family
SMALLEST_FAMILY = 28  # rows; fewer leave too little to predict
NEAR = 0.05  # share of exchanged atoms up to which a row counts as near an observation
LOWEST = -10.0  # log10 σ; below, values are bounds in disguise
VARIED = (
    KERNEL,
    Kernel(length=KERNEL.length / 2),
    Kernel(length=2 * KERNEL.length),
    Kernel(noise=0.47),
    Kernel(noise=0.8),
    Kernel(least_share=0.5),
)


@dataclass(frozen=True)
class Residuals:
    """Out-of-fold errors of rows that can be observed, decades [n]; `near` and `all` are told apart by composition."""

    fractions: np.ndarray
    residual: np.ndarray
    family: np.ndarray


@dataclass(frozen=True)
class Gain:
    """Mean over families and draws, in decades; coverage of nominal 90 % intervals.

    `near` counts rows within 0.05 of exchanged atoms of an observation, `all` every other row of the family.
    """

    unseen: str
    observed: int
    kernel: Kernel
    families: int
    near_before: float
    near_after: float
    all_before: float
    all_after: float
    near_coverage: float
    width_ratio: float


def run(seed: int = 0, trees: int = 100, progress: Callable[[int, int], None] | None = None) -> list[Gain]:
    """Measure every kernel of `VARIED` on unseen families and on unseen publications.

    Raises:
        BadData: too few rows are on this machine for the folds.
    """
    low, high = NEAR_ROOM
    rows = [
        m
        for m in joined_table().measurements
        if low <= m.temperature_K <= high and not m.censored and m.log10_conductivity > LOWEST
    ]
    found = []
    for number, unseen in enumerate(("family", "publication")):
        if progress is not None:
            progress(number, 2)
        errors = residuals(rows, unseen, seed, trees)
        for observed in OBSERVED:
            found += [gain(errors, unseen, observed, kernel, seed) for kernel in VARIED]
    return found


def residuals(rows: Sequence[Measurement], unseen: str, seed: int, trees: int) -> Residuals:
    """Errors of a forest on atomic fractions that saw nothing of a row's family or publication."""
    fractions, values = fraction_matrix(rows), conductivities(rows)
    family = np.array([m.family for m in rows])
    large = [name for name in np.unique(family) if name and (family == name).sum() >= SMALLEST_FAMILY]
    if unseen == "family":
        folds = [(np.flatnonzero(family != name), np.flatnonzero(family == name)) for name in large]
    else:
        folds = grouped_folds(publications(rows), 5, seed)
    error = np.zeros(len(rows))
    for training, test in folds:
        forest = RandomForestRegressor(trees, max_features=0.3, min_samples_leaf=2, random_state=seed)
        error[test] = values[test] - forest.fit(fractions[training], values[training]).predict(fractions[test])
    kept = np.isin(family, large)
    return Residuals(fractions[kept], error[kept], family[kept])


def gain(errors: Residuals, unseen: str, observed: int, kernel: Kernel, seed: int) -> Gain:
    """Observe some rows of each family and correct the others."""
    rng, quantile = np.random.default_rng(seed), NormalDist().inv_cdf(0.95)
    parts = []
    names = np.unique(errors.family)
    for name in names:
        members = np.flatnonzero(errors.family == name)
        spread = float(np.sqrt((errors.residual[members] ** 2).mean()))  # an interval that is right for the family
        for _ in range(DRAWS):
            seen = rng.choice(members, observed, replace=False)
            rest = np.setdiff1d(members, seen)
            update = FastUpdate(errors.fractions[seen], errors.residual[seen], np.full(observed, spread), kernel=kernel)
            new = update.correct(errors.fractions[rest], np.zeros(len(rest)), np.full(len(rest), spread))
            before, after = np.abs(errors.residual[rest]), np.abs(errors.residual[rest] - new.location)
            close = cdist(errors.fractions[rest], errors.fractions[seen], "cityblock").min(1) / 2 < NEAR
            if close.any():
                inside = after[close] < quantile * new.scale[close]
                width = new.scale[close] / spread
                parts.append([
                    before[close].mean(), after[close].mean(), before.mean(), after.mean(), inside.mean(), width.mean()
                ])  # fmt: skip
    return Gain(unseen, observed, kernel, len(names), *(float(x) for x in np.mean(parts, axis=0)))


def as_dict(gains: Sequence[Gain]) -> dict[str, Any]:
    """The report as plain values."""
    return {"gains": [asdict(g) for g in gains]}


def markdown(gains: Sequence[Gain]) -> str:
    """The report as a page."""
    lines = [
        "# The fast update",
        "",
        "Rows near room temperature of families with at least "
        f"{SMALLEST_FAMILY} rows, predicted by a forest on atomic fractions that saw nothing of their family or of "
        f"their publication. Of each family 3 or 10 rows are observed ({DRAWS} draws) and the others corrected. Errors "
        "are mean absolute ones in decades; *near* is within 5 % of exchanged atoms of an observation. Intervals are "
        "nominal 90 % around the deviation of the family. The first line of each block is what ionscout uses.",
        "",
        "Written by `ionscout benchmark fast-update --out benchmarks`.",
    ]
    for unseen in ("family", "publication"):
        for observed in OBSERVED:
            block = [g for g in gains if (g.unseen, g.observed) == (unseen, observed)]
            lines += ["", f"## Unseen {unseen}, {observed} rows observed, {block[0].families} families", ""]
            lines += [
                "| length | noise | least share | near: before | after | coverage | width | all: before | after |",
                "|---|---|---|---|---|---|---|---|---|",
            ]
            for g in block:
                k = g.kernel
                lines.append(
                    f"| {k.length:g} | {k.noise:g} | {k.least_share:g} | {g.near_before:.2f} | {g.near_after:.2f} "
                    f"| {g.near_coverage:.0%} | {g.width_ratio:.2f} | {g.all_before:.2f} | {g.all_after:.2f} |"
                )
    return "\n".join(lines) + "\n"

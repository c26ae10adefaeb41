"""Error against the number of publications a model may learn from, on the same folds for every size."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ionscout.datasets.sources.base import Measurement
from ionscout.training.evaluate import Scores, score
from ionscout.training.folds import grouped_folds, publications

SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)

FitPredict = Callable[[np.ndarray, np.ndarray], np.ndarray]  # training rows, test rows → log10 σ of the test rows


@dataclass(frozen=True)
class LearningPoint:
    """Out-of-fold scores with a share of the training publications; counts are means over the folds."""

    share: float
    publications: float
    rows: float
    scores: Scores


@dataclass(frozen=True)
class LearningCurve:
    """Points from the smallest share to the whole; `doubling` is the drop of MAE (protocol B, decades) for twice
    the rows, by a straight line of MAE over log2(rows): what more data of this kind would still bring."""

    points: tuple[LearningPoint, ...]
    doubling: float

    def as_dict(self) -> dict:
        return asdict(self)


def learning_curve(
    fit_predict: FitPredict,
    measurements: Sequence[Measurement],
    folds: int,
    seed: int,
    shares: Sequence[float] = SHARES,
    rows: np.ndarray | None = None,
    on_fit: Callable[[], None] = lambda: None,
) -> LearningCurve:
    """Fit on growing parts of every fold's training publications and score on its whole test part.

    A larger part holds the smaller ones, so that points differ by what was added alone.

    Args:
        fit_predict: of row numbers into `measurements`; called `folds` × `len(shares)` times.
        rows: mask [n] of the rows that are scored (such as those with a crystal); None: all.
        on_fit: called after each fit.

    Raises:
        BadData: when there are fewer publications than folds.
    """
    groups = publications(measurements)
    label = np.array([m.log10_conductivity for m in measurements])
    censored = np.array([m.censored for m in measurements])
    splits = grouped_folds(groups, folds, seed)
    points = []
    for share in sorted(shares):
        prediction = np.full(len(label), np.nan)
        counts = []
        for number, (training, test) in enumerate(splits):
            part = nested_part(groups[training], share, seed + number)
            prediction[test] = fit_predict(training[part], test)
            counts.append((len(np.unique(groups[training[part]])), int(part.sum())))
            on_fit()
        scores = score(prediction, label, censored, rows=rows)
        assert scores is not None, "no row is left to score"
        mean = np.mean(counts, 0)
        points.append(LearningPoint(share, float(mean[0]), float(mean[1]), scores))
    return LearningCurve(tuple(points), _doubling(points))


def nested_part(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Mask [n] of the rows of the first `share` of the groups in an order that the seed draws; at least one group."""
    names = np.unique(groups)
    order = np.random.default_rng(seed).permutation(names)
    return np.isin(groups, order[: max(1, round(share * len(names)))])


def _doubling(points: Sequence[LearningPoint]) -> float:
    if len(points) < 2:
        return float("nan")
    slope = np.polyfit(np.log2([point.rows for point in points]), [point.scores.mae_B for point in points], 1)[0]
    return float(-slope)

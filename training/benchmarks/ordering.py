"""Whether a model orders real series as experiment does: the share of pairs that it puts the right way round."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.structure import Material
from ionscout.training.benchmarks.series import FoundSeries, Series, find_series, series_groups
from ionscout.training.folds import grouped_folds, publications

RIGHT = 2 / 3  # a series counts as ordered right from this share of its pairs on; half is what guessing gives

PredictMaterials = Callable[[list[Material]], np.ndarray]  # log10 σ near room temperature, [n]
FitPredict = Callable[[np.ndarray, np.ndarray], np.ndarray]  # training rows, test rows → log10 σ of the test rows


@dataclass(frozen=True)
class SeriesScore:
    """How one series is ordered.

    Attributes:
        points: different compositions (or phases); rows: measurements. pairs: of points that the rule compares.
        share: of pairs ordered as declared. right: whether that is at least two in three.
        span: predicted decades between the upper and the lower half of the declared order (means), signed.
        measured_share, measured_span: the same of the measured values, medians over repeats.
    """

    name: str
    source: str
    rows: int
    points: int
    pairs: int
    share: float
    right: bool
    span: float
    measured_share: float
    measured_span: float


@dataclass(frozen=True)
class OrderingReport:
    """Scores of every series found; `right` of `total` are ordered right, `pair_share` over all pairs of all series."""

    series: tuple[SeriesScore, ...]
    right: int
    total: int
    pair_share: float

    def as_dict(self) -> dict:
        return asdict(self)


def score_series(
    predict: PredictMaterials, measurements: Sequence[Measurement], rules: Sequence[Series] | None = None
) -> OrderingReport:
    """Ask a model for the members of every series found among the measurements, each as it was measured."""
    found = find_series(measurements, rules)
    rows = np.unique(np.concatenate([series.rows for series in found])) if found else np.zeros(0, dtype=int)
    prediction = np.full(len(measurements), np.nan)
    if len(rows):
        prediction[rows] = predict([measurements[int(i)].material() for i in rows])
    return score_predictions(prediction, measurements, found)


def score_series_held_out(
    fit_predict: FitPredict, measurements: Sequence[Measurement], folds: int, seed: int
) -> OrderingReport:
    """Score predictions by models that saw no row of a series, nor of any publication that a series touches.

    Raises:
        BadData: when too few groups are left for the folds.
    """
    groups = series_groups(measurements, publications(measurements))
    prediction = np.full(len(measurements), np.nan)
    for training, test in grouped_folds(groups, folds, seed):
        prediction[test] = fit_predict(training, test)
    return score_predictions(prediction, measurements, find_series(measurements))


def score_predictions(
    prediction: np.ndarray, measurements: Sequence[Measurement], found: Sequence[FoundSeries] | None = None
) -> OrderingReport:
    """Score predictions [n] of log10 σ for the measurements, such as out-of-fold ones."""
    label = np.array([m.log10_conductivity for m in measurements])
    chosen = find_series(measurements) if found is None else found
    scores = tuple(_score(series, prediction, label) for series in chosen)
    pairs = sum(score.pairs for score in scores)
    return OrderingReport(
        scores,
        sum(score.right for score in scores),
        len(scores),
        sum(score.share * score.pairs for score in scores) / pairs if pairs else float("nan"),
    )


def threshold_sentence() -> str:
    """What counts as right, for the reports."""
    return f"A series counts as ordered right from {RIGHT:.0%} of its pairs on (two in three); guessing gives half."


def _score(found: FoundSeries, prediction: np.ndarray, label: np.ndarray) -> SeriesScore:
    points = range(found.points)
    height = np.array([found.height[found.point == p].mean() for p in points])
    predicted = np.array([np.median(prediction[found.rows[found.point == p]]) for p in points])
    measured = np.array([np.median(label[found.rows[found.point == p]]) for p in points])
    upper, lower = np.nonzero(height[:, None] - height[None] >= found.series.resolution - 1e-3)
    share = _share(predicted, upper, lower)
    return SeriesScore(
        name=found.series.name,
        source=found.series.source,
        rows=len(found.rows),
        points=found.points,
        pairs=len(upper),
        share=share,
        right=share >= RIGHT - 1e-9,
        span=_span(predicted, height),
        measured_share=_share(measured, upper, lower),
        measured_span=_span(measured, height),
    )


def _share(values: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> float:
    """Share of pairs in which the first value is larger; a tie is half right."""
    gap = values[upper] - values[lower]
    return float(((gap > 0) + 0.5 * (gap == 0)).mean())


def _span(values: np.ndarray, height: np.ndarray) -> float:
    middle = (height.max() + height.min()) / 2
    return float(values[height >= middle].mean() - values[height < middle].mean())

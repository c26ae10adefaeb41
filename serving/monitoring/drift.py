"""Drift of inputs: whether what is asked about still looks like what the model was trained on.

Three views, each against the training rows: which elements occur, how far compositions are from the nearest training
composition, and how often the model itself calls a material outside its domain. Whether a difference is more than the
luck of the draw is decided by drawing samples of the same size from the training rows.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Composition, Element

from ionscout.datasets.composition import atomic_fractions, parse_formula
from ionscout.datasets.errors import BadData, IonscoutError
from ionscout.models.uncertainty import nearest_distance

# Population stability index: below 0.1 no change worth a word, above 0.25 a different population (the convention of
# credit scoring, Siddiqi, Credit Risk Scorecards (2006)); with its bounds halved, families that are merely asked about
# more often than they were measured would alarm.
PSI_WATCH, PSI_DRIFT = 0.1, 0.25
DRAWS = 200  # samples from the training rows: the smallest p-value is then 0.005
UNLIKELY = 0.01  # p-value below which a difference counts as one
LEAST = 30  # inputs below which nothing is concluded
MOST = 2_000  # inputs compared, the latest ones: distances cost inputs × training rows
SMOOTHING = 0.5  # counts added to every element, so that one that was never seen has a finite index
SHIFTS = 10  # elements listed


@dataclass(frozen=True)
class ReferenceProfile:
    """What the training rows look like.

    Attributes:
        fractions: atomic fractions by atomic number, [n, 95].
        distances: of every row to its nearest other composition, [n] (Euclidean, in atomic fractions).
    """

    fractions: np.ndarray
    distances: np.ndarray

    @classmethod
    def of(cls, compositions: Iterable[Composition]) -> "ReferenceProfile":
        """The profile of training compositions; repeats count once for distances.

        Raises:
            BadData: fewer than three.
        """
        fractions = np.array([atomic_fractions(composition) for composition in compositions])
        if len(fractions) < 3:
            raise BadData(f"{len(fractions)} training rows make no profile; give at least three.")
        distinct = np.unique(np.round(fractions, 6), axis=0)
        two = nearest_distance(distinct, distinct, neighbours=2)  # the mean of 0 (itself) and the nearest other
        return cls(fractions, 2 * two)

    @property
    def elements(self) -> frozenset[str]:
        return frozenset(Element.from_Z(int(z)).symbol for z in np.flatnonzero((self.fractions > 0).any(0)))


@dataclass(frozen=True)
class ElementShift:
    """How often an element occurs: share of the training rows, and of the inputs, that contain it."""

    element: str
    training_share: float
    input_share: float


@dataclass(frozen=True)
class InputDrift:
    """Inputs against training rows.

    Attributes:
        verdict: "ok", "watch", "drift", or "too few" to tell.
        inputs: compared, the latest ones.
        stability_index: population stability index of the elements; p_value: how likely an index this large is for as
            many rows drawn from the training data.
        unseen_elements: inputs by element that no training row contains.
        median_distance, training_median_distance: to the nearest (other) training composition.
        distance_p_value: how likely a median this large is for rows of the training data, each left out in turn.
        out_of_domain: share that the model called unlike its training data.
        shifts: the elements that changed most.
    """

    verdict: str
    inputs: int
    stability_index: float
    p_value: float
    unseen_elements: dict[str, int]
    median_distance: float
    training_median_distance: float
    distance_p_value: float
    out_of_domain: float
    shifts: tuple[ElementShift, ...]
    reason: str


def input_drift(
    formulas: Sequence[str], in_domain: Sequence[bool], profile: ReferenceProfile, seed: int = 0
) -> InputDrift:
    """Compare logged inputs with the training rows.

    Args:
        formulas, in_domain: of the inputs, in the order in which they came.
        seed: of the samples drawn from the training rows.

    Raises:
        BadData: no formula can be read.
    """
    inputs = _fractions(formulas[-MOST:])
    rng = np.random.default_rng(seed)
    training_counts = _counts(profile.fractions)
    index = _stability_index(_counts(inputs), training_counts)
    n, m = len(inputs), len(profile.fractions)
    drawn = [
        _stability_index(_counts(profile.fractions[rng.integers(m, size=n)]), training_counts) for _ in range(DRAWS)
    ]
    p_value = _p_value(index, drawn)
    distances = nearest_distance(inputs, np.unique(np.round(profile.fractions, 6), axis=0), neighbours=1)
    median = float(np.median(distances))
    medians = [float(np.median(rng.choice(profile.distances, n))) for _ in range(DRAWS)]
    distance_p = _p_value(median, medians)
    unseen = _unseen(inputs, training_counts)
    outside = 1 - float(np.mean(in_domain[-MOST:])) if len(in_domain) else 0.0
    verdict, reason = _verdict(n, index, p_value, distance_p, unseen)
    return InputDrift(
        verdict=verdict,
        inputs=n,
        stability_index=round(index, 4),
        p_value=p_value,
        unseen_elements=unseen,
        median_distance=round(median, 4),
        training_median_distance=round(float(np.median(profile.distances)), 4),
        distance_p_value=distance_p,
        out_of_domain=round(outside, 4),
        shifts=_shifts(inputs, profile.fractions),
        reason=reason,
    )


def _fractions(formulas: Sequence[str]) -> np.ndarray:
    found = []
    for formula in formulas:
        try:
            found.append(atomic_fractions(parse_formula(formula)))
        except IonscoutError:
            continue  # of a log from another version
    if not found:
        raise BadData("No logged formula can be read; check the prediction log.")
    return np.array(found)


def _counts(fractions: np.ndarray) -> np.ndarray:
    """Rows by element that they contain, [95]."""
    return (fractions > 0).sum(0).astype(float)


def _stability_index(counts: np.ndarray, reference: np.ndarray) -> float:
    """Σ (q − p) ln(q / p) over the elements that occur in either, p and q shares of all mentions of elements."""
    there = (counts > 0) | (reference > 0)
    q, p = counts[there] / counts.sum(), reference[there] / reference.sum()
    # Smoothed by the same share on both sides, or a small sample would differ by its size alone.
    epsilon = SMOOTHING / reference.sum()
    q, p = (q + epsilon) / (q + epsilon).sum(), (p + epsilon) / (p + epsilon).sum()
    return float(((q - p) * np.log(q / p)).sum())


def _p_value(value: float, drawn: Sequence[float]) -> float:
    return round((1 + sum(other >= value for other in drawn)) / (1 + len(drawn)), 4)


def _unseen(inputs: np.ndarray, reference: np.ndarray) -> dict[str, int]:
    counts = Counter(
        {Element.from_Z(int(z)).symbol: int((inputs[:, z] > 0).sum()) for z in np.flatnonzero(reference[1:] == 0) + 1}
    )
    return {element: count for element, count in counts.most_common() if count}


def _shifts(inputs: np.ndarray, reference: np.ndarray) -> tuple[ElementShift, ...]:
    now, before = (inputs > 0).mean(0), (reference > 0).mean(0)
    order = np.argsort(-np.abs(now - before), kind="stable")[:SHIFTS]
    return tuple(
        ElementShift(Element.from_Z(int(z)).symbol, round(float(before[z]), 4), round(float(now[z]), 4))
        for z in order
        if z > 0 and now[z] != before[z]
    )


def _verdict(n: int, index: float, p_value: float, distance_p: float, unseen: dict[str, int]) -> tuple[str, str]:
    if n < LEAST:
        return "too few", f"{n} inputs; at least {LEAST} are needed to tell."
    found = []
    if p_value <= UNLIKELY and index > PSI_WATCH:
        found.append(f"the elements differ from the training data (stability index {index:.2f})")
    if distance_p <= UNLIKELY:
        found.append("compositions are further from the training data than its rows are from each other")
    if unseen:
        found.append(f"{', '.join(unseen)} occur in no training row")
    if not found:
        return "ok", "The inputs look like the training data."
    grave = p_value <= UNLIKELY and (index > PSI_DRIFT or distance_p <= UNLIKELY)
    text = "; ".join(found)
    return "drift" if grave else "watch", f"{text[0].upper()}{text[1:]}."

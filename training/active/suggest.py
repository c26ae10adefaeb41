"""The next batch, each member with the reasons why it is in it.

`suggest(compositions, posterior, count)` is all a caller needs; families, sites, a dial, known materials and further
objectives refine it. Nothing here knows which model made the posterior.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pymatgen.core import Composition
from scipy.stats import norm

from ionscout.datasets.composition import atomic_fractions, formula_text
from ionscout.datasets.errors import OutOfRange, UnknownName
from ionscout.training.active.acquisition import METHODS, Method, score
from ionscout.training.active.diversity import Facets, facets
from ionscout.training.active.hypervolume import Front
from ionscout.training.active.posterior import Posterior

COVERAGE = 0.9  # of the interval in the explanation
NOISE = 0.25  # variance in decades²: repeats of one composition differ by 0.45 in the median, 0.74 on average


@dataclass(frozen=True)
class Known:
    """A measured material: composition, its value in the unit of the (first) objective, and a name to show."""

    composition: Composition
    value: float
    name: str = ""


@dataclass(frozen=True)
class Suggestion:
    """One member of a batch.

    Attributes:
        index: of the candidate.
        predicted, lower, upper: of the first objective, with a 90 % interval.
        objectives: predicted values of all objectives.
        exploitation: what the predicted value alone is worth.
        exploration: what the uncertainty that the rest of the batch leaves adds.
        diversity: what the likeness to members already in the batch takes off, ≤ 0.
        nearest_known, nearest_value, nearest_distance: the closest measured material, its value, and the largest
            difference of an atomic fraction; None when nothing is measured.
        reason: one sentence.

    The three parts add up to the acquisition value by which the member was chosen; for several objectives this is the
    expected hypervolume improvement, in the product of their units.
    """

    index: int
    predicted: float
    lower: float
    upper: float
    objectives: tuple[float, ...]
    exploitation: float
    exploration: float
    diversity: float
    nearest_known: str | None
    nearest_value: float | None
    nearest_distance: float | None
    reason: str


def suggest(
    compositions: Sequence[Composition],
    posterior: Posterior | Sequence[Posterior],
    count: int = 5,
    *,
    method: Method | Literal["nehvi"] = "ucb",
    dial: float = 0.4,
    diversity: float = 0.5,
    families: Sequence[str] = (),
    sites: Sequence[str] = (),
    elements: Sequence[frozenset[str]] = (),
    known: Sequence[Known] = (),
    excluded: Sequence[int] = (),
    measured: Sequence[int] = (),
    reference: Sequence[float] | None = None,
    noise: float = NOISE,
    seed: int = 0,
) -> list[Suggestion]:
    """Choose a batch, best first, one candidate at a time, each given those before it.

    Args:
        compositions: candidates, [n].
        posterior: belief about them in the unit to be maximised, such as log10(σ / S cm⁻¹); several for several
            objectives (method `nehvi`). From ensemble samples: `Posterior.from_samples`.
        method: `ucb`, `ei`, `thompson`, or `nehvi`.
        dial: 0 exploits, 1 explores, 0.5 is the textbook function (see `acquisition`).
        diversity: price of a candidate that is in every facet like one already chosen, in standard deviations of the
            acquisition values over the candidates (`nehvi`: its improvement counts exp(−diversity) as much); 0 is off.
        families, sites, elements: what alike means, one label per candidate or none (see `diversity.facets`).
        known: measured materials, for the incumbent of expected improvement and for the explanation.
        excluded: candidates that are not to be chosen: measured, pending or failed ones.
        measured: candidates that are measured, for the front of `nehvi`; excluded as well.
        reference: worst values that count for `nehvi`, one per objective.
        noise: variance of one measurement, in the unit of the objective squared.

    Returns:
        At most `count` suggestions; fewer when fewer candidates are left.

    Raises:
        OutOfRange: no candidates, a prediction that is not finite, lists of different lengths, a dial outside [0, 1].
        UnknownName: another method.
    """
    posteriors = [posterior] if isinstance(posterior, Posterior) else list(posterior)
    _check(compositions, posteriors, count, diversity, noise, method)
    like = facets(compositions, families, sites, elements)
    taken = np.zeros(len(compositions), dtype=bool)
    taken[[*excluded, *measured]] = True
    rng = np.random.default_rng(seed)
    best = max((k.value for k in known), default=None)
    current, scale = posteriors, 0.0
    chosen: list[int] = []
    found: list[Suggestion] = []
    penalty = np.zeros(len(compositions))
    while len(chosen) < count and not taken.all():
        free = np.flatnonzero(~taken)
        if method == "nehvi":
            point = None if reference is None else np.asarray(reference, dtype=float)
            front = Front(posteriors, dial, np.asarray(measured, dtype=int), tuple(chosen), point, seed)
            index, parts = front.best(free, diversity * penalty)
        else:
            exploitation, exploration = score(current[0].rows(free), method, dial, best, rng)
            total = exploitation + exploration
            scale = scale or float(total.std())  # one price for the whole batch
            price = diversity * scale * penalty[free]
            # Far below the incumbent the expected improvement is exactly 0: of equals the higher mean goes first.
            k = int(np.lexsort((-free, posteriors[0].mean[free], total - price))[-1])
            index, parts = int(free[k]), (float(exploitation[k]), float(exploration[k]), -float(price[k]))
        found.append(_explained(compositions, posteriors, index, parts, like, known))
        chosen.append(index)
        taken[index] = True
        penalty = np.maximum(penalty, like.similarity(index))
        if method != "nehvi":  # which learns of the pending ones inside
            current = [current[0].pending(index, noise)]
    return found


def _explained(
    compositions: Sequence[Composition],
    posteriors: Sequence[Posterior],
    index: int,
    parts: tuple[float, float, float],
    like: Facets,
    known: Sequence[Known],
) -> Suggestion:
    mean, half = posteriors[0].mean[index], norm.ppf((1 + COVERAGE) / 2) * posteriors[0].deviation[index]
    name = value = distance = None
    text = f"predicted {mean:.2f} ({mean - half:.2f} to {mean + half:.2f})"
    if known:
        own = atomic_fractions(compositions[index])
        apart = [float(np.abs(atomic_fractions(k.composition) - own).max()) for k in known]
        nearest = known[int(np.argmin(apart))]
        name, value, distance = nearest.name or formula_text(nearest.composition), nearest.value, min(apart)
        text += f", nearest measured {name} with {value:.2f}"
    ranks = float((posteriors[0].mean < mean).mean()), float((posteriors[0].deviation < 2 * half / 3.29).mean())
    if ranks[0] >= ranks[1]:
        text = f"a high value is expected: {text}; above {ranks[0]:.0%} of the candidates"
    else:
        text = f"little is known here: {text}; less certain than {ranks[1]:.0%} of the candidates"
    if parts[2] < 0:
        text += "; kept although parts of it are already in the batch"
    elif like.families and like.families[index]:
        text += f"; brings {like.families[index]} into the batch"
    objectives = tuple(float(p.mean[index]) for p in posteriors)
    return Suggestion(
        index, float(mean), float(mean - half), float(mean + half), objectives, *parts, name, value, distance, text
    )


def _check(
    compositions: Sequence[Composition],
    posteriors: Sequence[Posterior],
    count: int,
    diversity: float,
    noise: float,
    method: str,
) -> None:
    if method not in (*METHODS, "nehvi"):
        raise UnknownName(f"There is no acquisition '{method}'; choose one of {', '.join(METHODS)}, nehvi.")
    if method != "nehvi" and len(posteriors) != 1:
        raise OutOfRange(f"'{method}' ranks one objective; use nehvi for {len(posteriors)}.")
    if not len(compositions):
        raise OutOfRange("There are no candidates to choose from; widen the elements, amounts or constraints.")
    for p in posteriors:
        if len(p) != len(compositions):
            raise OutOfRange(f"{len(compositions)} candidates came with {len(p)} predictions; give one for each.")
    if count < 1:
        raise OutOfRange(f"A batch of {count} is empty; ask for one candidate or more.")
    if not (np.isfinite(diversity) and diversity >= 0):
        raise OutOfRange(f"The diversity term is {diversity}; give 0 (off) or a positive number.")
    if not (np.isfinite(noise) and noise > 0):
        raise OutOfRange(f"The variance of a measurement is {noise}; give a positive number.")

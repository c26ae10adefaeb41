"""Ranking: what the user wants as numbers between 0 and 1, weighted and added, constraints, and the Pareto front.

No chain of cut-offs: of 59 dopants made alike in one laboratory, cut-offs one after the other leave none. A weak point
costs score; only what the user demands as a constraint excludes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ionscout.datasets.errors import InvalidInput, UnknownName
from ionscout.training.active.scores import Score


@dataclass(frozen=True)
class Objective:
    """One property that can be ranked by, or constrained.

    Attributes:
        name: as the user writes it. unit: of `value`.
        value: reads it from a score; None where it is not known.
        worst, best: values that count 0 and 1; linear between.
        weight: in the default score.
        meaning: in words.
    """

    name: str
    unit: str
    value: Callable[[Score], float | None]
    worst: float
    best: float
    weight: float
    meaning: str

    def utility(self, score: Score) -> float:
        """Between 0 and 1; one half where the property is not known."""
        value = self.value(score)
        if value is None:
            return 0.5
        return float(np.clip((value - self.worst) / (self.best - self.worst), 0.0, 1.0))


def _stable(read: Callable) -> Callable[[Score], float | None]:
    return lambda score: None if score.stability is None else read(score.stability)


# Ranges: conductivity from a poor conductor to the best; energies over what the field calls unreactive to reactive.
OBJECTIVES: dict[str, Objective] = {
    o.name: o
    for o in (
        Objective("conductivity", "log10 S/cm", lambda s: s.conduction.expected, -7.0, -2.0, 0.40, "expected log10 σ"),
        Objective("gain", "decades", lambda s: s.gain, -0.2, 1.0, 0.12, "expected log10 σ over the undoped host"),
        Objective("site", "eV", lambda s: s.candidate.site_energy, 1.5, 0.0, 0.12, "placement energy per dopant ion"),
        Objective("realised", "share", lambda s: s.candidate.realised, 0.0, 0.5, 0.08, "dopant that stays on its site"),
        Objective("synthesisability", "share", _stable(lambda s: s.synthesisability), 0.0, 1.0, 0.06, "from hull and mixing entropy"),  # noqa: E501
        Objective("hull", "eV/atom", _stable(lambda s: s.energy_above_hull), 0.1, 0.0, 0.0, "energy above hull"),
        Objective("lithium", "eV/atom", _stable(lambda s: s.lithium_energy), -0.3, 0.0, 0.07, "reaction with lithium"),
        Objective("reduction", "V", _stable(lambda s: s.reduction_limit), 2.0, 0.0, 0.0, "reduction limit"),
        Objective("oxidation", "V", _stable(lambda s: 6.0 if s.oxidation_limit is None else s.oxidation_limit), 1.5, 4.5, 0.02, "oxidation limit"),  # noqa: E501
        Objective("cathode", "eV/atom", _stable(lambda s: s.cathode_energy), -0.3, 0.0, 0.04, "worse reaction with the cathode"),  # noqa: E501
        Objective("moisture", "eV/atom", _stable(lambda s: s.water_energy), -0.15, 0.0, 0.02, "reaction with water"),
        Objective("gap", "eV", _stable(lambda s: s.band_gap), 0.5, 3.0, 0.04, "band gap, against electronic leakage"),
        Objective("price", "class", lambda s: float(s.price_class), 5.0, 1.0, 0.03, "price class, 1 to 5"),
        Objective("toxicity", "class", lambda s: float(s.toxicity), 2.0, 0.0, 0.02, "0 low, 1 moderate, 2 high"),
        Objective("simplicity", "dopants", lambda s: float(len(s.candidate.substitutions)), 2.0, 1.0, 0.02, "one dopant before two"),  # noqa: E501
    )
}  # fmt: skip
PARETO = ("conductivity", "site", "lithium", "gap")  # what a front is drawn of unless the user chooses objectives
_CONSTRAINT = re.compile(r"\s*([a-z]+)\s*(<=|>=|<|>)\s*([-+]?[0-9.]+(?:[eE][-+]?\d+)?)\s*$")


@dataclass(frozen=True)
class Constraint:
    """A demand such as `conductivity >= -3.5`."""

    objective: Objective
    lower: bool
    limit: float

    def met(self, score: Score) -> bool:
        """Unknown properties do not meet a demand."""
        value = self.objective.value(score)
        return value is not None and (value >= self.limit if self.lower else value <= self.limit)

    def __str__(self) -> str:
        return f"{self.objective.name} {'>=' if self.lower else '<='} {self.limit:g}"


@dataclass(frozen=True)
class Ranked:
    """One candidate in the ranking.

    Attributes:
        score: everything known about it. total: weighted score, 0 … 1. on_front: whether nothing beats it in all
            objectives of the front at once. parts: weighted contribution of each objective, highest first.
    """

    score: Score
    total: float
    on_front: bool
    parts: tuple[tuple[str, float], ...]


def read_weights(texts: Sequence[str]) -> dict[str, float]:
    """Weights from `name` or `name=weight`; without any, the default ones. Named ones alone count.

    Raises:
        UnknownName, InvalidInput.
    """
    weights: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        objective = _objective(name.strip())
        try:
            weights[objective.name] = float(number) if number else 1.0
        except ValueError:
            raise InvalidInput(f"'{text}' is no objective with a weight; write it as conductivity=2.") from None
        if not 0 <= weights[objective.name] < float("inf"):
            raise InvalidInput(f"The weight of {objective.name} must not be negative; leave the objective out instead.")
    if not weights:
        return {o.name: o.weight for o in OBJECTIVES.values() if o.weight > 0}
    if not sum(weights.values()):
        raise InvalidInput("All weights are 0; give at least one objective a weight above 0.")
    return weights


def read_constraints(texts: Sequence[str]) -> list[Constraint]:
    """Demands such as `lithium>=-0.1` or `price<=3`, checked against each other.

    Raises:
        UnknownName, InvalidInput: not a demand, or two that no value meets.
    """
    found = []
    for text in texts:
        match = _CONSTRAINT.match(text)
        if match is None:
            raise InvalidInput(f"'{text}' is no constraint; write it as conductivity>=-4 or price<=3.")
        found.append(Constraint(_objective(match[1]), ">" in match[2], float(match[3])))
    for a in found:
        for b in found:
            if a.objective is b.objective and a.lower and not b.lower and a.limit > b.limit:
                raise InvalidInput(f"The constraints {a} and {b} contradict each other; no value meets both.")
    return found


def rank(
    scores: Sequence[Score], weights: Mapping[str, float] | None = None, constraints: Sequence[Constraint] = ()
) -> list[Ranked]:
    """Sort candidates by weighted score, best first, and mark the Pareto front.

    Raises:
        InvalidInput: no candidate meets the constraints; the message names the one that excludes most.
    """
    weights = dict(weights) if weights is not None else read_weights(())
    kept = [s for s in scores if all(c.met(s) for c in constraints)]
    if not kept:
        if not constraints:
            raise InvalidInput("There is no valid candidate: widen the elements or the amounts.")
        hardest = min(constraints, key=lambda c: sum(c.met(s) for s in scores))
        raise InvalidInput(f"No candidate meets the constraints; {hardest} excludes most, so loosen it first.")
    names = [n for n in weights if weights[n] > 0]
    whole = sum(weights[n] for n in names)
    chosen = names if len(names) <= len(PARETO) else [n for n in PARETO if n in OBJECTIVES]
    front = pareto_front(np.array([[OBJECTIVES[n].utility(s) for n in chosen] for s in kept]))
    found = []
    for score, first in zip(kept, front, strict=True):
        parts = [(n, weights[n] / whole * OBJECTIVES[n].utility(score)) for n in names]
        total = sum(x for _, x in parts)
        found.append(Ranked(score, total, bool(first), tuple(sorted(parts, key=lambda part: -part[1]))))
    return sorted(found, key=lambda r: (-r.total, r.score.candidate.formula))


def pareto_front(utilities: np.ndarray) -> np.ndarray:
    """Which rows of [n, objectives] no other row equals or exceeds everywhere and exceeds somewhere, bool [n]."""
    front = np.ones(len(utilities), dtype=bool)
    for number, row in enumerate(utilities):
        better = (utilities >= row).all(1) & (utilities > row + 1e-12).any(1)
        front[number] = not better.any()
    return front


def diverse(ranked: Sequence[Ranked], top: int, per_element: int = 3) -> list[Ranked]:
    """The best `top` candidates, one for each set of substitutions and at most a few with any one dopant.

    Amounts of one substitution are one idea. Where the limits leave fewer than `top`, the next best fill up.
    """
    taken: list[Ranked] = []
    seen: set[tuple[str, ...]] = set()
    count: dict[str, int] = {}
    rest: list[Ranked] = []
    for entry in ranked:
        candidate = entry.score.candidate
        idea = candidate.idea
        if idea in seen:
            continue
        if any(count.get(d, 0) >= per_element for d in candidate.dopants):
            rest.append(entry)
            continue
        seen.add(idea)
        for dopant in candidate.dopants:
            count[dopant] = count.get(dopant, 0) + 1
        taken.append(entry)
    if len(taken) < top:
        for entry in rest:
            idea = entry.score.candidate.idea
            if idea not in seen:
                seen.add(idea)
                taken.append(entry)
    return sorted(taken[: max(top, 0)], key=lambda r: (-r.total, r.score.candidate.formula))


def _objective(name: str) -> Objective:
    if name not in OBJECTIVES:
        raise UnknownName(f"There is no objective '{name}'; choose from {', '.join(OBJECTIVES)}.")
    return OBJECTIVES[name]
